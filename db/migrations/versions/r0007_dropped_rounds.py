"""When the raw rounds of a measurement were dropped, whose latency stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("measurement", sa.Column("rounds_dropped_at", sa.DateTime(timezone=True), nullable=True))
