"""The placement rule of int8, its steps, and the calibration pass that finds the ranges."""

from __future__ import annotations

import numpy as np
import pytest

from hyctas.architecture import ArchitectureDefaults
from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError
from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.layers import add, concat, conv, conv_bn_relu, relu, resize
from hyctas.lowering import lower, lower_part
from hyctas.parts import Part
from hyctas.quantisation import (
    activation_steps,
    concatenated,
    quantised_values,
    quantised_weights,
    reads_int8,
    weight_steps,
)
from hyctas.ranges import activation_ranges, seeded_ranges
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.weights import Array, seeded_inputs, seeded_weights


def two_paths() -> Graph:
    """``concat(a, b) -> conv -> add -> conv`` beside a second concatenation with one of the same inputs."""
    b = GraphBuilder("paths")
    x = b.input("x", (2, 3, 4, 4))
    left, right = conv_bn_relu(b, x, 3, name="left"), conv_bn_relu(b, x, 5, name="right")
    joined = conv(b, concat(b, left, right), 3, name="joined")
    other = conv(b, concat(b, right, joined), 3, name="other")
    return b.build(conv(b, add(b, other, left), 2, name="last"))


def without_int8() -> Graph:
    b = GraphBuilder("floats")
    return b.build(resize(b, relu(b, b.input("x", (1, 3, 4, 4))), (8, 8)))


def ranges_of(graph: Graph, size: float = 1.0) -> dict[str, float]:
    return dict.fromkeys(quantised_values(graph), size)


def test_convolutions_sums_and_concatenations_read_int8_outside_attention() -> None:
    settings = ArchitectureDefaults(height=64, width=96)
    (architecture,) = sample_structured(SearchSpace(), np.random.default_rng(5), 1, settings)
    graph = lower(architecture)
    reading = [node for node in graph.nodes if reads_int8(node)]
    assert {node.op for node in reading} == {"conv", "add", "concat"}
    floating = {node.name for node in graph.nodes if node.op in ("conv", "add")} - {node.name for node in reading}
    assert floating
    assert all(".attention." in name for name in floating)


def test_values_are_quantised_after_the_relu() -> None:
    original = lower_part(Part("conv_2x", 12, 20, (32,), 48))
    graph, _ = fold(original, seeded_weights(original, 0))
    producers = {node.output.name: node.op for node in graph.nodes}
    assert [producers.get(name) for name in quantised_values(graph)] == [None, "relu"]


def test_both_sides_of_a_sum_are_quantised() -> None:
    graph = lower_part(Part("conv_downup", 12, 20, (32,), 48))
    (sides,) = (node.inputs for node in graph.nodes if node.op == "add")
    assert len(set(sides)) == 2
    assert set(sides) <= set(quantised_values(graph))


def test_chained_concatenations_share_a_step() -> None:
    graph, _ = fold(two_paths(), seeded_weights(two_paths(), 0))
    (group,) = concatenated(graph)
    assert group == {"relu", "relu_1", "joined", "concat", "concat_1"}
    steps = activation_steps(graph, {**ranges_of(graph), "joined": 5.0, "x": 3.0})
    assert {steps[name] for name in group} == {5.0 / 127}
    assert steps["x"] == 3.0 / 127
    assert set(steps) == {"x", "other", "add", *group}


def test_output_that_is_concatenated_but_not_read_has_no_step() -> None:
    b = GraphBuilder("last")
    x = b.input("x", (1, 3, 4, 4))
    graph = b.build(concat(b, x, relu(b, x)))
    assert set(activation_steps(graph, ranges_of(graph))) == {"x", "relu"}


def test_value_that_is_always_zero_has_a_step() -> None:
    graph = two_paths()
    assert set(activation_steps(graph, ranges_of(graph, 0.0)).values()) == {1.0 / 127}


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -1.0])
def test_range_that_is_no_size_is_refused(size: float) -> None:
    graph = two_paths()
    with pytest.raises(GraphError, match="the range of value add of paths is"):
        activation_steps(graph, {**ranges_of(graph), "add": size})


def test_missing_range_names_the_value() -> None:
    graph = two_paths()
    ranges = ranges_of(graph)
    del ranges["joined"]
    with pytest.raises(GraphError, match="no range for value joined of paths, which int8 quantises; calibrate"):
        activation_steps(graph, ranges)


def test_weights_use_all_integers_of_each_channel() -> None:
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    weights *= np.array([1.0, 100.0, 0.01, 0.0], np.float32)[:, None, None, None]
    found, steps = quantised_weights(weights), weight_steps(weights)
    assert (found.dtype, steps.dtype, steps.shape) == (np.int8, np.float32, (4,))
    assert np.abs(found).max(axis=(1, 2, 3)).tolist() == [127, 127, 127, 0]
    assert found.min() >= -127
    error = np.abs(found * steps[:, None, None, None] - weights).max(axis=(1, 2, 3))
    assert (error <= steps / 2 * 1.001).all()


def test_ranges_are_the_largest_over_all_inputs() -> None:
    graph = two_paths()
    weights = seeded_weights(graph, 0)
    small, large = seeded_inputs(graph, 0), {"x": 10 * seeded_inputs(graph, 1)["x"]}
    found = activation_ranges(graph, weights, [small, large, small])
    assert tuple(found) == quantised_values(fold(graph, weights)[0])
    assert found == activation_ranges(graph, weights, [large])
    assert found["x"] == np.abs(large["x"]).max()
    assert all(size > 0 for size in found.values())


def test_range_of_a_negative_value_is_its_size() -> None:
    b = GraphBuilder("negative")
    graph = b.build(conv(b, b.input("x", (1, 1, 2, 2)), 1, name="conv"))
    given = np.array([[[[-7.0, 1.0], [2.0, 3.0]]]], np.float32)
    assert activation_ranges(graph, seeded_weights(graph, 0), [{"x": given}]) == {"x": 7.0}


def test_ranges_agree_with_torch() -> None:
    torch = pytest.importorskip("torch")
    from hyctas.torch_form import run_node

    original = lower_part(Part("sa", 12, 20, (43,), 64, attention="efficient"))
    weights, inputs = seeded_weights(original, 0), seeded_inputs(original, 3)
    graph, arrays = fold(original, weights)
    values = {name: torch.from_numpy(array) for name, array in inputs.items()}
    for node in graph.nodes:
        tensors = [torch.from_numpy(arrays[parameter.name]) for parameter in node.parameters]
        values[node.output.name] = run_node(node, [values[name] for name in node.inputs], tensors)
    expected = {name: float(values[name].abs().max()) for name in quantised_values(graph)}
    assert activation_ranges(original, weights, [inputs]) == pytest.approx(expected, rel=1e-4)


def test_seeded_ranges_repeat_and_change_with_the_seed() -> None:
    graph = two_paths()
    weights = seeded_weights(graph, 0)
    assert seeded_ranges(graph, weights, 1) == seeded_ranges(graph, weights, 1) != seeded_ranges(graph, weights, 2)


def test_graph_without_int8_has_no_ranges() -> None:
    graph = without_int8()
    assert activation_ranges(graph, {}, [seeded_inputs(graph, 0)]) == {}


def test_calibration_without_inputs_is_refused() -> None:
    graph = two_paths()
    with pytest.raises(GraphError, match="nothing to calibrate paths on"):
        activation_ranges(graph, seeded_weights(graph, 0), [])


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), None])
def test_calibration_on_other_inputs_is_refused(shape: tuple[int, ...] | None) -> None:
    graph = two_paths()
    inputs: dict[str, Array] = {"x": np.zeros(shape, np.float32)} if shape else {}
    with pytest.raises(GraphError, match=r"paths is calibrated on arrays of shapes .*expected \{'x': \(2, 3, 4, 4\)\}"):
        activation_ranges(graph, seeded_weights(graph, 0), [inputs])


def test_calibration_on_weights_that_overflow_names_the_value() -> None:
    graph = two_paths()
    weights = seeded_weights(graph, 0)
    weights["joined.weight"] = weights["joined.weight"] * np.float32(1e38)
    with pytest.raises(GraphError, match="of paths is not finite on a calibration input"):
        activation_ranges(graph, weights, [{"x": 1e3 * seeded_inputs(graph, 0)["x"]}])
