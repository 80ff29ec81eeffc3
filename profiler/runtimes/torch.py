"""PyTorch: on the CPU here, on GPUs in :mod:`profiler.runtimes.torch_cuda`.

Batch norms are folded into convolutions, as in the ONNX form, so that runtimes are compared on the same work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch

from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.target import Target
from hyctas.torch_form import GraphModule
from hyctas.weights import seeded_inputs, seeded_weights
from profiler.runtimes.engine import Runtime
from profiler.runtimes.options import on_cpu
from profiler.runtimes.outputs import Output, all_finite

PRECISIONS: Final = ("fp32",)
OPTIONS: Final = ("channels-last", "compiled")


def open_torch(target: Target) -> Runtime:
    """The runtime of a target on the CPU or on a GPU."""
    if target.on_gpu:
        from profiler.runtimes.torch_cuda import TorchCudaRuntime

        return TorchCudaRuntime(target)
    return TorchRuntime(target)


class TorchRuntime:
    """Modules of one CPU target.

    Raises:
        Unsupported: The target asks for a precision or options that are not offered.
    """

    def __init__(self, target: Target) -> None:
        threads = on_cpu(target, dict.fromkeys(("", *OPTIONS), PRECISIONS))
        self.metric = target.metric
        self._option = "-".join(target.options)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        if self._option == "compiled":
            allow_many_compiled_modules()

    def prepare(self, graph: Graph, *, seed: int) -> TorchEngine:
        """Build the module, and compile it where the target says so."""
        module, inputs = seeded_module(graph, seed, channels_last=self._option == "channels-last")
        if self._option == "compiled":
            module = torch.compile(module, dynamic=False)
        return TorchEngine(module, inputs)

    def environment(self) -> Mapping[str, str]:
        """Version, threads and number format."""
        return {
            "torch": str(torch.__version__),
            "threads": str(torch.get_num_threads()),
            "mkldnn": str(torch.backends.mkldnn.is_available()),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        }


class TorchEngine:
    """A module with its inputs."""

    def __init__(self, module: Any, inputs: list[Any]) -> None:
        self._module = module
        self._inputs = inputs

    def run(self) -> None:
        """Run the module once, without recording gradients."""
        with torch.inference_mode():
            self._module(*self._inputs)

    def outputs(self) -> list[Output]:
        """Run once, and copy every output."""
        with torch.inference_mode():
            return [tensor.contiguous().numpy() for tensor in as_tuple(self._module(*self._inputs))]

    def finite(self) -> bool:
        """Run once and check every output."""
        return all_finite(self.outputs())


def seeded_module(graph: Graph, seed: int, *, channels_last: bool) -> tuple[Any, list[Any]]:
    """The module of a graph in evaluation mode, its batch norms folded, and its inputs; float32, on the CPU."""
    folded, weights = fold(graph, seeded_weights(graph, seed))
    module: Any = GraphModule(folded, weights).eval()
    inputs = [torch.from_numpy(array) for array in seeded_inputs(graph, seed).values()]
    if channels_last:
        module = module.to(memory_format=torch.channels_last)
        inputs = [tensor.to(memory_format=torch.channels_last) for tensor in inputs]
    return module, inputs


def as_tuple(outputs: Any) -> tuple[Any, ...]:
    """The outputs of a module, of which a single one comes alone."""
    return outputs if isinstance(outputs, tuple) else (outputs,)


def allow_many_compiled_modules() -> None:
    """Let every module of a process be compiled.

    All of them run the code of one class, and by default torch silently stops compiling after a few forms of one code.
    Past the limits that are set here it raises, and the measurement fails instead of being that of something else.
    """
    import torch._dynamo.config as config

    config.recompile_limit = config.accumulated_recompile_limit = 100_000
    config.fail_on_recompile_limit_hit = True
