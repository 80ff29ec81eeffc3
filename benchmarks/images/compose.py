"""The compose file done without an engine: its services as containers that share one network."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

import yaml

from benchmarks.fleet.postgres_server import server_programs
from benchmarks.images.build import BASE_PATH, Image
from benchmarks.images.container import TMPFS, Container, Running
from benchmarks.images.root import BaseSystem, this_system

SECRETS: Final = "/run/secrets"
HEALTHY_LIMIT_S: Final = 240.0
_DEFAULT: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
_POSTGRES: Final = """
set -e
PATH={programs}:$PATH
initdb --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --auth scram-sha-256 --encoding UTF8 --no-sync
postgres --single -D "$PGDATA" postgres >/dev/null <<END
CREATE DATABASE $POSTGRES_DB
END
echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
exec postgres -c listen_addresses='*' -c fsync=off
"""
"""What the entry point of the PostgreSQL image does with these variables."""


class Unhealthy(Exception):
    """A service ended or did not become healthy in time; the log says why."""


@dataclass
class Stack:
    """The services that were started.

    Attributes:
        file: The compose file.
        images: Built images by target.
        system: Stands in for the base image.
        folder: Where volumes and secrets are.
        log: Where services write to.
    """

    file: Path
    images: Mapping[str, Image]
    system: BaseSystem
    folder: Path
    log: IO[str]
    running: dict[str, Running] = field(default_factory=dict)
    _ends: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        """Read the file."""
        document = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        self.services: Mapping[str, Mapping[str, Any]] = with_defaults(document["services"])

    def __enter__(self) -> Stack:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all services."""
        self._ends.close()

    def start(self, name: str) -> Running:
        """Start a service; the first one makes the network of all.

        Raises:
            Unhealthy: It did not become healthy.
        """
        container, command = self._postgres() if name == "postgres" else self._ours(name)
        self.running[name] = self._ends.enter_context(container.running(command, log=self.log))
        self._wait_until_healthy(name)
        return self.running[name]

    def run(self, name: str, command: Sequence[str], *, limit_s: float = 600.0) -> int:
        """Run another command in a new container of a service, as ``docker compose run`` does."""
        container, _ = self._ours(name)
        return container.run([*self._image(name).entrypoint, *command], limit_s=limit_s, log=self.log)

    def healthy(self, name: str) -> bool:
        """Whether the health check passes now."""
        given = self.services[name].get("healthcheck")
        command = self._image(name).health_check if given is None else given["test"][1:]
        assert command is not None
        return self.running[name].inside(command).returncode == 0

    def _wait_until_healthy(self, name: str) -> None:
        deadline_s = time.monotonic() + HEALTHY_LIMIT_S
        while not self._answers(name):
            if time.monotonic() > deadline_s:
                raise Unhealthy(f"{name} was not healthy within {HEALTHY_LIMIT_S:g} s")
            time.sleep(0.5)

    def _answers(self, name: str) -> bool:
        """Whether a service that has just been started is healthy; it may not have got as far as its check."""
        with contextlib.suppress(TimeoutError):
            if self.healthy(name):
                return True
        if (code := self.running[name].process.poll()) is not None:
            raise Unhealthy(f"{name} ended with exit code {code}")
        return False

    def _image(self, name: str) -> Image:
        return self.images[self.services[name]["build"]["target"]]

    def _ours(self, name: str) -> tuple[Container, Sequence[str]]:
        image, service = self._image(name), self.services[name]
        container = self._container(name, image.root, image.environment, image.folder)
        entry = tuple(service.get("entrypoint", image.entrypoint))
        default = () if "entrypoint" in service else image.command[len(image.entrypoint) :]
        return container, (*entry, *service.get("command", default))

    def _postgres(self) -> tuple[Container, Sequence[str]]:
        """This machine's PostgreSQL in place of the image's, with the service's settings."""
        programs = server_programs()
        if programs is None:
            raise Unhealthy("the PostgreSQL server programs (initdb, postgres) are not installed")
        root = self.folder / "postgres-root"
        root.mkdir()
        system = this_system()
        system.make_root(root)
        account = "postgres:x:999:999::/var/lib/postgresql:/bin/sh\n"
        (root / "etc/passwd").write_text((root / "etc/passwd").read_text() + account)
        environment = {"PATH": f"{programs}:{BASE_PATH}", "PGDATA": "/var/lib/postgresql/data/pgdata", "LC_ALL": "C"}
        container = replace(self._container("postgres", root, environment, "/"), system=system)
        return container, ("/bin/sh", "-c", _POSTGRES.format(programs=programs))

    def _container(self, name: str, root: Path, environment: Mapping[str, str], folder: str) -> Container:
        service = self.services[name]
        hosts = "".join(f"127.0.0.1 {host}\n" for host in ("localhost", *self.services))
        (root / "etc/hosts").write_text(hosts)
        user, _, group = service["user"].partition(":")
        volumes = [self._volume(text, int(user), int(group)) for text in service.get("volumes", ())]
        secrets = [(self.folder / "secrets" / each, f"{SECRETS}/{each}", True) for each in service.get("secrets", ())]
        first = next(iter(self.running.values()), None)
        return Container(
            self.system,
            root,
            {**environment, **service.get("environment", {})},
            service["user"],
            folder,
            read_only=service["read_only"],
            tmpfs=dict(map(_tmpfs, service["tmpfs"])),
            binds=[*volumes, *secrets],
            network=None if first is None else first.pid,
        )

    def _volume(self, text: str, user: int, group: int) -> tuple[Path, str, bool]:
        """A named volume, which belongs to whom its folder in the image does; or a file beside the compose file."""
        source, path, *mode = text.split(":")
        if source.startswith("."):
            return (self.file.parent / source).resolve(), path, "ro" in mode
        folder = self.folder / "volumes" / source
        if not folder.exists():
            folder.mkdir(parents=True)
            os.chown(folder, user, group)
        return folder, path, "ro" in mode


def with_defaults(value: Any) -> Any:
    """What a compose file says, with ``${NAME:-DEFAULT}`` replaced by the default everywhere."""
    if isinstance(value, dict):
        return {key: with_defaults(each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_defaults(each) for each in value]
    return _DEFAULT.sub(r"\1", value) if isinstance(value, str) else value


def _tmpfs(text: str) -> tuple[str, str]:
    path, _, options = text.partition(":")
    return path, ",".join(filter(None, (TMPFS, options)))
