"""Packages of lock files, fetched by this machine's pip, which knows its index, into one folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO


def fetch_wheels(locks: Sequence[Path], folder: Path, *, log: IO[str]) -> None:
    """Fetch what the locks name, checked by their checksums.

    Raises:
        subprocess.CalledProcessError: Something cannot be had, or is not what was locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", str(folder)]
    for lock in locks:
        command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "--requirement", str(lock)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
