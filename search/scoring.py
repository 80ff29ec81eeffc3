"""Scoring a generation: latency from the server, quality from the supernet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hyctas.architecture import Architecture
from search.candidate import Candidate
from search.evaluation.quality import Failure, Fidelity, Quality
from search.evaluation.workers import QualityPool
from search.latency import RemoteLatency
from search.settings import SearchSettings
from search.stopwatch import Stopwatch


class Scoring:
    """Scores architectures; one that is over a latency limit is not worth a supernet evaluation.

    Args:
        latency: Predicts.
        pool: Evaluates on the supernet.
        settings: Limits, and how carefully to evaluate.
        stopwatch: Told where time goes.
        known: Candidates that were scored before, by architecture key; they are taken as they are.
    """

    def __init__(
        self,
        latency: RemoteLatency,
        pool: QualityPool,
        settings: SearchSettings,
        stopwatch: Stopwatch,
        *,
        known: Mapping[str, Candidate] | None = None,
    ) -> None:
        self._latency = latency
        self._pool = pool
        self._settings = settings
        self._stopwatch = stopwatch
        self._known = dict(known or {})

    def __call__(
        self, architectures: Sequence[Architecture], finished: Callable[[], None] = lambda: None
    ) -> list[Candidate]:
        """Score architectures, in their order.

        Args:
            architectures: What to score.
            finished: Called for each that has its score.

        Raises:
            PredictorUnavailable: The server is away for too long.
        """
        new = [architecture for architecture in architectures if architecture.key not in self._known]
        for _ in range(len(architectures) - len(new)):
            finished()
        for candidate in self._scored(new, finished):
            self._known[candidate.architecture.key] = candidate
        return [self._known[architecture.key] for architecture in architectures]

    def _scored(self, new: Sequence[Architecture], finished: Callable[[], None]) -> list[Candidate]:
        with self._stopwatch.on("prediction"):
            predicted = self._latency(new)
        candidates = [Candidate(a, predictions) for a, predictions in zip(new, predicted, strict=True)]
        worth_it = [c for c in candidates if c.within(self._settings.limits_s)]
        for _ in range(len(candidates) - len(worth_it)):
            finished()
        fidelity = Fidelity(self._settings.recalibration_batches, self._settings.images)
        with self._stopwatch.on("evaluation"):
            qualities = self._pool.evaluate([c.architecture for c in worth_it], fidelity, finished)
        found = {c.architecture.key: quality for c, quality in zip(worth_it, qualities, strict=True)}
        return [_with_quality(candidate, found.get(candidate.architecture.key)) for candidate in candidates]


def _with_quality(candidate: Candidate, quality: Quality | Failure | None) -> Candidate:
    if quality is None:
        return candidate
    if isinstance(quality, Failure):
        return Candidate(candidate.architecture, candidate.predictions, None, quality.message)
    return Candidate(candidate.architecture, candidate.predictions, quality.miou)
