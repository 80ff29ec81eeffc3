"""``GET /measurements``: what was measured, filtered, page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.routes.state import Shared
from api.schemas import MeasurementPage, MeasurementShape
from db.columns import as_utc
from db.measurement_json import measurement_to_json
from db.records import MeasurementFilter, Order, WorkloadKind
from db.repository import Repository
from hyctas.measurement import Status

router = APIRouter(tags=["measurements"])

MAX_PAGE: Final = 1000
_MAX_NUMBER: Final = 2**31 - 1
"""Databases hold no larger one, and refuse to compare with it."""
_Number = Annotated[int | None, Field(ge=1, le=_MAX_NUMBER)]


class MeasurementQuery(BaseModel):
    """Which measurements are wanted; what is left out lets everything through."""

    model_config = ConfigDict(extra="forbid")

    target: str | None = Field(None, max_length=200, description="Name, without the device if one device has it.")
    kind: WorkloadKind | None = Field(None, description="Operators or whole networks.")
    operator: str | None = Field(None, pattern="^[a-z0-9_]{1,40}$", description="Kind of operator.", examples=["sa"])
    height: _Number = Field(None, description="Rows of the input map.")
    width: _Number = Field(None, description="Columns of the input map.")
    c_in: _Number = Field(None, description="Input channels.")
    c_out: _Number = Field(None, description="Output channels.")
    stride: _Number = Field(None, description="Stride.")
    since: datetime | None = Field(None, description="Stored then or later; UTC unless it says otherwise.")
    until: datetime | None = Field(None, description="Stored then or earlier.")
    status: Status | None = Field(None, description="How it ended.")
    run_id: _Number = Field(None, description="Of this run.")
    workload_key: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Of this workload.")
    limit: int = Field(100, ge=1, le=MAX_PAGE, description="Most rows of a page.")
    after_id: int = Field(0, ge=0, le=_MAX_NUMBER, description="next_after_id of the page before.")
    order: Order = Field("oldest", description="Which come first.")

    @field_validator("since", "until")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        """The moment in UTC; at either end of the calendar there may be none."""
        try:
            return None if moment is None else as_utc(moment)
        except OverflowError:
            raise ValueError("a time whose UTC lies in the years 1 to 9999") from None


@router.get("/measurements")
def measurements(query: Annotated[MeasurementQuery, Query()], shared: Shared) -> MeasurementPage:
    """A page of measurements, failed ones included."""
    rows = shared.repository.measurements(
        _filter(query, shared.repository), limit=query.limit, after_id=query.after_id, order=query.order
    )
    return MeasurementPage(
        measurements=[MeasurementShape(**measurement_to_json(row)) for row in rows],
        next_after_id=rows[-1].id if len(rows) == query.limit else None,
    )


def _filter(query: MeasurementQuery, repository: Repository) -> MeasurementFilter:
    return MeasurementFilter(
        target=None if query.target is None else repository.target_named(query.target),
        kind=query.kind,
        operator=query.operator,
        height=query.height,
        width=query.width,
        c_in=query.c_in,
        c_out=query.c_out,
        stride=query.stride,
        since=query.since,
        until=query.until,
        status=query.status,
        run_id=query.run_id,
        workload_key=query.workload_key,
    )
