"""Measurements of others: what they report, where merged rows came from, and who this database is."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "database_identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_database_identity"),
    )
    insert = sa.text("INSERT INTO database_identity (id, uuid) VALUES (1, :uuid)")
    op.get_bind().execute(insert, {"uuid": str(uuid.uuid4())})
    for table, column in (("run", "origin"), ("calibration", "origin"), ("measurement", "reported")):
        op.add_column(table, sa.Column(column, sa.JSON(), nullable=True))
