"""Predicted against measured."""

from __future__ import annotations

import dataclasses

import pytest

from db.records import CandidateRecord
from search.report.comparison import comparison
from search.report.evaluated import Evaluated, evaluated
from tests.search.report.world import FAST, candidates, search_run


def measured(record: CandidateRecord, ratio: float, **changes: object) -> Evaluated:
    """A candidate that was measured at `ratio` times its prediction."""
    latency = record.latencies[0]
    changed = dataclasses.replace(latency, measured_s=latency.predicted_s * ratio, **changes)  # type: ignore[arg-type]
    return evaluated(dataclasses.replace(record, latencies=(changed,)), (FAST,))


def at(record: CandidateRecord, predicted_s: float) -> CandidateRecord:
    latency = dataclasses.replace(
        record.latencies[0], predicted_s=predicted_s, low_s=0.9 * predicted_s, high_s=1.1 * predicted_s
    )
    return dataclasses.replace(record, latencies=(latency,))


def test_errors_inversions_and_coverage_are_counted() -> None:
    records = candidates(search_run(), 3)
    predicted_s = (1e-3, 1.05e-3, 2e-3)
    found = [measured(at(r, p), ratio) for r, p, ratio in zip(records, predicted_s, (1.25, 1.0, 1.05), strict=True)]
    keys = [record.architecture_key for record in records]
    compared = comparison(found, FAST, front=keys, reference=None)
    assert [network.key for network in compared.networks] == [keys[1], keys[0], keys[2]]
    assert compared.inversions == ((keys[1], keys[0]),)
    assert compared.front is not None
    assert (compared.front.inversions, compared.front.pairs) == (1, 3)
    assert compared.front.coverage == pytest.approx(2 / 3)
    assert compared.front.nominal_coverage == pytest.approx(0.9)
    assert [network.error for network in compared.networks] == pytest.approx([0.0, -0.2, 1 / 1.05 - 1])
    assert [network.inside for network in compared.networks] == [True, False, True]
    assert compared.front.hypervolume_lost is None


def test_hypervolume_lost_is_positive_where_networks_are_slower_than_predicted() -> None:
    found = [measured(record, 1.3) for record in candidates(search_run(), 6)]
    keys = [f.record.architecture_key for f in found]
    compared = comparison(found, FAST, front=keys, reference=(0.75, -4.4))
    assert compared.front is not None
    assert compared.front.hypervolume_lost is not None
    assert 0 < compared.front.hypervolume_lost < 1


def test_prediction_from_before_the_measurement_counts() -> None:
    (record,) = candidates(search_run(), 1)
    first = dataclasses.replace(record.latencies[0], measured_s=2e-3, predicted_s=1e-3, revision=0)
    last = dataclasses.replace(first, predicted_s=2e-3, low_s=2e-3, high_s=2e-3, tier="measured", revision=1)
    found = evaluated(dataclasses.replace(record, latencies=(first, last)), (FAST,))
    compared = comparison([found], FAST, front=[record.architecture_key], reference=None)
    assert compared.networks[0].predicted == first
    assert compared.networks[0].error == pytest.approx(-0.5)


def test_network_that_was_never_predicted_is_left_out_and_counted() -> None:
    (record,) = candidates(search_run(), 1)
    compared = comparison([measured(record, 1.0, tier="measured")], FAST, front=[], reference=None)
    assert (compared.networks, compared.unforecast, compared.everything) == ((), 1, None)


def test_networks_off_the_front_count_apart() -> None:
    found = [measured(record, ratio) for record, ratio in zip(candidates(search_run(), 2), (1.1, 0.8), strict=True)]
    compared = comparison(found, FAST, front=[found[0].record.architecture_key, "unmeasured"], reference=None)
    assert compared.front is not None
    assert compared.everything is not None
    assert (compared.front.networks, compared.everything.networks, compared.front_size) == (1, 2, 2)


def test_nothing_measured_is_no_drift() -> None:
    found = [evaluated(record, (FAST,)) for record in candidates(search_run(), 2)]
    compared = comparison(found, FAST, front=[], reference=(1.0, 0.0))
    assert (compared.networks, compared.front, compared.everything) == ((), None, None)
