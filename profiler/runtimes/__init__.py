"""The runtimes that execute a graph: one file each, and one entry here.

Nothing is imported until a runtime is opened, and only a measuring process opens one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final

from hyctas.errors import RuntimeUnavailable
from hyctas.target import Target
from profiler.runtimes.engine import Engine, Runtime, Unsupported

__all__ = ["CATALOGUE", "RUNTIMES", "Engine", "Runtime", "RuntimeSource", "Unsupported", "open_runtime"]


@dataclass(frozen=True, slots=True)
class RuntimeSource:
    """Where a runtime comes from.

    Attributes:
        location: ``module:class``, the class taking a target.
        install: How to install its package.
        local_targets: The targets that it offers on a CPU, on one thread; other thread counts are other targets.
    """

    location: str
    install: str
    local_targets: tuple[str, ...]


CATALOGUE: Final[Mapping[str, RuntimeSource]] = MappingProxyType(
    {
        "onnxruntime": RuntimeSource(
            "profiler.runtimes.onnxruntime:OnnxRuntime", "pip install onnxruntime", ("onnxruntime-fp32-t1",)
        ),
        "torch": RuntimeSource(
            "profiler.runtimes.torch:TorchRuntime",
            "pip install 'hyctas[torch]'",
            ("torch-fp32-t1", "torch-fp32-channels-last-t1", "torch-fp32-compiled-t1"),
        ),
    }
)

RUNTIMES: Final[Mapping[str, str]] = MappingProxyType({name: source.location for name, source in CATALOGUE.items()})
"""Locations by name: what a measuring process is told."""


def open_runtime(target: Target, runtimes: Mapping[str, str] = RUNTIMES) -> Runtime:
    """Import the runtime of `target` and open it.

    Raises:
        RuntimeUnavailable: No such runtime is known, or its package is not installed.
        Unsupported: It lacks the target's precision or options.
    """
    if target.runtime not in runtimes:
        raise RuntimeUnavailable(f"no runtime {target.runtime!r} here; known: {', '.join(runtimes)}")
    module, _, name = runtimes[target.runtime].partition(":")
    try:
        create: Callable[[Target], Runtime] = getattr(import_module(module), name)
    except ImportError as error:
        source = CATALOGUE.get(target.runtime)
        how = source.install if source else f"install {target.runtime}"
        raise RuntimeUnavailable(f"{target.runtime} cannot be imported ({error}); {how}") from error
    return create(target)
