"""The inspector: what layers an engine has; parameters only of one that was built with DETAILED verbosity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from simulated_gpu import Misuse
from tensorrt._members import LayerInformationFormat

from standin_tensorrt.fusion import Layer
from standin_tensorrt.model import TensorType
from standin_tensorrt.strict import NotConstructible, strict

if TYPE_CHECKING:
    from standin_tensorrt.context import IExecutionContext
    from standin_tensorrt.engine import ICudaEngine

_SEPARATOR = "\x1e"


@strict
class EngineInspector(NotConstructible):
    """Of one engine."""

    __slots__ = ("_context", "_engine")

    def _set_up(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._context: IExecutionContext | None = None

    @property
    def execution_context(self) -> Any:
        return self._context

    @execution_context.setter
    def execution_context(self, context: Any) -> None:
        self._context = context

    def get_engine_information(self, format: LayerInformationFormat) -> str:  # type: ignore[valid-type]
        layers = [self._information(layer) for layer in self._engine._plan.layers]
        if format == LayerInformationFormat.ONELINE:
            return "Layers:\n" + "\n".join(str(layer) for layer in layers) + "\n\nBindings:\n"
        model = self._engine._model
        if self._engine._plan.verbosity == "NONE":
            layers = []
        return json.dumps({"Layers": layers, "Bindings": [*model.inputs, *model.outputs]}, indent=1)

    def get_layer_information(self, layer_index: int, format: LayerInformationFormat) -> str:  # type: ignore[valid-type]
        if not 0 <= layer_index < self._engine.num_layers:
            raise Misuse(f"layer {layer_index} of {self._engine.num_layers}")
        return json.dumps(self._information(self._engine._plan.layers[layer_index]), indent=1)

    def _information(self, layer: Layer) -> Any:
        if self._engine._plan.verbosity != "DETAILED":
            return layer.name
        model = self._engine._model
        group = tuple(model.operators[index] for index in layer.operators)
        values = [name for name in model.reads(group) if name not in model.constants]
        return {
            "Name": layer.name,
            "LayerType": layer.kind,
            "Inputs": [_tensor(name, model.types[name]) for name in values],
            "Outputs": [_tensor(name, model.types[name]) for name in model.writes(group)],
            "TacticName": f"sm_{'tf32' if self._engine._plan.tf32 else 'plain'}_{layer.kind.lower()}",
            "StreamId": 0,
            "Metadata": _SEPARATOR.join(f"[ONNX Layer: {op.name}]" for op in group) if layer.metadata else "",
        }


def _tensor(name: str, found: TensorType) -> dict[str, object]:
    kinds = {"FLOAT": "FP32", "HALF": "FP16", "BF16": "BF16", "INT8": "Int8"}
    element = found.element.name if found.element is not None else "?"
    return {
        "Name": name,
        "Location": "Device",
        "Dimensions": list(found.shape),
        "Format/Datatype": f"Row major linear {kinds.get(element, element)} format",
    }
