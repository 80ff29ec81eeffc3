"""A PostgreSQL server of its own for what is to be shown or tested: started, stopped and cut at will."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg


def server_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``, or None where PostgreSQL is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = str(programs[-1]) if programs else shutil.which("initdb")
    return None if found is None else Path(found).parent


@dataclass
class PostgresServer:
    """A cluster in a folder, which listens on the loopback interface.

    Attributes:
        programs: Where the server's programs are.
        folder: Where the cluster is.
        port: Where it listens.
    """

    programs: Path
    folder: Path
    port: int = field(default_factory=lambda: free_port())

    def create(self) -> None:
        """Make the cluster; as another user if this is root, since the server refuses root."""
        if os.getuid() == 0:
            account = _account()
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        options = ["-U", "hyctas", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        self._run([self.programs / "initdb", "-D", self._data, *options])

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = f"-k {self.folder} -c listen_addresses=127.0.0.1 -p {self.port} -c fsync=off -c max_connections=60"
        self._run([*self._control, "-w", "-l", self.folder / "log", "-o", settings, "start"])

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: ``immediate`` as if the machine died, ``fast`` in order."""
        self._run([*self._control, "-m", mode, "stop"])

    def url(self, database: str, port: int | None = None) -> str:
        """Address of a database, perhaps through another port."""
        return f"postgresql://hyctas@127.0.0.1:{port or self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database; returns its address."""
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def cut_connections(self, database: str) -> int:
        """End all connections to a database from the server's side; returns how many."""
        ended = self.execute(
            f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}'"
        )
        return int(ended[0][0])

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the owner; returns its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _control(self) -> list[str | Path]:
        return [self.programs / "pg_ctl", "-D", self._data]

    def _run(self, command: list[str | Path]) -> None:
        as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            account = _account()
            as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **as_user)


@contextlib.contextmanager
def postgres_server(programs: Path) -> Iterator[PostgresServer]:
    """A new server, which ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="hyctas-pg-"))
    try:
        server = PostgresServer(programs, folder)
        server.create()
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _account() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")
