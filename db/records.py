"""Frozen values that cross the border of the database; its rows never leave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from hyctas.measurement import FailureKind, Metric, Normaliser, Status
from hyctas.prediction import Tier
from hyctas.target import Target

WorkloadKind = Literal["operator", "network"]
RunStatus = Literal["running", "finished", "interrupted"]
Purpose = Literal["primary", "repeat"]
Order = Literal["oldest", "newest"]
Document = Mapping[str, Any]
"""A JSON object."""

CHOSEN: Final = "chosen"
"""Kind of a run whose networks were chosen by a search, not drawn at random: they never calibrate a prediction."""
IMPORTED: Final = "imported"
"""Kind of a run that took in what others measured."""


@dataclass(frozen=True, slots=True)
class WorkloadRecord:
    """Something that can be measured: an operator at one size, or a whole network.

    Attributes:
        key: Workload key; see :mod:`hyctas.workload`.
        kind: Whether it is one operator or a network.
        operator: Kind of the operator (``"conv"``, ``"sa"``, ...), or ``"network"``.
        description: What it is, as JSON: a part, or an architecture (document or key).
        height: Rows of the input map.
        width: Columns of the input map.
        c_in: Channels of the input.
        c_out: Channels of the output.
        stride: Stride, or None for a network.
        macs: Multiply-accumulates.
        conv_macs: Those of convolutions alone.
        parameters: Trainable parameters.
        bytes_moved: Bytes that all nodes read and write.
        peak_activation_bytes: Largest sum of live tensors.
    """

    key: str
    kind: WorkloadKind
    operator: str
    description: Document = field(hash=False)
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


@dataclass(frozen=True, slots=True)
class ArchitectureRecord:
    """An architecture and the workload that it lowers to.

    Attributes:
        key: Architecture key.
        workload_key: Key of its graph; architectures that lower to equal graphs share it. None until it is lowered.
        document: Architecture JSON, version 1.
    """

    key: str
    workload_key: str | None
    document: Document = field(hash=False)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One invocation that measured, calibrated or imported something.

    Attributes:
        id: Number of the run.
        kind: ``"operators"``, ``"networks"``, ``"chosen"`` (see :data:`CHOSEN`), ...
        target: What it measured on, or None where that means nothing.
        arguments: What it was asked to do, as JSON.
        status: ``interrupted`` if its process ended without finishing it.
        started_at: When it began (UTC).
        finished_at: When it ended (UTC), or None.
        summary: What came of it, as JSON; empty until it finished.
        origin: The database that it was merged from and its number there, or None of a run of this database.
    """

    id: int
    kind: str
    target: Target | None
    arguments: Document = field(hash=False)
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    summary: Document = field(hash=False)
    origin: Document | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class MeasurementRow:
    """A stored measurement without its rounds, beside what it measured.

    Attributes:
        id: Number of the measurement; later ones are larger.
        run_id: The run that it belongs to.
        workload_key: What ran.
        target: Where it ran.
        status: ``ok``, ``unstable`` or ``failed``, under `normaliser`.
        latency_s: Latency under its calibration, or wall time without one; None if it failed.
        wall_s: Median wall time, not normalised; None if there are no rounds.
        half_width: Relative half-width of the 95 % interval; None under three rounds.
        normaliser: The reference that `latency_s` was normalised by.
        calibration_version: Version of the calibration behind `latency_s`, or None.
        metric: What the samples are times of.
        protocol_version: Latencies compare only under equal versions.
        process_id: Names the process that measured.
        failure_kind: Why there is no latency, or None.
        failure_message: The same in words, or None.
        created_at: When it was stored (UTC).
        operator: Kind of the operator, or ``"network"``.
        kind: Whether the workload is an operator or a network.
        height: Rows of the input map.
        width: Columns of the input map.
        c_in: Channels of the input.
        c_out: Channels of the output.
        stride: Stride, or None for a network.
        architecture_key: First architecture that was stored for the workload, or None.
        marginal_s: What the operator adds inside a chain, or None where it was not measured.
        environment: Versions, host, load.
        purpose: ``repeat`` if the workload was measured before, or was meant as a repeat.
        label: What the source calls it, of a measurement that others reported; None of our own.
        engine: What the engine that ran it said about itself, or None.
    """

    id: int
    run_id: int
    workload_key: str
    target: Target
    status: Status
    latency_s: float | None
    wall_s: float | None
    half_width: float | None
    normaliser: Normaliser
    calibration_version: int | None
    metric: Metric
    protocol_version: int
    process_id: str
    failure_kind: FailureKind | None
    failure_message: str | None
    created_at: datetime
    operator: str
    kind: WorkloadKind
    height: int
    width: int
    c_in: int
    c_out: int
    stride: int | None
    architecture_key: str | None
    marginal_s: float | None
    environment: Mapping[str, str] = field(hash=False)
    purpose: Purpose = "primary"
    label: str | None = None
    engine: Mapping[str, str] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class MeasurementFilter:
    """Which measurements are wanted; None lets everything through.

    Attributes:
        target: On this target.
        kind: Of operators, or of networks.
        operator: Of this kind of operator.
        height: With this many rows in the input map.
        width: With this many columns in the input map.
        c_in: With this many input channels.
        c_out: With this many output channels.
        stride: With this stride.
        since: Stored at or after this time (aware, or UTC).
        until: Stored at or before this time (aware, or UTC).
        status: With this status.
        run_id: Of this run.
        process_id: Of this process.
        workload_key: Of this workload.
        metric: Times of this.
    """

    target: Target | None = None
    kind: WorkloadKind | None = None
    operator: str | None = None
    height: int | None = None
    width: int | None = None
    c_in: int | None = None
    c_out: int | None = None
    stride: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: Status | None = None
    run_id: int | None = None
    process_id: str | None = None
    workload_key: str | None = None
    metric: Metric | None = None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A registered model artifact.

    Attributes:
        model_id: Its public name; never reused.
        target: The target it predicts.
        path: Where the artifact lies.
        sha256: Checksum of its manifest.
        created_at: When it was trained (UTC).
        schema_version: Version of the artifact's format.
        metrics: Held-out scores, as JSON.
        training: What it learned from (runs, counts, settings), as JSON.
    """

    model_id: str
    target: Target
    path: str
    sha256: str
    created_at: datetime
    schema_version: int
    metrics: Document = field(hash=False)
    training: Document = field(hash=False)


@dataclass(frozen=True, slots=True)
class SearchRunRecord:
    """An architecture search.

    Attributes:
        id: Number of the search.
        space: What it chooses from, as JSON.
        targets: Full names of the targets that it predicts latencies on; they need not be stored ones.
        settings: How it searches, as JSON.
        seed: Of all its random choices.
        status: ``interrupted`` if its process ended without finishing it.
        reference_point: Objectives up to which hypervolume counts; None before the first generation.
        started_at: When it began (UTC); not moved by going on later.
        finished_at: When it ended (UTC), or None.
        summary: What came of it, as JSON; empty until it finished.
    """

    id: int
    space: Document = field(hash=False)
    targets: tuple[str, ...]
    settings: Document = field(hash=False)
    seed: int
    status: RunStatus
    reference_point: tuple[float, ...] | None
    started_at: datetime
    finished_at: datetime | None
    summary: Document = field(hash=False)


@dataclass(frozen=True, slots=True)
class CandidateLatency:
    """The latency of a candidate on one target, as one revision of the predictor saw it.

    Attributes:
        target: Full name of the target.
        predicted_s: Predicted latency.
        low_s: Lower end of its interval.
        high_s: Upper end of its interval.
        coverage: Nominal coverage of the interval; 0 where none is known.
        tier: How well founded the prediction is; see :data:`hyctas.prediction.Tier`.
        model_id: The model that predicted, perhaps on another machine; None where no model was needed.
        revision: How often the predictor had been refitted during the search; the highest is current.
        measured_s: Measured latency, the same in all revisions; None where it was not measured.
    """

    target: str
    predicted_s: float
    low_s: float
    high_s: float
    coverage: float
    tier: Tier
    model_id: str | None
    revision: int
    measured_s: float | None


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """An architecture that a search scored.

    Attributes:
        search_run_id: The search; it scores an architecture once.
        generation: The generation that scored it first.
        architecture_key: Architecture key.
        document: Architecture JSON, version 1.
        miou: Quality, 0 to 1; None where it was not evaluated (over a limit) or could not be.
        final_miou: Quality found with more care, at the end; None where that was not done.
        failure: Why it could not be evaluated, or None.
        latencies: By target and revision, sorted so.
    """

    search_run_id: int
    generation: int
    architecture_key: str
    document: Document = field(hash=False)
    miou: float | None
    final_miou: float | None
    failure: str | None
    latencies: tuple[CandidateLatency, ...]
