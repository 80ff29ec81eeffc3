"""The records of a measurements document, each one line of JSON; docs/importing.md describes them.

A record names others by what they are, never by the number that a row has in one database: a workload by its key, an
environment by its digest, a run and a calibration by the checksum of their content (:mod:`db.transfer.identity`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from db.records import Purpose, RunStatus, WorkloadKind
from hyctas.measurement import FailureKind, Metric, Normaliser, Status

FORMAT: Final = "hyctas-measurements"
VERSION: Final = 1

Time = Annotated[datetime, msgspec.Meta(tz=True)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Json = dict[str, Any]


class Line(msgspec.Struct, frozen=True, tag_field="record", tag=str.lower, forbid_unknown_fields=True):
    """A record of any kind; ``record`` says which."""


class Header(Line, frozen=True):
    """The first line."""

    format: Literal["hyctas-measurements"]
    version: Literal[1]


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The database in which a run or a calibration was first stored, and its number there."""

    database: str
    number: int


class Device(Line, frozen=True):
    """Hardware."""

    slug: str
    facts: Json


class Target(Line, frozen=True):
    """A target, by its full name."""

    name: str


class Environment(Line, frozen=True):
    """Versions, host and load; its digest is the checksum of its facts."""

    digest: Sha256
    facts: dict[str, str]


class Calibration(Line, frozen=True):
    """Reference latencies of a target."""

    id: Sha256
    target: str
    version: Annotated[int, msgspec.Meta(ge=1)]
    compute_reference_s: float
    memory_reference_s: float
    normaliser: Normaliser
    process_error: dict[Normaliser, float]
    reference_id: str
    processes: int
    created_at: Time
    origin: Origin


class Workload(Line, frozen=True):
    """Something that can be measured."""

    key: str
    kind: WorkloadKind
    operator: str
    description: Json
    height: int
    width: int
    c_in: int
    c_out: int
    stride: int | None
    macs: int
    conv_macs: int
    parameters: int
    bytes_moved: int
    peak_activation_bytes: int


class Architecture(Line, frozen=True):
    """An architecture that lowers to a workload before it."""

    key: str
    workload: str
    document: Json


class Run(Line, frozen=True):
    """One invocation that measured; one that still ran when it was exported is ``interrupted``."""

    id: Sha256
    kind: str
    target: str | None
    arguments: Json
    status: RunStatus
    started_at: Time
    finished_at: Time | None
    summary: Json
    host: str
    boot_id: str
    pid: int
    process_start: str
    origin: Origin


class Reported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A latency of somebody else, in place of rounds."""

    latency_s: Annotated[float, msgspec.Meta(gt=0)]
    label: str
    samples_s: list[float]
    repeats: int | None


class Measurement(Line, frozen=True):
    """One workload measured once: raw rounds, and what followed from them under the calibration."""

    run: Sha256
    workload: str
    target: str
    environment: Sha256
    calibration: Sha256 | None
    purpose: Purpose
    status: Status
    latency_s: float | None
    wall_s: float | None
    half_width: float | None
    marginal_s: float | None
    normaliser: Normaliser
    metric: Metric
    protocol_version: int
    protocol: Json
    process_id: str
    call_floor_s: float
    rounds: Json
    reported: Reported | None
    engine: dict[str, str] | None
    failure_kind: FailureKind | None
    failure_message: str | None
    created_at: Time


class End(Line, frozen=True):
    """The last line: how many records of each kind came before it, and the checksum of all lines before it."""

    records: dict[str, int]
    sha256: Sha256


Record = Device | Target | Environment | Calibration | Workload | Architecture | Run | Measurement
AnyLine = Header | Record | End
