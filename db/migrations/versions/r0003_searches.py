"""Searches as they are stored: who runs them, several targets and revisions, architectures never lowered.

Nothing wrote searches or candidates before. Should rows be there all the same, the candidates are converted as far
as they say what is asked for now, and kept word for word in the summary of their search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

from db.migrations.versions.r0002_readable_views import BRANCHES, NETWORK_LATENCY

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEARCH_CANDIDATES = """
CREATE VIEW search_candidates AS
SELECT
    candidate.search_run_id AS search_run_id,
    candidate.generation AS generation,
    architecture.key AS architecture_key,
    {branches} AS branches,
    candidate.miou AS miou,
    candidate.final_miou AS final_miou,
    candidate.failure AS failure,
    latency.target AS target,
    latency.predicted_s * 1000 AS predicted_ms,
    latency.low_s * 1000 AS low_ms,
    latency.high_s * 1000 AS high_ms,
    latency.coverage AS coverage,
    latency.tier AS tier,
    latency.measured_s * 1000 AS measured_ms,
    latency.model_id AS model_id,
    latency.revision AS revision,
    candidate.id AS candidate_id,
    architecture.document AS architecture
FROM candidate
JOIN architecture ON architecture.id = candidate.architecture_id
LEFT JOIN (
    SELECT *, row_number() OVER (PARTITION BY candidate_id, target ORDER BY revision DESC) AS place
    FROM candidate_latency
) AS latency ON latency.candidate_id = candidate.id AND latency.place = 1
"""

OLD_SUMMARY = "candidates_of_revision_0002"
NEW_SEARCH_COLUMNS: Mapping[str, tuple[TypeEngine[Any], str]] = {
    "summary": (sa.JSON(), "{}"),
    "host": (sa.String(), ""),
    "boot_id": (sa.String(), ""),
    "pid": (sa.BigInteger(), "0"),
    "process_start": (sa.String(), ""),
}
"""Type, and the value of rows that are there already; SQLite adds a column to them only with a default."""

Row = Mapping[str, Any]


def upgrade() -> None:
    branches = BRANCHES[op.get_bind().dialect.name]
    old = _old_candidates()
    op.execute("DROP VIEW network_latency")
    op.drop_table("candidate")
    _let_architectures_be_without_workload()
    _extend_search_run()
    _create_candidate()
    _create_candidate_latency()
    _convert(old)
    op.execute(NETWORK_LATENCY.format(branches=branches))
    op.execute(SEARCH_CANDIDATES.format(branches=branches))


def _let_architectures_be_without_workload() -> None:
    with op.batch_alter_table("architecture") as batch:
        batch.alter_column("workload_id", existing_type=sa.Integer(), nullable=True)


def _extend_search_run() -> None:
    for name, (kind, value) in NEW_SEARCH_COLUMNS.items():
        op.add_column("search_run", sa.Column(name, kind, nullable=False, server_default=value))
    op.execute("UPDATE search_run SET status = 'interrupted' WHERE status = 'running'")


def _create_candidate() -> None:
    op.create_table(
        "candidate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("search_run_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("architecture_id", sa.Integer(), nullable=False),
        sa.Column("miou", sa.Double(), nullable=True),
        sa.Column("final_miou", sa.Double(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["architecture_id"], ["architecture.id"], name="fk_candidate_architecture_id"),
        sa.ForeignKeyConstraint(["search_run_id"], ["search_run.id"], name="fk_candidate_search_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_candidate"),
        sa.UniqueConstraint("search_run_id", "architecture_id", name="uq_candidate_search_run_id_architecture_id"),
    )
    op.create_index("ix_candidate_architecture_id", "candidate", ["architecture_id"])
    op.create_index("ix_candidate_search_run_id_generation", "candidate", ["search_run_id", "generation"])


def _create_candidate_latency() -> None:
    op.create_table(
        "candidate_latency",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("predicted_s", sa.Double(), nullable=False),
        sa.Column("low_s", sa.Double(), nullable=False),
        sa.Column("high_s", sa.Double(), nullable=False),
        sa.Column("coverage", sa.Double(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=True),
        sa.Column("measured_s", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidate.id"], name="fk_candidate_latency_candidate_id"),
        sa.PrimaryKeyConstraint("id", name="pk_candidate_latency"),
        sa.UniqueConstraint(
            "candidate_id", "target", "revision", name="uq_candidate_latency_candidate_id_target_revision"
        ),
    )


def _old_candidates() -> Sequence[Row]:
    """All candidates, with the key of their architecture and the targets of their search."""
    candidate = sa.table(
        "candidate",
        *(sa.column(name) for name in ("id", "search_run_id", "generation", "architecture_id", "model_id")),
        *(sa.column(name) for name in ("predicted_latency_s", "measured_latency_s")),
        sa.column("objectives", sa.JSON()),
    )
    architecture = sa.table("architecture", sa.column("id"), sa.column("key"))
    search = sa.table("search_run", sa.column("id"), sa.column("targets", sa.JSON()))
    query = sa.select(candidate, architecture.c.key.label("architecture_key"), search.c.targets)
    query = query.join(architecture, architecture.c.id == candidate.c.architecture_id)
    query = query.join(search, search.c.id == candidate.c.search_run_id)
    rows = op.get_bind().execute(query.order_by(candidate.c.generation, candidate.c.id)).mappings()
    return [dict(row) for row in rows]


def _convert(old: Sequence[Row]) -> None:
    columns = ("id", "search_run_id", "generation", "architecture_id", "miou")
    candidate = sa.table("candidate", *(sa.column(name) for name in columns))
    seen: set[tuple[int, int]] = set()
    for row in old:
        key = (row["search_run_id"], row["architecture_id"])
        if key not in seen:
            seen.add(key)
            values = {name: row[name] for name in columns[1:4]} | {"miou": _miou(row["objectives"])}
            number = op.get_bind().execute(sa.insert(candidate).values(values).returning(candidate.c.id)).scalar_one()
            _convert_latency(number, row)
    _keep_word_for_word(old)


def _convert_latency(candidate_id: int, row: Row) -> None:
    """The latency of the search's first target, as an interval of no width that promises no coverage."""
    predicted_s, measured_s = row["predicted_latency_s"], row["measured_latency_s"]
    latency_s = measured_s if predicted_s is None else predicted_s
    if latency_s is None or not row["targets"]:
        return
    values = {"candidate_id": candidate_id, "target": row["targets"][0], "revision": 0, "coverage": 0.0}
    values |= {"predicted_s": latency_s, "low_s": latency_s, "high_s": latency_s, "measured_s": measured_s}
    values |= {"tier": "measured" if predicted_s is None else "estimated", "model_id": row["model_id"]}
    latency = sa.table("candidate_latency", *(sa.column(name) for name in values))
    op.get_bind().execute(sa.insert(latency).values(values))


def _miou(objectives: object) -> float | None:
    found = objectives.get("miou") if isinstance(objectives, Mapping) else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _keep_word_for_word(old: Sequence[Row]) -> None:
    search = sa.table("search_run", sa.column("id"), sa.column("summary", sa.JSON()))
    for number in sorted({row["search_run_id"] for row in old}):
        of_search = [row for row in old if row["search_run_id"] == number]
        kept = [{name: value for name, value in row.items() if name != "targets"} for row in of_search]
        op.get_bind().execute(search.update().where(search.c.id == number).values(summary={OLD_SUMMARY: kept}))
