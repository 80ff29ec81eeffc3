"""PyTorch on a GPU: eager, compiled, replayed from a CUDA graph, or a mixture.

Half precision is what users deploy: ``module.half()`` or ``.bfloat16()`` after folding batch norms in float32. Softmax
and averages over a map then read and write half precision but sum in float32, inside torch's own kernels. Inputs and
outputs stay float32 and are cast inside, as in our ONNX models.

Eager runs of small networks are bound by launches: events around them time the host. The option ``graph`` replays
everything with one launch.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import torch

from hyctas.errors import RuntimeUnavailable
from hyctas.graph import Graph
from hyctas.measurement import DeviceConditions
from hyctas.target import Target
from profiler.nvml import GpuMonitor
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.options import on_gpu
from profiler.runtimes.torch import allow_many_compiled_modules, as_tuple, seeded_module
from profiler.runtimes.torch_cuda_engine import Launch, TorchCudaEngine, TorchHostTimedEngine

Forward = Callable[..., tuple[Any, ...]]
"""From float32 inputs to float32 outputs (or the integers of an argmax)."""

DTYPES: Final[Mapping[str, torch.dtype]] = MappingProxyType(
    {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
)
DEVICE: Final = "cuda"
WAYS: Final = ("graph", "compiled", "channels-last")
AMPERE: Final = (8, 0)
"""The first compute capability with TF32 and bfloat16."""
WARM_UP_RUNS: Final = 3
"""Runs on a side stream before a capture: they load libraries, search for algorithms and compile."""
INSTALL: Final = "install a CUDA build of torch (pip install torch, from an index of CUDA builds)"


class TorchCudaRuntime:
    """Modules of one GPU target.

    Raises:
        Unsupported: The target asks for a precision or options that are not offered, or that the GPU lacks.
        RuntimeUnavailable: torch has no CUDA, finds no GPU, or cannot compile.
    """

    def __init__(self, target: Target) -> None:
        self._ways = on_gpu(target, {"cuda": DTYPES}, WAYS)
        _check_device()
        self.metric = target.metric
        self._precision = target.precision
        if target.precision in ("tf32", "bf16") and torch.cuda.get_device_capability() < AMPERE:
            raise Unsupported(
                f"{target.local_name}: {torch.cuda.get_device_name()} does not compute in {target.precision}, which "
                "begins with compute capability 8.0; measure torch-fp32-cuda or torch-fp16-cuda"
            )
        _choose_arithmetic(tf32=target.precision == "tf32")
        if "compiled" in self._ways:
            _check_compiler()
            allow_many_compiled_modules()
        self._monitor = GpuMonitor(os.environ)  # the variables that choose CUDA's devices, as CUDA itself reads them

    def prepare(self, graph: Graph, *, seed: int) -> TorchCudaEngine | TorchHostTimedEngine:
        """Build the module on the device, compile it and capture a run of it where the target says so, and warm up.

        Raises:
            Unsupported: A run cannot be captured.
            torch.cuda.OutOfMemoryError: It does not fit.
        """
        with torch.inference_mode():
            module, inputs = seeded_module(graph, seed, channels_last="channels-last" in self._ways)
            forward = self._forward(module.to(DEVICE, DTYPES[self._precision]))
            on_device = [tensor.to(DEVICE) for tensor in inputs]
            launch = (_captured if "graph" in self._ways else _eager)(forward, on_device)
        if self.metric == "compute_time":
            return TorchCudaEngine(launch)
        copied = tuple(zip(inputs, on_device, strict=True)) if self.metric == "host_time_with_copies" else None
        return TorchHostTimedEngine(launch, copied)

    def environment(self) -> Mapping[str, str]:
        """Versions and settings that the name of the target does not say, and the state of the GPU."""
        return {
            "torch": str(torch.__version__),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
            "cudnn_algorithms": "searched for each shape",
            "border": "float32",
            "fp16_reduced_precision_reduction": str(torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction),
            **self._monitor.environment(),
        }

    def conditions(self) -> DeviceConditions:
        """Clocks, temperature, power and throttle reasons, the latter since the call before."""
        return self._monitor.conditions()

    def _forward(self, module: Any) -> Forward:
        """From float32 inputs to float32 outputs, in the precision of the target."""
        dtype = DTYPES[self._precision]

        def forward(*inputs: Any) -> tuple[Any, ...]:
            outputs = as_tuple(module(*(tensor.to(dtype) for tensor in inputs)))
            return tuple(tensor.float() if tensor.is_floating_point() else tensor for tensor in outputs)

        if "compiled" not in self._ways:
            return forward
        compiled: Forward = torch.compile(forward, dynamic=False)
        return compiled


def _check_device() -> None:
    if torch.version.cuda is None:
        raise RuntimeUnavailable(f"torch {torch.__version__} is built without CUDA; {INSTALL}")
    if not torch.cuda.is_available():
        raise RuntimeUnavailable(
            f"torch {torch.__version__} finds no CUDA device; needed are an NVIDIA GPU, a driver for CUDA "
            f"{torch.version.cuda}, and CUDA_VISIBLE_DEVICES not hiding it"
        )


def _check_compiler() -> None:
    if importlib.util.find_spec("triton") is None:
        raise RuntimeUnavailable("torch.compile on a GPU needs Triton, which is missing; pip install triton")


def _choose_arithmetic(*, tf32: bool) -> None:
    """TF32 in both libraries or in neither (by default cuDNN has it), and the fastest algorithm for each shape.

    Shapes are static here, so a deployment would search too; ONNX Runtime does by default, and TensorRT always.
    """
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True


def _eager(forward: Forward, inputs: Sequence[Any]) -> Launch:
    """A run as Python launches it, kernel by kernel."""
    return lambda: forward(*inputs)


def _captured(forward: Forward, inputs: Sequence[Any]) -> Launch:
    """A run that was captured into a CUDA graph and is replayed; it reads and writes the same memory each time.

    Raises:
        Unsupported: It cannot be captured.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_RUNS):
            forward(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            outputs = forward(*inputs)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise Unsupported(f"a run cannot be captured into a CUDA graph ({error}); measure it without graph") from error

    def replay() -> tuple[Any, ...]:
        graph.replay()
        return outputs

    return replay
