"""Who measures when, seen from outside: the processes of the system, looked at every few milliseconds."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOK_S: Final = 0.02
_SUBREAPER: Final = 36


@dataclass
class Observer:
    """Counts measuring processes that are alive at once among the descendants of this process.

    Orphans stay descendants: this process adopts them.

    Attributes:
        mark: What the command line of a measuring process holds.
        looks: How often it looked.
        busy: How often somebody measured then.
        most: The most at once.
        overlaps: Pids that were seen alive at once.
    """

    mark: bytes = b"profiler.worker"
    looks: int = 0
    busy: int = 0
    most: int = 0
    overlaps: set[tuple[int, ...]] = field(default_factory=set)
    _ended: bool = False

    def __enter__(self) -> Self:
        """Begin to look."""
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        self._thread = threading.Thread(target=self._look, daemon=True, name="observer")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop looking."""
        self._ended = True
        self._thread.join()
        ctypes.CDLL(None).prctl(_SUBREAPER, 0, 0, 0, 0)

    def measuring(self) -> tuple[int, ...]:
        """Pids of the processes that measure now."""
        return tuple(sorted(pid for pid in descendants(os.getpid()) if self._measures(pid)))

    def measures_under(self, pid: int) -> bool:
        """Whether a descendant of that process measures now."""
        return any(self._measures(found) for found in descendants(pid))

    def _look(self) -> None:
        while not self._ended:
            alive = self.measuring()
            self.looks += 1
            self.busy += bool(alive)
            self.most = max(self.most, len(alive))
            if len(alive) > 1:
                self.overlaps.add(alive)
            time.sleep(LOOK_S)

    def _measures(self, pid: int) -> bool:
        try:
            if self.mark not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return False
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False


def descendants(pid: int) -> list[int]:
    """Children of a process, and theirs; in the middle of a change some may be missing."""
    found = []
    for thread in _names(Path(f"/proc/{pid}/task")):
        try:
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *descendants(child)]
    return found


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
