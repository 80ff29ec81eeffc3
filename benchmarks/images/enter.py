"""Runs inside new namespaces: mounts a root, takes all privileges away that a container shall not have, and starts it.

``python -m benchmarks.images.enter SPEC``, where SPEC is :class:`Entry` as JSON.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1


@dataclass(frozen=True)
class Entry:
    """What is mounted, and what is run.

    Attributes:
        root: The root file system.
        programs: ``(source, path)`` below the root, mounted read-only.
        binds: ``(source, path, read_only)``.
        tmpfs: Path and mount options of each file system in memory.
        read_only: Whether the root itself may not be written.
        identity: ``UID:GID``.
        privileged: Whether it keeps root's capabilities, as the steps of a build do.
        folder: Working directory.
        environment: All of it.
        command: What to run.
    """

    root: str
    programs: Sequence[tuple[str, str]]
    binds: Sequence[tuple[str, str, bool]]
    tmpfs: Sequence[tuple[str, str]]
    read_only: bool
    identity: str
    privileged: bool
    folder: str
    environment: Mapping[str, str]
    command: Sequence[str]


def enter(entry: Entry) -> None:
    """Do it; does not return."""
    root = Path(entry.root)
    _mount("--make-rprivate", "/")
    _mount("--bind", root, root)
    for source, path in entry.programs:
        _bind(Path(source), root / path, read_only=True)
    _devices(root / "dev")
    _mount("--types", "proc", "proc", root / "proc")
    for path in [path for path, _ in entry.tmpfs] + [path for source, path, _ in entry.binds if Path(source).is_dir()]:
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for path in [path for source, path, _ in entry.binds if not Path(source).is_dir()]:
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).touch()
    if entry.read_only:
        _mount("--options", "remount,bind,ro", root)
    for path, options in entry.tmpfs:
        _mount("--types", "tmpfs", "--options", options, "tmpfs", root / path.lstrip("/"))
    for source, path, read_only in entry.binds:
        _bind(Path(source), root / path.lstrip("/"), read_only=read_only)
    _loopback_up()
    os.chroot(root)
    os.chdir(entry.folder)
    os.execv(
        "/usr/bin/setpriv", [*dropped(entry.identity, entry.privileged), *cleared(entry.environment), *entry.command]
    )


def dropped(identity: str, privileged: bool) -> list[str]:
    """``setpriv`` as user and group: without any capability, now and later, unless privileged."""
    user, _, group = identity.partition(":")
    command = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]
    none = ["--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"]
    return [*command, *([] if privileged else none), "--"]


def cleared(environment: Mapping[str, str]) -> list[str]:
    """``env`` with this environment and nothing else."""
    return ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environment.items())]


def _devices(folder: Path) -> None:
    _mount("--types", "tmpfs", "--options", "mode=755,size=64k,nosuid", "tmpfs", folder)
    for name in DEVICES:
        (folder / name).touch()
        _mount("--bind", Path("/dev") / name, folder / name)
    (folder / "shm").mkdir()
    _mount("--types", "tmpfs", "--options", "mode=1777,size=64m,nosuid,nodev,noexec", "tmpfs", folder / "shm")


def _bind(source: Path, target: Path, *, read_only: bool) -> None:
    _mount("--rbind", source, target)
    if read_only:
        _mount("--options", "remount,bind,ro", target)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def _loopback_up() -> None:
    """Bring up the loopback interface, which is down in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


if __name__ == "__main__":
    enter(Entry(**json.loads(sys.argv[1])))
