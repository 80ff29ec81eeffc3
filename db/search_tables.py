"""Tables of architecture searches, the candidates that they scored, and the latencies that they went by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Base
from db.tables import ArchitectureRow


class SearchRun(Base):
    """One search; host, boot, pid and the process's start say whether it still runs.

    Targets are names, since a search may ask a remote predictor about targets that this database does not know.
    """

    __tablename__ = "search_run"
    __table_args__ = (CheckConstraint("status IN ('running', 'finished', 'interrupted')", name="status"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    space: Mapped[dict[str, Any]]
    targets: Mapped[list[Any]]
    settings: Mapped[dict[str, Any]]
    seed: Mapped[int]
    status: Mapped[str]
    reference_point: Mapped[list[Any] | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    summary: Mapped[dict[str, Any]]
    host: Mapped[str]
    boot_id: Mapped[str]
    pid: Mapped[int]
    process_start: Mapped[str]


class CandidateRow(Base):
    """An architecture as a search scored it, once."""

    __tablename__ = "candidate"
    __table_args__ = (
        UniqueConstraint("search_run_id", "architecture_id"),
        Index(None, "search_run_id", "generation"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    search_run_id: Mapped[int] = mapped_column(Integer, ForeignKey(SearchRun.id))
    generation: Mapped[int]
    architecture_id: Mapped[int] = mapped_column(Integer, ForeignKey(ArchitectureRow.id), index=True)
    miou: Mapped[float | None]
    final_miou: Mapped[float | None]
    failure: Mapped[str | None]


class CandidateLatencyRow(Base):
    """What one revision of the predictor said of a candidate on a target, and what was measured there.

    `model_id` refers to no table: the model may lie on another machine.
    """

    __tablename__ = "candidate_latency"
    __table_args__ = (UniqueConstraint("candidate_id", "target", "revision"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    candidate_id: Mapped[int] = mapped_column(Integer, ForeignKey(CandidateRow.id))
    target: Mapped[str]
    revision: Mapped[int]
    predicted_s: Mapped[float]
    low_s: Mapped[float]
    high_s: Mapped[float]
    coverage: Mapped[float]
    tier: Mapped[str]
    model_id: Mapped[str | None]
    measured_s: Mapped[float | None]
