"""The plain baselines: each is exact where its own law holds, and none sees what it is to predict."""

import numpy as np
import pytest

from hyctas.cell import OPERATORS, SCALES, WIDTHS
from hyctas.costs import costs as graph_costs
from hyctas.lowering import lower
from predictor.baselines import BASELINES, macs_only, one_hot, one_hot_boosting, operator_sum
from predictor.operator_costs import learn_operator_costs
from predictor.samples import NetworkSample
from predictor.training import network_features
from tests.predictor import synthetic


@pytest.fixture(scope="module")
def architectures():
    return [sample.architecture for sample in synthetic.networks(60, seed=8)]


@pytest.fixture(scope="module")
def operator_costs():
    return learn_operator_costs(synthetic.operators())


def samples(architectures, latency_s):
    return [NetworkSample(a, float(s)) for a, s in zip(architectures, latency_s, strict=True)]


def test_macs_only_is_exact_on_an_affine_law_of_macs(architectures, operator_costs):
    latency_s = np.array([1e-3 + 2e-11 * graph_costs(lower(a)).macs for a in architectures])
    found = macs_only(samples(architectures[:30], latency_s[:30]), architectures[30:], operator_costs)
    assert found == pytest.approx(latency_s[30:], rel=1e-6)


def test_operator_sum_is_exact_where_networks_are_a_multiple_of_it(architectures, operator_costs):
    latency_s = 1.7 * np.array([sum(_cost(operator_costs, a)) for a in architectures])
    found = operator_sum(samples(architectures[:10], latency_s[:10]), architectures[10:], operator_costs)
    assert found == pytest.approx(latency_s[10:], rel=1e-9)


def _cost(operator_costs, architecture):
    from hyctas.decomposition import decompose

    return [operator_costs.cost(placed.part).cost_s for placed in decompose(architecture).parts]


def test_one_hot_tells_every_cell_of_every_branch(architectures):
    choices = len(OPERATORS) + len(WIDTHS) + 3
    for architecture in architectures:
        encoded = one_hot(architecture, positions=8).reshape(len(SCALES), 8, choices)
        cells = [cell for branch in architecture.branches for cell in branch.cells]
        assert encoded.sum() == 3 * len(cells)
        for branch in architecture.branches:
            columns = encoded[branch.last_scale]
            operators = [OPERATORS[column] for column in columns[:, : len(OPERATORS)].argmax(axis=1)]
            assert operators[: len(branch.cells)] == [cell.op for cell in branch.cells]
            widths = [(*WIDTHS, None)[column] for column in columns[:, len(OPERATORS) : -2].argmax(axis=1)]
            assert widths[: len(branch.cells)] == [cell.width for cell in branch.cells]
            downs = [bool(going_down) for going_down in columns[:, -1]]
            assert downs[: len(branch.cells)] == [cell.down for cell in branch.cells]
            assert not columns[len(branch.cells) :].any()


def test_different_networks_are_encoded_differently(architectures):
    encoded = {one_hot(architecture, positions=8).tobytes() for architecture in architectures}
    assert len(encoded) == len({architecture.key for architecture in architectures})


def test_one_hot_boosting_remembers_its_training_networks(architectures, operator_costs):
    known = synthetic.networks(60, seed=8)
    found = one_hot_boosting(known, architectures, operator_costs)
    assert found == pytest.approx([sample.latency_s for sample in known], rel=0.1)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_predict_longer_networks_than_they_were_trained_on(name, architectures, operator_costs):
    short = [s for s in synthetic.networks(60, seed=8) if max(len(b.cells) for b in s.architecture.branches) < 8]
    found = BASELINES[name](short, architectures, operator_costs)
    assert len(short) >= 5
    assert found.shape == (len(architectures),)
    assert (found > 0).all()


def test_baselines_do_not_need_operators(architectures):
    nothing = learn_operator_costs([])
    assert network_features("t", nothing, architectures[:2]).any()
    known = synthetic.networks(60, seed=8)
    assert (macs_only(known, architectures, nothing) > 0).all()
