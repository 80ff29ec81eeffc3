"""A clean root file system to stand in for a base image: a system's programs, read-only, and nothing else of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LINKED: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Folders beside ``/usr``, which are links into it since the merge of ``/usr``."""
COPIED: Final = ("ld.so.conf", "ld.so.conf.d", "nsswitch.conf", "login.defs", "ssl", "alternatives")
"""What is kept of ``/etc``."""
PACKAGES: Final = "python3,python3-venv,python3-pip,ca-certificates"
ACCOUNTS: Final = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n",
}


@dataclass(frozen=True)
class BaseSystem:
    """The programs of a system.

    Attributes:
        folder: Where its root is.
        python: The prefix of a Python that is mounted at ``/usr/local``, or None where the system has its own.
        described: What it is, in words.
    """

    folder: Path
    python: Path | None
    described: str

    def make_root(self, root: Path) -> None:
        """Make the folders of a new root, without the programs, which are mounted when it is entered."""
        for name in ("usr", "etc", "tmp", "proc", "dev", "run", "var/tmp", "root", "opt"):
            (root / name).mkdir(parents=True)
        for name in ("tmp", "var/tmp"):
            (root / name).chmod(0o1777)
        for name in LINKED:
            theirs = self.folder / name
            if theirs.is_symlink():
                (root / name).symlink_to(os.readlink(theirs))
            elif theirs.is_dir():
                (root / name).mkdir()
        for name in COPIED:
            theirs = self.folder / "etc" / name
            if theirs.is_dir():
                shutil.copytree(theirs, root / "etc" / name, symlinks=True)
            elif theirs.exists():
                shutil.copyfile(theirs, root / "etc" / name)
        for name, content in ACCOUNTS.items():
            (root / "etc" / name).write_text(content)

    @property
    def mounts(self) -> tuple[tuple[Path, str], ...]:
        """What is mounted read-only, in this order: where it is, and where it goes."""
        beside = [(self.folder / name, name) for name in LINKED if not (self.folder / name).is_symlink()]
        found = [(self.folder / "usr", "usr"), *((path, name) for path, name in beside if path.is_dir())]
        return (*found, *([(self.python, "usr/local")] if self.python is not None else []))


def this_system() -> BaseSystem:
    """The programs of this machine, and the Python that runs this."""
    prefix, version = Path(sys.base_prefix), ".".join(map(str, sys.version_info[:3]))
    return BaseSystem(
        Path("/"), None if prefix == Path("/usr") else prefix, f"this machine's programs, Python {version}"
    )


def debian(cache: Path, release: str = "bookworm") -> BaseSystem:
    """A new Debian with nothing but its smallest set of packages and Python, made once by ``debootstrap`` (minutes)."""
    folder = cache / f"debian-{release}"
    if not folder.exists():
        unfinished = folder.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, str(unfinished)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(folder)
    return BaseSystem(folder, None, f"Debian {release}, minbase, by debootstrap")
