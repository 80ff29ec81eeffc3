"""Searches that take about a second: their plans, and what there is to compare of two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from db.records import CandidateRecord
from db.repository import Repository
from hyctas.client import Client, Retries
from hyctas.space import SearchSpace
from search.candidate import Candidate
from search.datasets.catalogue import open_dataset
from search.evolution.settings import EvolutionSettings
from search.latency import Patience
from search.launch import Launch
from search.measuring import Devices
from search.outcome import Outcome
from search.plan import SearchPlan
from search.settings import SearchSettings
from search.supernet_evaluation import Workers
from search.training.ranks import alone
from search.training.settings import TrainingSettings
from search.training.supernet_training import SupernetJob, train_supernet
from tests.search.world import FAST, NETWORKS, SLOW, SPACE

DATASET = "synthetic:0:30+8:32x64"
TRAINING = TrainingSettings(steps=20, batch_size=4, height=32, width=64, warmup_steps=2, checkpoint_every=4)
TARGETS = (FAST.name, SLOW.name)
SEARCH = SearchSettings(
    targets=TARGETS,
    limits_s=(None, None),
    population=8,
    evaluations=24,
    images=4,
    recalibration_batches=1,
    final_batches=2,
)


def plan(folder: Path, url: str, **changes: Any) -> SearchPlan:
    """A plan with everything in `folder`; changes are of the plan or of its search."""
    own = {name: value for name, value in changes.items() if name in SearchPlan.__dataclass_fields__}
    of_search = {name: value for name, value in changes.items() if name not in own}
    made = SearchPlan(
        search=replace(SEARCH, **of_search),
        space=SPACE,
        networks=NETWORKS,
        dataset=DATASET,
        supernet=str(folder / "supernet"),
        training=TRAINING,
        url=url,
        folder=str(folder / "searches"),
    )
    return replace(made, **own)


def scored_after(generations: int, of: SearchSettings = SEARCH) -> int:
    """How many candidates a search has scored after so many generations."""
    evolution = EvolutionSettings.for_budget(of.population, of.evaluations)
    unlimited = evolution.samples + (generations - 1) * evolution.per_generation if generations else 0
    return min(unlimited, of.evaluations)


GENERATIONS = next(number for number in range(1, 99) if scored_after(number) >= SEARCH.evaluations)
"""Of a search with the usual settings."""


def train_small_supernet(folder: Path, *, space: SearchSpace = SPACE, training: TrainingSettings = TRAINING) -> None:
    """Train the supernet of these searches, with one thread, so that sums have one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        job = SupernetJob(space, NETWORKS, open_dataset(DATASET), training, folder)
        train_supernet(job, rank=alone("cpu"), progress=Told())
    finally:
        torch.set_num_threads(threads)


@dataclass
class Told:
    """What a search said; `on_generation` may interrupt it."""

    phases: list[tuple[str, int, int]] = field(default_factory=list)
    steps: int = 0
    scores: int = 0
    hypervolumes: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    on_generation: Callable[[int], None] = lambda number: None
    on_score: Callable[[int], None] = lambda number: None

    def phase(self, name: str, total: int, done: int = 0) -> None:
        self.phases.append((name, total, done))

    def training(self, steps: int, done: int) -> None:
        self.steps = done

    def trained(self, loss: float) -> None:
        self.steps += 1

    def scored(self) -> None:
        self.scores += 1
        self.on_score(self.scores)

    def generation(self, number: int, evaluated: int, hypervolume: float, archive: Sequence[Candidate]) -> None:
        assert evaluated == len(archive)
        self.hypervolumes.append(hypervolume)
        self.on_generation(number)


@dataclass(frozen=True)
class SmallSearch:
    """A search in this process."""

    plan: SearchPlan
    database: str
    told: Told = field(default_factory=Told)
    devices: Devices | None = None
    workers: Workers = field(default_factory=Workers)
    patience: Patience = field(default_factory=Patience)
    client: Client | None = None

    def begin(self) -> Outcome:
        with Repository.open(self.database) as repository, self._client() as client:
            return self._launch(repository, client).begin()

    def resume(self, run_id: int = 1) -> Outcome:
        with Repository.open(self.database) as repository, self._client() as client:
            return self._launch(repository, client).resume(run_id)

    def _launch(self, repository: Repository, client: Client) -> Launch:
        return Launch(
            self.plan,
            repository,
            client,
            workers=self.workers,
            devices=self.devices,
            progress=self.told,
            say=self.told.lines.append,
            patience=self.patience,
        )

    def _client(self) -> AbstractContextManager[Client]:
        return Client(self.plan.url, retries=Retries(count=0)) if self.client is None else nullcontext(self.client)


def rows(database: str, run_id: int = 1) -> tuple[CandidateRecord, ...]:
    """The candidates of a search as they are stored."""
    with Repository.open(database) as repository:
        return repository.candidates(run_id)


def front_of(outcome: Outcome) -> list[tuple[str, float | None, tuple[float, ...]]]:
    """What the front of an outcome consists of."""
    return [(c.architecture.key, c.miou, c.latency_s) for c in outcome.fronts.overall]
