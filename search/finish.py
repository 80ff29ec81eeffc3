"""The end of a search: its fronts evaluated with care, measured, and compared with what was predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from db.repository import Repository
from hyctas.prediction import Prediction
from search.candidate import Candidate
from search.drift import Comparison, Drift, drift
from search.evaluation.quality import Failure, Fidelity
from search.evaluation.workers import QualityPool
from search.fronts import Fronts, fronts_of, replaced_quality
from search.measuring import Measuring
from search.outcome import Outcome
from search.run import SearchRun
from search.settings import SearchSettings
from search.stopwatch import Stopwatch
from search.store import forecast


@dataclass(frozen=True, slots=True)
class Finish:
    """What a search ends with.

    Attributes:
        search_run_id: The search's number in the database.
        settings: What it was told to do.
        repository: The database.
        pool: Evaluates on the supernet.
        measuring: Measures the fronts, or None where nothing can.
        stopwatch: Told where time goes.
    """

    search_run_id: int
    settings: SearchSettings
    repository: Repository
    pool: QualityPool
    measuring: Measuring | None
    stopwatch: Stopwatch

    def outcome(self, run: SearchRun, fronts: Fronts, finished: Callable[[], None]) -> Outcome:
        """Evaluate the fronts of a search with care, measure them where there is a device, and sum up.

        Args:
            run: The search, at its end.
            fronts: Its fronts.
            finished: Called for each network that was evaluated.
        """
        with self.stopwatch.on("evaluation"):
            miou = self._final_miou(fronts, finished)
        with self.stopwatch.on("storage"):
            for key, value in miou.items():
                self.repository.set_final_miou(self.search_run_id, key, value)
        careful = fronts_of(replaced_quality(fronts.members, miou), self.settings.limits_s)
        return Outcome(
            search_run_id=self.search_run_id,
            evaluated=len(run.archive),
            fronts=careful,
            hypervolume=run.hypervolume(run.archive),
            drift={} if self.measuring is None else self._drift(self.measuring, careful, run.reference_point),
            spent_s=self.stopwatch.spent_s,
            supernet=run.supernet,
        )

    def _final_miou(self, fronts: Fronts, finished: Callable[[], None]) -> dict[str, float]:
        """MIoU with more recalibration and on all validation images, by architecture key."""
        networks = [candidate.architecture for candidate in fronts.members]
        qualities = self.pool.evaluate(networks, Fidelity(self.settings.final_batches, None), finished)
        pairs = zip(networks, qualities, strict=True)
        return {network.key: quality.miou for network, quality in pairs if not isinstance(quality, Failure)}

    def _drift(self, measuring: Measuring, fronts: Fronts, reference: tuple[float, ...] | None) -> dict[str, Drift]:
        """Measure all fronts, and compare with what was predicted before anything of them was measured."""
        records = self.repository.candidates(self.search_run_id)
        found = {}
        for position, target in enumerate(self.settings.targets):
            measured_s = measuring.measured_s(target, [candidate.architecture for candidate in fronts.members])
            forecasts = {r.architecture_key: p for r in records if (p := forecast(r, target)) is not None}
            point = None if reference is None else (reference[0], reference[1 + position])
            drifted = measured_drift(fronts.members, forecasts, measured_s, reference=point)
            if drifted is not None:
                found[target] = drifted
        return found


def measured_drift(
    front: Sequence[Candidate],
    forecasts: Mapping[str, Prediction],
    measured_s: Mapping[str, float],
    *,
    reference: tuple[float, float] | None,
) -> Drift | None:
    """Predicted against measured latency of a front on one target; None if nothing can be compared.

    Args:
        front: Its networks.
        forecasts: Predictions that did not know the measurement, by architecture key.
        measured_s: Measured latency by architecture key.
        reference: Point (1 - mIoU, log latency) up to which hypervolume counts.
    """
    known = [c for c in front if c.miou is not None and c.architecture.key in forecasts.keys() & measured_s.keys()]
    predicted = [forecasts[c.architecture.key] for c in known]
    compared = Comparison(
        miou=np.array([c.miou for c in known], dtype=np.float64),
        predicted_s=np.array([p.latency_s for p in predicted]),
        low_s=np.array([p.low_s for p in predicted]),
        high_s=np.array([p.high_s for p in predicted]),
        measured_s=np.array([measured_s[c.architecture.key] for c in known]),
        nominal_coverage=float(np.mean([p.coverage for p in predicted])) if predicted else 0.0,
    )
    return drift(compared, reference)
