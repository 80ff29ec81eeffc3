"""OpenVINO on the CPU, one request at a time.

The plugin's own defaults are made for throughput and for accuracy that suffices: half of the machine's cores, bfloat16
wherever the CPU has it. Everything that matters to a latency is therefore set, and what the compiled model says it
took is part of the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import openvino

from hyctas.graph import Graph
from hyctas.target import Target
from hyctas.weights import seeded_inputs
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.openvino_quantisation import with_dequantised_outputs
from profiler.runtimes.options import on_cpu
from profiler.runtimes.outputs import Output, all_finite
from profiler.runtimes.seeded_model import seeded_onnx

DEVICE: Final = "CPU"
PRECISIONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"fp32": ("f32", "FP32"), "bf16": ("bf16", "BF16"), "fp16": ("f16", "FP16"), "int8": ("f32", "INT8")}
)
"""By precision of a target: the hint, and the capability of a CPU that computes in it instead of converting."""
FACTS: Final = ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS", "NUM_STREAMS", "ENABLE_CPU_PINNING")
"""Properties of a compiled model that could differ from what was asked for."""


@cache
def shared_core() -> Any:
    """The one core of this process.

    With its CPU plugin a core gives the calling thread a stack for signal handlers, and takes it away at its own end.
    Of two cores that do not end in reverse order, one leaves behind a stack that is gone: the next signal that Python
    handles, such as Ctrl-C, would be a segmentation fault (seen with OpenVINO 2026.4).
    """
    return openvino.Core()


class OpenVinoRuntime:
    """Compiled models of one target.

    Half precision is the plugin's own: it gets the float32 model, and a hint of what to compute in. It may leave a
    node in float32; inputs and outputs stay float32. Int8 is in the model, as quantise and dequantise nodes; what is
    between others is float32.

    Raises:
        Unsupported: The target asks for a precision that this CPU lacks, or for an option.
    """

    def __init__(self, target: Target) -> None:
        self._threads = on_cpu(target, {"": PRECISIONS})
        self.metric = target.metric
        self._core = shared_core()
        self._hint, capability = PRECISIONS[target.precision]
        capabilities = self._core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        if capability not in capabilities:
            raise Unsupported(
                f"{target.local_name}: this CPU does not compute in {target.precision}, it would only convert "
                f"(OpenVINO says: {', '.join(capabilities)}); measure openvino-fp32"
            )
        self._model_precision = "int8" if target.precision == "int8" else "fp32"
        self._facts = self._settings_taken(target)

    def prepare(self, graph: Graph, *, seed: int) -> OpenVinoEngine:
        """Write the graph as ONNX, read and compile it."""
        model = self._core.read_model(seeded_onnx(graph, seed=seed, precision=self._model_precision))
        if self._model_precision == "int8":
            with_dequantised_outputs(model)
        return OpenVinoEngine(self._core.compile_model(model, DEVICE, self._configuration()), graph, seed)

    def environment(self) -> Mapping[str, str]:
        """Version, and settings as a compiled model reports them."""
        return {
            "openvino": openvino.get_version(),
            "cpu": self._core.get_property(DEVICE, "FULL_DEVICE_NAME"),
            "threads": str(self._threads),
            "cache": "off",
            **self._facts,
        }

    def _settings_taken(self, target: Target) -> Mapping[str, str]:
        """What a model gets of what is asked for; the plugin never says that it took fewer threads."""
        compiled = self._core.compile_model(_nothing(), DEVICE, self._configuration())
        taken = {name: compiled.get_property(name) for name in FACTS}
        if taken["INFERENCE_NUM_THREADS"] != self._threads:
            raise Unsupported(
                f"{target.local_name}: OpenVINO takes {taken['INFERENCE_NUM_THREADS']} threads on this machine, not "
                f"{self._threads}; ask for no more than it has cores"
            )
        precision = taken.pop("INFERENCE_PRECISION_HINT").get_type_name()
        return {"inference_precision": precision, **{name.lower(): str(value) for name, value in taken.items()}}

    def _configuration(self) -> Mapping[str, Any]:
        """Settings of every model.

        Threads are not pinned: two processes would be pinned to the same first core, and the references beside the
        samples, which run on the calling thread as a model on one thread does, must be able to follow it. Nothing is
        read from a cache, where a model that another version compiled could be.
        """
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": self._hint,
            "ENABLE_CPU_PINNING": False,
            "CACHE_DIR": "",
        }


class OpenVinoEngine:
    """A request whose inputs are the arrays themselves, and whose outputs stay where the model wrote them."""

    def __init__(self, compiled: Any, graph: Graph, seed: int) -> None:
        self._request = compiled.create_infer_request()
        self._inputs = seeded_inputs(graph, seed)
        for name, array in self._inputs.items():
            self._request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        self._output_names = graph.outputs

    def run(self) -> None:
        """Run on this thread; ``start_async`` would add the way to another one and back."""
        self._request.infer(share_outputs=True)

    def outputs(self) -> list[Output]:
        """Run once, and copy every output."""
        self.run()
        return [np.array(self._request.get_tensor(name).data) for name in self._output_names]

    def finite(self) -> bool:
        """Run once and check every output."""
        return all_finite(self.outputs())


def _nothing() -> Any:
    """A model of one ReLU, to ask for the settings that a model gets."""
    ops = openvino.opset13
    value = ops.parameter([1], np.float32)
    return openvino.Model([ops.relu(value)], [value])
