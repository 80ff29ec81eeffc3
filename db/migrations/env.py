"""Run migrations on the connection that :mod:`db.migrating` hands over, or on ``alembic -x db=URL``."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from db.engine import DEFAULT_URL, open_engine, parse_url
from db.migrating import METADATA, VERSION_TABLE


def run(connection: Connection) -> None:
    """Run the migrations that Alembic was asked for, inside the caller's transaction."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


if (handed_over := context.config.attributes.get("connection")) is not None:
    run(handed_over)
else:
    url = parse_url(context.get_x_argument(as_dictionary=True).get("db", DEFAULT_URL))
    with open_engine(url).begin() as own:
        run(own)
