"""The builder that operators append their nodes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from hyctas.errors import GraphError
from hyctas.graph import AttributeValue, Graph, Node, Parameter, Value
from hyctas.primitives import primitive


class GraphBuilder:
    """Collects nodes, infers shapes, and gives unique names.

    Shapes are checked as nodes are appended, so a :class:`GraphError` names the node that does not fit.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._inputs: list[Value] = []
        self._nodes: list[Node] = []
        self._scopes: list[str] = []
        self._place = ""
        self._used: dict[str, int] = {}

    def input(self, name: str, shape: Sequence[int], *, dtype: str = "float32", layout: tuple[int, ...] = ()) -> Value:
        """Declare a value fed from outside."""
        value = Value(self._unique(name), tuple(shape), dtype, layout or tuple(shape[1:2]))
        self._inputs.append(value)
        return value

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of the nodes that are appended inside."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    @contextmanager
    def place(self, place: str) -> Iterator[None]:
        """Say which part of the network the nodes inside belong to; opens a scope of that name."""
        outer, self._place = self._place, place
        try:
            with self.scope(place):
                yield
        finally:
            self._place = outer

    def append(
        self,
        op: str,
        inputs: Sequence[Value],
        attributes: Mapping[str, AttributeValue] | None = None,
        *,
        name: str | None = None,
    ) -> Value:
        """Append a node of primitive `op` and return its output.

        Raises:
            GraphError: The primitive is unknown, or the shapes do not fit it.
        """
        rule = primitive(op)
        given = dict(attributes or {})
        full_name = self._unique(".".join((*self._scopes, name or op)))
        try:
            shape, dtype = rule.infer(inputs, given)
            parameters = tuple(
                Parameter(f"{full_name}.{suffix}", size, role) for suffix, size, role in rule.parameters(inputs, given)
            )
        except GraphError as error:
            raise GraphError(f"node {full_name}: {error}") from error
        output = Value(full_name, shape, dtype, rule.layout(inputs, shape))
        names = tuple(value.name for value in inputs)
        node = Node(op, full_name, names, output, tuple(sorted(given.items())), parameters, self._place)
        self._nodes.append(node)
        return output

    def build(self, *outputs: Value) -> Graph:
        """Return the graph that computes `outputs`."""
        if not outputs:
            raise GraphError(f"graph {self._name} has no output; pass the values that it computes")
        return Graph(self._name, tuple(self._inputs), tuple(self._nodes), tuple(value.name for value in outputs))

    def _unique(self, name: str) -> str:
        count = self._used.get(name, 0)
        self._used[name] = count + 1
        return name if count == 0 else f"{name}_{count}"
