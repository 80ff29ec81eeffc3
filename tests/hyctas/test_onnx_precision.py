"""ONNX models of every precision: valid, of one type at each node, float32 at the border, and near fp32."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from hyctas.architecture import ArchitectureDefaults, Attention, Head, Output
from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError, InvalidInput
from hyctas.graph import Graph
from hyctas.layers import batch_norm, concat, conv, conv_bn, relu
from hyctas.lowering import lower, lower_part
from hyctas.onnx_form import to_onnx, to_onnx_bytes
from hyctas.onnx_writer import IR_VERSION
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import Part
from hyctas.ranges import seeded_ranges
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import PRECISIONS
from hyctas.weights import Array, seeded_inputs, seeded_weights
from tests.hyctas.test_onnx_form import PRIMITIVE_GRAPHS

NARROW: Final = ("fp16", "bf16", "int8")
TOLERANCES: Final = {"fp32": 0.0, "tf32": 0.0, "fp16": 0.01, "bf16": 0.05, "int8": 0.25}
"""Largest difference from fp32 over the largest output; about four times what 40 random networks showed."""
FLOATS: Final = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
CONVERSIONS: Final = ("Cast", "QuantizeLinear", "DequantizeLinear")
PARTS: Final = (
    *(Part(kind, 12, 20, (43,), 64, stride=2, attention="efficient") for kind in CELL_OPERATORS),
    Part("sa", 12, 20, (43,), 64, attention="released"),
    Part("ffm", 12, 20, (32, 43, 21), 96),
    Part("head_attention", 12, 20, (43,), 43, attention="efficient"),
    Part("lateral", 12, 20, (43, 24), 91),
    Part("argmax", 6, 10, (19,), 19),
)


def model_of(graph: Graph, precision: str) -> onnx.ModelProto:
    weights = seeded_weights(graph, 0)
    ranges = seeded_ranges(graph, weights, 0) if precision == "int8" else {}
    return to_onnx(graph, weights, precision=precision, ranges=ranges)


def outputs(model: onnx.ModelProto, graph: Graph) -> list[Array]:
    """By ONNX Runtime, or where that lacks bfloat16 by ONNX's reference implementation."""
    found: list[Array]
    if "bfloat16" in types_of(model).values():
        from onnx.reference import ReferenceEvaluator

        found = ReferenceEvaluator(model).run(None, seeded_inputs(graph, 1))
        return found
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    found = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, seeded_inputs(graph, 1))
    return found


def difference(found: Iterable[Array], expected: Iterable[Array]) -> float:
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


def types_of(model: onnx.ModelProto) -> dict[str, str]:
    """The floating-point format of each value and constant that has one."""
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True).graph
    values = {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
    values.update((tensor.name, tensor.data_type) for tensor in inferred.initializer)
    return {name: FLOATS[number] for name, number in values.items() if number in FLOATS}


def check_types(model: onnx.ModelProto, inside: str) -> None:
    """No node reads or writes two formats, and only a sum over many terms has another than `inside`."""
    types = types_of(model)
    for node in model.graph.node:
        if node.op_type not in CONVERSIONS:
            found = {types[name] for name in (*node.input, *node.output) if name in types}
            expected = "float32" if node.op_type in ("Softmax", "GlobalAveragePool") else inside
            assert found == {expected}, node.name


def check_model(graph: Graph, precision: str) -> onnx.ModelProto:
    """Valid, typed, and with the graph's own border."""
    model = model_of(graph, precision)
    onnx.checker.check_model(model, full_check=True)
    check_types(model, {"fp16": "float16", "bf16": "bfloat16"}.get(precision, "float32"))
    border = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    assert {value.name: value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)} == {
        name: border[graph.values[name].dtype] for name in (*(value.name for value in graph.inputs), *graph.outputs)
    }
    return model


def check_names(model: onnx.ModelProto, graph: Graph) -> None:
    """Names are unique, and lead back to a node of the graph or to one of its inputs."""
    owners = {*(node.name for node in graph.nodes), *(value.name for value in graph.inputs)}
    written = [node.name for node in model.graph.node]
    assert len(set(written)) == len(written)
    assert all(name in owners or name.rpartition(".")[0] in owners for name in written)


def network(seed: int, head: Head, attention: Attention, output: Output = "logits") -> Graph:
    options = ArchitectureDefaults(
        height=32, width=64, base_channels=4, head=head, attention=attention, output=output, batch=1 + seed % 2
    )
    (architecture,) = sample_structured(SearchSpace(depth=8), np.random.default_rng(seed), 1, options)
    return lower(architecture)


NETWORKS: Final = st.builds(
    network, st.integers(0, 10_000), st.sampled_from(["s4", "light"]), st.sampled_from(["efficient", "released"])
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(NETWORKS)
def test_every_precision_of_a_network_is_valid_and_near_fp32(graph: Graph) -> None:
    exact = outputs(model_of(graph, "fp32"), graph)
    for precision in PRECISIONS:
        model = check_model(graph, precision)
        check_names(model, graph)
        assert difference(outputs(model, graph), exact) <= TOLERANCES[precision], precision


@pytest.mark.parametrize("precision", NARROW)
def test_precision_of_one_network_is_valid_and_near_fp32(precision: str) -> None:
    graph = network(0, "s4", "efficient")
    model = check_model(graph, precision)
    check_names(model, graph)
    assert difference(outputs(model, graph), outputs(model_of(graph, "fp32"), graph)) <= TOLERANCES[precision]


@pytest.mark.parametrize("precision", NARROW)
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.label)
def test_operator_is_valid_and_near_fp32(part: Part, precision: str) -> None:
    graph = lower_part(part)
    model = check_model(graph, precision)
    check_names(model, graph)
    found, expected = outputs(model, graph), outputs(model_of(graph, "fp32"), graph)
    if part.kind != "argmax":
        assert difference(found, expected) <= TOLERANCES[precision]


@pytest.mark.parametrize("precision", NARROW)
@pytest.mark.parametrize("graph", PRIMITIVE_GRAPHS, ids=lambda graph: graph.name)
def test_primitive_is_valid_and_near_fp32(graph: Graph, precision: str) -> None:
    model = check_model(graph, precision)
    check_names(model, graph)
    if graph.name != "argmax":
        found, expected = outputs(model, graph), outputs(model_of(graph, "fp32"), graph)
        assert difference(found, expected) <= TOLERANCES[precision]


@pytest.mark.parametrize("precision", NARROW)
def test_classes_stay_integers(precision: str) -> None:
    graph = network(3, "light", "efficient", output="argmax")
    model = check_model(graph, precision)
    (found,), (expected,) = outputs(model, graph), outputs(model_of(graph, "fp32"), graph)
    assert found.dtype == np.int64
    assert (found == expected).mean() > 0.9


def test_tf32_is_the_model_of_fp32() -> None:
    graph = network(1, "s4", "efficient")
    weights = seeded_weights(graph, 0)
    plain = to_onnx_bytes(graph, weights)
    assert plain == to_onnx_bytes(graph, weights, precision="tf32") == to_onnx_bytes(graph, weights, precision="fp32")


@pytest.mark.parametrize(("precision", "opset"), [("fp32", 17), ("fp16", 17), ("bf16", 22), ("int8", 17)])
def test_versions_are_the_oldest_that_have_the_types(precision: str, opset: int) -> None:
    model = model_of(lower_part(PARTS[0]), precision)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == IR_VERSION == 10


def test_convolutions_and_pooling_take_no_bfloat16_before_opset_22() -> None:
    for op in ("Conv", "AveragePool", "GlobalAveragePool"):
        for opset, known in ((21, False), (22, True)):
            allowed = onnx.defs.get_schema(op, opset, "").type_constraints[0].allowed_type_strs
            assert ("tensor(bfloat16)" in allowed) == known


def shared_islands() -> Graph:
    """A softmax that two nodes read, one of them an island too, and that is an output as well."""
    b = GraphBuilder("islands")
    weights = b.append("softmax", [relu(b, b.input("x", (1, 3, 4, 4)))])
    pooled = b.append("global_average_pool", [weights])
    return b.build(b.append("multiply", [weights, pooled]), weights, relu(b, weights))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_values_are_cast_once_for_all_their_readers(precision: str) -> None:
    graph = shared_islands()
    model = check_model(graph, precision)
    check_names(model, graph)
    inside = {"fp16": "float16", "bf16": "bfloat16"}[precision]
    casts = [node.name for node in model.graph.node if node.op_type == "Cast"]
    assert casts == [
        f"x.{inside}",
        "relu.float32",
        f"softmax.{inside}",
        f"global_average_pool.{inside}",
        "multiply.float32",
        "relu_1.float32",
    ]
    assert difference(outputs(model, graph), outputs(model_of(graph, "fp32"), graph)) <= TOLERANCES[precision]


def test_node_alone_in_float32_is_not_cast() -> None:
    graph = PRIMITIVE_GRAPHS[[graph.name for graph in PRIMITIVE_GRAPHS].index("softmax")]
    assert [node.op_type for node in model_of(graph, "fp16").graph.node] == ["Softmax"]


def after_a_gate() -> Graph:
    b = GraphBuilder("gated")
    return b.build(batch_norm(b, b.append("gate", [b.input("x", (1, 3, 4, 4))]), name="norm"))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_batch_norm_that_is_left_holds_no_variance(precision: str) -> None:
    """One of 1e-9 would be 0 in fp16, and what it divides infinite or rounded away."""
    graph = after_a_gate()
    weights = seeded_weights(graph, 0)
    weights["norm.variance"] = np.full(3, 1e-9, np.float32)
    exact = to_onnx(graph, weights)
    model = to_onnx(graph, weights, precision=precision)
    constants = {tensor.name: numpy_helper.to_array(tensor).astype(np.float32) for tensor in model.graph.initializer}
    assert constants["norm.variance"].tolist() == [1.0] * 3
    assert constants["norm.mean"].tolist() == [0.0] * 3
    assert difference(outputs(model, graph), outputs(exact, graph)) <= TOLERANCES[precision]


def test_weights_that_overflow_fp16_are_refused_by_name() -> None:
    b = GraphBuilder("large")
    graph = b.build(conv_bn(b, b.input("x", (1, 3, 4, 4)), 5, name="conv"))
    weights = seeded_weights(graph, 0)
    weights["conv_bn.gamma"] = weights["conv_bn.gamma"] * np.float32(1e6)
    with pytest.raises(GraphError, match=r"parameter conv\.weight holds .*, too large for fp16"):
        to_onnx(graph, weights, precision="fp16")
    onnx.checker.check_model(to_onnx(graph, weights, precision="bf16"), full_check=True)


def int8_paths() -> Graph:
    b = GraphBuilder("paths")
    x = b.input("x", (2, 3, 4, 4))
    left, right = conv_bn(b, x, 3, name="left"), relu(b, conv_bn(b, x, 5, name="right"))
    return b.build(conv(b, concat(b, left, right), 2, bias=True, name="last"))


def test_int8_is_symmetric_and_explicit() -> None:
    graph = int8_paths()
    model = model_of(graph, "int8")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert {name: constants[name].dtype for name in ("left.weight", "right.weight", "last.weight")} == {
        name: np.dtype(np.int8) for name in ("left.weight", "right.weight", "last.weight")
    }
    assert {name: constants[f"{name}.weight_step"].shape for name in ("left", "last")} == {"left": (3,), "last": (2,)}
    assert all(array == 0 for name, array in constants.items() if name.endswith(".zero"))
    assert constants["last.bias"].dtype == np.float32
    steps = [constants[f"{name}.step"].item() for name in ("left", "relu", "concat")]
    assert len(set(steps)) == 1
    by_name: dict[str, Any] = {node.name: node for node in model.graph.node}
    assert list(by_name["last"].input) == ["concat.dequantised", "last.dequantised_weight", "last.bias"]
    assert list(by_name["concat"].input) == ["left.dequantised", "relu.dequantised"]
    assert [node.op_type for node in model.graph.node].count("QuantizeLinear") == 4


def test_int8_without_ranges_names_what_is_missing() -> None:
    graph = int8_paths()
    with pytest.raises(GraphError, match="no range for value x of paths, which int8 quantises"):
        to_onnx(graph, seeded_weights(graph, 0), precision="int8")


@pytest.mark.parametrize("precision", NARROW)
def test_unfolded_batch_norms_are_refused(precision: str) -> None:
    graph = int8_paths()
    with pytest.raises(InvalidInput, match=f"expected True for {precision}; only fp32 is written unfolded"):
        to_onnx(graph, seeded_weights(graph, 0), precision=precision, fold_batch_norm=False)


def test_unknown_precision_is_refused() -> None:
    graph = int8_paths()
    with pytest.raises(InvalidInput, match="precision: 'fp64' is not allowed"):
        to_onnx(graph, seeded_weights(graph, 0), precision="fp64")
