"""Searches that are evaluated in several processes or on a Dask cluster: the result is that of one process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hyctas.errors import SearchError
from search.supernet_evaluation import Workers
from tests.search.evaluation.cluster import running_cluster
from tests.search.small_search import SmallSearch, front_of, plan, rows
from tests.search.world import Served

EVALUATIONS = 12

pytestmark = pytest.mark.slow


def searched(server: Served, folder: Path, workers: Workers) -> tuple[object, ...]:
    """Everything that a search comes to, as the second or later of its database."""
    outcome = SmallSearch(plan(folder, server.url, evaluations=EVALUATIONS), server.database, workers=workers).begin()
    assert outcome.evaluated == EVALUATIONS
    stored = [
        (row.generation, row.architecture_key, row.miou, row.final_miou, row.failure, row.latencies)
        for row in rows(server.database, outcome.search_run_id)
    ]
    return stored, front_of(outcome), outcome.hypervolume


def test_several_processes_come_to_the_same(server: Served, supernet: Path) -> None:
    alone, several = (searched(server, supernet.parent, Workers(processes=count)) for count in (0, 2))
    assert several == alone


@pytest.mark.skipif(sys.platform == "win32", reason="the cluster's processes need POSIX")
def test_a_dask_cluster_comes_to_the_same(server: Served, supernet: Path) -> None:
    alone = searched(server, supernet.parent, Workers())
    with running_cluster(2) as address:
        assert searched(server, supernet.parent, Workers(dask=address)) == alone


def test_a_scheduler_that_does_not_answer_ends_it_before_any_training(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.evaluation.dask_workers.CONNECT_S", 0.2)
    with pytest.raises(SearchError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        searched(server, tmp_path, Workers(dask="tcp://127.0.0.1:9"))
    assert not (tmp_path / "supernet").exists()
