"""The part of the repository that stores searches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from db import candidates, searches
from db.database import Database
from db.records import CandidateLatency, CandidateRecord, RunStatus, SearchRunRecord


class SearchRepository:
    """Searches and their candidates, behind plain methods; each is one transaction.

    Candidates are named by their architecture keys. Every method that takes a search's number raises
    :class:`StorageError` if there is no such search.

    Args:
        database: Where they are.
        clock: Tells the time that rows carry.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def start_search(
        self, space: Mapping[str, Any], targets: Sequence[str], settings: Mapping[str, Any], seed: int
    ) -> int:
        """Store that this process starts a search; returns its number."""
        with self._database.writing() as session:
            return searches.start(
                session, space=space, targets=targets, settings=settings, seed=seed, now=self._clock()
            )

    def resume_search(self, search_run_id: int, *, take_over: bool = False) -> SearchRunRecord:
        """Store that this process goes on with a search.

        Args:
            search_run_id: Number of the search.
            take_over: Whether to do so even where its process may still run, as it may on a host that is gone.

        Raises:
            StorageError: Another process still runs it; the message names its pid and host.
        """
        with self._database.writing() as session:
            return searches.resume(session, search_run_id, take_over=take_over)

    def finish_search(self, search_run_id: int, summary: Mapping[str, Any], status: RunStatus = "finished") -> None:
        """Store how a search ended."""
        with self._database.writing() as session:
            searches.finish(session, search_run_id, summary=summary, status=status, now=self._clock())

    def set_reference_point(self, search_run_id: int, point: Sequence[float]) -> None:
        """Store up to which objectives hypervolume counts, so that it compares between runs."""
        with self._database.writing() as session:
            searches.set_reference_point(session, search_run_id, point)

    def search_run(self, search_run_id: int) -> SearchRunRecord:
        """The search with that number."""
        with self._database.reading() as session:
            return searches.find(session, search_run_id)

    def search_runs(self) -> tuple[SearchRunRecord, ...]:
        """All searches; oldest first."""
        with self._database.reading() as session:
            return searches.find_all(session)

    def add_candidates(self, search_run_id: int, records: Iterable[CandidateRecord]) -> None:
        """Store candidates, all or none, with their architectures; those that the search has are left as they are.

        Raises:
            StorageError: A candidate belongs to another search.
        """
        with self._database.writing() as session:
            candidates.add(session, search_run_id, list(records))

    def candidates(self, search_run_id: int) -> tuple[CandidateRecord, ...]:
        """All candidates of a search, in the order in which they were stored."""
        with self._database.reading() as session:
            return candidates.find(session, search_run_id)

    def add_candidate_latencies(self, search_run_id: int, latencies: Mapping[str, Sequence[CandidateLatency]]) -> None:
        """Store what another revision of the predictor says, all or none, by architecture key.

        A target and revision that a candidate has stays as it is.

        Raises:
            StorageError: The search has no such candidate.
        """
        with self._database.writing() as session:
            candidates.add_latencies(session, search_run_id, latencies)

    def set_measured(self, search_run_id: int, key: str, target: str, measured_s: float) -> None:
        """Store the measured latency (seconds) of a candidate on a target, beside all predictions of it.

        Raises:
            StorageError: The search has no such candidate, or it has no latency on that target.
        """
        with self._database.writing() as session:
            candidates.set_measured(session, search_run_id, key, target, measured_s)

    def set_final_miou(self, search_run_id: int, key: str, miou: float) -> None:
        """Store the quality of a candidate that was found with more care.

        Raises:
            StorageError: The search has no such candidate.
        """
        with self._database.writing() as session:
            candidates.set_final_miou(session, search_run_id, key, miou)
