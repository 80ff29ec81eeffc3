"""The forms of a graph compute the same: torch, ONNX Runtime (folded and unfolded) and, where installed, OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest

from hyctas.architecture import ArchitectureDefaults, Attention, Head
from hyctas.channels import num_filters
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.onnx_form import to_onnx_bytes
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.weights import seeded_inputs, seeded_weights

Outputs = list[npt.NDArray[np.generic]]
Run = Callable[[bytes, Graph], Outputs]

OPERATOR_TOLERANCE = 2e-5
NETWORK_TOLERANCE = 1e-3
WIDTHS = (4, 6, 8, 10, 12)
PARTS = (
    Part("stem_conv", 32, 64, (3,), 24),
    Part("fuse", 3, 5, (96, 43), 48),
    Part("ffm", 12, 20, (32, 43, 21), 96),
    Part("head_attention", 12, 20, (43,), 43, attention="efficient"),
    Part("head_attention", 9, 15, (43,), 43, attention="released"),
    Part("lateral", 12, 20, (43, 24), 91),
    Part("classifier", 12, 20, (43,), 19),
    Part("upsample", 3, 5, (19,), 19, stride=8),
)
SETTINGS: tuple[tuple[Head, Attention], ...] = (
    ("s4", "efficient"),
    ("s4", "released"),
    ("light", "efficient"),
    ("light", "released"),
)


def cells() -> Iterator[Part]:
    """Every candidate operator at every stride and width; F = 16 gives odd channel counts."""
    for kind in CELL_OPERATORS:
        for stride in (1, 2):
            for base in (12, 16):
                for width in WIDTHS:
                    for form in ("efficient", "released") if kind == "sa" else ("",):
                        channels = (num_filters(8, base, 10),), num_filters(8 * stride, base, width)
                        yield Part(kind, 12, 20, *channels, stride=stride, attention=form)


def odd_maps() -> Iterator[Part]:
    """Maps of odd size, also so small that half of them is a single row."""
    for height, width in ((9, 15), (3, 5)):
        for kind in CELL_OPERATORS:
            for form in ("efficient", "released") if kind == "sa" else ("",):
                yield Part(kind, height, width, (32,), 32, attention=form)
                if kind != "skip":  # its two strided convolutions disagree by a pixel there
                    yield Part(kind, height, width, (32,), 43, stride=2, attention=form)


def run_onnxruntime(model: bytes, graph: Graph) -> Outputs:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    outputs: Outputs = session.run(None, seeded_inputs(graph, 1))
    return outputs


def run_openvino(model: bytes, graph: Graph) -> Outputs:
    pytest.importorskip("openvino")
    from profiler.runtimes.openvino import shared_core

    core = shared_core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(list(seeded_inputs(graph, 1).values()))
    return [found[index] for index in range(len(graph.outputs))]


def run_torch(graph: Graph) -> Outputs:
    torch = pytest.importorskip("torch")
    from hyctas.torch_form import GraphModule

    module = GraphModule(graph, seeded_weights(graph, 0)).eval()
    with torch.inference_mode():
        outputs = module(*map(torch.from_numpy, seeded_inputs(graph, 1).values()))
    return [tensor.numpy() for tensor in (outputs if isinstance(outputs, tuple) else (outputs,))]


def difference(run: Run, graph: Graph, expected: Outputs, *, folded: bool) -> float:
    """Largest difference of an output from `expected`, as a share of the largest expected value."""
    found = run(to_onnx_bytes(graph, seeded_weights(graph, 0), fold_batch_norm=folded), graph)
    assert [array.shape for array in found] == [array.shape for array in expected]
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


def check(graph: Graph, run: Run, tolerance: float) -> None:
    expected = run_torch(graph)
    assert all(np.isfinite(array).all() and array.std() > 0.01 for array in expected)
    assert difference(run, graph, expected, folded=True) <= tolerance
    assert difference(run, graph, expected, folded=False) <= tolerance


@pytest.mark.parametrize("part", [*cells(), *odd_maps(), *PARTS], ids=lambda part: part.label)
def test_onnxruntime_agrees_with_torch_on_every_operator(part: Part) -> None:
    check(lower_part(part), run_onnxruntime, OPERATOR_TOLERANCE)


@pytest.mark.parametrize("part", [*odd_maps(), *PARTS], ids=lambda part: part.label)
def test_openvino_agrees_with_torch_on_every_operator(part: Part) -> None:
    check(lower_part(part), run_openvino, OPERATOR_TOLERANCE)


@pytest.mark.parametrize("batch", [1, 3])
def test_argmax_agrees_to_the_class(batch: int) -> None:
    graph = lower_part(Part("argmax", 6, 10, (19,), 19, batch=batch))
    (expected,) = run_torch(graph)
    (found,) = run_onnxruntime(to_onnx_bytes(graph, {}), graph)
    assert found.dtype == expected.dtype == np.int64
    assert np.array_equal(found, expected)


def networks(head: Head, attention: Attention, count: int, *, width: int = 96) -> list[Graph]:
    settings = ArchitectureDefaults(height=64, width=width, head=head, attention=attention)
    return [lower(a) for a in sample_structured(SearchSpace(), np.random.default_rng(7), count, settings)]


@pytest.mark.parametrize(("head", "attention"), SETTINGS)
def test_onnxruntime_agrees_with_torch_on_networks(head: Head, attention: Attention) -> None:
    for graph in networks(head, attention, 3):
        check(graph, run_onnxruntime, NETWORK_TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(("head", "attention"), SETTINGS)
def test_onnxruntime_agrees_with_torch_on_fifty_networks(head: Head, attention: Attention) -> None:
    for graph in networks(head, attention, 13, width=160):
        check(graph, run_onnxruntime, NETWORK_TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(("head", "attention"), SETTINGS)
def test_openvino_agrees_with_torch_on_networks(head: Head, attention: Attention) -> None:
    for graph in networks(head, attention, 3):
        check(graph, run_openvino, NETWORK_TOLERANCE)


@pytest.mark.parametrize("output", ["upsampled", "argmax"])
def test_outputs_at_full_size_agree(output: str) -> None:
    settings = ArchitectureDefaults(height=64, width=96, head="light", output=output)  # type: ignore[arg-type]
    (architecture,) = sample_structured(SearchSpace(depth=8), np.random.default_rng(0), 1, settings)
    graph = lower(architecture)
    (expected,) = run_torch(graph)
    (found,) = run_onnxruntime(to_onnx_bytes(graph, seeded_weights(graph, 0)), graph)
    assert found.shape == expected.shape == (1, 1 if output == "argmax" else 19, 64, 96)
    if output == "argmax":
        assert (found == expected).mean() > 0.999
    else:
        assert np.abs(found - expected).max() <= NETWORK_TOLERANCE * np.abs(expected).max()


def test_training_form_gives_its_auxiliary_outputs_in_both() -> None:
    settings = ArchitectureDefaults(height=64, width=96, head="light")
    (architecture, *_) = (
        a
        for a in sample_structured(SearchSpace(depth=8), np.random.default_rng(0), 9, settings)
        if len(a.branches) == 3
    )
    graph = lower(architecture, training=True)
    assert len(graph.outputs) == 3
    check(graph, run_onnxruntime, NETWORK_TOLERANCE)
