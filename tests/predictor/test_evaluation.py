"""Evaluations: scores of a predictor on networks, beside baselines, and over random splits."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from predictor.evaluation import evaluate, evaluate_beside_baselines, repeated_splits
from predictor.metrics import Scores
from predictor.model import Predictor
from predictor.samples import NetworkSample
from predictor.training import train
from tests.predictor import synthetic


@pytest.fixture(scope="module")
def predictor(knowledge):
    return Predictor(knowledge, "m")


def predicted(predictor, count, factor):
    """Networks that take `factor` times as long as is predicted."""
    architectures = [sample.architecture for sample in synthetic.networks(count, seed=9)]
    latency_s = predictor.predict_batch(architectures).latency_s * factor
    return [NetworkSample(a, float(s)) for a, s in zip(architectures, latency_s, strict=True)]


def test_perfect_predictions_have_no_error(predictor):
    found = evaluate(predictor, predicted(predictor, 30, 1.0))
    assert found.scores.mape == pytest.approx(0.0, abs=1e-12)
    assert (found.scores.spearman, found.scores.within_5) == (pytest.approx(1.0), 1.0)
    assert found.coverage.share == 1.0
    assert found.baselines == {}
    assert sum(found.tiers.values()) == 30


def test_constant_overprediction_is_bias_and_misses_every_interval(predictor):
    found = evaluate(predictor, predicted(predictor, 30, 0.5))
    assert found.scores.bias == found.scores.mape == pytest.approx(1.0)
    assert found.scores.pair_accuracy == 1.0
    assert found.coverage.share == 0.0
    assert not found.coverage.holds


def test_nothing_to_score_is_an_error(predictor):
    with pytest.raises(ValueError, match="0 predictions for 0 measurements"):
        evaluate(predictor, [])


def test_baselines_stand_beside_and_change_nothing(knowledge, predictor):
    unseen = synthetic.networks(40, seed=2)
    beside = evaluate_beside_baselines(knowledge, synthetic.networks(60, seed=1), unseen)
    alone = evaluate(predictor, unseen)
    assert (beside.scores, beside.coverage, beside.tiers) == (alone.scores, alone.coverage, alone.tiers)
    assert set(beside.baselines) == {"macs_only", "operator_sum", "one_hot_boosting"}
    assert {scores.networks for scores in beside.baselines.values()} == {40}


def test_splits_repeat_with_the_seed_and_name_every_score():
    samples = synthetic.networks(40, seed=1)
    first, second = (repeated_splits(synthetic.TARGET, samples, [], splits=2, seed=4) for _ in range(2))
    assert first == second
    assert set(first) == {*(field.name for field in fields(Scores)), "coverage", "mean_width"}
    assert first["networks"].mean == 20


def test_one_split_has_no_deviation_and_none_has_no_figures():
    samples = synthetic.networks(30, seed=1)
    assert math.isnan(repeated_splits(synthetic.TARGET, samples, [], splits=1)["mape"].deviation)
    assert repeated_splits(synthetic.TARGET, samples, [], splits=0) == {}


def test_a_split_learns_from_one_half_only(monkeypatch):
    from predictor import evaluation

    trained_on: list[set[str]] = []

    def spying(target, networks, operators, *, free_kinds, seed):
        trained_on.append({sample.architecture.key for sample in networks})
        return train(target, networks, operators, free_kinds=free_kinds, seed=seed)

    scored_on: list[set[str]] = []

    def scoring(predictor, held_out):
        scored_on.append({sample.architecture.key for sample in held_out})
        return evaluate(predictor, held_out)

    monkeypatch.setattr(evaluation, "train", spying)
    monkeypatch.setattr(evaluation, "evaluate", scoring)
    evaluation.repeated_splits(synthetic.TARGET, synthetic.networks(31, seed=1), [], splits=2)
    assert [len(keys) for keys in trained_on] == [15, 15]
    assert all(not (known & unseen) for known, unseen in zip(trained_on, scored_on, strict=True))
    assert np.all([len(keys) == 16 for keys in scored_on])


def test_chosen_networks_are_in_every_training_half_and_in_no_scored_one(monkeypatch):
    from predictor import evaluation

    halves = []

    def learning(target, networks, operators, *, free_kinds, seed):
        halves.append([networks])
        return train(target, networks, operators, free_kinds=free_kinds, seed=seed)

    def scoring(predictor, held_out):
        halves[-1].append(held_out)
        return evaluate(predictor, held_out)

    monkeypatch.setattr(evaluation, "train", learning)
    monkeypatch.setattr(evaluation, "evaluate", scoring)
    drawn = synthetic.networks(24, seed=1)
    chosen = [replace(sample, calibrates=False) for sample in synthetic.networks(5, seed=2)]
    evaluation.repeated_splits(synthetic.TARGET, [*chosen, *drawn], [], splits=2)
    for learned, scored in halves:
        assert [sample for sample in learned if not sample.calibrates] == chosen
        assert (len(learned), len(scored)) == (17, 12)
        assert all(sample.calibrates for sample in scored)
