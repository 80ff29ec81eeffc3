"""Predictions: tiers, intervals, breakdowns, and that a batch never changes a row."""

from dataclasses import replace

import numpy as np
import pytest

from predictor.intervals import UNCALIBRATED
from predictor.measured import MeasuredNetwork, measured_prediction
from predictor.model import Predictor
from tests.predictor import synthetic


@pytest.fixture
def predictor(knowledge):
    return Predictor(knowledge, "m")


@pytest.fixture(scope="module")
def architectures():
    return [sample.architecture for sample in synthetic.networks(40, seed=7)]


def test_a_row_alone_equals_itself_in_a_batch(predictor, architectures):
    batch = predictor.predict_batch(architectures)
    for index, architecture in enumerate(architectures):
        alone = predictor.predict_batch([architecture])
        assert alone.latency_s[0] == batch.latency_s[index]
        assert alone.low_s[0] == batch.low_s[index]
        assert alone.tiers[0] == batch.tiers[index]


def test_an_empty_batch_gives_nothing(predictor):
    assert predictor.predict([]) == []


def test_breakdown_sums_to_the_latency_and_names_every_part(predictor, architectures):
    prediction = predictor.predict(architectures[:1], breakdown=True)[0]
    assert sum(part.latency_s for part in prediction.breakdown) == pytest.approx(prediction.latency_s, rel=1e-12)
    places = [part.part for part in prediction.breakdown]
    assert len(set(places)) == len(places)
    assert {"stem.conv", "fusion.ffm", "head.classifier", "branches[0].cells[0]"} <= set(places)
    assert all(part.source == "measured" for part in prediction.breakdown)


def test_interval_is_symmetric_on_the_logarithm(predictor, architectures):
    batch = predictor.predict_batch(architectures)
    assert np.allclose(batch.low_s * batch.high_s, batch.latency_s**2)
    assert (batch.low_s < batch.latency_s).all()


def test_other_sizes_are_extrapolated_with_an_uncalibrated_interval(predictor, architectures):
    other = replace(architectures[0], input=replace(architectures[0].input, height=128))
    prediction = predictor.predict([other])[0]
    assert prediction.tier == "extrapolated"
    assert prediction.expected_error is None
    assert np.log(prediction.high_s / prediction.latency_s) == pytest.approx(UNCALIBRATED)
    assert prediction.unsupported


def test_networks_beyond_the_trained_latencies_are_extrapolated(knowledge, architectures):
    low, high = knowledge.trained.latency_s
    narrow = replace(knowledge, trained=replace(knowledge.trained, latency_s=(low, (low + high) / 2)))
    tiers = Predictor(narrow, "m").predict_batch(architectures).tiers
    assert {"learned", "extrapolated"} == set(tiers)


def test_many_settings_do_not_grow_the_table_for_ever(predictor, architectures, monkeypatch):
    before = predictor.predict_batch(architectures).latency_s
    monkeypatch.setattr("predictor.model.MAX_ROWS", 10)
    assert (predictor.predict_batch(architectures).latency_s == before).all()
    assert (predictor.predict_batch(architectures).latency_s == before).all()


def test_measured_networks_carry_the_noise_of_their_target():
    prediction = measured_prediction(MeasuredNetwork(0.020, half_width=0.0098, process_error=0.0))
    assert prediction.tier == "measured"
    assert prediction.latency_s == 0.020
    assert prediction.high_s / 0.020 - 1 == pytest.approx(1.6449 * 0.005, rel=0.02)
    noisier = measured_prediction(MeasuredNetwork(0.020, half_width=0.0098, process_error=0.01))
    assert noisier.high_s > prediction.high_s


def test_reported_network_of_unknown_spread_has_no_interval():
    prediction = measured_prediction(MeasuredNetwork(0.020, half_width=None, process_error=0.0))
    assert (prediction.low_s, prediction.latency_s, prediction.high_s) == (0.020, 0.020, 0.020)
    assert (prediction.coverage, prediction.tier) == (0.0, "measured")
