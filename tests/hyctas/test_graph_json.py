"""Graphs survive the way to a measuring process exactly, and nothing else gets through."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import ArchitectureDefaults
from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError
from hyctas.graph import Graph
from hyctas.graph_json import decode_graph, encode_graph
from hyctas.lowering import lower, lower_part
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.workload import workload_key

PARTS = st.builds(
    lambda kind, height, width, channels, stride, batch, form: Part(
        kind, 2 * height, 2 * width, channels[:1], channels[1], stride, batch, form
    ),
    kind=st.sampled_from(sorted(CELL_OPERATORS)),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.tuples(st.integers(2, 200), st.integers(2, 200)),
    stride=st.sampled_from([1, 2]),
    batch=st.integers(1, 4),
    form=st.sampled_from(["efficient", "released"]),
)


def check_round_trip(graph: Graph) -> None:
    decoded = decode_graph(encode_graph(graph))
    assert decoded == graph
    assert workload_key(decoded) == workload_key(graph)
    assert encode_graph(decoded) == encode_graph(graph)


@given(PARTS)
def test_operators_survive_the_round_trip(part: Part) -> None:
    check_round_trip(lower_part(part))


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(min_size=1, max_size=20))
def test_numbers_and_names_survive_the_round_trip(factor: float, name: str) -> None:
    b = GraphBuilder(name)
    graph = b.build(b.append("scale", [b.input(name, (1, 2, 3, 4))], {"factor": factor}, name=f"{name}'"))
    check_round_trip(graph)
    assert type(decode_graph(encode_graph(graph)).nodes[0].attribute("factor")) is float


def test_networks_survive_the_round_trip() -> None:
    settings = ArchitectureDefaults(height=64, width=96)
    for architecture in sample_structured(SearchSpace(), np.random.default_rng(0), 6, settings):
        check_round_trip(lower(architecture, training=True))


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(GraphError, match="not a graph in JSON"):
        decode_graph(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda graph: graph.pop("outputs"), "missing required field `outputs`"),
        (lambda graph: graph["nodes"][1].update(op="lstm"), "unknown primitive 'lstm'"),
        (lambda graph: graph["nodes"][1]["parameters"][0].update(role="alpha"), "alpha"),
        (lambda graph: graph["nodes"].pop(0), r"node conv\.conv_bn reads conv\.conv, which nothing before it writes"),
        (lambda graph: graph["nodes"].reverse(), r"reads conv\.conv_bn, which nothing before it writes"),
        (lambda graph: graph["nodes"].append(graph["nodes"][0]), r"writes conv\.conv, which exists already"),
        (lambda graph: graph.update(outputs=["logits"]), "the graph outputs logits, which nothing before it writes"),
    ],
)
def test_damaged_graphs_are_refused(damage: Callable[[Any], None], message: str) -> None:
    graph = json.loads(encode_graph(lower_part(Part("conv", 4, 6, (8,), 8))))
    damage(graph)
    with pytest.raises(GraphError, match=message):
        decode_graph(json.dumps(graph).encode())
