"""What crosses the border of the database when measurements are shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hyctas.target import Target


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """Which measurements to export.

    Attributes:
        targets: Of these targets; none takes all.
        since: Stored at or after this time (aware, or UTC).
    """

    targets: tuple[Target, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class MergeOutcome:
    """What merging a document did.

    Attributes:
        read: Records of the document by kind.
        added: Those that were stored, by kind; the others were here already.
        repeats: Added measurements that are kept as repeats because the workload was measured here earlier.
        demoted: Measurements of this database that became repeats because the document holds earlier ones.
    """

    read: Mapping[str, int] = field(hash=False)
    added: Mapping[str, int] = field(hash=False)
    repeats: int
    demoted: int
