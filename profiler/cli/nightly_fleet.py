"""Measuring a night through the queue of a fleet: jobs instead of processes, and calls that come back later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.errors import MeasuringError
from hyctas.job import CANARIES, Job, JobOptions, Look
from hyctas.parts import Part
from profiler.cli.jobs import PER_JOB, put
from profiler.cli.nightly_due import known, plan_of, train
from profiler.nightly.config import NightConfig
from profiler.nightly.night import NightTarget
from profiler.nightly.report import Filled, Trained
from profiler.nightly.work import Work, work_of
from profiler.plan import PlannedWorkload

FIRST: Final = 10
"""Priority of canaries: before what else a target waits for."""
NOT_DONE: Final = ("waiting", "running")


@dataclass(frozen=True)
class FleetBench:
    """A queue; see :class:`profiler.nightly.night.Bench`.

    Attributes:
        repository: The database that the workers share.
        config: The configuration.
        label: Of tonight.
    """

    repository: Repository
    config: NightConfig
    label: str

    def look(self, target: NightTarget, look: int, processes: int) -> int:
        """Enqueue a job for each process, once; returns how many are not done.

        Raises:
            MeasuringError: A job was given up.
        """
        jobs = [
            _job(CANARIES, target, target.canaries, Look(self.label, look, number).label) for number in range(processes)
        ]
        entered = put(jobs, self.config.database, priority=FIRST)
        left = sum(one.state in NOT_DONE for one in entered)
        lost = [one.id[:12] for one in entered if one.state in ("failed", "cancelled")]
        if lost and not left:
            raise MeasuringError(
                f"jobs that measure canaries were given up: {', '.join(lost)}; hyctas jobs show says why"
            )
        return left

    def fill(self, target: NightTarget, environment: Mapping[str, str]) -> Filled:
        """Enqueue what is missing, stale or unstable; it is measured after this call, and learned by the next night."""
        plan = plan_of(target)
        work = work_of(plan, known(self.repository, target), environment, self.config.stale)
        put(list(self._jobs(target, work)), self.config.database)
        wanted = {reason: len(items) for reason, items in work.by_reason().items()}
        return Filled(wanted, remaining=sum(wanted.values()))

    def train(self, target: NightTarget) -> Trained | None:
        """See :func:`profiler.cli.nightly_due.train`."""
        return train(self.repository, self.config, target)

    def _jobs(self, target: NightTarget, work: Work) -> Iterator[Job]:
        for reason, items in work.by_reason().items():
            networks = [item for item in items if isinstance(item.source, Architecture)]
            operators = [item for item in items if isinstance(item.source, Part)]
            for kind, of_kind in (("networks", networks), ("operators", operators)):
                for start in range(0, len(of_kind), PER_JOB):
                    some = of_kind[start : start + PER_JOB]
                    yield _job(kind, target, some, f"{self.label}/{reason}", supersede=reason == "stale")


def _job(
    kind: str, target: NightTarget, items: Sequence[PlannedWorkload], label: str, *, supersede: bool = False
) -> Job:
    sources = [item.source for item in items]
    return Job(
        kind,
        target.target,
        parts=tuple(source for source in sources if isinstance(source, Part)),
        networks=tuple(source for source in sources if isinstance(source, Architecture)),
        label=label,
        options=JobOptions(seed=target.config.seed, repeats=0, supersede=supersede),
    )
