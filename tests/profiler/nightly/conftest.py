"""A PostgreSQL server for nights that workers measure."""

from __future__ import annotations

from tests.profiler.fleet.conftest import server as server
