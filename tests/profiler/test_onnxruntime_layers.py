"""Layers of ONNX Runtime: which nodes they compute, and how long they take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import helper

from hyctas.architecture import ArchitectureDefaults
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from profiler.runtimes.engine import Layered, LayerTime
from profiler.runtimes.onnxruntime import OnnxRuntime
from profiler.runtimes.onnxruntime_fusion import fused_nodes
from profiler.runtimes.onnxruntime_layers import read_profile

PARTS = (
    Part("conv_2x", 12, 24, (8,), 16),
    Part("conv_2x_downup", 12, 24, (64,), 96),
    Part("conv", 12, 24, (8,), 8, stride=2),
    Part("skip", 12, 24, (8,), 16, stride=2),
    Part("sa", 12, 24, (48,), 48, attention="efficient"),
    Part("sa", 8, 8, (48,), 48, attention="released"),
    Part("fuse", 12, 24, (48, 48), 48),
    Part("ffm", 12, 24, (48, 48), 96),
)


def layers_of(graph: Graph) -> Sequence[LayerTime]:
    engine = OnnxRuntime(parse_target("bench/onnxruntime-fp32-t1")).prepare(graph, seed=0)
    assert isinstance(engine, Layered)
    return engine.layers()


def check_covers_every_node_once(graph: Graph, layers: Sequence[LayerTime]) -> None:
    counted = Counter(node for layer in layers for node in layer.nodes)
    assert counted == Counter(node.name for node in graph.nodes)
    order = {node.name: position for position, node in enumerate(graph.nodes)}
    assert all(sorted(layer.nodes, key=order.__getitem__) == list(layer.nodes) for layer in layers)
    assert all(layer.latency_s >= 0.0 for layer in layers)
    assert sum(layer.latency_s for layer in layers) > 0.0


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.label)
def test_layers_of_an_operator_compute_each_node_once(part: Part) -> None:
    graph = lower_part(part)
    check_covers_every_node_once(graph, layers_of(graph))


@pytest.mark.parametrize("seed", range(3))
def test_layers_of_a_network_compute_each_node_once(seed: int) -> None:
    settings = ArchitectureDefaults(height=64, width=128, base_channels=8)
    (network,) = sample_structured(SearchSpace(depth=7), np.random.default_rng(seed), 1, settings)
    graph = lower(network)
    check_covers_every_node_once(graph, layers_of(graph))


def test_fused_layers_name_what_was_fused() -> None:
    layers = {layer.nodes for layer in layers_of(lower_part(Part("conv_2x_downup", 12, 24, (64,), 96)))}
    nodes = {tuple(node.removeprefix("conv_2x_downup.") for node in layer) for layer in layers}
    assert ("conv1", "conv1_bn", "relu") in nodes


def model(*nodes: onnx.NodeProto) -> onnx.GraphProto:
    image = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 8, 4, 4))
    return helper.make_graph(nodes, "g", [image], [])


def node(op: str, name: str, reads: str, writes: str, **attributes: str) -> onnx.NodeProto:
    return helper.make_node(op, reads.split(), writes.split(), name=name, **attributes)


RESIDUAL = model(
    node("Conv", "a", "x w", "a"),
    node("Relu", "r", "a", "r"),
    node("Conv", "b", "r w", "b"),
    node("Add", "s", "b x", "s"),
    node("Relu", "t", "s", "t"),
    node("Conv", "c", "t w", "c"),
)


def test_blocked_convolution_with_sum_and_activation_is_followed_to_what_it_writes() -> None:
    optimised = model(
        node("ReorderInput", "in", "x", "0"),
        node("Conv", "r_nchwc", "0 w z", "1", activation="Relu"),
        node("Conv", "b_nchwc", "1 w z 0", "2", activation="Relu"),
        node("Conv", "c_nchwc", "2 w z", "3"),
        node("ReorderOutput", "out", "3", "c"),
    )
    assert fused_nodes(RESIDUAL, optimised) == {
        "in": (),
        "r_nchwc": ("a", "r"),
        "b_nchwc": ("b", "s", "t"),
        "c_nchwc": ("c",),
        "out": (),
    }


def test_node_that_disappeared_belongs_to_the_last_layer_that_it_reads_from() -> None:
    optimised = model(node("FusedConv", "first", "x w", "r"), node("Strange", "second", "r x", "unheard-of"))
    assert fused_nodes(RESIDUAL, optimised) == {"first": ("a", "r", "b", "s", "t", "c"), "second": ()}


def test_node_that_only_a_later_layer_reads_belongs_to_that() -> None:
    original = model(node("Transpose", "left", "x", "left"), node("MatMul", "m", "left x", "m"))
    optimised = model(node("FusedMatMul", "m/fused", "x x", "m"))
    assert fused_nodes(original, optimised) == {"m/fused": ("left", "m")}


def test_profile_gives_the_runs_after_warm_up_in_order() -> None:
    event = {"cat": "Node", "args": {}}
    runs = [
        {**event, "name": f"{name}_kernel_time", "dur": 10 * run + place}
        for run in range(3)
        for place, name in enumerate(("b", "a"))
    ]
    noise = [{"cat": "Session", "name": "model_run", "dur": 99}, {"cat": "Node", "name": "b_fence_before", "dur": 1}]
    found = read_profile([*noise, *runs], skip=1)
    assert list(found) == ["b", "a"]
    assert found["a"] == pytest.approx([11e-6, 21e-6])
    assert read_profile(noise, skip=0) == {}
