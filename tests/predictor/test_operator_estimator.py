"""Estimates of unmeasured operators: the law recovers what is additive, and holds at sizes never measured."""

import numpy as np
import pytest

from hyctas.errors import ArtifactError
from hyctas.parts import Part
from predictor.operator_estimator import OperatorEstimator, fit_operator_estimator
from predictor.operator_law import FLOOR_S, TERMS, fit_law, law_cost_s, law_terms, stacked_terms
from predictor.part_features import FEATURES, part_features
from tests.predictor import synthetic


@pytest.fixture(scope="module")
def measured():
    return {sample.part: sample.latency_s for sample in synthetic.operators()}


@pytest.fixture(scope="module")
def estimator(measured):
    return fit_operator_estimator(dict(list(measured.items())[:200]))


def test_law_recovers_an_additive_law(measured):
    terms, cost_s = stacked_terms(list(measured)), np.array(list(measured.values()))
    weights = fit_law(terms, cost_s)
    assert (weights >= 0.0).all()
    assert np.allclose(law_cost_s(terms, weights), cost_s, rtol=0.05)


def test_terms_are_the_common_features_and_those_of_the_kind(measured):
    part = next(part for part in measured if part.kind == "sa")
    terms, features = law_terms(part), dict(zip(FEATURES, part_features(part), strict=True))
    assert terms[FEATURES.index("matmul_macs")] == pytest.approx(features["matmul_macs"] * 1e-9)
    assert terms[FEATURES.index("nodes")] == features["nodes"]
    own = terms[len(FEATURES) :]
    macs, moved = (sum(v for name, v in features.items() if name.endswith(end)) for end in ("_macs", "_bytes"))
    assert own[own > 0].tolist() == pytest.approx([macs * 1e-9, moved * 1e-9, 1.0])


def test_law_never_gives_nothing():
    assert law_cost_s(np.zeros((2, TERMS)), np.zeros(TERMS)).tolist() == [FLOOR_S] * 2


def test_maps_larger_than_any_measured_are_estimated_closely(measured):
    heights = sorted({part.height for part in measured if part.kind == "conv"})
    small = {part: cost_s for part, cost_s in measured.items() if part.height < heights[-1]}
    large = [part for part in measured if part.height == heights[-1]]
    found = fit_operator_estimator(small).cost_s(large)
    errors = np.abs(found / [measured[part] for part in large] - 1.0)
    assert errors.mean() < 0.05


def test_process_learns_what_the_law_cannot_say(measured):
    bent = {part: cost_s * (1.3 if part.out_channels > 48 else 1.0) for part, cost_s in measured.items()}
    known, unseen = dict(list(bent.items())[::2]), dict(list(bent.items())[1::2])
    estimator = fit_operator_estimator(known)
    expected = np.array(list(unseen.values()))
    by_law = np.abs(law_cost_s(stacked_terms(list(unseen)), estimator.law) / expected - 1.0).mean()
    assert np.abs(estimator.cost_s(list(unseen)) / expected - 1.0).mean() < 0.7 * by_law


def test_a_part_alone_is_estimated_as_among_others(estimator, measured):
    parts = list(measured)[-30:]
    alone = [estimator.cost_s([part])[0] for part in parts]
    assert estimator.cost_s(parts).tolist() == pytest.approx(alone, rel=1e-12)


def test_arrays_restore_the_estimator_bit_for_bit(estimator, measured):
    parts = list(measured)[:20]
    again = OperatorEstimator.from_arrays(estimator.arrays())
    assert (again.cost_s(parts) == estimator.cost_s(parts)).all()


def test_arrays_of_another_version_are_refused(estimator):
    arrays = estimator.arrays()
    with pytest.raises(ArtifactError, match=r"'law' is missing; train again"):
        OperatorEstimator.from_arrays({name: array for name, array in arrays.items() if name != "law"})
    with pytest.raises(ArtifactError, match=r"law of shape \(3,\)"):
        OperatorEstimator.from_arrays({**arrays, "law": np.zeros(3)})


def test_estimator_of_an_earlier_form_is_refused(estimator):
    arrays = estimator.arrays()
    earlier = {name: array for name, array in arrays.items() if name not in ("amplitudes", "scales", "smoothness")}
    with pytest.raises(ArtifactError, match=r"'amplitudes' is missing; train again"):
        OperatorEstimator.from_arrays({**earlier, "scale": arrays["spread"], "amplitude": np.asarray(1.0)})
    with pytest.raises(ArtifactError, match=r"reads \d+ features.*train again"):
        OperatorEstimator.from_arrays({**arrays, "centre": arrays["centre"][:-1]})


def test_steps_at_whole_tiles_of_channels_are_learned():
    """A cost that depends on output channels in tiles of 32, as on a GPU, at channels that were never measured."""
    tiled = {part: 1e-4 * -(-part.out_channels // 32) for part in convolutions(range(8, 200, 8))}
    unseen = {part: 1e-4 * -(-part.out_channels // 32) for part in convolutions(range(12, 196, 8))}
    found = fit_operator_estimator(tiled).cost_s(list(unseen))
    assert np.abs(found / np.array(list(unseen.values())) - 1.0).mean() < 0.02


def convolutions(channels):
    return [Part("conv", 32, 64, (read,), written) for read in (16, 48) for written in channels]
