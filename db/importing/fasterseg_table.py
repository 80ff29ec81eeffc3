"""FasterSeg's latency table as reported latencies: the published one, or one that its release measured elsewhere.

Source: the repository of FasterSeg (arXiv 1912.10917, MIT licence). Each entry is the host's time of a call with data
on the device, averaged over at least three seconds, in milliseconds. See :mod:`hyctas.fasterseg_table` for its keys.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from db.describing import operator_record
from db.importing.npy_table import MAGIC, read_npy
from db.importing.source import ImportedLatency
from hyctas.costs import costs
from hyctas.errors import InvalidInput
from hyctas.fasterseg_table import FASTERSEG_TABLE, table_part
from hyctas.lowering import lower_part
from hyctas.measurement import Reported
from hyctas.target import Target
from hyctas.workload import workload_key

PUBLISHED_SHA256: Final = "783d0d4dbd0f7e71317e1516c02fdc04b11f410356e30ba969e2b93a685d3f1f"
"""Of the canonical entries of the table in the public release, whichever file holds them."""
PUBLISHED_SOURCE: Final = "FasterSeg (arXiv 1912.10917): the latency table of its public release"
FACTS: Final[Mapping[str, str]] = {
    "table": FASTERSEG_TABLE,
    "batch": "1",
    "interpolation": "nearest in place of bilinear",
    "clock": "host time of synchronous calls, data on the device; mean of at least 3 s",
}
"""What holds for each table that the release measures."""
PUBLISHED_FACTS: Final[Mapping[str, str]] = {
    "gpu": "NVIDIA GeForce GTX 1080 Ti",
    "tensorrt": "5.1.5",
    "precision": "fp32",
    "workspace_mib": "1024",
}
"""What the release says about its own."""
PLAUSIBLE_MS: Final = (0.005, 20.0)
"""Where the median of a table lies, on slower and faster devices too; that of the published one is 0.149."""


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that cannot be taken in."""

    key: str
    value: str
    allowed: str

    def __str__(self) -> str:
        """Return it as one sentence."""
        return f"{self.key}: {self.value} is not allowed; expected {self.allowed}"


@dataclass
class ReadTable:
    """What came of a table.

    Attributes:
        latencies: Its entries, by key.
        bad: Entries that were not understood.
        published: Whether it is the one of the public release.
    """

    latencies: list[ImportedLatency] = field(default_factory=list)
    bad: list[BadEntry] = field(default_factory=list)
    published: bool = False

    @property
    def facts(self) -> Mapping[str, str]:
        """The environment that its numbers were measured in, as far as it is known."""
        return {**FACTS, **PUBLISHED_FACTS} if self.published else FACTS


def read_latency_table(content: bytes, *, at: str) -> ReadTable:
    """Read a table: the NumPy file that the release writes, or a JSON object from keys to milliseconds.

    Args:
        content: The file.
        at: How errors name it.

    Raises:
        InvalidInput: It is neither, is cut short, holds anything but numbers by name, or is not in milliseconds.
    """
    entries = read_npy(content, at=at) if content.startswith(MAGIC) else _read_json(content, at)
    read = ReadTable(published=_digest(entries) == PUBLISHED_SHA256)
    for key, value in sorted(entries.items()):
        _take_in(read, key, value)
    _check_unit([row.reported.latency_s * 1e3 for row in read.latencies], at)
    return read


def check_target(read: ReadTable, target: Target) -> None:
    """Raise where the published table is given a target that it was not measured on.

    Raises:
        InvalidInput: The runtime or the precision differ.
    """
    if read.published and (target.runtime, target.precision) != ("tensorrt", "fp32"):
        allowed = "DEVICE/tensorrt-fp32: TensorRT 5.1.5 in fp32 measured this table"
        raise InvalidInput("--target", target.name, allowed)


def _take_in(read: ReadTable, key: str, value: object) -> None:
    part = table_part(key)
    if part is None:
        read.bad.append(BadEntry(key, "this key", "the key of an operator of FasterSeg with dilation 1"))
    elif not _is_time(value):
        read.bad.append(BadEntry(key, repr(value)[:80], "a positive number of milliseconds"))
    else:
        assert isinstance(value, int | float)
        graph = lower_part(part)
        workload = operator_record(part, workload_key(graph), costs(graph))
        read.latencies.append(ImportedLatency(workload, Reported(float(value) / 1e3, key)))


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < math.inf


def _read_json(content: bytes, at: str) -> Mapping[str, object]:
    allowed = "the NumPy file of FasterSeg's release, or a JSON object from keys to milliseconds"
    try:
        table = json.loads(content, object_pairs_hook=lambda pairs: _distinct(pairs, at))
    except InvalidInput:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidInput(at, f"no JSON ({error})", allowed) from error
    if not isinstance(table, Mapping):
        raise InvalidInput(at, f"a {type(table).__name__}", allowed)
    return table


def _distinct(pairs: Iterable[tuple[str, object]], at: str) -> Mapping[str, object]:
    table: dict[str, object] = {}
    for key, value in pairs:
        if key in table:
            raise InvalidInput(at, f"{key} twice", "each key once")
        table[key] = value
    return table


def _digest(entries: Mapping[str, object]) -> str:
    """Checksum of a table's entries, whatever file holds them."""
    text = json.dumps(sorted((key, repr(value)) for key, value in entries.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _check_unit(milliseconds: list[float], at: str) -> None:
    low, high = PLAUSIBLE_MS
    if not milliseconds:
        return
    middle = median(milliseconds)
    if not low <= middle <= high:
        allowed = f"a median of {low:g} to {high:g}: entries are milliseconds; are these other units?"
        raise InvalidInput(at, f"a median of {middle:g}", allowed)
