"""Databases of both kinds, the PostgreSQL one on a server that is started for the tests, and example values."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from db.records import ArchitectureRecord, WorkloadRecord
from db.repository import Repository
from hyctas.measurement import Calibration, Failure, Measurement, Protocol, Round
from hyctas.target import Target, parse_target

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """The socket folder of a PostgreSQL server that ends with the tests."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(programs[-1]) if programs else shutil.which("initdb")
    if found is None:
        missing = "the PostgreSQL server programs (initdb, pg_ctl) are not installed: apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="hyctas-pg-"))
    try:
        with running_server(Path(found).parent, folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_server(programs: Path, folder: Path) -> Iterator[None]:
    """A cluster in `folder`, which refuses to run as root and so runs as another user then."""
    as_user: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL}
    if os.getuid() == 0:
        account = unprivileged_account("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    settings = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=30"
    create = [programs / "initdb", "-D", data, "-U", "hyctas", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(create, check=True, **as_user)
    control = [programs / "pg_ctl", "-D", data, "-w", "-l", log]
    subprocess.run([*control, "-o", settings, "start"], check=True, **as_user)
    try:
        yield
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, **as_user)


def unprivileged_account(preferred: str = "nobody") -> pwd.struct_passwd:
    """A user without rights, for what must not run as root."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(preferred)
    return pwd.getpwnam("nobody")


DATABASE_NUMBERS = itertools.count()


@pytest.fixture
def postgres_url(postgres_socket: Path) -> str:
    """URL of a new, empty PostgreSQL database."""
    import psycopg

    name = f"test_{os.getpid()}_{next(DATABASE_NUMBERS)}"
    with psycopg.connect(host=str(postgres_socket), user="hyctas", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://hyctas@/{name}?host={postgres_socket}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'measured.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """URL of a new database: each test of the contract runs on both kinds."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    found: str = request.getfixturevalue(name)
    return found


class Clock:
    """A clock that goes on by one minute a look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time, one minute after the last."""
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def repository(url: str, target: Target) -> Iterator[Repository]:
    """An open database that knows the target, on both kinds of server."""
    with Repository(url, clock=Clock()) as opened:
        opened.ensure_target(target, {"cpu": "EPYC 7B12"})
        yield opened


@pytest.fixture
def target() -> Target:
    """A one-thread CPU target."""
    return parse_target("epyc-7b12/onnxruntime-fp32-t1")


@pytest.fixture
def calibration(target: Target) -> Calibration:
    """A first calibration of the target."""
    return Calibration(
        target=target,
        version=1,
        compute_reference_s=0.005,
        memory_reference_s=0.002,
        normaliser="compute",
        process_error={"none": 0.2, "compute": 0.013, "memory": 0.05, "mean": 0.03},
        reference_id="numpy-1",
        processes=3,
    )


def a_workload(key: str, **changes: Any) -> WorkloadRecord:
    """An operator workload (or a network, if `changes` say so) with that key."""
    values: dict[str, Any] = {
        "key": key,
        "kind": "operator",
        "operator": "conv",
        "description": {"kind": "conv", "in_channels": [12]},
        "height": 48,
        "width": 96,
        "c_in": 12,
        "c_out": 24,
        "stride": 2,
        "macs": 11_943_936_000,
        "conv_macs": 11_943_936_000,
        "parameters": 2_640,
        "bytes_moved": 304_128,
        "peak_activation_bytes": 331_776,
    }
    return WorkloadRecord(**{**values, **changes})


def a_network(key: str) -> tuple[WorkloadRecord, ArchitectureRecord]:
    """A network workload ``n-KEY`` and the architecture ``a-KEY`` that lowers to it."""
    workload = a_workload(
        f"n-{key}", kind="network", operator="network", height=192, width=384, c_in=3, c_out=19, stride=None
    )
    branches = [{"cells": [{"op": "conv", "width": 6, "down": False}]}] * 2
    return workload, ArchitectureRecord(f"a-{key}", workload.key, {"version": 1, "branches": branches})


def a_measurement(workload_key: str, target: Target, *, process: str = "p1", **changes: Any) -> Measurement:
    """A measurement of five equal rounds (so ``ok``): 3 ms beside a compute reference of 6 ms."""
    round_ = Round((0.003, 0.0031, 0.0029), (0.006, 0.006), (0.002, 0.002), 0.99, 2.25e9)
    values: dict[str, Any] = {
        "workload_key": workload_key,
        "target": target,
        "rounds": (round_,) * 5,
        "call_floor_s": 1.2e-05,
        "protocol": Protocol(),
        "environment": {"onnxruntime": "1.32.0", "host": "laboratory"},
        "process_id": process,
    }
    return Measurement(**{**values, **changes})


@pytest.fixture
def workload() -> Callable[..., WorkloadRecord]:
    """See :func:`a_workload`."""
    return a_workload


@pytest.fixture
def network() -> Callable[[str], tuple[WorkloadRecord, ArchitectureRecord]]:
    """See :func:`a_network`."""
    return a_network


@pytest.fixture
def measured(target: Target) -> Callable[..., Measurement]:
    """See :func:`a_measurement`; bound to the target."""
    return lambda key, **changes: a_measurement(key, target, **changes)


@pytest.fixture
def unsettled() -> tuple[Round, ...]:
    """Rounds too far apart for an ``ok`` measurement."""
    times = (0.003, 0.004, 0.006, 0.009, 0.003)
    return tuple(Round((time,), (0.006,), (0.002,), 0.99) for time in times)


@pytest.fixture
def crash() -> Failure:
    """A failure."""
    return Failure("crash", "signal 11 while it ran")
