"""One search: generations of candidates, each scored, told to the algorithm, stored, and survived by a kill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from db.repository import Repository
from search.atomic import write_atomically
from search.candidate import Candidate
from search.evolution.algorithm import Algorithm
from search.evolution.front import hypervolume, reference_point
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
        state: Where an interrupted run of this search stood.
        archive: What that run had scored by then, in order.
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
        state: SearchState | None = None,
        archive: Sequence[Candidate] = (),
    ) -> None:
        self._settings = settings
        self._algorithm = algorithm
        self._scoring = scoring
        self._latency = latency
        self._journal = journal
        self._stopwatch = stopwatch
        self._progress = progress
        self._archive = list(archive)
        self.revision = 0
        self.reference_point: tuple[float, ...] | None = None
        if state is not None:
            algorithm.restore(state.algorithm)
            self.revision, self.reference_point = state.revision, state.reference_point

    @property
    def archive(self) -> Sequence[Candidate]:
        """All candidates that were scored, in order."""
        return self._archive

    def run(self, *, until: int | None = None) -> None:
        """Go on until the evaluations are used up, or the space is.

        Args:
            until: End after that many evaluations, if that is earlier.

        Raises:
            PredictorUnavailable: The server is away for too long; everything before this generation is kept.
        """
        last = min(self._settings.evaluations, until or self._settings.evaluations)
        while len(self._archive) < last and not self._algorithm.exhausted:
            self._generation()

    def _generation(self) -> None:
        with self._stopwatch.on("evolution"):
            asked = self._algorithm.ask()
        candidates = self._scoring(asked, self._progress.scored)
        with self._stopwatch.on("evolution"):
            self._algorithm.tell(asked, [candidate.score(self._settings.limits_s) for candidate in candidates])
        self._archive += candidates
        with self._stopwatch.on("storage"):
            self._journal.keep(self._algorithm.generation, candidates, self._settings.targets, revision=self.revision)
            self._set_reference_point()
            self.keep_state()
        volume = self.hypervolume(self._archive)
        self._progress.generation(self._algorithm.generation, len(self._archive), volume, self._archive)

    def keep_state(self) -> None:
        """Write down where the search stands."""
        self._journal.keep_state(
            SearchState(
                search_run_id=self._journal.search_run_id,
                evaluated=len(self._archive),
                algorithm=self._algorithm.state(),
                pin=self._latency.pin,
                revision=self.revision,
                reference_point=self.reference_point,
                spent_s=self._stopwatch.spent_s,
            )
        )

    def rescore(self, rescored: Callable[[Sequence[Candidate]], Sequence[Candidate]]) -> None:
        """Replace the archive by what `rescored` makes of it after a refit, and let the algorithm know."""
        self._archive = list(rescored(self._archive))
        self.revision += 1
        scores = {c.architecture.key: c.score(self._settings.limits_s) for c in self._archive}
        self._algorithm.rescore(scores)
        self.keep_state()

    def hypervolume(self, candidates: Sequence[Candidate]) -> float:
        """Hypervolume of the candidates that keep to the limits."""
        if self.reference_point is None:
            return 0.0
        points = minimised(candidates, self._settings.limits_s)
        return hypervolume(points, np.array(self.reference_point)) if len(points) else 0.0

    def _set_reference_point(self) -> None:
        if self.reference_point is None:
            points = minimised(self._archive, (None,) * len(self._settings.targets))
            if len(points):
                self.reference_point = tuple(map(float, reference_point(points)))
                self._journal.repository.set_reference_point(self._journal.search_run_id, self.reference_point)


def minimised(candidates: Sequence[Candidate], limits_s: Sequence[float | None]) -> np.ndarray:
    """Objectives (candidates, 1 + targets) of those that were evaluated and keep to the limits."""
    scores = [c.score(limits_s) for c in candidates if c.miou is not None and c.within(limits_s)]
    return np.array([score.minimised for score in scores], dtype=np.float64).reshape(len(scores), -1)
