"""From architectures and parts to graphs."""

from __future__ import annotations

from hyctas.architecture import Architecture
from hyctas.builder import GraphBuilder
from hyctas.decomposition import IMAGE, decompose
from hyctas.errors import GraphError
from hyctas.graph import Graph, Value
from hyctas.parts import IMAGE_CHANNELS, Part, build_part


def lower(architecture: Architecture, *, training: bool = False) -> Graph:
    """The graph of a network.

    Input: ``image``, (batch, 3, height, width). Outputs: logits at the head's stride, or what the architecture's
    ``output`` says; in the training form followed by the auxiliary logits of 1/32 and 1/16, where they exist.
    """
    size = architecture.input
    b = GraphBuilder(f"{architecture.space} {architecture.key[:12]}")
    image = b.input("image", (size.batch, IMAGE_CHANNELS, size.height, size.width))
    decomposition = decompose(architecture, training=training)
    values: list[Value] = []
    for placed in decomposition.parts:
        inputs = tuple(image if position == IMAGE else values[position] for position in placed.inputs)
        with b.place(placed.place):
            values.append(build_part(b, inputs, placed.part))
    return b.build(*(values[position] for position in decomposition.outputs))


def lower_part(part: Part, *, copies: int = 1) -> Graph:
    """The graph of one operator alone, or of a chain of `copies` of it.

    Raises:
        GraphError: More than one copy of an operator whose output does not fit its input.
    """
    if copies > 1 and not part.can_chain:
        raise GraphError(f"{part.label} cannot be chained: its output is not like its input")
    b = GraphBuilder(part.label)
    values = tuple(b.input(f"input{index}", shape) for index, shape in enumerate(part.input_shapes))
    for copy in range(copies):
        with b.place(part.kind if copies == 1 else f"{part.kind}[{copy}]"):
            values = (build_part(b, values, part),)
    return b.build(*values)
