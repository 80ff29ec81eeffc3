"""What a reader of a format hands over: where numbers come from, and what each of them is a latency of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.records import ArchitectureRecord, WorkloadRecord
from hyctas.measurement import Reported
from hyctas.target import Target


@dataclass(frozen=True, slots=True)
class ImportSource:
    """Where reported latencies come from.

    Attributes:
        target: What they were measured on.
        format: Name of the format, such as ``csv``.
        facts: Environment of the measurements as far as it is known, the file's SHA-256 among it.
        arguments: What was asked for, as JSON; kept with the run.
        device: Facts about the hardware; empty ones leave what is stored.
        chosen: Whether a search chose the networks, so that they never calibrate a prediction.
    """

    target: Target
    format: str
    facts: Mapping[str, str] = field(hash=False)
    arguments: Mapping[str, Any] = field(hash=False)
    device: Mapping[str, str] = field(default_factory=dict, hash=False)
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class ImportedLatency:
    """One reported latency.

    Attributes:
        workload: What ran.
        reported: The latency, and what the source calls it.
        architecture: The network, if it is one.
    """

    workload: WorkloadRecord
    reported: Reported
    architecture: ArchitectureRecord | None = None


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import did.

    Attributes:
        run_id: The run that the new rows belong to; None where there was none.
        added: Rows that were stored.
        repeats: Those of `added` whose workload was measured on the target before: kept, not learned from.
        known: Rows that were stored already, and so were left out.
    """

    run_id: int | None
    added: int
    repeats: int
    known: int


def imported_facts(content: bytes, source: str | None, facts: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of imported measurements: what is known, the file's checksum and its source in words."""
    told = {} if source is None else {"source": source}
    return {"provenance": "imported", "file_sha256": hashlib.sha256(content).hexdigest(), **told, **facts}
