"""What the commands learn from and score on: networks and operators of a database, as plain samples."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.importing.storing import PROCESS
from db.records import CHOSEN, MeasurementFilter, MeasurementRow
from db.repository import Repository
from hyctas.architecture_json import read_architecture
from hyctas.fasterseg_table import FASTERSEG_TABLE, FREE_KINDS, table_part
from hyctas.parts import Part
from hyctas.target import Target
from predictor.measured import MeasuredNetwork
from predictor.samples import NetworkSample, OperatorSample
from predictor.training import HELD_OUT_SHARE
from profiler.noise import noise_floor


@dataclass(frozen=True, slots=True)
class Data:
    """What a database holds to learn a target from.

    Attributes:
        training: Networks to learn from; those that a search chose are marked, and only in here unless their run was
            named to be held out.
        held_out: Networks to score on.
        operators: Operators to learn from.
        free_kinds: Kinds of operators that a published table among them counts nothing for.
        noise_floor: Of networks, between processes; None where none was measured in two.
    """

    training: Sequence[NetworkSample]
    held_out: Sequence[NetworkSample]
    operators: Sequence[OperatorSample]
    free_kinds: frozenset[str]
    noise_floor: float | None


def read_data(
    repository: Repository,
    target: Target,
    *,
    train_runs: Collection[int] | None,
    held_out_runs: Collection[int] | None,
    seed: int,
) -> Data:
    """Read what to learn from and what to score on.

    Args:
        repository: The database.
        target: What was measured.
        train_runs: Learn from the networks of these runs; None takes all.
        held_out_runs: Score on the networks of these; None takes a random fifth of those that were drawn at random.
        seed: Of that choice.
    """
    networks = read_networks(repository, target, train_runs)
    if held_out_runs:
        held_out = read_networks(repository, target, held_out_runs)
        unseen = {sample.architecture.key for sample in held_out}
        training = [sample for sample in networks if sample.architecture.key not in unseen]
    else:
        training, held_out = _split(networks, seed)
    operators, free_kinds = read_operators(repository, target)
    return Data(training, held_out, operators, free_kinds, read_noise_floor(repository, target))


def read_operators(repository: Repository, target: Target) -> tuple[list[OperatorSample], frozenset[str]]:
    """Operators to learn from, and the kinds that a published table among them counts nothing for."""
    entries = _table_entries(repository, target)
    return [*_operators(repository, target), *entries], FREE_KINDS if entries else frozenset()


def read_networks(repository: Repository, target: Target, runs: Collection[int] | None) -> list[NetworkSample]:
    """Measured networks of some runs, or of all; one calibrates if a run that drew at random measured it too."""
    drawing = [run.id for run in repository.runs(target) if run.kind != CHOSEN]
    drawn = {row.workload_key for _, row in repository.network_latencies(target, run_ids=drawing, status=None)}
    return [
        NetworkSample(read_architecture(record.document), row.latency_s, calibrates=row.workload_key in drawn)
        for record, row in repository.network_latencies(target, run_ids=runs or None)
        if row.latency_s is not None
    ]


def read_noise_floor(repository: Repository, target: Target) -> float | None:
    """Noise floor of networks between processes, of all repeats that the database holds."""
    pairs = [(first.latency_s, second.latency_s) for first, second in repository.repeats(target, kind="network")]
    return noise_floor((a, b) for a, b in pairs if a is not None and b is not None)


def read_measured(repository: Repository, target: Target) -> Mapping[str, MeasuredNetwork]:
    """Everything measured on a target that answers for itself, by architecture key."""
    errors = {c.version: c.process_error for c in repository.calibrations(target)}
    return {
        key: MeasuredNetwork(
            row.latency_s, row.half_width, errors.get(row.calibration_version or 0, {}).get(row.normaliser, 0.0)
        )
        for key, row in repository.architecture_latencies(target).items()
        if row.latency_s is not None
    }


def _split(networks: Sequence[NetworkSample], seed: int) -> tuple[list[NetworkSample], list[NetworkSample]]:
    """Training and held-out networks; chosen ones are never held out.

    A network's place follows from its key and the seed alone, so that what is held out stays so as more is measured,
    but for those at the edge of the share.
    """
    drawn = [sample for sample in networks if sample.calibrates]
    chosen = [sample for sample in networks if not sample.calibrates]
    places = sorted(_place(sample, seed) for sample in drawn)
    left_out = set(places[: round(HELD_OUT_SHARE * len(drawn))])
    held_out = [sample for sample in drawn if _place(sample, seed) in left_out]
    training = [sample for sample in drawn if _place(sample, seed) not in left_out]
    return [*training, *chosen], held_out


def _place(sample: NetworkSample, seed: int) -> bytes:
    """Where a network stands in an order that looks random."""
    return hashlib.sha256(f"{seed}:{sample.architecture.key}".encode()).digest()


def _operators(repository: Repository, target: Target) -> list[OperatorSample]:
    """Operators that were measured, without those that a table has: their keys say more than their graphs do."""
    return [
        OperatorSample(_part(record.description), row.latency_s, row.marginal_s)
        for record, row in repository.operator_latencies(target)
        if row.latency_s is not None and not _in_table(row)
    ]


def _table_entries(repository: Repository, target: Target) -> list[OperatorSample]:
    """Every entry of a published table, also where two have the same graph."""
    wanted = MeasurementFilter(target=target, kind="operator", status="ok", process_id=PROCESS)
    rows = repository.measurements(wanted, limit=None)
    named = ((row, table_part(row.label)) for row in rows if _in_table(row) and row.label)
    return [
        OperatorSample(part, row.latency_s, entry=row.label or "")
        for row, part in named
        if part is not None and row.latency_s is not None
    ]


def _in_table(row: MeasurementRow) -> bool:
    return row.environment.get("table") == FASTERSEG_TABLE


def _part(description: Mapping[str, Any]) -> Part:
    return Part(**{**description, "in_channels": tuple(description["in_channels"])})
