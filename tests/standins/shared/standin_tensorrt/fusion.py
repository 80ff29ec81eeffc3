"""Which operators become one layer, and what the layer is called: the forms that engines really show.

``a + b`` for a convolution with what it absorbs, ``PWN(a, b)`` for point-wise chains, ``{ForeignNode[a...b]}`` (10) or
``__myl_...`` (11) for regions that the graph compiler takes whole, ``Reformatting CopyNode ...`` for casts at the
border. Reshapes outside of regions leave no layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tensorrt._members import MAJOR

from standin_tensorrt.model import Model, Operator

_REGION = frozenset(
    ["MatMul", "Softmax", "Transpose", "Reshape", "Cast", "Mul", "Slice", "Squeeze", "Unsqueeze", "Identity"]
)
_REGION_CORE = frozenset(["MatMul", "Softmax"])
_POINTWISE = frozenset(
    ["Sigmoid", "Mul", "Add", "Sub", "Div", "Relu", "Clip", "Tanh", "Exp", "Pow", "LeakyRelu", "HardSigmoid", "Elu"]
)
_VANISHING = frozenset(["Reshape", "Identity", "Constant", "Squeeze", "Unsqueeze", "Flatten", "Shape"])
_LAYER_TYPES = {"Conv": "CaskConvolution", "Resize": "Resize", "AveragePool": "CaskPooling", "Concat": "Concat"}


@dataclass(frozen=True)
class Layer:
    """A layer of an engine.

    Attributes:
        kind: As the inspector calls it.
        operators: Indices in the model.
        metadata: Whether the inspector names its operators; a reformat has none.
    """

    name: str
    kind: str
    operators: tuple[int, ...]
    metadata: bool = True


class Fusion:
    """Walks through a model in order, and takes each operator once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._taken: set[int] = set()

    def layers(self) -> tuple[Layer, ...]:
        """The layers, in the order that they run."""
        return tuple(self._walk())

    def _walk(self) -> Iterator[Layer]:
        for op in self._model.operators:
            if op.index in self._taken:
                continue
            group = self._region(op)
            if group:
                yield self._take(self._region_name(group), "Myelin" if MAJOR == 10 else "kgen", group)
            elif op.kind == "Conv":
                group = self._convolution(op)
                yield self._take(" + ".join(member.name for member in group), "CaskConvolution", group)
            elif op.kind == "Cast" and self._at_border(op):
                yield self._reformat(op)
            elif op.kind in _POINTWISE:
                group = self._pointwise(op)
                name = f"PWN({', '.join(member.name for member in group)})"
                yield self._take(name, "PointWiseV2", group)
            elif op.kind in _VANISHING or self._of_weights(op):
                self._taken.add(op.index)
            else:
                yield self._take(op.name, _LAYER_TYPES.get(op.kind, op.kind), (op,))

    def _take(self, name: str, kind: str, group: tuple[Operator, ...]) -> Layer:
        indices = tuple(op.index for op in group)
        self._taken.update(indices)
        return Layer(name, kind, indices)

    def _reformat(self, op: Operator) -> Layer:
        self._taken.add(op.index)
        if op.inputs[0] in self._model.inputs:
            reader = next(iter(self._model.consumers.get(op.outputs[0], ())), op)
            name = f"Reformatting CopyNode for Input Tensor 0 to {reader.name}"
        else:
            writer = self._model.producers.get(op.inputs[0], op)
            name = f"Reformatting CopyNode for Output Tensor 0 to {writer.name}"
        return Layer(name, "Reformat", (op.index,), metadata=False)

    def _at_border(self, op: Operator) -> bool:
        return op.inputs[0] in self._model.inputs or op.outputs[0] in self._model.outputs

    def _of_weights(self, op: Operator) -> bool:
        """Whether `op` prepares a constant, which the builder computes once."""
        return all(name in self._model.constants for name in op.inputs)

    def _region(self, op: Operator) -> tuple[Operator, ...]:
        """The run of operators from `op` on that the graph compiler takes whole, if it holds a product or softmax."""
        run: list[Operator] = []
        for following in self._model.operators[op.index :]:
            if following.kind not in _REGION or following.index in self._taken or self._at_border_cast(following):
                break
            run.append(following)
        if any(member.kind in _REGION_CORE for member in run):
            return tuple(run)
        return ()

    def _at_border_cast(self, op: Operator) -> bool:
        return op.kind == "Cast" and self._at_border(op)

    def _region_name(self, group: tuple[Operator, ...]) -> str:
        if MAJOR == 10:
            return f"{{ForeignNode[{group[0].name}...{group[-1].name}]}}"
        kinds = "".join(op.kind[:4] for op in group[:3])
        return f"__myl_{kinds}_myl0_{group[0].index}"

    def _convolution(self, op: Operator) -> tuple[Operator, ...]:
        """A convolution with the quantisation of its weights, and what is done to its result point by point."""
        group = [*self._weight_quantisation(op), op]
        for kinds in (("Add",), ("Relu",), ("QuantizeLinear",)):
            following = self._only_reader(group[-1])
            if following is not None and following.kind in kinds and self._ready(following, group):
                group.append(following)
        return tuple(group)

    def _weight_quantisation(self, op: Operator) -> list[Operator]:
        found: list[Operator] = []
        value = op.inputs[1]
        while value in self._model.producers and len(found) < 2:
            found.insert(0, self._model.producers[value])
            value = found[0].inputs[0]
        self._taken.update(member.index for member in found)
        return found

    def _pointwise(self, op: Operator) -> tuple[Operator, ...]:
        group = [op]
        while (following := self._only_reader(group[-1])) is not None:
            if following.kind not in _POINTWISE or not self._ready(following, group):
                break
            group.append(following)
        return tuple(group)

    def _only_reader(self, op: Operator) -> Operator | None:
        readers = self._model.consumers.get(op.outputs[0], ())
        if len(readers) != 1 or op.outputs[0] in self._model.outputs or readers[0].index in self._taken:
            return None
        return readers[0]

    def _ready(self, op: Operator, group: list[Operator]) -> bool:
        """Whether everything that `op` reads has been computed by then."""
        members = {member.index for member in group}
        made = (self._model.producers.get(name) for name in op.inputs)
        return all(p is None or p.index in members or p.index in self._taken for p in made)
