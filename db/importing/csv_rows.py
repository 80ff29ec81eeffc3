"""Rows of a CSV table as reported latencies of operators and networks; docs/importing.md describes the columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Final

from db.describing import architecture_record, network_record, operator_record
from db.importing.csv_cells import BadCell, Cells
from db.importing.csv_table import BadLine, read_table
from db.importing.source import ImportedLatency
from db.records import WorkloadRecord
from hyctas.architecture import SPACES, ArchitectureDefaults
from hyctas.architecture_json import decode_architecture
from hyctas.costs import costs
from hyctas.enumeration import operator_parts
from hyctas.errors import GraphError, InvalidArchitecture
from hyctas.lowering import lower, lower_part
from hyctas.measurement import Reported
from hyctas.operators import CELL_OPERATORS
from hyctas.parts import PART_KINDS, STRIDED, Part
from hyctas.space import SearchSpace
from hyctas.space_rules import SPACE_RULES
from hyctas.workload import workload_key

NETWORK: Final = "network"
OPERATOR_COLUMNS: Final = ("height", "width", "in_channels", "out_channels", "stride", "attention", "batch")
NETWORK_COLUMNS: Final = ("architecture",)
COLUMNS: Final = (
    "kind",
    *OPERATOR_COLUMNS,
    "space",
    *NETWORK_COLUMNS,
    "latency_ms",
    "samples_ms",
    "repeats",
    "note",
)
WITH_ATTENTION: Final = ("sa", "head_attention")
"""Kinds that exist in several forms of attention."""
LARGEST_COST: Final = 2**63 - 1
"""Databases count no further."""


@dataclass
class ReadRows:
    """What came of a table: its latencies, and the lines that were not understood."""

    latencies: list[ImportedLatency] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)


def read_rows(content: bytes, settings: ArchitectureDefaults, *, folder: Path, at: str) -> ReadRows:
    """Read a whole table.

    Args:
        content: The file.
        settings: What architectures in the release format do not carry.
        folder: Where paths of architectures start.
        at: How errors name the file.

    Raises:
        InvalidInput: It is not a table with these columns at all.
    """
    found = ReadRows()
    for line in read_table(content, COLUMNS, at=at):
        if isinstance(line, BadLine):
            found.bad.append(line)
            continue
        try:
            found.latencies.append(_latency(Cells(line), settings, folder))
        except BadCell as error:
            found.bad.append(error.bad)
    return found


def _latency(cells: Cells, settings: ArchitectureDefaults, folder: Path) -> ImportedLatency:
    reported = _reported(cells)
    if cells.text("kind") == NETWORK:
        return _network(cells, reported, settings, folder)
    _leave_empty(cells, NETWORK_COLUMNS, "nothing: only rows of kind network have it")
    return ImportedLatency(_operator(cells), reported)


def _reported(cells: Cells) -> Reported:
    latency_s, samples_s = cells.milliseconds("latency_ms"), cells.all_milliseconds("samples_ms")
    if latency_s is None and not samples_s:
        raise cells.refused("latency_ms", "a positive number of milliseconds, or samples_ms in its place")
    repeats = cells.integer("repeats") if cells.text("repeats") else None
    return Reported(latency_s or median(samples_s), cells.text("note"), samples_s, repeats)


def _operator(cells: Cells) -> WorkloadRecord:
    kind = cells.choice("kind", (*CELL_OPERATORS, *PART_KINDS, NETWORK))
    if cells.text("space") and kind not in kinds_of(cells.choice("space", SPACES)):
        raise cells.refused(
            "kind", f"a kind of space {cells.text('space')}: {', '.join(kinds_of(cells.text('space')))}"
        )
    part = Part(
        kind=kind,
        height=cells.integer("height"),
        width=cells.integer("width"),
        in_channels=cells.integers("in_channels"),
        out_channels=cells.integer("out_channels"),
        stride=_stride(cells, kind),
        batch=cells.integer("batch", default=1),
        attention=_attention(cells, kind),
    )
    try:
        return _operator_workload(part)
    except GraphError as error:
        raise cells.refused("kind", f"an operator that can be built ({error})") from None


def _stride(cells: Cells, kind: str) -> int:
    stride = cells.integer("stride", default=1)
    if kind in STRIDED and stride not in (1, 2):
        raise cells.refused("stride", "1 or 2")
    if kind not in STRIDED and not kind.startswith("upsample") and stride != 1:
        raise cells.refused("stride", f"1: {kind} has no other")
    return stride


def _attention(cells: Cells, kind: str) -> str:
    if kind in WITH_ATTENTION:
        return cells.choice("attention", SPACE_RULES[SPACES[0]].attentions)
    _leave_empty(cells, ("attention",), f"nothing: {kind} has no attention")
    return ""


def _network(cells: Cells, reported: Reported, settings: ArchitectureDefaults, folder: Path) -> ImportedLatency:
    _leave_empty(cells, OPERATOR_COLUMNS, "nothing: a network's architecture says it")
    try:
        architecture = decode_architecture(_document(cells, folder), settings)
    except InvalidArchitecture as error:
        raise cells.refused("architecture", f"an architecture ({error})") from None
    space = cells.choice("space", SPACES, default=architecture.space)
    if space != architecture.space:
        raise cells.refused("space", f"{architecture.space}, like the architecture")
    graph = lower(architecture)
    workload = network_record(architecture, workload_key(graph), costs(graph))
    return ImportedLatency(workload, reported, architecture_record(architecture, workload.key))


def _document(cells: Cells, folder: Path) -> bytes | str:
    text = cells.text("architecture")
    if text.startswith("{"):
        return text
    try:
        return (folder / text).read_bytes() if text else ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise cells.refused("architecture", f"architecture JSON, or the path of a file with it ({reason})") from None


def _leave_empty(cells: Cells, columns: tuple[str, ...], allowed: str) -> None:
    for column in columns:
        if cells.text(column):
            raise cells.refused(column, allowed)


@lru_cache(maxsize=8)
def kinds_of(space: str) -> tuple[str, ...]:
    """Kinds of the operators that networks of a space are made of, sorted."""
    smallest = ArchitectureDefaults(height=32, width=32, space=space, output="argmax")
    return tuple(sorted({part.kind for part in operator_parts(SearchSpace(name=space), smallest)}))


@lru_cache(maxsize=4096)
def _operator_workload(part: Part) -> WorkloadRecord:
    graph = lower_part(part)
    read = {name for node in graph.nodes for name in node.inputs}
    if unread := [value for value in graph.inputs if value.name not in read]:
        raise GraphError(f"{part.kind} takes {len(graph.inputs) - len(unread)} input(s), not {len(graph.inputs)}")
    counted = costs(graph)
    if max(counted.macs, counted.bytes_moved, counted.parameters) > LARGEST_COST:
        raise GraphError(f"{part.label} takes more multiply-accumulates or bytes than can be counted")
    channels = graph.values[graph.outputs[0]].shape[1] if part.kind != "argmax" else part.out_channels
    if channels != part.out_channels:
        raise GraphError(f"{part.label} has {channels} output channels")
    return operator_record(part, workload_key(graph), counted)
