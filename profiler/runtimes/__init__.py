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

__all__ = ["CATALOGUE", "RUNTIMES", "Engine", "Runtime", "RuntimeSource", "Unsupported", "Variant", "open_runtime"]


@dataclass(frozen=True, slots=True)
class Variant:
    """Targets of a runtime that need the same hardware and the same packages.

    Attributes:
        targets: Local names. On a CPU they have one thread; other thread counts are other targets.
        install: How to install what they need.
    """

    targets: tuple[str, ...]
    install: str


@dataclass(frozen=True, slots=True)
class RuntimeSource:
    """Where a runtime comes from.

    Attributes:
        location: ``module:name`` of what makes a runtime from a target.
        variants: What it offers, that on the CPU first.
    """

    location: str
    variants: tuple[Variant, ...]

    @property
    def install(self) -> str:
        """How to install its package."""
        return self.variants[0].install

    @property
    def local_targets(self) -> tuple[str, ...]:
        """Every target that it offers."""
        return tuple(name for variant in self.variants for name in variant.targets)


CATALOGUE: Final[Mapping[str, RuntimeSource]] = MappingProxyType(
    {
        "onnxruntime": RuntimeSource(
            "profiler.runtimes.onnxruntime:open_onnxruntime",
            (
                Variant(("onnxruntime-fp32-t1",), "pip install onnxruntime"),
                Variant(
                    (
                        "onnxruntime-fp32-cuda",
                        "onnxruntime-tf32-cuda",
                        "onnxruntime-fp16-cuda",
                        "onnxruntime-fp16-cuda-graph",
                    ),
                    "pip install 'onnxruntime-gpu[cuda,cudnn]' in place of onnxruntime, and cuda-python",
                ),
                Variant(
                    (
                        "onnxruntime-fp32-tensorrt",
                        "onnxruntime-tf32-tensorrt",
                        "onnxruntime-fp16-tensorrt",
                        "onnxruntime-fp16-tensorrt-graph",
                        "onnxruntime-int8-tensorrt",
                    ),
                    "pip install 'onnxruntime-gpu[cuda,cudnn]' in place of onnxruntime, tensorrt, and cuda-python",
                ),
            ),
        ),
        "openvino": RuntimeSource(
            "profiler.runtimes.openvino:OpenVinoRuntime",
            (
                Variant(
                    ("openvino-fp32-t1", "openvino-bf16-t1", "openvino-fp16-t1", "openvino-int8-t1"),
                    "pip install 'hyctas[openvino]'",
                ),
            ),
        ),
        "torch": RuntimeSource(
            "profiler.runtimes.torch:open_torch",
            (
                Variant(("torch-fp32-t1", "torch-fp32-channels-last-t1"), "pip install 'hyctas[torch]'"),
                Variant(("torch-fp32-compiled-t1",), "a C++ compiler, such as g++"),
                Variant(
                    (
                        "torch-fp32-cuda",
                        "torch-tf32-cuda",
                        "torch-fp16-cuda",
                        "torch-bf16-cuda",
                        "torch-fp16-cuda-channels-last",
                        "torch-fp16-cuda-graph",
                        "torch-fp16-cuda-graph-channels-last",
                    ),
                    "a CUDA build of torch",
                ),
                Variant(("torch-fp16-cuda-graph-compiled",), "a CUDA build of torch, with triton"),
            ),
        ),
        "tensorrt": RuntimeSource(
            "profiler.runtimes.tensorrt.runtime:TensorRtRuntime",
            (
                Variant(
                    ("tensorrt-fp32", "tensorrt-tf32", "tensorrt-fp16", "tensorrt-bf16", "tensorrt-int8"),
                    "pip install 'hyctas[tensorrt]'",
                ),
            ),
        ),
        "tensorrt-rtx": RuntimeSource(
            "profiler.runtimes.tensorrt.runtime:TensorRtRuntime",
            (
                Variant(
                    ("tensorrt-rtx-fp32", "tensorrt-rtx-fp16", "tensorrt-rtx-bf16", "tensorrt-rtx-int8"),
                    "pip install 'hyctas[tensorrt-rtx]'",
                ),
            ),
        ),
    }
)
"""Every runtime, with the targets that ``hyctas targets`` tries out; a runtime may run more than are listed."""

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
