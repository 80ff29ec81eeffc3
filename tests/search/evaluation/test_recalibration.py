"""Recalibrated statistics: exact averages, of training passes, that leave everything else alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional

from hyctas.builder import GraphBuilder
from hyctas.errors import InvalidInput
from hyctas.layers import batch_norm, conv, relu
from hyctas.lowering import lower
from hyctas.torch_form import GraphModule
from hyctas.weights import seeded_weights
from search.batches import Batch
from search.evaluation.recalibration import batch_statistics, recalibrate, statistics
from tests.search.evaluation.tiny import SIZE, networks


def batches(*sizes: int, channels: int = 3, side: tuple[int, int] = SIZE) -> Sequence[Batch]:
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(size, channels, *side, generator=generator) * 3 + 1 for size in sizes]
    return [Batch(images, torch.zeros(len(images), *side, dtype=torch.int64)) for images in drawn]


def network() -> GraphModule:
    graph = lower(next(a for a in networks(6) if len(a.branches) == 3))
    return GraphModule(graph, seeded_weights(graph, 0))


def test_statistics_are_the_average_over_batches() -> None:
    b = GraphBuilder("norm")
    module = GraphModule(b.build(batch_norm(b, b.input("x", (4, 5, 6, 7)), name="norm")))
    given = batches(4, 2, 9, channels=5, side=(6, 7))
    recalibrate(module, given)
    means = [batch.images.double().mean((0, 2, 3)) for batch in given]
    variances = [batch.images.double().var((0, 2, 3)) for batch in given]
    found = statistics(module)
    torch.testing.assert_close(found["norm.mean"].double(), torch.stack(means).mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found["norm.variance"].double(), torch.stack(variances).mean(0), rtol=1e-5, atol=1e-6)


def test_later_layers_see_activations_of_training_passes() -> None:
    b = GraphBuilder("two layers")
    inner = relu(b, batch_norm(b, b.input("x", (4, 5, 6, 7)), name="first"))
    graph = b.build(batch_norm(b, conv(b, inner, 4, name="conv"), name="second"))
    module = GraphModule(graph, seeded_weights(graph, 0))
    state, given = module.state_dict(), batches(4, 6, channels=5, side=(6, 7))
    seen = []
    for batch in given:
        gamma, beta = state["first.gamma"], state["first.beta"]
        normalised = functional.batch_norm(batch.images, None, None, gamma, beta, training=True)
        seen.append(functional.conv2d(functional.relu(normalised), state["conv.weight"]))
    recalibrate(module, given)
    found = statistics(module)
    torch.testing.assert_close(found["second.mean"], torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    torch.testing.assert_close(found["second.variance"], torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0))


def test_former_statistics_do_not_matter() -> None:
    first, second, given = network(), network(), batches(4, 4)
    for tensor in statistics(second).values():
        tensor.fill_(float("nan"))
    recalibrate(first, given)
    recalibrate(second, given)
    for name, tensor in statistics(first).items():
        assert torch.equal(tensor, statistics(second)[name]), name


def test_parameters_stay_and_the_module_is_ready_for_inference() -> None:
    module = network()
    before = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    module.train()
    recalibrate(module, batches(2, 3))
    assert not module.training
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, before[name]), name
        assert parameter.grad is None


@pytest.mark.parametrize("sizes", [(), (1,), (4, 1)], ids=["none", "one", "one of two"])
def test_batches_of_one_image_are_refused(sizes: tuple[int, ...]) -> None:
    module = network()
    before = {name: tensor.clone() for name, tensor in statistics(module).items()}
    with pytest.raises(InvalidInput, match="at least 2 images each"):
        recalibrate(module, batches(*sizes))
    assert all(torch.equal(tensor, before[name]) for name, tensor in statistics(module).items())


def test_a_batch_that_does_not_fit_leaves_eval_mode() -> None:
    module = network()
    with pytest.raises(RuntimeError):
        batch_statistics(module, torch.zeros(2, 5, *SIZE))
    assert not module.training
