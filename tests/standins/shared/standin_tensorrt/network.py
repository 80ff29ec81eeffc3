"""A network: what a parser has filled in."""

from __future__ import annotations

from tensorrt._members import MAJOR, DataType, LayerType, NetworkDefinitionCreationFlag

from standin_tensorrt.model import Model, Operator, TensorType
from standin_tensorrt.strict import ContextManaged, Enumeration, NotConstructible, strict
from standin_tensorrt.values import Dims

_LAYER_TYPES = {
    "Conv": "CONVOLUTION",
    "Relu": "ACTIVATION",
    "Sigmoid": "ACTIVATION",
    "Clip": "ACTIVATION",
    "AveragePool": "POOLING",
    "MaxPool": "POOLING",
    "GlobalAveragePool": "REDUCE",
    "Concat": "CONCATENATION",
    "MatMul": "MATRIX_MULTIPLY",
    "Softmax": "SOFTMAX",
    "Resize": "RESIZE",
    "Slice": "SLICE",
    "Cast": "CAST",
    "Identity": "IDENTITY",
    "QuantizeLinear": "QUANTIZE",
    "DequantizeLinear": "DEQUANTIZE",
    "ArgMax": "TOPK",
    "BatchNormalization": "SCALE",
    "Reshape": "SHUFFLE",
    "Transpose": "SHUFFLE",
}


@strict
class ITensor(NotConstructible):
    """An input or an output of a network, or of a layer."""

    __slots__ = ("_name", "_type")

    def _set_up(self, name: str, found: TensorType) -> None:
        self._name, self._type = name, found

    @property
    def name(self) -> str:
        return self._name

    @property
    def shape(self) -> Dims:
        return Dims(self._type.shape)

    @property
    def dtype(self) -> Enumeration | None:
        return self._type.element


@strict
class ILayer(NotConstructible):
    """A layer before any fusion: one operator of the model."""

    __slots__ = ("_model", "_operator")

    def _set_up(self, model: Model, operator: Operator) -> None:
        self._model, self._operator = model, operator

    @property
    def name(self) -> str:
        return self._operator.name

    @property
    def type(self) -> Enumeration:
        found: Enumeration = getattr(LayerType, _LAYER_TYPES.get(self._operator.kind, "ELEMENTWISE"))
        return found

    @property
    def metadata(self) -> str:
        return f"[ONNX Layer: {self._operator.name}]"

    @property
    def num_inputs(self) -> int:
        return sum(name not in self._model.constants for name in self._operator.inputs)

    @property
    def num_outputs(self) -> int:
        return len(self._operator.outputs)

    def get_input(self, index: int) -> ITensor:
        name = [n for n in self._operator.inputs if n not in self._model.constants][index]
        return ITensor._make(name, self._model.types[name])

    def get_output(self, index: int) -> ITensor:
        name = self._operator.outputs[index]
        return ITensor._make(name, self._model.types[name])

    def get_output_type(self, index: int) -> DataType:  # type: ignore[valid-type]
        return self.get_output(index).dtype


@strict
class INetworkDefinition(NotConstructible, ContextManaged):
    """An empty network, until a parser fills it."""

    __slots__ = ("_flags", "_model")

    def _set_up(self, flags: int) -> None:
        known = sum(1 << value for value in {int(m) for m in NetworkDefinitionCreationFlag.__members__.values()})
        if flags & ~known:
            raise ValueError(f"network flags {flags:#b}: unknown bits")
        self._flags = flags
        self._model: Model | None = None

    @property
    def _strongly_typed(self) -> bool:
        return MAJOR >= 11 or self.get_flag(NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    def _filled(self) -> Model:
        if self._model is None:
            raise IndexError("the network is empty")
        return self._model

    @property
    def flags(self) -> int:
        return self._flags

    def get_flag(self, flag: NetworkDefinitionCreationFlag) -> bool:  # type: ignore[valid-type]
        return bool(self._flags & 1 << int(flag))

    @property
    def name(self) -> str:
        return self._model.name if self._model else "Unnamed Network 0"

    @property
    def num_inputs(self) -> int:
        return len(self._model.inputs) if self._model else 0

    @property
    def num_outputs(self) -> int:
        return len(self._model.outputs) if self._model else 0

    @property
    def num_layers(self) -> int:
        return len(self._model.operators) if self._model else 0

    def get_input(self, index: int) -> ITensor:
        name = self._filled().inputs[index]
        return ITensor._make(name, self._filled().types[name])

    def get_output(self, index: int) -> ITensor:
        name = self._filled().outputs[index]
        return ITensor._make(name, self._filled().types[name])

    def get_layer(self, index: int) -> ILayer:
        return ILayer._make(self._filled(), self._filled().operators[index])

    def __len__(self) -> int:
        return self.num_layers

    def __getitem__(self, arg0: int) -> ILayer:
        return self.get_layer(arg0)
