"""The bench on the real machine: results land in the runs they were picked for; time that was used is found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.records import CHOSEN
from db.repository import Repository
from hyctas.enumeration import operator_parts
from hyctas.measurement import Calibration
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target
from profiler.cli.onboarding.bench import Bench, covered_s
from profiler.cli.onboarding.values import Block, Point, Request
from tests.profiler.onboarding.world import SETTINGS

SPACE = SearchSpace(depth=6)


class Silent:
    def begin(self, phase: str, total: int) -> None: ...

    def advance(self, count: int) -> None: ...


@pytest.mark.slow
def test_block_is_measured_into_the_runs_it_was_picked_for(
    tmp_path: Path, target: Target, calibration: Calibration
) -> None:
    request = Request(SETTINGS, 6, 60.0)
    first, second = sample_structured(SPACE, np.random.default_rng(0), 2, SETTINGS)
    block = Block([first], [second], operator_parts(SPACE, SETTINGS)[:1])
    with Repository.open(f"sqlite:///{tmp_path / 'measured.db'}") as repository:
        repository.ensure_target(target, {})
        repository.add_calibration(calibration)
        bench = Bench(repository, target, request, Silent())
        measured = bench.measure(block, calibration, budget_s=60.0)
        point = Point(12.0, 1, 2, 1)
        bench.finish(measured, point)
        kinds = {run.id: run.kind for run in repository.runs(target)}
        rows = repository.measurements(limit=None)
        assert sorted({(kinds[row.run_id], row.kind) for row in rows}) == [
            (CHOSEN, "network"),
            ("networks", "network"),
            ("operators", "operator"),
        ]
        assert bench.points() == [point]
        assert 0.0 < bench.used_s() < 600.0
        other = Bench(repository, target, replace(request, seed=1), Silent())
        assert (other.points(), other.used_s()) == ([], 0.0)


def test_spans_that_overlap_count_once() -> None:
    assert covered_s([(0.0, 4.0), (2.0, 5.0), (1.0, 3.0), (7.0, 8.0)]) == 6.0
    assert covered_s([]) == 0.0
