"""Networks in other number formats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hyctas.lowering import lower
from hyctas.torch_form import GraphModule
from hyctas.weights import seeded_weights
from search.batches import fixed_batches
from search.retraining.emulation import HALF_FORMATS, Emulated, shortened
from search.retraining.quantisation import ATTENTION, Int8, calibrated_int8, quantised, rounded_to_levels
from tests.search.evaluation.tiny import SIZE, networks, squares


@pytest.fixture(scope="module")
def module() -> GraphModule:
    """A network of three branches, some attention and weights that matter everywhere."""
    graph = lower(next(network for network in networks(40, seed=3) if len(network.branches) == 3))
    return GraphModule(graph, seeded_weights(graph, 1)).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return fixed_batches(squares().training, SIZE, 4, 1)[0].images


class Unchanged:
    """The format that the network was trained in."""

    def parameter(self, node: object, position: int, tensor: Tensor) -> Tensor:
        return tensor

    def read(self, node: object, name: str, tensor: Tensor) -> Tensor:
        return tensor

    def written(self, node: object, tensor: Tensor) -> Tensor:
        return tensor


def relative_error(module: GraphModule, emulated: Emulated, images: Tensor) -> float:
    with torch.inference_mode():
        expected = module(images)
        return float((emulated(images) - expected).abs().max() / expected.abs().max())


def test_emulation_without_rounding_is_the_network(module: GraphModule, images: Tensor) -> None:
    assert relative_error(module, Emulated(module, Unchanged()), images) < 1e-4


def test_formats_err_in_the_order_of_their_fractions(module: GraphModule, images: Tensor) -> None:
    errors = {name: relative_error(module, Emulated(module, HALF_FORMATS[name]), images) for name in HALF_FORMATS}
    int8 = calibrated_int8(module, fixed_batches(squares().training, SIZE, 4, 2))
    errors["int8"] = relative_error(module, Emulated(module, int8), images)
    assert 1e-5 < errors["tf32"] < 3e-3
    assert errors["fp16"] < 5e-3 < errors["bf16"] < errors["int8"] < 1.0


def test_fp16_beyond_its_range_is_infinite(module: GraphModule, images: Tensor) -> None:
    weights = seeded_weights(module.graph, 1)
    weights["head.classifier.conv.weight"] *= np.float32(1e6)
    large = GraphModule(module.graph, weights).eval()
    with torch.inference_mode():
        assert torch.isfinite(large(images)).all()
        assert not torch.isfinite(Emulated(large, HALF_FORMATS["fp16"])(images)).all()
        assert torch.isfinite(Emulated(large, HALF_FORMATS["bf16"])(images)).all()


def test_tf32_keeps_ten_bits_of_the_fraction_and_what_is_not_finite() -> None:
    values = torch.tensor([1.0, 1.0 + 2**-10, 1.0 + 2**-11, 1.0 + 2**-12, -3.0, 0.0, torch.inf, torch.nan])
    kept = shortened(values)
    assert kept[:6].tolist() == [1.0, 1.0 + 2**-10, 1.0 + 2**-10, 1.0, -3.0, 0.0]
    assert torch.isinf(kept[6])
    assert torch.isnan(kept[7])


def test_levels_are_even_symmetric_and_bounded() -> None:
    values = torch.tensor([-300.0, -127.0, -0.6, 0.0, 0.4, 126.6, 1e9])
    assert rounded_to_levels(values, torch.tensor(127.0)).tolist() == [-127, -127, -1, 0, 0, 127, 127]
    assert rounded_to_levels(torch.zeros(3), torch.tensor(0.0)).tolist() == [0, 0, 0]


def test_int8_weights_have_at_most_255_levels_in_each_channel(module: GraphModule) -> None:
    int8 = calibrated_int8(module, fixed_batches(squares().training, SIZE, 4, 1))
    graph = Emulated(module, int8).graph
    conv = next(node for node in graph.nodes if node.name == "head.conv.conv")
    weight = torch.randn(conv.parameters[0].shape)
    for channel in int8.parameter(conv, 0, weight):
        assert len(channel.unique()) <= 255
    assert torch.equal(int8.parameter(conv, 1, weight), weight)


def test_attention_stays_in_float(module: GraphModule) -> None:
    graph = Emulated(module, Unchanged()).graph
    products = [node for node in graph.nodes if node.op == "matmul"]
    assert products
    assert all(ATTENTION in node.name for node in products)
    assert not any(quantised(node) for node in graph.nodes if ATTENTION in node.name)
    assert any(quantised(node) for node in graph.nodes)


def test_concatenation_reads_all_its_inputs_with_one_scale(module: GraphModule) -> None:
    graph = Emulated(module, Unchanged()).graph
    concat = next(node for node in graph.nodes if node.op == "concat")
    int8 = Int8({**dict.fromkeys(graph.values, 1.0), concat.output.name: 127.0})
    values = torch.tensor([0.4, 0.6])
    assert [int8.read(concat, name, values).tolist() for name in concat.inputs] == [[0, 1]] * len(concat.inputs)
