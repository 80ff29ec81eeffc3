"""The ONNX model of a precision and its emulation in torch compute the same, but for the order of float32 sums."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from hyctas.architecture import ArchitectureDefaults
from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.onnx_form import to_onnx, to_onnx_bytes
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import Part
from hyctas.quantisation import activation_steps, quantised_values, weight_steps
from hyctas.quantisation import quantised_weights as integers
from hyctas.ranges import activation_ranges
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.torch_form import GraphModule
from hyctas.weights import Array, seeded_inputs, seeded_weights
from search.batches import Batch
from search.deployment.emulation import Arithmetic, FoldedNetwork
from search.deployment.floating import Half
from search.deployment.int8 import Int8, calibrated, image_ranges, quantised_weights
from search.deployment.onnx_export import trained_onnx
from search.deployment.onnx_quality import onnx_quality
from search.deployment.precision import precision_quality
from tests.search.deployment.conftest import TrainedNetwork

PARTS = (
    *(Part(kind, 12, 20, (43,), 64, stride=2, attention="efficient") for kind in CELL_OPERATORS),
    Part("sa", 12, 20, (43,), 64, attention="released"),
)
GRAPHS = [lower_part(part) for part in PARTS]


def network(seed: int) -> Graph:
    settings = ArchitectureDefaults(height=64, width=96)
    (architecture,) = sample_structured(SearchSpace(depth=10), np.random.default_rng(seed), 1, settings)
    return lower(architecture)


def session(model: bytes, *, optimised: bool = False) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model, options)


def under_onnxruntime(model: bytes, graph: Graph, *, optimised: bool = False) -> Array:
    found: Array = session(model, optimised=optimised).run(None, seeded_inputs(graph, 1))[0]
    return found


def every_value(model: onnx.ModelProto, graph: Graph) -> dict[str, Array]:
    """All values of `graph` under `model`, with its inputs."""
    names = [node.output.name for node in graph.nodes]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    found = session(model.SerializeToString()).run(names, seeded_inputs(graph, 1))
    return dict(zip(names, found, strict=True)) | seeded_inputs(graph, 1)


def emulated(graph: Graph, arithmetic: Callable[[FoldedNetwork, Batch], Arithmetic]) -> Array:
    folded = FoldedNetwork(GraphModule(graph, seeded_weights(graph, 0)).eval())
    images = batch_of(graph, 1)
    with torch.inference_mode():
        found: Array = folded.predict(images.images, arithmetic(folded, images)).numpy()
    return found


def batch_of(graph: Graph, seed: int) -> Batch:
    images = torch.from_numpy(seeded_inputs(graph, seed)[graph.inputs[0].name])
    return Batch(images, torch.zeros(len(images), *images.shape[2:], dtype=torch.int64))


def spread(found: Array, expected: Array) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def int8_model(graph: Graph) -> bytes:
    weights = seeded_weights(graph, 0)
    ranges = activation_ranges(graph, weights, [seeded_inputs(graph, 1)])
    return to_onnx_bytes(graph, weights, precision="int8", ranges=ranges)


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_int8_model_of_an_operator_equals_its_emulation(graph: Graph) -> None:
    """A sum in another order moves a value over the edge between two integers now and then: by one step of 127."""
    expected = emulated(graph, lambda folded, batch: calibrated(folded, [batch]))
    found = under_onnxruntime(int8_model(graph), graph)
    assert np.isclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max()).mean() > 0.99
    assert spread(found, expected) < 2 / 127


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_int8_model_of_an_operator_in_integers_is_near_its_emulation(graph: Graph) -> None:
    expected = emulated(graph, lambda folded, batch: calibrated(folded, [batch]))
    assert spread(under_onnxruntime(int8_model(graph), graph, optimised=True), expected) < 3 / 127


def test_int8_model_of_a_network_equals_its_emulation_node_by_node() -> None:
    """From equal inputs at each node: over a whole network the order of sums ends in other roundings everywhere."""
    graph, weights = network(3), seeded_weights(network(3), 0)
    ranges = activation_ranges(graph, weights, [seeded_inputs(graph, 1)])
    folded, arrays = fold(graph, weights)
    arithmetic = Int8(activation_steps(folded, ranges))
    found = every_value(to_onnx(graph, weights, precision="int8", ranges=ranges), folded)
    for node in folded.nodes:
        tensors = [torch.from_numpy(arrays[parameter.name]) for parameter in node.parameters]
        expected = arithmetic.run(node, [torch.from_numpy(found[name]) for name in node.inputs], tensors).numpy()
        assert spread(found[node.output.name], expected) < 1e-5, node.name


def test_values_beyond_the_calibrated_range_are_clipped_alike() -> None:
    graph = lower_part(Part("conv_2x", 12, 20, (43,), 64))
    small = {name: array / 3 for name, array in seeded_inputs(graph, 1).items()}
    weights = seeded_weights(graph, 0)
    model = to_onnx_bytes(graph, weights, precision="int8", ranges=activation_ranges(graph, weights, [small]))
    third = batch_of(graph, 1).images / 3
    labels = torch.zeros(1, 12, 20, dtype=torch.int64)
    expected = emulated(graph, lambda folded, batch: calibrated(folded, [Batch(third, labels)]))
    assert spread(under_onnxruntime(model, graph), expected) < 2 / 127


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_fp16_model_of_an_operator_is_near_its_emulation(graph: Graph) -> None:
    expected = emulated(graph, lambda folded, batch: Half(torch.float16))
    found = under_onnxruntime(to_onnx_bytes(graph, seeded_weights(graph, 0), precision="fp16"), graph)
    assert spread(found, expected) < 2 * torch.finfo(torch.float16).eps


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_bf16_model_of_an_operator_is_near_its_emulation(graph: Graph) -> None:
    """ONNX's own reference implementation knows bfloat16, ONNX Runtime on a CPU does not."""
    from onnx.reference import ReferenceEvaluator

    expected = emulated(graph, lambda folded, batch: Half(torch.bfloat16))
    model = to_onnx(graph, seeded_weights(graph, 0), precision="bf16")
    found = ReferenceEvaluator(model).run(None, seeded_inputs(graph, 1))[0]
    assert spread(found, expected) < 2 * torch.finfo(torch.bfloat16).eps


def test_fp16_model_of_a_network_is_near_its_emulation() -> None:
    graph = network(4)
    expected = emulated(graph, lambda folded, batch: Half(torch.float16))
    found = under_onnxruntime(to_onnx_bytes(graph, seeded_weights(graph, 0), precision="fp16"), graph)
    assert spread(found, expected) < 2e-3


def test_weights_are_quantised_alike() -> None:
    weights = seeded_weights(lower_part(Part("conv", 12, 20, (43,), 64)), 0)["conv.conv.weight"]
    weights[3] = 0
    expected = integers(weights) * weight_steps(weights)[:, None, None, None]
    np.testing.assert_array_equal(quantised_weights(torch.from_numpy(weights)).numpy(), expected)


def test_ranges_of_images_are_those_of_the_model() -> None:
    graph = network(5)
    weights = seeded_weights(graph, 0)
    folded = FoldedNetwork(GraphModule(graph, weights).eval())
    found = image_ranges(folded, [batch_of(graph, 1), batch_of(graph, 2)])
    expected = activation_ranges(graph, weights, [seeded_inputs(graph, 1), seeded_inputs(graph, 2)])
    assert set(found) == set(expected) == set(quantised_values(folded.graph))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("precision", "near"), [("fp16", 0.01), ("int8", 0.05)])
def test_quality_of_a_trained_model_is_near_that_of_its_emulation(
    trained: TrainedNetwork, tmp_path: Path, precision: str, near: float
) -> None:
    path = tmp_path / "network.onnx"
    ranges = image_ranges(FoldedNetwork(trained.module), trained.calibration) if precision == "int8" else {}
    trained_onnx(trained.module, path, architecture=trained.architecture, precision=precision, ranges=ranges)
    found = onnx_quality(path, trained.validation, trained.classes)
    expected = precision_quality(
        trained.module, precision, trained.validation, trained.classes, calibration=trained.calibration
    )
    assert found.miou > 0.7
    assert found.miou == pytest.approx(expected.quality.miou, abs=near)
