"""A machine whose networks take what a law says: everything but running engines is real, down to the rows stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.measurement import Calibration, Failure, Measurement, Protocol, Round
from hyctas.parts import Part
from hyctas.target import Target
from profiler.plan import PlannedWorkload
from profiler.profile import ProfileSettings
from profiler.reference import reference_id
from profiler.session import Timing
from profiler.store import Progress, Result, Store
from profiler.summary import ProfileSummary
from tests.predictor import synthetic

SETTINGS = ArchitectureDefaults(height=64, width=128, base_channels=4)
SIZE = ["--height", "64", "--width", "128", "--base-channels", "4", "--depth", "8"]


def law_s(work: Part | Architecture) -> float:
    """Seconds of an operator or a network."""
    return synthetic.part_cost_s(work) if isinstance(work, Part) else synthetic.network_latency_s(work)


@dataclass
class Staged:
    """Stands in for calibrating and for running a plan.

    Attributes:
        law_s: What everything takes.
        stop_after: Measurements after which `stop` happens, once; None never stops.
        stop: What happens then: an interruption (Ctrl-C), or the exception of a process that is killed.
        failure: With what every workload fails, if anything.
        measured: Keys in the order of measuring.
        networks: How many of them are networks.
        calibrations: How often it was calibrated.
    """

    law_s: Callable[[Part | Architecture], float] = law_s
    stop_after: int | None = None
    stop: BaseException = field(default_factory=KeyboardInterrupt)
    failure: Failure | None = None
    measured: list[str] = field(default_factory=list)
    networks: int = 0
    calibrations: int = 0

    def calibrate(self, target: Target, *, version: int, budget_s: float | None = None) -> Calibration:
        """A calibration that normalises nothing."""
        self.calibrations += 1
        errors = {"none": 0.01, "compute": 0.05, "memory": 0.05, "mean": 0.05}
        return Calibration(target, version, 0.004, 0.004, "none", errors, reference_id(), 2)  # type: ignore[arg-type]

    def run_plan(
        self, plan: Sequence[PlannedWorkload], store: Store, settings: ProfileSettings, progress: Progress
    ) -> ProfileSummary:
        """Store what the law says of each workload, in order."""
        progress.begin("measure", len(plan))
        interrupted = False
        for item in plan:
            if self.stop_after is not None and len(self.measured) >= self.stop_after:
                self.stop_after = None
                if not isinstance(self.stop, KeyboardInterrupt):
                    raise self.stop
                interrupted = True
                break
            self.measured.append(item.key)
            self.networks += isinstance(item.source, Architecture)
            store.save(Result(item, self._measurement(item, settings), None, repeat=False))
        return self._summary(len(plan), interrupted)

    def _measurement(self, item: PlannedWorkload, settings: ProfileSettings) -> Measurement:
        rounds = (Round((self.law_s(item.source),), (0.004,), (0.004,), 0.99),) * 5
        return Measurement(
            item.key,
            settings.calibration.target,
            () if self.failure else rounds,
            1e-5,
            Protocol(),
            {},
            process_id="staged",
            failure=self.failure,
        )

    def _summary(self, planned: int, interrupted: bool) -> ProfileSummary:
        failed = {f"{self.failure.kind}: {self.failure.message}": planned} if self.failure else {}
        return ProfileSummary(
            planned=planned,
            already_measured=0,
            measured=0 if self.failure else planned,
            unstable=0,
            unstable_because={},
            failed=failed,
            without_marginal={},
            remaining=0,
            noise_between=None,
            noise_within=None,
            repeats=0,
            timing=Timing(),
            wall_s=1.0,
            per_hour=1.0,
            reference_drift=0.0,
            interrupted=interrupted,
        )
