"""ONNX Runtime: on the CPU here, on GPUs in :mod:`profiler.runtimes.onnxruntime_gpu`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import onnxruntime as ort

from hyctas.graph import Graph
from hyctas.target import Target
from hyctas.weights import seeded_inputs
from profiler.runtimes.engine import LayerTime, Runtime, Unsupported
from profiler.runtimes.onnxruntime_layers import layer_times
from profiler.runtimes.options import on_cpu
from profiler.runtimes.outputs import Output, all_finite
from profiler.runtimes.seeded_model import seeded_onnx

PROVIDER: Final = "CPUExecutionProvider"
PRECISIONS: Final = ("fp32",)
CONVERTS: Final[Mapping[str, str]] = {
    "fp16": "it runs half precision in float32, between casts",
    "int8": "it fuses no ReLU into a symmetric int8 step, so convolutions run in float32 between conversions",
}
"""Precisions of which a latency would be that of something else."""


def open_onnxruntime(target: Target) -> Runtime:
    """The runtime of a target on the CPU or on a GPU."""
    if target.on_gpu:
        from profiler.runtimes.onnxruntime_gpu import OnnxRuntimeGpu

        return OnnxRuntimeGpu(target)
    return OnnxRuntime(target)


class OnnxRuntime:
    """Sessions of one CPU target.

    Raises:
        Unsupported: The target asks for an option, or for a precision that the CPU provider does not compute in.
    """

    def __init__(self, target: Target) -> None:
        if target.precision in CONVERTS:
            raise Unsupported(
                f"{target.local_name}: onnxruntime on the CPU does not compute in {target.precision} "
                f"({CONVERTS[target.precision]}); measure onnxruntime-fp32"
            )
        self._threads = on_cpu(target, {"": PRECISIONS})
        self.metric = target.metric

    def prepare(self, graph: Graph, *, seed: int) -> OnnxRuntimeEngine:
        """Write the graph as ONNX and open a session on it."""
        session = ort.InferenceSession(seeded_onnx(graph, seed=seed), self._options(), providers=[PROVIDER])
        return OnnxRuntimeEngine(session, graph, seed, self._options)

    def environment(self) -> Mapping[str, str]:
        """Version and session settings."""
        return {
            "onnxruntime": ort.__version__,
            "provider": PROVIDER,
            "threads": str(self._threads),
            "spinning": "off",
            "graph_optimization": "all",
        }

    def _options(self) -> ort.SessionOptions:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        return options


class OnnxRuntimeEngine:
    """A session with its inputs and outputs bound once, so that a run copies nothing."""

    def __init__(
        self, session: ort.InferenceSession, graph: Graph, seed: int, options: Callable[[], ort.SessionOptions]
    ) -> None:
        self._graph, self._seed, self._options = graph, seed, options
        self._session = session
        self._binding = session.io_binding()
        self._inputs = seeded_inputs(graph, seed)
        for name, array in self._inputs.items():
            self._binding.bind_cpu_input(name, array)
        for name in graph.outputs:
            self._binding.bind_output(name, "cpu")

    def run(self) -> None:
        """Run the session once."""
        self._session.run_with_iobinding(self._binding)

    def outputs(self) -> list[Output]:
        """Run once, and copy every output."""
        self.run()
        outputs: list[Output] = self._binding.copy_outputs_to_cpu()
        return outputs

    def finite(self) -> bool:
        """Run once and check every output."""
        return all_finite(self.outputs())

    def layers(self) -> Sequence[LayerTime]:
        """Times of single layers, from a session of its own under the profiler."""
        model = seeded_onnx(self._graph, seed=self._seed)
        return layer_times(self._graph, model, self._options(), [PROVIDER], self._bind)

    def _bind(self, session: ort.InferenceSession) -> Callable[[], None]:
        return OnnxRuntimeEngine(session, self._graph, self._seed, self._options).run
