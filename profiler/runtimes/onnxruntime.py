"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import onnxruntime as ort

from hyctas.graph import Graph
from hyctas.onnx_form import to_onnx_bytes
from hyctas.target import Target
from hyctas.weights import seeded_inputs, seeded_weights
from profiler.runtimes.options import on_cpu
from profiler.runtimes.outputs import Output, all_finite

PROVIDER: Final = "CPUExecutionProvider"
PRECISIONS: Final = ("fp32",)


class OnnxRuntime:
    """Sessions of one target.

    Raises:
        Unsupported: The target asks for a precision or an option that this runtime lacks. Half precision would
            run on inserted casts on a CPU, so its latency would be that of something else.
    """

    def __init__(self, target: Target) -> None:
        self._threads = on_cpu(target, {"": PRECISIONS})
        self.metric = target.metric

    def prepare(self, graph: Graph, *, seed: int) -> OnnxRuntimeEngine:
        """Write the graph as ONNX and open a session on it."""
        model = to_onnx_bytes(graph, seeded_weights(graph, seed))
        session = ort.InferenceSession(model, self._options(), providers=[PROVIDER])
        return OnnxRuntimeEngine(session, graph, seed)

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

    def __init__(self, session: ort.InferenceSession, graph: Graph, seed: int) -> None:
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
