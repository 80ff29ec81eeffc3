"""Where candidates are evaluated makes no difference, and what all workers must agree on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hyctas.architecture import Architecture
from hyctas.errors import CheckpointMismatch, InvalidInput, SearchError
from search.evaluation.job import EvaluationJob
from search.evaluation.quality import Fidelity, Quality
from search.evaluation.workers import quality_pool
from tests.search.evaluation.cluster import running_cluster

FIDELITY = Fidelity(2, None)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with running_cluster(2) as address:
        yield address


def evaluated(job: EvaluationJob, sample: list[Architecture], **where: object) -> list[object]:
    with quality_pool(job, **where) as pool:  # type: ignore[arg-type]
        return list(pool.evaluate(sample, FIDELITY))


def test_results_do_not_depend_on_where_they_come_from(
    job: EvaluationJob, sample: list[Architecture], scheduler: str
) -> None:
    here = evaluated(job, sample)
    assert all(isinstance(result, Quality) for result in here)
    assert len({result.miou for result in here if isinstance(result, Quality)}) > 1
    assert repr(evaluated(job, sample, processes=2)) == repr(here)
    assert repr(evaluated(job, sample, dask=scheduler)) == repr(here)
    assert repr(evaluated(job, sample[::-1], dask=scheduler)) == repr(here[::-1])


def test_threads_are_given_back(job: EvaluationJob, sample: list[Architecture]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        evaluated(job, sample[:1])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("where", ["here", "processes", "dask"])
def test_each_candidate_is_told_of(where: str, job: EvaluationJob, sample: list[Architecture], scheduler: str) -> None:
    told: list[None] = []
    options = {"here": {}, "processes": {"processes": 1}, "dask": {"dask": scheduler}}[where]
    with quality_pool(job, **options) as pool:  # type: ignore[arg-type]
        assert pool.evaluate([], FIDELITY) == []
        assert told == []
        pool.evaluate(sample[:3], FIDELITY, lambda: told.append(None))
        assert len(told) == 3


@pytest.mark.parametrize("processes", [0, 1])
def test_another_supernet_is_refused(processes: int, job: EvaluationJob, sample: list[Architecture]) -> None:
    with pytest.raises(CheckpointMismatch, match="the search expects 0000"):
        evaluated(replace(job, sha256="0" * 64), sample[:2], processes=processes)


def test_worker_that_does_not_see_the_supernet_says_so(
    job: EvaluationJob, sample: list[Architecture], scheduler: str, tmp_path: Path
) -> None:
    missing = tmp_path / "elsewhere"
    with pytest.raises(SearchError, match=rf"Dask worker tcp://.*no supernet in {missing}.*each worker must see"):
        evaluated(replace(job, supernet=str(missing)), sample[:1], dask=scheduler)


def test_folders_mean_the_same_on_a_worker_that_runs_elsewhere(
    job: EvaluationJob, sample: list[Architecture], scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(job.supernet)
    monkeypatch.chdir(folder.parent)
    relative = replace(job, supernet=folder.name)
    assert repr(evaluated(relative, sample[:1], dask=scheduler)) == repr(evaluated(job, sample[:1]))


def test_scheduler_that_does_not_answer_is_an_error(job: EvaluationJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.evaluation.dask_workers.CONNECT_S", 0.3)
    with (
        pytest.raises(SearchError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"),
        quality_pool(job, dask="tcp://127.0.0.1:9"),
    ):
        pass


def test_negative_number_of_processes_is_refused(job: EvaluationJob) -> None:
    with pytest.raises(InvalidInput, match="processes"), quality_pool(job, processes=-1):
        pass
