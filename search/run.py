"""One search: generations of candidates, each scored, told to the algorithm, stored, and survived by a kill."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from db.repository import Repository
from search.atomic import write_atomically
from search.candidate import Candidate
from search.evolution.algorithm import Algorithm
from search.evolution.front import hypervolume, reference_point
from search.fronts import minimised
from search.latency import RemoteLatency
from search.scoring import Scoring
from search.settings import SearchSettings
from search.state import SearchState, state_path, state_text
from search.stopwatch import Stopwatch
from search.store import candidate_record


class SearchProgress(Protocol):
    """Told how a search goes on."""

    def scored(self) -> None:
        """One more candidate has its score."""

    def generation(self, number: int, evaluated: int, hypervolume: float, archive: Sequence[Candidate]) -> None:
        """A generation is over; hypervolume is that of everything that was scored."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Where a search writes what it did: rows of candidates, then the state that follows from them.

    Attributes:
        repository: The database.
        folder: Folder of the state.
        search_run_id: The search's number in the database.
    """

    repository: Repository
    folder: Path
    search_run_id: int

    def keep(self, generation: int, candidates: Sequence[Candidate], targets: Sequence[str], *, revision: int) -> None:
        """Store the candidates of a generation; storing them again changes nothing."""
        number = self.search_run_id
        records = [candidate_record(number, generation, c, targets, revision=revision) for c in candidates]
        self.repository.add_candidates(number, records)

    def keep_state(self, state: SearchState) -> None:
        """Replace the state; a kill leaves the old or the new one."""
        write_atomically(state_path(self.folder, self.search_run_id), state_text(state).encode())


class SearchRun:
    """The loop over generations.

    Args:
        settings: What to do.
        algorithm: Proposes candidates.
        scoring: Scores them.
        latency: Predicts; its pin is part of the state.
        journal: Where to write.
        stopwatch: Told where time goes.
        progress: Told how it goes on.
        state: Where the search stands: at its beginning, or where it was interrupted.
        archive: What it had scored by then, in order.
    """

    def __init__(
        self,
        settings: SearchSettings,
        algorithm: Algorithm,
        scoring: Scoring,
        latency: RemoteLatency,
        journal: Journal,
        *,
        stopwatch: Stopwatch,
        progress: SearchProgress,
        state: SearchState,
        archive: Sequence[Candidate] = (),
    ) -> None:
        self._settings = settings
        self._algorithm = algorithm
        self._scoring = scoring
        self._latency = latency
        self._journal = journal
        self._stopwatch = stopwatch
        self._progress = progress
        self._state = state
        self._archive = list(archive)
        algorithm.restore(state.algorithm)

    @property
    def archive(self) -> Sequence[Candidate]:
        """All candidates that were scored, in order."""
        return self._archive

    @property
    def revision(self) -> int:
        """How often the predictor was refitted."""
        return self._state.revision

    @property
    def outdated(self) -> bool:
        """Whether the predictor was refitted since the archive was scored."""
        return self._state.scored_revision < self._state.revision

    @property
    def reference_point(self) -> tuple[float, ...] | None:
        """Up to which objectives hypervolume counts; None before the first generation."""
        return self._state.reference_point

    @property
    def supernet(self) -> str | None:
        """SHA-256 of the supernet that evaluates."""
        return self._state.supernet

    def run(self, *, until: int | None = None) -> None:
        """Go on until the evaluations are used up, or the space is.

        Args:
            until: End after that many evaluations, if that is earlier.

        Raises:
            PredictorUnavailable: The server is away for too long; everything before this generation is kept.
        """
        last = self._settings.evaluations if until is None else min(until, self._settings.evaluations)
        while len(self._archive) < last and not self._algorithm.exhausted:
            self._generation()

    def _generation(self) -> None:
        with self._stopwatch.on("evolution"):
            asked = self._algorithm.ask(self._settings.evaluations - len(self._archive))
        candidates = self._scoring(asked, self._progress.scored)
        with self._stopwatch.on("evolution"):
            self._algorithm.tell(asked, [candidate.score(self._settings.limits_s) for candidate in candidates])
        self._archive += candidates
        with self._stopwatch.on("storage"):
            self._journal.keep(self._algorithm.generation, candidates, self._settings.targets, revision=self.revision)
            self._keep_state(reference_point=self.reference_point or self._first_reference_point())
        with self._stopwatch.on("evolution"):
            volume = self.hypervolume(self._archive)
        self._progress.generation(self._algorithm.generation, len(self._archive), volume, self._archive)

    def refitted(self) -> None:
        """Note that the predictor was refitted, and that latency's pin is of what it learned."""
        with self._stopwatch.on("storage"):
            self._keep_state(revision=self.revision + 1)

    def rescore(self, archive: Sequence[Candidate]) -> None:
        """Replace the archive by the same candidates as the refitted predictor sees them."""
        self._archive = list(archive)
        with self._stopwatch.on("evolution"):
            self._algorithm.rescore({c.architecture.key: c.score(self._settings.limits_s) for c in self._archive})
        with self._stopwatch.on("storage"):
            self._keep_state(scored_revision=self.revision)

    def hypervolume(self, candidates: Sequence[Candidate]) -> float:
        """Hypervolume of the candidates that keep to the limits."""
        if self.reference_point is None:
            return 0.0
        points = minimised(candidates, self._settings.limits_s)
        return hypervolume(points, np.array(self.reference_point)) if len(points) else 0.0

    def _keep_state(self, **changes: Any) -> None:
        """Write down where the search stands."""
        self._state = dataclasses.replace(
            self._state,
            evaluated=len(self._archive),
            algorithm=self._algorithm.state(),
            pin=self._latency.pin,
            spent_s=self._stopwatch.spent_s,
            **changes,
        )
        self._journal.keep_state(self._state)

    def _first_reference_point(self) -> tuple[float, ...] | None:
        """The reference point that follows from what was scored, whatever the limits; None if nothing could be."""
        points = minimised(self._archive, (None,) * len(self._settings.targets))
        if not len(points):
            return None
        point = tuple(map(float, reference_point(points)))
        self._journal.repository.set_reference_point(self._journal.search_run_id, point)
        return point
