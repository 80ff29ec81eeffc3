"""Where roots are made: in memory where there is room, since an image is tens of thousands of small files."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")


@contextmanager
def working_folder(needed_bytes: int) -> Iterator[Path]:
    """A new folder that everybody may enter, and that is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hyctas-images-", dir=MEMORY if _has_room(needed_bytes) else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(needed_bytes: int) -> bool:
    """Whether memory has twice what is needed, and programs may be run from it."""
    with contextlib.suppress(OSError):
        system = os.statvfs(MEMORY)
        free = min(system.f_bavail * system.f_frsize, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        return free > 2 * needed_bytes and not system.f_flag & os.ST_NOEXEC
    return False
