"""The space of FasterSeg: its operators, how its networks are put together, and its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyctas.architecture import Architecture, ArchitectureDefaults, default_settings
from hyctas.architecture_json import decode_architecture, decode_defaults, to_json
from hyctas.cell import Branch, Cell
from hyctas.costs import costs
from hyctas.decomposition import decompose
from hyctas.enumeration import operator_parts
from hyctas.errors import InvalidArchitecture, InvalidInput
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.onnx_form import to_onnx_bytes
from hyctas.operators import summaries
from hyctas.parts import Part
from hyctas.release_format import to_release
from hyctas.sampling import sample_structured, sample_uniform
from hyctas.sharing import built_from
from hyctas.space import FASTERSEG, HYCTAS, SearchSpace
from hyctas.weights import seeded_inputs, seeded_weights
from hyctas.workload import workload_key

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = replace(default_settings("fasterseg"), height=64, width=96, base_channels=4, classes=5)
PARAMETERS = {  # 96 to 96 at stride 1, 96 to 192 at stride 2; a batch norm has two a channel
    "conv": (96 * 96 * 9 + 192, 96 * 192 * 9 + 384),
    "conv_2x": (2 * (96 * 96 * 9 + 192), 96 * 192 * 9 + 192 * 192 * 9 + 768),
    "downup": (96 * 96 * 9 + 192, 96 * 192 * 9 + 384),
    "downup_2x": (2 * (96 * 96 * 9 + 192), 96 * 192 * 9 + 192 * 192 * 9 + 768),
}
SQUEEZE_EXCITATION = 2 * 128 * 128
"""Weights of student-21's fusion that the release counts but never runs."""
NETWORK_TOLERANCE = 1e-3


def student(name: int) -> Architecture:
    return decode_architecture((EXAMPLES / f"fasterseg_student_{name}.json").read_bytes())


def drawn(seed: int, *, depth: int = 8) -> Architecture:
    space, rng = SearchSpace(name="fasterseg", depth=depth, min_cells=1), np.random.default_rng(seed)
    sample = sample_uniform if seed % 2 else sample_structured
    return sample(space, rng, 1, SMALL)[0]


def network(*branches: tuple[Cell, ...]) -> Architecture:
    return SMALL.architecture(tuple(map(Branch, branches)))


networks = st.builds(drawn, st.integers(0, 2**32 - 1), depth=st.integers(2, 9))


@pytest.mark.parametrize("kind", PARAMETERS)
def test_operator_has_the_parameters_counted_by_hand(kind: str) -> None:
    stride_1, stride_2 = PARAMETERS[kind]
    assert costs(lower_part(Part(kind, 16, 32, (96,), 96))).parameters == stride_1
    down = lower_part(Part(kind, 16, 32, (96,), 192, stride=2))
    assert costs(down).parameters == stride_2
    assert down.values[down.outputs[0]].shape == (1, 192, 8, 16)


def test_skips_are_an_identity_and_one_convolution() -> None:
    identity = lower_part(Part("identity", 16, 32, (96,), 96))
    assert [node.op for node in identity.nodes] == ["identity"]
    reduce = lower_part(Part("reduce", 16, 32, (96,), 192, stride=2))
    assert [node.op for node in reduce.nodes] == ["conv", "batch_norm", "relu"]
    assert costs(reduce).parameters == 96 * 192 + 384
    assert reduce.values[reduce.outputs[0]].shape == (1, 192, 8, 16)


@pytest.mark.parametrize("kind", ["downup", "downup_2x"])
def test_half_resolution_keeps_corners_and_has_no_shortcut(kind: str) -> None:
    graph = lower_part(Part(kind, 16, 32, (96,), 96))
    resizes = [node for node in graph.nodes if node.op == "resize"]
    assert [node.integers("size") for node in resizes] == [(8, 16), (16, 32)]
    assert all(node.has("align_corners") for node in resizes)
    assert graph.nodes[-1].op == "relu"
    assert "add" not in {node.op for node in graph.nodes}


def test_a_refinement_and_a_conv_are_equal_work_of_two_kinds() -> None:
    refinement, conv = (lower_part(Part(kind, 16, 32, (96,), 64)) for kind in ("conv_norm_3x3", "conv"))
    assert workload_key(refinement) == workload_key(conv)


def test_student_has_the_parameters_of_the_release_that_run() -> None:
    """The release has 3454643 without train-only heads, and 4385689 with them."""
    assert costs(lower(student(21))).parameters == 3454643 - SQUEEZE_EXCITATION
    assert costs(lower(student(21), training=True)).parameters == 4385689 - SQUEEZE_EXCITATION


@pytest.mark.shared_data
@pytest.mark.parametrize("name", [20, 21])
def test_release_file_carries_its_settings(name: int, shared_data: Path) -> None:
    content = (shared_data / "fasterseg" / f"student-{name}.json").read_bytes()
    found = decode_architecture(content, default_settings("fasterseg"))
    assert found == student(name)
    assert (found.base_channels, found.stem_width, found.head_width, found.input.height) == (12, 8, 8, 1024)


def test_students_share_three_cells() -> None:
    assert [prefix.length for prefix in built_from(student(20))] == [0, 3]
    assert [prefix.length for prefix in built_from(student(21))] == [0, 3]


def test_parts_of_a_student_stand_in_the_order_of_the_network() -> None:
    parts = decompose(student(20)).parts
    placed = [p for p in parts if p.region != "cells"]
    assert [p.place for p in placed] == [
        *("stem.conv", "stem.stride4", "stem.stride8"),
        *(f"fusion.branches[1].from_scale{scale}.{name}" for scale in (2, 1) for name in ("arm", "join", "refine")),
        *("fusion.concat", "fusion.ff", "head.plain_head"),
    ]
    read = [parts[position].place for position in placed[4].inputs]
    assert read == ["fusion.branches[1].from_scale2.arm", "branches[1].cells[6]"]
    assert placed[4].part.in_channels == (128, 64)


def test_a_skip_hands_on_its_channels_also_at_the_end() -> None:
    conv, skip = Cell("conv", 6, False), Cell("skip", 12, False)
    parts = decompose(network((conv, skip, skip, Cell("skip", None, False)))).parts
    assert [p.part.out_channels for p in parts if p.region == "cells"] == [16] * 4
    ff = next(p.part for p in parts if p.place == "fusion.ff")
    assert (ff.in_channels, ff.out_channels) == ((16,), 16)


def test_training_form_has_heads_on_the_coarser_maps() -> None:
    placed = [p for p in decompose(student(21), training=True).parts if p.region == "auxiliary"]
    assert [p.place for p in placed] == ["auxiliary32.plain_head", "auxiliary16.concat", "auxiliary16.plain_head"]
    assert [p.part.in_channels for p in placed] == [(256,), (64, 128), (192,)]
    graph = lower(student(21), training=True)
    assert [graph.values[name].shape[2:] for name in graph.outputs] == [(128, 256), (32, 64), (64, 128)]


@given(networks)
@settings(max_examples=40, deadline=None)
def test_networks_lower_to_logits_at_stride_8(architecture: Architecture) -> None:
    graph = lower(architecture)
    assert graph.values[graph.outputs[0]].shape == (1, 5, 8, 12)
    assert not {"softmax", "matmul", "gate"} & {node.op for node in graph.nodes}


@given(networks)
@settings(max_examples=40, deadline=None)
def test_shared_cells_are_built_once(architecture: Architecture) -> None:
    cells = sum(len(branch.cells) for branch in architecture.branches)
    shared = sum(prefix.length for prefix in built_from(architecture))
    assert sum(p.region == "cells" for p in decompose(architecture).parts) == cells - shared


@given(networks)
@settings(max_examples=40, deadline=None)
def test_json_reads_back_equal(architecture: Architecture) -> None:
    again = decode_architecture(json.dumps(to_json(architecture)))
    assert (again, again.key) == (architecture, architecture.key)
    assert decode_architecture(to_release(architecture), SMALL) == architecture


@pytest.mark.parametrize("output", ["logits", "upsampled", "argmax"])
def test_enumeration_has_every_part_of_every_network(output: str) -> None:
    given_settings = replace(SMALL, output=output)
    space = SearchSpace(name="fasterseg", depth=6, min_cells=1)
    known = set(operator_parts(space, given_settings))
    for architecture in sample_uniform(space, np.random.default_rng(0), 120, given_settings):
        assert {placed.part for placed in decompose(architecture).parts} <= known


def run_torch(graph: Graph) -> list[np.ndarray]:
    torch = pytest.importorskip("torch")
    from hyctas.torch_form import GraphModule

    module = GraphModule(graph, seeded_weights(graph, 0)).eval()
    with torch.inference_mode():
        outputs = module(*map(torch.from_numpy, seeded_inputs(graph, 1).values()))
    return [tensor.numpy() for tensor in (outputs if isinstance(outputs, tuple) else (outputs,))]


def run_onnxruntime(graph: Graph, *, folded: bool) -> list[np.ndarray]:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = to_onnx_bytes(graph, seeded_weights(graph, 0), fold_batch_norm=folded)
    found: list[np.ndarray] = onnxruntime.InferenceSession(model).run(None, seeded_inputs(graph, 1))
    return found


def check_equal(graph: Graph, tolerance: float) -> None:
    expected = run_torch(graph)
    for folded in (False, True):
        for ours, theirs in zip(run_onnxruntime(graph, folded=folded), expected, strict=True):
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


@given(st.builds(drawn, st.integers(0, 2**32 - 1), depth=st.integers(3, 5)), st.booleans())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_onnx_and_torch_agree_on_networks(architecture: Architecture, training: bool) -> None:
    upsampled = replace(architecture, output="upsampled")
    check_equal(lower(architecture if training else upsampled, training=training), NETWORK_TOLERANCE)


@pytest.mark.parametrize("height", [1, 3, 16])
@pytest.mark.parametrize(
    ("kind", "stride"), [("identity", 1), ("reduce", 2), *((k, s) for k in ("downup", "downup_2x") for s in (1, 2))]
)
def test_onnx_and_torch_agree_on_operators(kind: str, stride: int, height: int) -> None:
    out = 21 if kind == "identity" else 32
    check_equal(lower_part(Part(kind, height, 11, (21,), out, stride=stride)), 2e-5)


def test_the_space_counts_five_operators() -> None:
    assert FASTERSEG.operators == ("skip", "conv", "conv_downup", "conv_2x_downup", "conv_2x")
    assert FASTERSEG.cardinality == replace(HYCTAS, operators=FASTERSEG.operators).cardinality
    with pytest.raises(InvalidInput, match="operators"):
        SearchSpace(name="fasterseg", operators=("sa",))
    with pytest.raises(InvalidInput, match="one of hyctas, fasterseg"):
        SearchSpace(name="other")


def test_what_the_space_lacks_is_refused_with_its_path() -> None:
    document = to_json(student(20))
    document["branches"][1]["cells"][2]["op"] = "sa"
    allowed = r"skip, conv, conv_downup, conv_2x_downup, conv_2x$"
    with pytest.raises(InvalidArchitecture, match=r"^\$\.branches\[1\]\.cells\[2\]\.op: .*sa.*" + allowed):
        decode_architecture(document)
    with pytest.raises(InvalidArchitecture, match=r"^\$\.branches\[1\]\.cells\[2\]\.op: .*sa.*" + allowed):
        decode_architecture(json.dumps(document))
    for name, value, choice in (("head", "s4", "plain"), ("attention", "efficient", "none")):
        with pytest.raises(InvalidArchitecture, match=rf"^\$\.{name}: .*{value}.* one of {choice}$"):
            decode_architecture({**to_json(student(20)), name: value})
    with pytest.raises(InvalidArchitecture, match=r"^\$\.head: .*plain.* one of light, s4$"):
        replace(ArchitectureDefaults(), head="plain").architecture(student(20).branches)


def test_defaults_follow_the_space() -> None:
    assert decode_defaults({"space": "fasterseg", "height": 512}) == replace(default_settings("fasterseg"), height=512)
    with pytest.raises(InvalidArchitecture, match=r"^\$\.defaults\.head: .*s4.* one of plain$"):
        decode_defaults({"space": "fasterseg", "head": "s4"})
    with pytest.raises(InvalidArchitecture, match=r"^\$\.defaults\.space: .*one of hyctas, fasterseg$"):
        decode_defaults({"space": "other"})


def released(**fields: object) -> dict[str, object]:
    return {"ops": [[3, 4]], "paths": [[0, 0]], "downs": [[0, 0]], "widths": [[0.5]], "lasts": [0], **fields}


def test_operator_numbers_are_those_of_the_space_or_of_the_file() -> None:
    def read(space: str, **fields: object) -> list[str]:
        found = decode_architecture(released(**fields), default_settings(space))
        return [cell.op for cell in found.branches[0].cells]

    assert read("hyctas") == ["conv_2x_downup", "sa"]
    assert read("fasterseg") == ["conv_2x", "conv_2x_downup"]
    assert read("fasterseg", primitives=["conv", "skip", "conv", "skip", "conv_downup"]) == ["skip", "conv_downup"]
    assert read("hyctas", primitives=["skip", "conv", "conv_downup", "conv_2x", "conv_2x_downup"])[0] == "conv_2x"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"primitives": ["skip", "conv", "sa", "conv_2x", "conv"]}, r"\$\.primitives\[2\]"),
        ({"primitives": []}, r"\$\.primitives"),
        ({"primitives": ["skip", "conv"]}, r"\$\.ops\[0\]\[0\]"),
        ({"Fch": 12.5}, r"\$\.Fch"),
        ({"stem_head_width": [0.5]}, r"\$\.stem_head_width"),
        ({"stem_head_width": [0.5, 0.45]}, r"\$\.stem_head_width\[1\]"),
        ({"num_classes": "19"}, r"\$\.num_classes"),
        ({"input": [1, 1024, 2048]}, r"\$\.input\[0\]"),
        ({"input": [3, 1024]}, r"\$\.input"),
        ({"branch": 2}, r"\$\.branch"),
    ],
)
def test_a_malformed_release_file_is_refused_with_its_path(fields: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidArchitecture, match=f"^{path}: "):
        decode_architecture(released(**fields), default_settings("fasterseg"))


def test_every_operator_is_described() -> None:
    assert list(summaries("fasterseg")) == ["skip", "conv", "conv_downup", "conv_2x", "conv_2x_downup"]
    assert list(summaries("hyctas")) == list(HYCTAS.operators)
    assert all(len(text) > 20 for space in ("hyctas", "fasterseg") for text in summaries(space).values())
    with pytest.raises(InvalidArchitecture, match="one of hyctas, fasterseg"):
        summaries("other")


def test_keys_of_the_students_do_not_change() -> None:
    assert student(20).key == "78befa1c2fc8a92e952b81fb105f853c2d5ab551c0887a7ab6f4ee7f3adce670"
    assert student(21).key == "8fcf0e360579cb31c768a93811b7d31bdda3d02a8ac591b82e9b0f4e511b84ef"
