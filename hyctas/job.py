"""Jobs of a fleet: what one worker is to measure on one target, how its attempts went, and its one result."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from hyctas.architecture import Architecture
from hyctas.errors import InvalidInput
from hyctas.parts import Part
from hyctas.target import Target

JobStatus = Literal["succeeded", "failed", "cancelled"]
AttemptOutcome = Literal["done", "failed", "lost", "outage", "handed_back", "cancelled"]
"""How an attempt ended.

``done`` with the job's result; ``failed`` with an error of the job; ``lost`` with its worker; ``outage`` with the
connection to the database; ``handed_back`` by a worker that was told to stop; ``cancelled`` by a person.
"""
COUNTED: Final[tuple[AttemptOutcome, ...]] = ("failed", "lost")
"""Outcomes that speak against the job itself: after a few of them it is given up."""
ID_LENGTH: Final = 32
CANARIES: Final = "canaries"
"""Kind of a job and of a run that measures canaries of a night, known or not; its label is that of a :class:`Look`."""


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job measures; see :class:`profiler.profile.ProfileSettings`.

    Attributes:
        seed: For the order and the choice of repeats.
        budget_s: Seconds after which nothing new is begun, or None.
        repeats: Workloads measured again in another process for the noise floor; None takes a tenth.
        retry_failed: Whether what failed in an earlier run is tried again.
        recalibrate: Whether the reference latencies are measured anew.
        supersede: Whether what is known is measured again, and takes the place of what there is.
    """

    seed: int = 0
    budget_s: float | None = None
    repeats: int | None = None
    retry_failed: bool = False
    recalibrate: bool = False
    supersede: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker is to measure on one target.

    Equal jobs are one job: its id follows from its content, so one that is enqueued twice, at whatever time, has one
    result. Work that is meant to be done again carries another label.

    Attributes:
        kind: Kind of the run, such as ``operators``, ``networks`` or ``chosen``.
        target: Where; with its device.
        parts: Operators to measure.
        networks: Networks to measure.
        label: Tells jobs apart that would be equal, such as the date of a night.
        options: How to measure.
    """

    kind: str
    target: Target
    parts: tuple[Part, ...] = ()
    networks: tuple[Architecture, ...] = ()
    label: str = ""
    options: JobOptions = field(default_factory=JobOptions)

    @property
    def workloads(self) -> int:
        """How many operators and networks it names."""
        return len(self.parts) + len(self.networks)


@dataclass(frozen=True, slots=True)
class Look:
    """What the label of a job says that measures canaries.

    Attributes:
        night: Label of the night.
        look: 1, or 2 for a second look.
        process: Number of the process.
    """

    night: str
    look: int
    process: int

    @property
    def label(self) -> str:
        """The label of its job."""
        return f"{self.night}/look-{self.look}/process-{self.process}"

    @classmethod
    def of(cls, label: str) -> Look:
        """What a label says.

        Raises:
            InvalidInput: It is no label of this form.
        """
        found = re.fullmatch(r"(.+)/look-([12])/process-(\d+)", label)
        if found is None:
            raise InvalidInput("$.label", label, "NIGHT/look-1/process-0, the label of a job that measures canaries")
        return cls(found[1], int(found[2]), int(found[3]))


@dataclass(frozen=True, slots=True)
class JobTicket:
    """What is kept of a job beside its attempts and its result.

    Attributes:
        id: Names the job; see :func:`job_id`.
        target: Where it runs.
        kind: Kind of the run.
        label: Its label.
    """

    id: str
    target: Target
    kind: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """One try of a worker at a job; while it is open, no other attempt on that device is.

    Attributes:
        id: Number of the row.
        job_id: Which job.
        number: 1 for the first try at this job.
        device: Slug of the device that it holds.
        worker: Who tries: host and process.
        started_at: When, by the database's clock.
        renewed_at: When the worker said last that it is at work.
        ended_at: When it ended; None while it is open.
        outcome: How it ended; None while it is open.
        reason: What went wrong, or empty.
    """

    id: int
    job_id: str
    number: int
    device: str
    worker: str
    started_at: datetime
    renewed_at: datetime
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    reason: str


@dataclass(frozen=True, slots=True)
class JobResult:
    """The one result of a job.

    Attributes:
        job_id: Which job.
        status: How it ended.
        reason: Why it failed or was cancelled, or empty.
        summary: What came of it, as JSON; the run's number is its field ``run``.
        attempts: How many tries it took.
        finished_at: When, by the database's clock.
    """

    job_id: str
    status: JobStatus
    reason: str
    summary: Mapping[str, Any] = field(hash=False)
    attempts: int
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """What is to become the result of a job.

    Attributes:
        status: How it ended.
        reason: Why it failed or was cancelled, or empty.
        summary: What came of it, as JSON.
    """

    status: JobStatus
    reason: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict, hash=False)


def job_id(document: Mapping[str, Any]) -> str:
    """The id of a job from its JSON form: equal content, equal id."""
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()[:ID_LENGTH]
