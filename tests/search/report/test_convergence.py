"""Hypervolume by generation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from search.evolution.front import hypervolume
from search.report.convergence import convergence
from search.report.evaluated import evaluated, objectives
from tests.search.report.world import FAST, SLOW, candidates, search_run


@pytest.mark.parametrize("targets", [(FAST,), (FAST, SLOW)])
def test_volume_of_each_generation_is_that_of_everything_until_then(targets: tuple[str, ...]) -> None:
    run = search_run(targets)
    found = [evaluated(record, targets) for record in candidates(run, 36)]
    assert run.reference_point is not None
    volumes = convergence(found, (None,) * len(targets), run.reference_point)
    assert [volume.generation for volume in volumes] == [1, 2, 3]
    assert [volume.evaluated for volume in volumes] == [12, 24, 36]
    for volume in volumes:
        known = [f for f in found if f.record.generation <= volume.generation]
        expected = hypervolume(objectives(known, len(targets)), run.reference_point)
        assert volume.overall == pytest.approx(expected)
        for count, value in volume.by_branches.items():
            of_count = objectives([f for f in known if f.branches == count], len(targets))
            assert value == pytest.approx(hypervolume(of_count, run.reference_point))
    overall = [volume.overall for volume in volumes]
    assert overall == sorted(overall)
    assert overall[0] < overall[-1]


def test_volume_is_the_area_up_to_the_reference_point() -> None:
    run = search_run()
    (record,) = candidates(run, 1)
    latency = dataclasses.replace(record.latencies[0], predicted_s=1e-3)
    found = evaluated(dataclasses.replace(record, miou=0.6, latencies=(latency,)), (FAST,))
    (volume,) = convergence([found], (None,), (0.9, np.log(1e-2)))
    assert volume.overall == pytest.approx(0.5 * np.log(10.0))


def test_failures_and_candidates_over_a_limit_add_nothing_but_count() -> None:
    run = search_run()
    first, second = candidates(run, 2)
    failed = dataclasses.replace(first, miou=None, failure="died")
    slow = second.latencies[0].predicted_s
    found = [evaluated(record, (FAST,)) for record in (failed, second)]
    (volume,) = convergence(found, (slow / 2,), (1.0, 0.0))
    assert (volume.evaluated, volume.overall, volume.by_branches) == (2, 0.0, {})


def test_nothing_scored_is_no_generation() -> None:
    assert convergence([], (None,), (1.0, 0.0)) == ()
