"""Which process wrote a run, and whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, told apart from a later one with the same pid.

    Attributes:
        host: Name of its host (in a container: of the container).
        boot_id: The host's boot; empty where the system does not tell.
        pid: Its pid.
        process_start: When it started, as the system counts; empty where the system does not tell.
    """

    host: str
    boot_id: str
    pid: int
    process_start: str

    @property
    def surely_ended(self) -> bool:
        """Whether the process is known to be gone; one of another host never is."""
        here = current_process()
        if self.host != here.host:
            return False
        if self.boot_id != here.boot_id:
            return True
        return not _exists(self.pid) or _start_of(self.pid) != self.process_start


def current_process() -> ProcessIdentity:
    """The identity of this process."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), _read(Path("/proc/sys/kernel/random/boot_id")), pid, _start_of(pid))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start_of(pid: int) -> str:
    """Start of a process in ticks since boot: field 22 of its ``stat``; the name before may hold spaces."""
    after_name = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return after_name[19] if len(after_name) > 19 else ""


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
