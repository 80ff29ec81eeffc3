"""Two views for people who query the database by hand; docs/database.md explains them."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LATENCY = """
CREATE VIEW latency AS
SELECT
    device.slug AS device,
    target.name AS target,
    workload.kind AS kind,
    workload.operator AS operator,
    workload.height AS height,
    workload.width AS width,
    workload.c_in AS c_in,
    workload.c_out AS c_out,
    workload.stride AS stride,
    measurement.latency_s * 1000 AS latency_ms,
    measurement.marginal_s * 1000 AS marginal_ms,
    measurement.wall_s * 1000 AS wall_ms,
    measurement.half_width AS half_width,
    measurement.status AS status,
    measurement.failure_kind AS failure_kind,
    measurement.metric AS metric,
    measurement.protocol_version AS protocol_version,
    workload.macs AS macs,
    workload.parameters AS parameters,
    measurement.created_at AS measured_at,
    measurement.run_id AS run_id,
    measurement.id AS measurement_id,
    workload.key AS workload_key
FROM (
    SELECT id, row_number() OVER (
        PARTITION BY target_id, workload_id, metric
        ORDER BY
            CASE status WHEN 'ok' THEN 0 WHEN 'unstable' THEN 1 ELSE 2 END,
            protocol_version DESC,
            CASE purpose WHEN 'primary' THEN 0 ELSE 1 END,
            id DESC
    ) AS place
    FROM measurement
) AS ranked
JOIN measurement ON measurement.id = ranked.id
JOIN workload ON workload.id = measurement.workload_id
JOIN target ON target.id = measurement.target_id
JOIN device ON device.id = target.device_id
WHERE ranked.place = 1
"""

NETWORK_LATENCY = """
CREATE VIEW network_latency AS
SELECT
    latency.device AS device,
    latency.target AS target,
    architecture.key AS architecture_key,
    {branches} AS branches,
    latency.height AS height,
    latency.width AS width,
    latency.latency_ms AS latency_ms,
    latency.half_width AS half_width,
    latency.status AS status,
    latency.metric AS metric,
    workload.macs AS macs,
    workload.conv_macs AS conv_macs,
    workload.parameters AS parameters,
    latency.measured_at AS measured_at,
    latency.run_id AS run_id,
    latency.measurement_id AS measurement_id,
    architecture.document AS architecture
FROM architecture
JOIN workload ON workload.id = architecture.workload_id
JOIN latency ON latency.workload_key = workload.key
"""

BRANCHES = {
    "sqlite": "json_array_length(architecture.document, '$.branches')",
    "postgresql": "json_array_length(architecture.document -> 'branches')",
}


def upgrade() -> None:
    op.execute(LATENCY)
    op.execute(NETWORK_LATENCY.format(branches=BRANCHES[op.get_bind().dialect.name]))
