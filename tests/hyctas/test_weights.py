"""Seeded and initial weights: deterministic, complete, and of sane magnitude in deep networks."""

from __future__ import annotations

import numpy as np
import pytest

from hyctas.architecture import ArchitectureDefaults, Attention
from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError
from hyctas.graph import Graph
from hyctas.layers import conv_bn_relu
from hyctas.lowering import lower, lower_part
from hyctas.moments import second_moments
from hyctas.onnx_form import to_onnx_bytes
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.weights import check_weights, initial_weights, seeded_inputs, seeded_weights

ATTENTION = Part("sa", 6, 10, (32,), 48, attention="released")


def test_every_parameter_gets_a_float32_array_of_its_shape() -> None:
    graph = lower_part(ATTENTION)
    for weights in (seeded_weights(graph, 0), initial_weights(graph, 0)):
        assert {name: array.shape for name, array in weights.items()} == {p.name: p.shape for p in graph.parameters}
        assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
        check_weights(graph, weights)


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    graph = lower_part(ATTENTION)
    one, again, other = seeded_weights(graph, 3), seeded_weights(graph, 3), seeded_weights(graph, 4)
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not any(np.array_equal(one[name], other[name]) for name in one)


def test_no_seeded_parameter_keeps_its_default() -> None:
    graph = lower_part(ATTENTION)
    weights = seeded_weights(graph, 0)
    for parameter in graph.parameters:
        array = weights[parameter.name]
        if parameter.role in ("gamma", "variance", "gate"):
            assert (array > 0).all() and (array != 1).all(), parameter.name
        else:
            assert (array != 0).all(), parameter.name


def test_initial_batch_norms_are_the_identity_and_gates_are_closed() -> None:
    graph = lower_part(ATTENTION)
    weights = initial_weights(graph, 0)
    constants = {"bias": 0, "gamma": 1, "beta": 0, "mean": 0, "variance": 1, "gate": 0}
    for parameter in graph.parameters:
        if parameter.role in constants:
            assert (weights[parameter.name] == constants[parameter.role]).all(), parameter.name


def test_convolutions_are_drawn_by_fan_in() -> None:
    weights = initial_weights(lower_part(Part("conv", 6, 10, (128,), 128)), 0)
    assert weights["conv.conv.weight"].std() == pytest.approx(np.sqrt(2 / (128 * 9)), rel=0.02)


@pytest.mark.parametrize("attention", ["efficient", "released"])
def test_activations_of_the_deepest_networks_stay_sane(attention: Attention) -> None:
    import onnxruntime

    settings = ArchitectureDefaults(height=64, width=96, attention=attention)
    sampled = sample_structured(SearchSpace(depth=20), np.random.default_rng(5), 30, settings)
    deepest = max(sampled, key=lambda a: sum(len(branch.cells) for branch in a.branches))
    assert sum(len(branch.cells) for branch in deepest.branches) >= 45
    graph = lower(deepest)
    session = onnxruntime.InferenceSession(to_onnx_bytes(graph, seeded_weights(graph, 0)))
    (logits,) = session.run(None, seeded_inputs(graph, 1))
    assert np.isfinite(logits).all()
    assert 0.1 < np.sqrt((logits**2).mean()) < 30


def test_running_statistics_are_in_proportion_to_what_is_read() -> None:
    b = GraphBuilder("stack")
    x = b.input("x", (1, 8, 6, 6))
    louder = b.append("scale", [x], {"factor": 100.0})
    graph = b.build(conv_bn_relu(b, louder, 8, name="conv"))
    assert second_moments(graph)["conv"] == pytest.approx(20_000)
    assert seeded_weights(graph, 0)["conv_bn.variance"].mean() == pytest.approx(20_000, rel=0.5)


def pooled_sum() -> Graph:
    b = GraphBuilder("moments")
    x = b.input("x", (1, 4, 8, 8))
    joined = b.append("concat", [x, b.append("scale", [x], {"factor": 3.0})])
    return b.build(b.append("add", [joined, joined]))


def test_moments_add_and_average_over_channels() -> None:
    moments = second_moments(pooled_sum())
    assert moments["concat"] == pytest.approx((1 + 9) / 2)
    assert moments["add"] == pytest.approx(1 + 9)


def test_missing_weights_name_the_parameter() -> None:
    graph = lower_part(ATTENTION)
    weights = seeded_weights(graph, 0)
    gate = weights.pop("sa.attention.gate.gate")
    with pytest.raises(GraphError, match=r"no weights for parameter sa\.attention\.gate\.gate"):
        check_weights(graph, weights)
    with pytest.raises(GraphError, match=r"gate\.gate have shape \(2,\); expected \(1,\)"):
        check_weights(graph, weights | {"sa.attention.gate.gate": np.repeat(gate, 2)})


def test_inputs_are_standard_normal_and_seeded() -> None:
    graph = lower_part(Part("fuse", 6, 10, (32, 32), 32))
    inputs = seeded_inputs(graph, 0)
    assert {name: array.shape for name, array in inputs.items()} == {
        "input0": (1, 32, 6, 10),
        "input1": (1, 32, 12, 20),
    }
    assert inputs["input1"].std() == pytest.approx(1, abs=0.05)
    assert np.array_equal(inputs["input0"], seeded_inputs(graph, 0)["input0"])
