"""Tables of architecture searches and the candidates that they scored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Base
from db.tables import ArchitectureRow, PredictorModel


class SearchRun(Base):
    """One search; its reference point makes hypervolumes comparable between runs."""

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


class CandidateRow(Base):
    """An architecture as one generation scored it, with the model that predicted its latency."""

    __tablename__ = "candidate"
    __table_args__ = (Index(None, "search_run_id", "generation"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    search_run_id: Mapped[int] = mapped_column(Integer, ForeignKey(SearchRun.id))
    generation: Mapped[int]
    architecture_id: Mapped[int] = mapped_column(Integer, ForeignKey(ArchitectureRow.id), index=True)
    objectives: Mapped[dict[str, Any]]
    predicted_latency_s: Mapped[float | None]
    measured_latency_s: Mapped[float | None]
    model_id: Mapped[str | None] = mapped_column(ForeignKey(PredictorModel.model_id))
