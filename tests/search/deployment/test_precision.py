"""Quality at reduced precision: near float32, not equal to it, and rounded where and as it should be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from hyctas.builder import GraphBuilder
from hyctas.errors import InvalidInput
from hyctas.graph import Graph
from hyctas.layers import add, concat, conv, conv_bn_relu
from hyctas.lowering import lower
from hyctas.quantisation import concatenated, reads_int8
from hyctas.target import PRECISIONS
from hyctas.torch_form import GraphModule
from hyctas.weights import seeded_weights
from search.batches import Batch
from search.deployment.emulation import FoldedNetwork, Fp32
from search.deployment.floating import Half, Tf32, to_tf32
from search.deployment.int8 import Int8, calibrated, quantised_weights
from search.deployment.precision import ARITHMETICS, precision_quality
from search.evaluation.quality import module_quality
from tests.search.deployment.conftest import TrainedNetwork

HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def batch(*shape: int, seed: int = 0) -> Batch:
    images = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return Batch(images, torch.zeros(shape[0], *shape[2:], dtype=torch.int64))


def module_of(graph: Graph) -> GraphModule:
    return GraphModule(graph, seeded_weights(graph, 0)).eval()


def spread(network: FoldedNetwork, arithmetic: object, images: torch.Tensor) -> float:
    """Largest difference from float32, over the largest output."""
    with torch.inference_mode():
        found, exact = network.predict(images, arithmetic), network.predict(images, Fp32())  # type: ignore[arg-type]
    return float((found - exact).abs().max() / exact.abs().max())


def test_every_precision_of_a_target_is_known() -> None:
    assert tuple(ARITHMETICS) == PRECISIONS


def test_fp32_is_torch_with_folded_norms(trained: TrainedNetwork) -> None:
    found = precision_quality(trained.module, "fp32", trained.validation, trained.classes)
    plain = module_quality(trained.module, trained.validation, trained.classes)
    assert found.quality.miou == pytest.approx(plain.miou, abs=1e-3)
    assert found.precision == "fp32"
    assert not found.emulated


@pytest.mark.parametrize(("precision", "near"), [("tf32", 0.01), ("fp16", 0.01), ("bf16", 0.03), ("int8", 0.05)])
def test_quality_is_near_that_of_fp32(trained: TrainedNetwork, precision: str, near: float) -> None:
    def quality(name: str) -> float:
        found = precision_quality(
            trained.module, name, trained.validation, trained.classes, calibration=trained.calibration
        )
        assert found.emulated == (name != "fp32")
        assert found.precision == name
        return found.quality.miou

    assert quality(precision) == pytest.approx(quality("fp32"), abs=near)


def test_fewer_bits_are_farther_from_fp32(trained: TrainedNetwork) -> None:
    network, images = FoldedNetwork(trained.module), trained.validation[0].images
    arithmetics = (Half(torch.float16), Half(torch.bfloat16), calibrated(network, trained.calibration))
    distances = [spread(network, arithmetic, images) for arithmetic in (Tf32(), *arithmetics)]
    assert distances[0] > 0
    assert 0 < distances[1] < distances[2] < distances[3] < 0.5


def test_unknown_precision_lists_the_known(trained: TrainedNetwork) -> None:
    with pytest.raises(InvalidInput, match="'int4' is not allowed; expected one of fp32, tf32, fp16, bf16, int8"):
        precision_quality(trained.module, "int4", trained.validation, trained.classes)


def test_int8_without_calibration_is_refused(trained: TrainedNetwork) -> None:
    with pytest.raises(InvalidInput, match="calibration"):
        precision_quality(trained.module, "int8", trained.validation, trained.classes)


def test_fp16_that_overflows_is_refused_and_bf16_is_not(trained: TrainedNetwork) -> None:
    module = GraphModule(trained.module.graph).eval()
    module.load_state_dict(trained.module.state_dict())
    with torch.no_grad():
        module.get_parameter("head.classifier.conv.weight").mul_(1e7)
    with pytest.raises(FloatingPointError):
        precision_quality(module, "fp16", trained.validation, trained.classes)
    assert precision_quality(module, "bf16", trained.validation, trained.classes).quality.miou > 0


@pytest.mark.parametrize("name", HALVES)
def test_half_equals_the_native_convolution_to_a_unit_in_the_last_place(name: str) -> None:
    b = GraphBuilder("conv")
    network = FoldedNetwork(module_of(b.build(conv(b, b.input("x", (2, 5, 6, 7)), 4, kernel=3, name="conv"))))
    dtype, images = HALVES[name], batch(2, 5, 6, 7).images
    found = network.predict(images, Half(dtype))
    weights = seeded_weights(network.graph, 0)["conv.weight"]
    native = functional.conv2d(images.to(dtype), torch.from_numpy(weights).to(dtype), padding=1).float()
    torch.testing.assert_close(found, native, rtol=2 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)
    assert torch.equal(found, found.to(dtype).float())


def test_tf32_keeps_ten_bits() -> None:
    one, step = torch.tensor(1.0), 2.0**-10
    values = torch.tensor([1.0, 1 + step, 1 + step / 2, 1 + 1.5 * step, 1 + 0.51 * step, -(1 + 0.51 * step), 0.0])
    expected = torch.tensor([1.0, 1 + step, 1.0, 1 + 2 * step, 1 + step, -(1 + step), 0.0])
    assert torch.equal(to_tf32(values), expected)
    assert to_tf32(one * 1e-38).item() == pytest.approx(1e-38, rel=1e-3)
    special = torch.tensor([math.inf, -math.inf, math.nan])
    torch.testing.assert_close(to_tf32(special), special, equal_nan=True)


def test_weights_have_a_step_for_each_channel() -> None:
    weights = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32))
    weights *= torch.tensor([1.0, 100.0, 0.01, 0.0])[:, None, None, None]
    found = quantised_weights(weights)
    for channel in range(4):
        step = float(weights[channel].abs().max()) / 127
        assert len(found[channel].unique()) <= 255
        assert float((found[channel] - weights[channel]).abs().max()) <= step / 2 * 1.001
        assert float(found[channel].abs().max()) == pytest.approx(127 * step)


def two_paths() -> Graph:
    """``concat(a, b) -> conv -> add -> conv`` beside a second concatenation with one of the same inputs."""
    b = GraphBuilder("paths")
    x = b.input("x", (2, 3, 4, 4))
    left, right = conv_bn_relu(b, x, 3, name="left"), conv_bn_relu(b, x, 5, name="right")
    joined = conv(b, concat(b, left, right), 3, name="joined")
    other = conv(b, concat(b, right, joined), 3, name="other")
    return b.build(conv(b, add(b, other, left), 2, name="last"))


def test_what_is_concatenated_shares_a_step() -> None:
    network = FoldedNetwork(module_of(two_paths()))
    arithmetic = calibrated(network, [batch(2, 3, 4, 4), batch(2, 3, 4, 4, seed=1)])
    (group,) = concatenated(network.graph)
    assert group == {"relu", "relu_1", "joined", "concat", "concat_1"}
    assert len({arithmetic.steps[value] for value in group}) == 1
    assert set(arithmetic.steps) == {"x", "other", "add", *group}


def test_steps_cover_all_batches() -> None:
    network = FoldedNetwork(module_of(two_paths()))
    small, large = batch(2, 3, 4, 4), batch(2, 3, 4, 4, seed=1)
    large = Batch(large.images * 10, large.labels)
    steps = calibrated(network, [small, large, small]).steps
    assert steps["x"] == pytest.approx(float(large.images.abs().max()) / 127)
    assert steps == calibrated(network, [large]).steps
    assert all(math.isfinite(step) and step > 0 for step in steps.values())


def test_values_that_are_always_zero_stay_zero() -> None:
    network = FoldedNetwork(module_of(two_paths()))
    zero = Batch(torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64))
    arithmetic = calibrated(network, [zero])
    assert torch.isfinite(network.predict(zero.images, arithmetic)).all()
    assert arithmetic.steps["x"] > 0


def test_what_is_read_has_at_most_255_values() -> None:
    b = GraphBuilder("identity")
    graph = b.build(conv(b, b.input("x", (1, 1, 64, 64)), 1, name="conv"))
    network = FoldedNetwork(GraphModule(graph, {"conv.weight": np.ones((1, 1, 1, 1), np.float32)}).eval())
    given = batch(1, 1, 64, 64)
    found = network.predict(given.images, calibrated(network, [given]))
    assert 100 < len(found.unique()) <= 255
    assert float((found - given.images).abs().max()) <= float(given.images.abs().max()) / 127 / 2 * 1.001
    step = float(given.images.abs().max()) / 127
    clipped = network.predict(given.images * 3, Int8({"x": step}))
    assert (float(clipped.min()), float(clipped.max())) == pytest.approx((-128 * step, 127 * step))


def test_attention_stays_in_float(trained: TrainedNetwork) -> None:
    graph = lower(replace(trained.architecture, attention="efficient"))
    quantised = [node.name for node in graph.nodes if reads_int8(node)]
    convolutions = [node.name for node in graph.nodes if node.op == "conv"]
    inside = {name for name in convolutions if name.split(".")[-1] in ("query", "key", "value", "projection")}
    assert len(inside) >= 8
    assert set(convolutions) - set(quantised) == inside
    assert all(node.op in ("conv", "add", "concat") for node in graph.nodes if reads_int8(node))
