"""Layers of TensorRT mapped back to nodes: every form of name and metadata that engines are known to hold."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.errors import MeasuringError
from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.lowering import lower_part
from hyctas.parts import Part
from hyctas.weights import seeded_weights
from profiler.runtimes.node_index import NodeIndex
from profiler.runtimes.tensorrt.layer_names import Mentioned, parse_metadata, parse_name
from profiler.runtimes.tensorrt.layers import InspectedLayer, attribute, layer_times, read_inspection

US, RS = "\x1f", "\x1e"


def index_of(graph: Graph) -> NodeIndex:
    folded, _ = fold(graph, seeded_weights(graph, 0))
    return NodeIndex(graph, [node.name for node in folded.nodes])


@pytest.fixture(scope="module")
def attention() -> Graph:
    """Convolutions with batch norms and a scale that fold, and an attention in between."""
    return lower_part(Part("sa", 6, 12, (16,), 16, attention="efficient"))


@pytest.fixture(scope="module")
def index(attention: Graph) -> NodeIndex:
    return index_of(attention)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("conv1", ("conv1",)),
        ("conv1 + bn1 + relu1", ("conv1", "bn1", "relu1")),
        ("q_proj || k_proj || v_proj", ("q_proj", "k_proj", "v_proj")),
        ("PWN(sigmoid1)", ("sigmoid1",)),
        ("PWN(PWN(sigmoid1), PWN(mul1))", ("sigmoid1", "mul1")),
        ("PWN(PWN(relu_1), add_1)", ("relu_1", "add_1")),
        ("conv1 + PWN(PWN(sigmoid1), mul1)", ("conv1", "sigmoid1", "mul1")),
        ("fc.weight + QuantizeLinear_3 + fc", ("fc.weight", "QuantizeLinear_3", "fc")),
        ("/model.10/m/m.0/attn/MatMul_myl109_2", ("/model.10/m/m.0/attn/MatMul",)),
        ("/model.10/Split_output_0 copy", ("/model.10/Split_output_0",)),
        ("conv1_clone_2", ("conv1",)),
        ("squeeze_after_pool", ("pool",)),
        ("copied_squeeze_after_pool", ("pool",)),
        ("unsqueeze_node_after_fc", ("fc",)),
        ("reshape_before_fc", ("fc",)),
        ("shuffle_between_pool5_and_fc6", ("pool5", "fc6")),
        (
            "branches[0].cells[2].conv + branches[0].cells[2].relu",
            ("branches[0].cells[2].conv", "branches[0].cells[2].relu"),
        ),
        ("__myl_MulMaxSubExpSum_myl109_3", ()),
        ("__mye1234_5", ()),
        ("(Unnamed Layer* 4) [Shuffle]", ()),
        ("", ()),
    ],
)
def test_names_of_fused_layers_are_taken_apart(name: str, names: tuple[str, ...]) -> None:
    assert parse_name(name) == Mentioned(names)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("{ForeignNode[a.relu...branches[0].cells[3].conv]}", ("a.relu",), ("branches[0].cells[3].conv",)),
        ("{ForeignNode[a + b...c]}", ("a", "b"), ("c",)),
        ("{ForeignNode[(Unnamed Layer* 0) [ElementWise]]}", (), ()),
        ("{ForeignNode[softmax]}", ("softmax",), ("softmax",)),
        (
            "{ForeignNode[ONNXTRT_ShapeShuffle_336_output[Constant]...add]}",
            ("ONNXTRT_ShapeShuffle_336_output[Constant]",),
            ("add",),
        ),
    ],
)
def test_regions_of_the_graph_compiler_have_two_ends(name: str, first: tuple[str, ...], last: tuple[str, ...]) -> None:
    assert parse_name(name) == Mentioned(regions=((first, last),))


@pytest.mark.parametrize(
    "name",
    [
        "Reformatting CopyNode for Input Tensor 0 to conv1 + relu1",
        "Reformatting CopyNode for Output Tensor 0 to {ForeignNode[a...b]}",
        "Reformatting CopyNode for Network Input input0",
    ],
)
def test_change_of_layout_mentions_no_node(name: str) -> None:
    assert parse_name(name) == Mentioned(layout=True)


@pytest.mark.parametrize("separator", [US, RS, "", "\n", f"{US}{RS}"])
def test_metadata_hold_names_with_brackets_whatever_separates_them(separator: str) -> None:
    names = ("branches[0].cells[2].conv", "branches[0]", "relu")
    assert parse_metadata(separator.join(f"[ONNX Layer: {name}]" for name in names)) == names


def test_metadata_of_other_kinds_are_left_out() -> None:
    assert parse_metadata(f"[TRT Layer: x]{US}[ONNX Layer: a[0]][Other: y]{RS}[ONNX Layer: a[0]]") == ("a[0]",)
    assert parse_metadata("") == ()


@given(st.text(alphabet="ab+,|(){}[]. PWN{ForeignNode_myl0", max_size=60))
def test_any_name_is_read_without_error(name: str) -> None:
    mentioned = parse_name(name)
    assert all(isinstance(part, str) for part in mentioned.names)


@given(
    st.lists(
        st.from_regex(r"[a-z]{1,5}(\[[0-9]\])?(\.[a-z]{1,5}){0,2}", fullmatch=True), min_size=1, max_size=5, unique=True
    )
)
def test_what_is_joined_is_taken_apart_again(names: list[str]) -> None:
    assert parse_name(" + ".join(names)).names == tuple(names)
    assert parse_metadata(US.join(f"[ONNX Layer: {name}]" for name in names)) == tuple(names)


def test_node_is_found_by_its_own_name_its_helpers_and_its_parameters(index: NodeIndex) -> None:
    assert index.find("sa.before") == "sa.before"
    assert index.find("sa.attention.matmul.left") == "sa.attention.matmul"
    assert index.find("sa.before.weight.quantise") == "sa.before"
    assert index.find("sa_attention_matmul_1") == "sa.attention.matmul_1"
    assert index.find("ONNXTRT_Broadcast_3") is None


def test_folded_batch_norm_belongs_to_the_convolution(index: NodeIndex) -> None:
    assert index.in_order(["sa.before"]) == ("sa.before", "sa.before_bn")
    assert index.in_order(["sa.attention.query"]) == ("sa.attention.query", "sa.attention.scale")
    assert index.in_order(["sa.norm"]) == ("sa.norm",)


def test_every_node_is_covered_by_an_engine_of_chains_and_a_region(attention: Graph, index: NodeIndex) -> None:
    layers = [
        InspectedLayer("Reformatting CopyNode for Input Tensor 0 to sa.before + sa.relu"),
        InspectedLayer("sa.before + sa.relu"),
        InspectedLayer("sa.attention.query || sa.attention.key || sa.attention.value"),
        InspectedLayer("{ForeignNode[sa.attention.reshape...sa.attention.reshape_3]}"),
        InspectedLayer("sa.attention.projection"),
        InspectedLayer(
            "__myl_MulAddMulAddMax_myl1_0",
            f"[ONNX Layer: sa.attention.gate]{US}[ONNX Layer: sa.attention.add]{US}"
            f"[ONNX Layer: sa.norm]{US}[ONNX Layer: sa.relu_1]",
        ),
        InspectedLayer("sa.after + sa.add + sa.relu_2"),
    ]
    found = attribute(layers, index)
    assert found.unknown == ()
    assert found.uncovered == ()
    assert found.nodes[0] == ()
    assert found.nodes[1] == ("sa.before", "sa.before_bn", "sa.relu")
    assert found.nodes[3] == tuple(
        f"sa.attention.{name}"
        for name in ("reshape", "reshape_1", "reshape_2", "matmul", "softmax", "matmul_1", "reshape_3")
    )
    assert [node for nodes in found.nodes for node in nodes] != []
    assert sorted(node for nodes in found.nodes for node in nodes) == sorted(node.name for node in attention.nodes)


def test_region_leaves_what_other_layers_name(index: NodeIndex) -> None:
    layers = [InspectedLayer("{ForeignNode[sa.before...sa.attention.value]}"), InspectedLayer("sa.attention.key")]
    nodes = attribute(layers, index).nodes
    assert "sa.attention.key" not in nodes[0]
    assert {"sa.before", "sa.relu", "sa.attention.query", "sa.attention.value"} < set(nodes[0])


def test_region_with_one_unknown_end_gets_the_other(index: NodeIndex) -> None:
    layers = [InspectedLayer("{ForeignNode[ONNXTRT_Shape_3[Constant]...sa.attention.softmax]}")]
    assert attribute(layers, index).nodes == (("sa.attention.softmax",),)


def test_kernel_without_a_word_gets_the_nodes_that_it_writes(index: NodeIndex) -> None:
    layers = [InspectedLayer("__myl_Move_myl0_0", outputs=("sa.attention.reshape_1",))]
    assert attribute(layers, index).nodes == (("sa.attention.reshape_1",),)


def test_layer_that_says_nothing_is_named_as_unknown(index: NodeIndex) -> None:
    found = attribute([InspectedLayer("__myl_Move_myl0_0"), InspectedLayer("sa.before")], index)
    assert found.unknown == ("__myl_Move_myl0_0",)
    assert found.nodes[0] == ()
    assert "sa.relu" in found.uncovered


@pytest.mark.parametrize("bindings", [{"Bindings": ["x", "y"]}, {"I/O Tensors": [{"Name": "x", "IOMode": "Input"}]}])
def test_inspection_of_versions_10_and_11_is_read(bindings: dict[str, object]) -> None:
    layer = {
        "Name": "conv + relu",
        "LayerType": "CaskConvolution",
        "Outputs": [{"Name": "relu", "Dimensions": [1, 8, 4, 4], "Format/Datatype": "Half"}],
        "Metadata": f"[ONNX Layer: conv]{US}[ONNX Layer: relu]",
    }
    text = json.dumps({"Layers": [layer, {"Name": "plain"}, "name only"], **bindings})
    assert read_inspection(text) == (
        InspectedLayer("conv + relu", f"[ONNX Layer: conv]{US}[ONNX Layer: relu]", ("relu",)),
        InspectedLayer("plain"),
        InspectedLayer("name only"),
    )


def test_inspection_with_raw_separators_is_read() -> None:
    text = '{"Layers": [{"Name": "k", "Metadata": "[ONNX Layer: a]\x1f[ONNX Layer: b]"}]}'
    assert parse_metadata(read_inspection(text)[0].metadata) == ("a", "b")


@pytest.mark.parametrize("text", ["", "[]", '{"Layers": 3}', '{"Layers": [{"LayerType": "x"}]}', "null"])
def test_inspection_that_is_no_list_of_layers_is_refused(text: str) -> None:
    with pytest.raises(MeasuringError, match="DETAILED"):
        read_inspection(text)


def runs_of(*times_s: Sequence[float]) -> list[list[tuple[str, float]]]:
    names = ("sa.before + sa.relu", "__myl_Move_myl0_0")
    return [list(zip(names, times, strict=False)) for times in times_s]


def test_time_of_a_layer_is_its_median_over_runs(index: NodeIndex, caplog: pytest.LogCaptureFixture) -> None:
    runs = runs_of((0.1, 1.0), (0.3, 2.0), (0.2, 9.0))
    with caplog.at_level(logging.WARNING):
        first, second = layer_times(runs, (), index)
    assert (first.latency_s, second.latency_s) == (0.2, 2.0)
    assert first.nodes == ("sa.before", "sa.before_bn", "sa.relu")
    assert second.nodes == ()
    assert "__myl_Move_myl0_0" in caplog.text


@pytest.mark.parametrize("runs", [[], [[]], runs_of((0.1, 1.0), (0.1,))])
def test_runs_that_differ_or_hold_nothing_are_refused(runs: list[list[tuple[str, float]]], index: NodeIndex) -> None:
    with pytest.raises(MeasuringError, match="different layers"):
        layer_times(runs, (), index)
