"""Processes in namespaces of their own, on a root that holds nothing but an image."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from benchmarks.images.enter import Entry, cleared, dropped
from benchmarks.images.root import BaseSystem

PROGRAMS: Final = ("unshare", "nsenter", "mount", "setpriv")
TMPFS: Final = "mode=1777,nosuid,nodev,noexec"
"""How Docker mounts a ``tmpfs`` that says nothing else."""
START_LIMIT_S: Final = 30.0
STOP_LIMIT_S: Final = 30.0
ROOT: Final = "0:0"


def why_not_here() -> str | None:
    """Why no container can be made on this machine, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "containers are made from Linux namespaces by root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} of util-linux are not installed"
    trial = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True, text=True)
    return None if trial.returncode == 0 else f"no namespaces here: {trial.stderr.strip()}"


@dataclass(frozen=True)
class Container:
    """What runs, and what it may see.

    Attributes:
        system: Whose programs are mounted.
        root: The image's own files.
        environment: All of it.
        identity: ``UID:GID``; root keeps its privileges, as in a build.
        folder: Working directory.
        read_only: Whether the root may not be written.
        tmpfs: Mount options by path.
        binds: ``(source, path, read_only)``.
        network: The process whose network it shares; None for one of its own, which is empty.
    """

    system: BaseSystem
    root: Path
    environment: Mapping[str, str]
    identity: str = ROOT
    folder: str = "/"
    read_only: bool = False
    tmpfs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    binds: Sequence[tuple[Path, str, bool]] = ()
    network: int | None = None

    def line(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command in it."""
        entry = Entry(
            root=str(self.root),
            programs=[(str(source), path) for source, path in self.system.mounts],
            binds=[(str(source), path, read_only) for source, path, read_only in self.binds],
            tmpfs=list(self.tmpfs.items()),
            read_only=self.read_only,
            identity=self.identity,
            privileged=self.identity == ROOT,
            folder=self.folder,
            environment=self.environment,
            command=list(command),
        )
        joined = [] if self.network is None else ["nsenter", f"--net=/proc/{self.network}/ns/net", "--"]
        own = [] if self.network is not None else ["--net"]
        unshared = ["unshare", "--mount", "--pid", "--ipc", "--uts", *own, "--fork", "--kill-child", "--"]
        inside = [sys.executable, "-P", "-m", "benchmarks.images.enter", json.dumps(dataclasses.asdict(entry))]
        return [*joined, *unshared, *inside]

    def run(self, command: Sequence[str], *, limit_s: float, log: IO[str]) -> int:
        """Run a command to its end; returns its exit code."""
        with self.running(command, log=log) as running:
            return running.process.wait(limit_s)

    @contextmanager
    def running(self, command: Sequence[str], *, log: IO[str]) -> Iterator[Running]:
        """Start a command; at the end it gets SIGTERM, and what is left of it is killed."""
        process = subprocess.Popen(
            self.line(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_own_environment()
        )
        try:
            yield Running(self, process, log)
        finally:
            _end(process)


@dataclass(frozen=True)
class Running:
    """A container at work.

    Attributes:
        container: What it was started from.
        process: The process outside that waits for it.
        log: What it prints.
    """

    container: Container
    process: subprocess.Popen[bytes]
    log: IO[str]

    @property
    def pid(self) -> int:
        """Its first process, as this system numbers it.

        Raises:
            TimeoutError: It has not started.
        """
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s and self.process.poll() is None:
            for first in _children(self.process.pid):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{first}/root") != "/":
                        return first
            time.sleep(0.02)
        raise TimeoutError(f"the container did not start within {START_LIMIT_S:g} s")

    def inside(self, command: Sequence[str], *, limit_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command in it as its user, as ``docker exec`` and health checks do."""
        container = self.container
        line = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--ipc", "--uts", "--root", "--wd"]
        as_user = dropped(container.identity, container.identity == ROOT)
        return subprocess.run(
            [*line, "--", *as_user, *cleared(container.environment), *command],
            capture_output=True,
            text=True,
            timeout=limit_s,
            stdin=subprocess.DEVNULL,
        )

    def stop(self, *, limit_s: float = STOP_LIMIT_S) -> int:
        """Send SIGTERM and wait; returns the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(limit_s)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process of a container, with which the kernel kills all others in it, and whoever waits for it.

    ``unshare --kill-child`` is not enough: the kernel forgets that wish when the container drops its privileges.
    """
    while process.poll() is None:
        for child in _children(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        if not _children(process.pid):
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _own_environment() -> dict[str, str]:
    """The environment of what makes the container, which sees the container's own one only as an argument."""
    top = str(Path(__file__).parents[2])
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "PYTHONPATH": top, "LC_ALL": "C.UTF-8"}
