"""Putting a search together and seeing it through: supernet, evaluation, generations, front."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from db.repository import Repository
from hyctas.client import Client
from hyctas.errors import InvalidInput
from search.candidate import Candidate
from search.datasets.dataset import Dataset
from search.evolution.algorithm import Algorithm
from search.evolution.algorithms import algorithm
from search.evolution.settings import EvolutionSettings
from search.finish import Finish
from search.fronts import fronts_of
from search.latency import PATIENCE, Patience, RemoteLatency
from search.measuring import Devices, Measuring
from search.outcome import Outcome, outcome_json
from search.plan import SearchPlan, example_network, plan_to_json
from search.refitting import Refitting
from search.run import Journal, SearchProgress, SearchRun
from search.scoring import Scoring
from search.state import SearchState, read_state, state_path
from search.stopwatch import Stopwatch
from search.store import stored_candidate
from search.supernet_evaluation import SupernetEvaluation, Workers
from search.training.trainer import TrainingProgress


class LaunchProgress(SearchProgress, TrainingProgress, Protocol):
    """Told how everything goes on."""

    def phase(self, name: str, total: int, done: int = 0) -> None:
        """Something begins that has so many steps, of which some are done."""


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
        self._supernet = SupernetEvaluation(plan, workers)
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
            SearchError: The Dask scheduler does not answer; likewise.
        """
        dataset = self._supernet.dataset()
        self._supernet.check_workers()
        self._latency.pin_newest(example_network(self._plan), datetime.now(UTC))
        space, search = asdict(self._plan.space), self._plan.search
        run_id = self._repository.start_search(space, search.targets, plan_to_json(self._plan), search.seed)
        return self._stored(run_id, lambda: self._search(run_id, dataset, self._first_state(run_id), ()))

    def resume(self, run_id: int, *, take_over: bool = False) -> Outcome:
        """Go on with a search that was interrupted.

        Raises:
            StorageError: There is no such search, or it still runs in another process.
            CheckpointMismatch: Its state or its supernet cannot be read, or is another's.
        """
        self._repository.resume_search(run_id, take_over=take_over)
        return self._stored(run_id, lambda: self._resumed(run_id))

    def _stored(self, run_id: int, search: Callable[[], Outcome]) -> Outcome:
        """Search, and store how it ended, whatever that was."""
        self.search_run_id = run_id
        try:
            outcome = search()
        except BaseException as error:
            summary = {"ended_by": type(error).__name__, "message": str(error)}
            self._repository.finish_search(run_id, summary, "interrupted")
            raise
        self._repository.finish_search(run_id, outcome_json(outcome), "finished")
        return outcome

    def _resumed(self, run_id: int) -> Outcome:
        dataset = self._supernet.dataset()
        self._supernet.check_workers()
        records = self._repository.candidates(run_id)
        path = state_path(Path(self._plan.folder), run_id)
        if records or path.exists():
            state = read_state(path, run_id)
        else:
            self._latency.pin_newest(example_network(self._plan), datetime.now(UTC))
            state = self._first_state(run_id)
        targets, revision = self._plan.search.targets, state.revision
        known = [stored_candidate(record, targets, revision=revision) for record in records]
        return self._search(run_id, dataset, state, known)

    def _first_state(self, run_id: int) -> SearchState:
        """The state of a search that was not begun, written down so that its pin survives a kill in training."""
        state = SearchState(
            search_run_id=run_id,
            evaluated=0,
            algorithm=self._algorithm().state(),
            pin=self._latency.pin,
            revision=0,
            scored_revision=0,
            reference_point=None,
            spent_s={},
            supernet=None,
        )
        self._journal(run_id).keep_state(state)
        return state

    def _search(self, run_id: int, dataset: Dataset, state: SearchState, known: Sequence[Candidate]) -> Outcome:
        plan, progress = self._plan, self._progress
        self._latency.pin_to(state.pin)
        sha256 = self._supernet.trained(dataset, progress, expected=state.supernet)
        state = dataclasses.replace(state, supernet=sha256)
        stopwatch = Stopwatch(state.spent_s)
        with self._supernet.pool(sha256) as pool:
            run = SearchRun(
                plan.search,
                self._algorithm(),
                Scoring(self._latency, pool, plan.search, stopwatch, known={c.architecture.key: c for c in known}),
                self._latency,
                self._journal(run_id),
                stopwatch=stopwatch,
                progress=progress,
                state=state,
                archive=known[: state.evaluated],
            )
            measuring = Measuring(self._devices, self._repository, run_id, stopwatch) if self._devices else None
            progress.phase("search", plan.search.evaluations, len(run.archive))
            if measuring is not None:
                Refitting(plan, self._latency, measuring, self._say).run(run)
            run.run()
            fronts = fronts_of(run.archive, plan.search.limits_s)
            progress.phase("front", len(fronts.members))
            finish = Finish(run_id, plan.search, self._repository, pool, measuring, stopwatch)
            return finish.outcome(run, fronts, progress.scored)

    def _algorithm(self) -> Algorithm:
        plan, search = self._plan, self._plan.search
        settings = EvolutionSettings.for_budget(search.population, search.evaluations)
        return algorithm(search.algorithm, plan.space, plan.networks, settings, np.random.default_rng(search.seed))

    def _journal(self, run_id: int) -> Journal:
        return Journal(self._repository, Path(self._plan.folder), run_id)
