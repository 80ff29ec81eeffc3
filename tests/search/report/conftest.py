"""A search in a database, with the supernet that it used in a folder."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.records import CandidateRecord
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


@dataclass(frozen=True)
class Scored:
    """A search as records, and the supernet that could have scored it.

    Attributes:
        folder: Of the supernet.
        records: Candidates without measurements.
        measured: The same with measurements of the fronts.
    """

    folder: Path
    records: list[CandidateRecord]
    measured: list[CandidateRecord]


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """A supernet as training leaves it, though nobody trained it, and a search of its space."""
    dataset, folder = open_dataset(DATASET), tmp_path_factory.mktemp("supernet")
    networks = ArchitectureDefaults(height=32, width=64, base_channels=2, classes=len(dataset.classes))
    job = SupernetJob(SPACE, networks, dataset, TrainingSettings(steps=1, height=32, width=64), folder)
    save_checkpoint(folder, job.identity, {"step": 1, "parameters": Supernet(SPACE, job.settings, 0).state_dict()})
    records = candidates(search_run(), 12, networks=networks)
    members = [network.key for network in report_data(search_run(), records).networks]
    return Scored(folder, records, with_measured(records, members))


@pytest.fixture
def stored(scored: Scored, tmp_path: Path) -> StoredSearch:
    """A finished search whose front was measured, in files of its own."""
    folder, run = tmp_path / "supernet", search_run()
    shutil.copytree(scored.folder, folder)
    search = {**run.settings["search"], "final_batches": 1}
    settings = {**run.settings, "dataset": DATASET, "supernet": str(folder), "search": search}
    url = f"sqlite:///{tmp_path / 'hyctas.db'}"
    with Repository.open(url) as repository:
        number = repository.start_search(run.space, run.targets, settings, run.seed)
        records = [dataclasses.replace(record, search_run_id=number) for record in scored.records]
        repository.add_candidates(number, records)
        assert run.reference_point is not None
        repository.set_reference_point(number, run.reference_point)
        for record in scored.measured:
            if record.final_miou is not None and record.latencies[0].measured_s is not None:
                repository.set_final_miou(number, record.architecture_key, record.final_miou)
                repository.set_measured(number, record.architecture_key, FAST, record.latencies[0].measured_s)
        repository.finish_search(number, {"hypervolume": 1.0})
    return StoredSearch(url, number, folder, load_supernet(folder).sha256)
