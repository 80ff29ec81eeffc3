"""A search in a database, with the supernet that it used in a folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.repository import Repository
from hyctas.architecture import ArchitectureDefaults
from search.datasets.catalogue import open_dataset
from search.report.data import report_data
from search.supernet.supernet import Supernet
from search.training.checkpoint import save_checkpoint
from search.training.settings import TrainingSettings
from search.training.supernet_training import SupernetJob, load_supernet
from tests.search.report.world import FAST, SPACE, candidates, search_run, with_measured

DATASET = "synthetic:0:12+5:32x64"


@dataclass(frozen=True)
class StoredSearch:
    """A search in a database.

    Attributes:
        url: Of the database.
        run: Its number.
        supernet: Folder of its supernet.
        sha256: Of the supernet's parameters.
    """

    url: str
    run: int
    supernet: Path
    sha256: str


@pytest.fixture
def stored(tmp_path: Path) -> StoredSearch:
    """A finished search whose front was measured, on a supernet as training leaves it, though nobody trained it."""
    dataset, folder = open_dataset(DATASET), tmp_path / "supernet"
    networks = ArchitectureDefaults(height=32, width=64, base_channels=2, classes=len(dataset.classes))
    job = SupernetJob(SPACE, networks, dataset, TrainingSettings(steps=1, height=32, width=64), folder)
    save_checkpoint(folder, job.identity, {"step": 1, "parameters": Supernet(SPACE, job.settings, 0).state_dict()})
    run = search_run()
    settings = {**run.settings, "dataset": DATASET, "supernet": str(folder)}
    settings["search"] = {**settings["search"], "final_batches": 1}
    records = candidates(run, 12, networks=networks)
    members = [network.key for network in report_data(run, records).networks]
    url = f"sqlite:///{tmp_path / 'hyctas.db'}"
    with Repository.open(url) as repository:
        number = repository.start_search(run.space, run.targets, settings, run.seed)
        repository.add_candidates(number, [dataclasses.replace(record, search_run_id=number) for record in records])
        assert run.reference_point is not None
        repository.set_reference_point(number, run.reference_point)
        for record in with_measured(records, members):
            if record.final_miou is not None and record.latencies[0].measured_s is not None:
                repository.set_final_miou(number, record.architecture_key, record.final_miou)
                repository.set_measured(number, record.architecture_key, FAST, record.latencies[0].measured_s)
        repository.finish_search(number, {"hypervolume": 1.0})
    return StoredSearch(url, number, folder, load_supernet(folder).sha256)
