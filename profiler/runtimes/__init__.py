"""The runtimes that execute a graph: one file each, and one line here.

Nothing is imported until a runtime is opened, and only a measuring process opens one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from hyctas.errors import RuntimeUnavailable
from hyctas.target import Target
from profiler.runtimes.engine import Engine, Runtime, Unsupported

__all__ = ["RUNTIMES", "Engine", "Runtime", "Unsupported", "open_runtime"]

RUNTIMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "onnxruntime": "profiler.runtimes.onnxruntime:OnnxRuntime",
        "torch": "profiler.runtimes.torch:TorchRuntime",
    }
)
"""Where each runtime is defined: ``module:class``, the class taking a target."""

INSTALL: Final[Mapping[str, str]] = MappingProxyType(
    {"onnxruntime": "pip install onnxruntime", "torch": "pip install 'hyctas[torch]'"}
)


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
        how = INSTALL.get(target.runtime, f"install {target.runtime}")
        raise RuntimeUnavailable(f"{target.runtime} cannot be imported ({error}); {how}") from error
    return create(target)
