"""Putting a search together and seeing it through: supernet, evaluation, generations, front."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.client import Client
from hyctas.errors import InvalidInput
from hyctas.sampling import sample_structured
from search.candidate import Candidate
from search.datasets.catalogue import open_dataset
from search.datasets.dataset import Dataset
from search.drift import Drift
from search.evaluation.workers import EvaluationJob, QualityPool, quality_pool
from search.evolution.algorithm import Algorithm
from search.evolution.algorithms import algorithm
from search.evolution.settings import EvolutionSettings
from search.finish import Fronts, Measure, fronts_of, measured_drift, replaced_quality, with_final_quality
from search.latency import PATIENCE, Patience, RemoteLatency
from search.plan import SearchPlan, plan_to_json
from search.run import Journal, SearchProgress, SearchRun
from search.scoring import Scoring
from search.state import SearchState, read_state, state_path
from search.stopwatch import Stopwatch
from search.store import candidate_latency, stored_candidate
from search.training.distributed import train_together
from search.training.ranks import alone
from search.training.supernet_training import SupernetJob, load_supernet, train_supernet
from search.training.trainer import TrainingProgress
from search.trust import doubtful, random_sample


class LaunchProgress(SearchProgress, TrainingProgress, Protocol):
    """Told how everything goes on."""

    def phase(self, name: str, total: int) -> None:
        """Something begins that has so many steps."""


Refit = Callable[[str], None]
"""Learns a target again from its measurements, and returns when the server answers with the new model."""


@dataclass(frozen=True, slots=True)
class Devices:
    """What a device at hand can do for a search.

    Attributes:
        measure: Measures networks.
        refit: Lets the predictor learn from them.
    """

    measure: Measure
    refit: Refit


@dataclass(frozen=True, slots=True)
class Workers:
    """Where candidates are evaluated.

    Attributes:
        processes: Local processes; 0 evaluates in this one.
        dask: Address of a Dask scheduler to use instead, or None.
        gpus: GPUs that train the supernet together.
    """

    processes: int = 0
    dask: str | None = None
    gpus: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a search.

    Attributes:
        search_run_id: Its number in the database.
        evaluated: Candidates that were scored.
        fronts: The networks that nothing beats, with their final mIoU.
        hypervolume: Of everything that was scored.
        drift: Predicted against measured front, by target; empty where nothing was measured.
        spent_s: Seconds by activity.
    """

    search_run_id: int
    evaluated: int
    fronts: Fronts
    hypervolume: float
    drift: dict[str, Drift]
    spent_s: dict[str, float]


class Launch:
    """One search from its plan to its front.

    Args:
        plan: What to do.
        repository: The database.
        client: Asks the server.
        workers: Where candidates are evaluated.
        devices: What a device at hand can do, or None.
        progress: Told how it goes on.
        say: Told in a line what matters.
        patience: How long to wait for a server that is away.
    """

    def __init__(
        self,
        plan: SearchPlan,
        repository: Repository,
        client: Client,
        *,
        workers: Workers,
        devices: Devices | None,
        progress: LaunchProgress,
        say: Callable[[str], None],
        patience: Patience = PATIENCE,
    ) -> None:
        if plan.measure and devices is None:
            raise InvalidInput("--measure", plan.search.targets, "targets of this machine, which it could measure")
        self.search_run_id: int | None = None
        self._plan = plan
        self._repository = repository
        self._workers = workers
        self._devices = devices if plan.measure else None
        self._progress = progress
        self._say = say
        self._latency = RemoteLatency(
            client, plan.search.targets, measured_until=datetime.now(UTC), patience=patience, say=say
        )

    def begin(self) -> Outcome:
        """Start a search.

        Raises:
            UnknownTarget: The server has no model for a target; nothing was trained or stored by then.
        """
        dataset = self._checked_dataset()
        example = sample_structured(self._plan.space, np.random.default_rng(0), 1, self._plan.networks)[0]
        self._latency.pin_newest(example, datetime.now(UTC))
        search = self._plan.search
        run_id = self._repository.start_search(
            asdict(self._plan.space), search.targets, plan_to_json(self._plan), search.seed
        )
        return self._stored(run_id, dataset, None, ())

    def resume(self, run_id: int, *, take_over: bool = False) -> Outcome:
        """Go on with a search that was interrupted.

        Raises:
            StorageError: There is no such search, or it still runs in another process.
            CheckpointMismatch: Its state cannot be read, or is another's.
        """
        self._repository.resume_search(run_id, take_over=take_over)
        path = state_path(Path(self._plan.folder), run_id)
        state = read_state(path, run_id) if path.exists() else None
        revision = state.revision if state is not None else 0
        records = self._repository.candidates(run_id)
        known = tuple(stored_candidate(record, self._plan.search.targets, revision=revision) for record in records)
        return self._stored(run_id, self._checked_dataset(), state, known)

    def _stored(self, run_id: int, dataset: Dataset, state: SearchState | None, known: Sequence[Candidate]) -> Outcome:
        """Search, and store how it ended, whatever that was."""
        self.search_run_id = run_id
        try:
            outcome = self._search(run_id, dataset, state, known)
        except BaseException as error:
            summary = {"ended_by": type(error).__name__, "message": str(error)}
            self._repository.finish_search(run_id, summary, "interrupted")
            raise
        self._repository.finish_search(run_id, outcome_json(outcome), "finished")
        return outcome

    def _search(self, run_id: int, dataset: Dataset, state: SearchState | None, known: Sequence[Candidate]) -> Outcome:
        plan, search = self._plan, self._plan.search
        self._train(dataset)
        if state is not None:
            self._latency.pin_to(state.pin)
        stopwatch = Stopwatch(state.spent_s if state is not None else None)
        archive = known[: state.evaluated] if state is not None else ()
        with self._pool() as pool:
            scoring = Scoring(self._latency, pool, search, stopwatch, known={c.architecture.key: c for c in known})
            run = SearchRun(
                search,
                self._algorithm(),
                scoring,
                self._latency,
                Journal(self._repository, Path(plan.folder), run_id),
                stopwatch=stopwatch,
                progress=self._progress,
                state=state,
                archive=archive,
            )
            self._generations(run_id, run)
            return self._finish(run_id, run, pool, stopwatch)

    def _generations(self, run_id: int, run: SearchRun) -> None:
        """Run all generations; with a device at hand, stop on the way to measure, refit and score again."""
        total, epochs = self._plan.search.evaluations, self._plan.epochs if self._devices else 0
        self._progress.phase("search", total)
        for epoch in range(run.revision, epochs):
            run.run(until=total * (epoch + 1) // (epochs + 1))
            self._measure_and_refit(run_id, run)
        run.run()

    def _measure_and_refit(self, run_id: int, run: SearchRun) -> None:
        """Measure part of the front at random and what is doubtful, refit, and predict the archive again."""
        if self._devices is None:
            return
        search = self._plan.search
        rng = np.random.default_rng([search.seed, 1 + run.revision])
        members = fronts_of(run.archive, search.limits_s).members
        for position, target in enumerate(search.targets):
            drawn = random_sample(members, -(-self._plan.measured_networks // 2), rng)
            routed = [c for c in doubtful(run.archive, position) if c not in drawn]
            chosen = [*drawn, *routed[: self._plan.measured_networks - len(drawn)]]
            self._say(
                f"measuring {len(chosen)} networks on {target}: {len(drawn)} of the front at random, the rest in doubt"
            )
            self._measured(run_id, target, [candidate.architecture for candidate in chosen])
            self._devices.refit(target)
        self._latency.pin_newest(run.archive[0].architecture, datetime.now(UTC))
        run.rescore(lambda archive: self._predicted_again(run_id, archive, run.revision + 1))

    def _predicted_again(self, run_id: int, archive: Sequence[Candidate], revision: int) -> list[Candidate]:
        predicted = self._latency([candidate.architecture for candidate in archive])
        latencies = {
            candidate.architecture.key: [
                candidate_latency(target, prediction, revision=revision)
                for target, prediction in zip(self._plan.search.targets, predictions, strict=True)
            ]
            for candidate, predictions in zip(archive, predicted, strict=True)
        }
        self._repository.add_candidate_latencies(run_id, latencies)
        return [dataclasses.replace(c, predictions=p) for c, p in zip(archive, predicted, strict=True)]

    def _measured(self, run_id: int, target: str, networks: Sequence[Architecture]) -> dict[str, float]:
        if self._devices is None or not networks:
            return {}
        found = dict(self._devices.measure(target, networks))
        for key, measured_s in found.items():
            self._repository.set_measured(run_id, key, target, measured_s)
        return found

    def _finish(self, run_id: int, run: SearchRun, pool: QualityPool, stopwatch: Stopwatch) -> Outcome:
        """Evaluate the fronts with care, measure them where there is a device, and sum up."""
        search = self._plan.search
        fronts = fronts_of(run.archive, search.limits_s)
        self._progress.phase("front", len(fronts.members))
        with stopwatch.on("evaluation"):
            miou = with_final_quality(fronts, pool, search, self._progress.scored)
        for key, value in miou.items():
            self._repository.set_final_miou(run_id, key, value)
        fronts = fronts_of(replaced_quality(fronts.members, miou), search.limits_s)
        return Outcome(
            search_run_id=run_id,
            evaluated=len(run.archive),
            fronts=fronts,
            hypervolume=run.hypervolume(run.archive),
            drift=self._drift(run_id, fronts, run.reference_point),
            spent_s=dict(stopwatch.spent_s),
        )

    def _drift(self, run_id: int, fronts: Fronts, reference: Sequence[float] | None) -> dict[str, Drift]:
        found = {}
        for position, target in enumerate(self._plan.search.targets):
            measured_s = self._measured(run_id, target, [candidate.architecture for candidate in fronts.members])
            drift = measured_drift(fronts.members, measured_s, target=position, reference=reference)
            if drift is not None:
                found[target] = drift
        return found

    def _checked_dataset(self) -> Dataset:
        """The data set, whose classes must be those of the networks.

        Raises:
            InvalidInput: They are not.
        """
        dataset = open_dataset(self._plan.dataset)
        if len(dataset.classes) != self._plan.networks.classes:
            raise InvalidInput("classes", self._plan.networks.classes, f"{len(dataset.classes)}, as in {dataset.name}")
        return dataset

    def _train(self, dataset: Dataset) -> None:
        plan = self._plan
        job = SupernetJob(plan.space, plan.networks, dataset, plan.training, Path(plan.supernet))
        if self._workers.gpus > 1:
            train_together(job, plan.dataset, world=self._workers.gpus, device="cuda", progress=self._progress)
        else:
            train_supernet(job, rank=alone(), progress=self._progress)

    def _pool(self) -> AbstractContextManager[QualityPool]:
        plan = self._plan
        job = EvaluationJob(
            supernet=plan.supernet,
            sha256=load_supernet(Path(plan.supernet)).sha256,
            dataset=plan.dataset,
            size=(plan.training.height, plan.training.width),
        )
        return quality_pool(job, processes=self._workers.processes, dask=self._workers.dask)

    def _algorithm(self) -> Algorithm:
        plan, search = self._plan, self._plan.search
        settings = EvolutionSettings(population=search.population)
        return algorithm(search.algorithm, plan.space, plan.networks, settings, np.random.default_rng(search.seed))


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What came of a search as a JSON object."""
    return {
        "search_run": outcome.search_run_id,
        "evaluated": outcome.evaluated,
        "hypervolume": outcome.hypervolume,
        "front": [candidate_json(candidate) for candidate in outcome.fronts.overall],
        "fronts": {
            str(count): [candidate_json(candidate) for candidate in front]
            for count, front in outcome.fronts.by_branches.items()
        },
        "drift": {target: asdict(drift) for target, drift in outcome.drift.items()},
        "spent_s": outcome.spent_s,
    }


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    """A network of a front as a JSON object."""
    return {
        "key": candidate.architecture.key,
        "branches": len(candidate.architecture.branches),
        "miou": candidate.miou,
        "latency_ms": [1e3 * latency_s for latency_s in candidate.latency_s],
        "tier": [prediction.tier for prediction in candidate.predictions],
    }
