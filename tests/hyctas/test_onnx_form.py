"""ONNX models as the runtimes want them: versions, names, static shapes, folding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hyctas.architecture import ArchitectureDefaults
from hyctas.builder import GraphBuilder
from hyctas.errors import GraphError, UnsupportedNode
from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.layers import add, average_pool, batch_norm, conv, conv_bn, relu
from hyctas.lowering import lower, lower_part
from hyctas.onnx_form import to_onnx, to_onnx_bytes
from hyctas.onnx_writer import IR_VERSION
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import Part
from hyctas.primitives import PRIMITIVES
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.weights import seeded_weights


def model_of(graph: Graph, *, folded: bool = True) -> onnx.ModelProto:
    return to_onnx(graph, seeded_weights(graph, 0), fold_batch_norm=folded)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def attributes(model: onnx.ModelProto, op: str) -> dict[str, object]:
    node = next(node for node in model.graph.node if node.op_type == op)
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def one_of(op: str, *shapes: tuple[int, ...], **given: int | float | tuple[int, ...]) -> Graph:
    b = GraphBuilder(op)
    return b.build(b.append(op, [b.input(f"x{index}", shape) for index, shape in enumerate(shapes)], given))


MAP = (2, 4, 5, 7)
PRIMITIVE_GRAPHS = (
    one_of("conv", MAP, channels=6, kernel=3, stride=2, padding=1, groups=2, bias=1),
    one_of("batch_norm", MAP, epsilon=1e-5),
    one_of("relu", MAP),
    one_of("sigmoid", MAP),
    one_of("identity", MAP),
    one_of("resize", MAP, size=(9, 3)),
    one_of("resize", MAP, size=(9, 3), align_corners=1),
    one_of("resize", MAP, size=(2, 1), align_corners=1),
    one_of("average_pool", MAP, factor=2),
    one_of("global_average_pool", MAP),
    one_of("concat", MAP, MAP),
    one_of("add", MAP, MAP),
    one_of("multiply", MAP, (2, 4, 1, 1)),
    one_of("scale", MAP, factor=0.25),
    one_of("gate", MAP),
    one_of("matmul", MAP, MAP, transpose_left=0, transpose_right=1),
    one_of("transpose", MAP, permutation=(0, 2, 3, 1)),
    one_of("reshape", MAP, shape=(2, 2, 70)),
    one_of("softmax", MAP),
    one_of("crop", MAP, top=1, left=2),
    one_of("argmax", MAP),
)


def test_every_primitive_is_tested() -> None:
    assert {graph.name for graph in PRIMITIVE_GRAPHS} == PRIMITIVES.keys()


@pytest.mark.parametrize("graph", PRIMITIVE_GRAPHS, ids=lambda graph: graph.name)
def test_primitive_is_valid_onnx_and_agrees_with_torch(graph: Graph) -> None:
    import onnxruntime
    import torch

    from hyctas.torch_form import GraphModule

    model = model_of(graph)
    onnx.checker.check_model(model, full_check=True)
    rng = np.random.default_rng(0)
    inputs = {value.name: rng.standard_normal(value.shape, dtype=np.float32) for value in graph.inputs}
    (found,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)
    module = GraphModule(graph, seeded_weights(graph, 0)).eval()
    expected = module(*map(torch.from_numpy, inputs.values())).detach().numpy()
    assert found.shape == expected.shape == graph.values[graph.outputs[0]].shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", CELL_OPERATORS)
def test_operator_is_valid_onnx(kind: str, stride: int, folded: bool) -> None:
    graph = lower_part(Part(kind, 12, 20, (43,), 85, stride=stride, attention="efficient"))
    onnx.checker.check_model(model_of(graph, folded=folded), full_check=True)


def test_network_has_the_versions_and_static_shapes_that_runtimes_take() -> None:
    settings = ArchitectureDefaults(height=64, width=96, batch=2)
    (architecture,) = sample_structured(SearchSpace(), np.random.default_rng(0), 1, settings)
    model = onnx.shape_inference.infer_shapes(model_of(lower(architecture)), strict_mode=True, data_prop=True)
    assert (model.ir_version, [(entry.domain, entry.version) for entry in model.opset_import]) == (10, [("", 17)])
    assert IR_VERSION == 10
    assert [value.name for value in model.graph.input] == ["image"]
    known = [*model.graph.value_info, *model.graph.output]
    written = [name for node in model.graph.node for name in node.output]
    assert {value.name for value in known} == set(written)
    assert all(size.dim_value > 0 for value in known for size in value.type.tensor_type.shape.dim)
    assert not {"Shape", "Gather", "Einsum", "Identity"} & set(operators(model))


def test_shapes_inferred_by_onnx_are_those_of_the_graph() -> None:
    graph = lower_part(Part("sa", 9, 15, (43,), 64, stride=2, attention="released"))
    model = onnx.shape_inference.infer_shapes(model_of(graph, folded=False), strict_mode=True, data_prop=True)
    inferred = {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in (*model.graph.value_info, *model.graph.output)
    }
    assert {node.output.name: node.output.shape for node in graph.nodes}.items() <= inferred.items()


def test_node_names_lead_back_to_the_graph() -> None:
    graph = lower_part(Part("sa", 12, 20, (43,), 64, attention="efficient"))
    names = {node.name for node in graph.nodes}
    for folded in (True, False):
        written = [node.name for node in model_of(graph, folded=folded).graph.node]
        prepared = {name for name in written if name.rpartition(".")[0] in names and name.endswith((".left", ".right"))}
        assert len(set(written)) == len(written)
        assert set(written) - prepared <= names


def test_equal_seeds_give_equal_bytes() -> None:
    graph = lower_part(Part("conv_downup", 12, 20, (32,), 48))
    assert to_onnx_bytes(graph, seeded_weights(graph, 0)) == to_onnx_bytes(graph, seeded_weights(graph, 0))


def test_resize_has_constant_sizes_and_half_pixel_centres() -> None:
    model = model_of(one_of("resize", MAP, size=(9, 3)))
    sizes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert list(model.graph.node[0].input) == ["x0", "", "", "resize.sizes"]
    assert sizes["resize.sizes"].tolist() == [2, 4, 9, 3]
    assert sizes["resize.sizes"].dtype == np.int64
    assert attributes(model, "Resize") == {"mode": b"linear", "coordinate_transformation_mode": b"half_pixel"}


def test_ragged_pooling_pads_the_end_and_does_not_count_it() -> None:
    found = attributes(model_of(one_of("average_pool", MAP, factor=4)), "AveragePool")
    assert found == {"kernel_shape": [4, 4], "strides": [4, 4], "pads": [0, 0, 3, 1], "count_include_pad": 0}


def test_crop_ends_exactly_at_the_edge() -> None:
    model = model_of(one_of("crop", MAP, top=1, left=2))
    constants = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in model.graph.initializer}
    assert constants == {"crop.starts": [1, 2], "crop.ends": [5, 7], "crop.axes": [2, 3]}


def test_folding_leaves_only_batch_norms_that_no_convolution_precedes() -> None:
    settings = ArchitectureDefaults(height=64, width=96)
    for architecture in sample_structured(SearchSpace(), np.random.default_rng(1), 4, settings):
        graph = lower(architecture)
        after_attention = sum(node.name.endswith(".attention.add") for node in graph.nodes)
        folded, unfolded = operators(model_of(graph)), operators(model_of(graph, folded=False))
        assert folded.count("BatchNormalization") == after_attention
        assert folded.count("Conv") == unfolded.count("Conv")
        assert len(folded) == len(graph.nodes) - _absorbed(graph) + 2 * after_attention


def _absorbed(graph: Graph) -> int:
    """Nodes that directly follow a convolution and could be part of it."""
    convolutions = {node.output.name for node in graph.nodes if node.op == "conv"}
    return sum(node.op in ("batch_norm", "scale") and node.inputs[0] in convolutions for node in graph.nodes)


def test_scale_after_a_convolution_is_folded_with_its_bias() -> None:
    b = GraphBuilder("scaled")
    x = b.input("x", (1, 3, 4, 4))
    graph = b.build(b.append("scale", [conv(b, x, 5, bias=True, name="conv")], {"factor": 0.5}))
    weights = seeded_weights(graph, 0)
    folded, arrays = fold(graph, weights)
    assert [node.op for node in folded.nodes] == ["conv"]
    assert folded.nodes[0].output.name == "scale"
    np.testing.assert_array_equal(arrays["conv.weight"], weights["conv.weight"] * np.float32(0.5))
    np.testing.assert_array_equal(arrays["conv.bias"], weights["conv.bias"] * np.float32(0.5))


def test_scale_after_a_convolution_without_bias_adds_none() -> None:
    b = GraphBuilder("scaled")
    x = b.input("x", (1, 3, 4, 4))
    graph = b.build(b.append("scale", [conv(b, x, 5, name="conv")], {"factor": 0.5}))
    folded, arrays = fold(graph, seeded_weights(graph, 0))
    assert [parameter.name for parameter in folded.nodes[0].parameters] == list(arrays) == ["conv.weight"]


def test_chain_of_batch_norm_and_scale_is_folded_into_one_convolution() -> None:
    b = GraphBuilder("chain")
    x = b.input("x", (1, 3, 4, 4))
    scaled = b.append("scale", [conv_bn(b, x, 5, name="conv")], {"factor": 0.5})
    graph = b.build(relu(b, batch_norm(b, scaled, name="second")))
    assert operators(model_of(graph)) == ["Conv", "Relu"]


def test_convolution_that_somebody_else_reads_is_not_folded() -> None:
    b = GraphBuilder("shared")
    x = b.input("x", (1, 3, 4, 4))
    shared = conv(b, x, 3, name="conv")
    graph = b.build(add(b, batch_norm(b, shared, name="norm"), shared))
    assert operators(model_of(graph)) == ["Conv", "BatchNormalization", "Add"]


def test_convolution_that_is_an_output_is_not_folded() -> None:
    b = GraphBuilder("output")
    x = b.input("x", (1, 3, 4, 4))
    inner = conv(b, x, 3, name="conv")
    graph = b.build(inner, batch_norm(b, inner, name="norm"))
    assert operators(model_of(graph)) == ["Conv", "BatchNormalization"]


def test_folding_leaves_graph_and_weights_as_they_were() -> None:
    graph = lower_part(Part("sa", 12, 20, (32,), 48, attention="efficient"))
    weights = seeded_weights(graph, 0)
    before = {name: array.copy() for name, array in weights.items()}
    fold(graph, weights)
    assert graph == lower_part(Part("sa", 12, 20, (32,), 48, attention="efficient"))
    assert all(np.array_equal(weights[name], before[name]) for name in before)
    assert weights.keys() == before.keys()


def test_unknown_primitive_names_the_node_and_what_is_known() -> None:
    graph = one_of("relu", MAP)
    strange = replace(graph, nodes=(replace(graph.nodes[0], op="lstm"),))
    with pytest.raises(UnsupportedNode, match="node relu: primitive 'lstm' has no ONNX form; known: conv, batch_norm"):
        to_onnx(strange, {})


def test_missing_weights_are_refused() -> None:
    graph = lower_part(Part("conv", 12, 20, (32,), 48))
    with pytest.raises(GraphError, match=r"no weights for parameter conv\.conv\.weight"):
        to_onnx(graph, {})


def test_batched_ragged_pooling_of_a_small_map_keeps_one_row() -> None:
    b = GraphBuilder("small")
    pooled = average_pool(b, b.input("x", (3, 2, 3, 9)), 4)
    model = model_of(b.build(pooled))
    assert [size.dim_value for size in model.graph.output[0].type.tensor_type.shape.dim] == [3, 2, 1, 3]
    onnx.checker.check_model(model, full_check=True)
