"""Locks between processes of one host: files that the kernel unlocks when their last holder is gone.

They hold even where the network to the database does not. A measuring process inherits the lock of its device, so a
worker that is killed frees the device only when what it had started is gone too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hyctas.errors import MeasuringError

LOCKS_VARIABLE: Final = "HYCTAS_LOCKS"
_FOLDER: Final = "hyctas-locks"
_EVERYBODY: Final = 0o1777


class HostLock:
    """A lock of one name on this host, to take and release any number of times.

    Attributes:
        file: The file that is locked; it says which process had it last.
        descriptor: The open file, for child processes that shall keep what is locked.

    Args:
        folder: Where lock files are; all workers of a host must use the same.
        name: What is locked.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.file = folder / f"{re.sub(r'[^a-z0-9.-]+', '_', name)}.lock"
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):
            folder.chmod(_EVERYBODY)
        self.descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.suppress(PermissionError):
            os.fchmod(self.descriptor, 0o666)

    def take(self) -> bool:
        """Take the lock; False while another process has it.

        Raises:
            MeasuringError: Somebody removed the file, so that others would lock another one.
        """
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not self._is_there():
            raise MeasuringError(f"{self.file}: the lock file was removed while it was in use; start the worker again")
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)
        return True

    def release(self) -> None:
        """Give the lock up."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock up for good; processes that inherited it keep what is locked until they end."""
        os.close(self.descriptor)

    def holder(self) -> str:
        """Pid of the process that took the lock last."""
        return self.file.read_text().strip() or "unknown"

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.file.stat())
        except FileNotFoundError:
            return False


def lock_folder(environment: Mapping[str, str]) -> Path:
    """Where lock files are: ``HYCTAS_LOCKS``, or a folder of all users for temporary files."""
    return Path(environment.get(LOCKS_VARIABLE) or Path(tempfile.gettempdir()) / _FOLDER)
