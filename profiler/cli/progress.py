"""Progress bars on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@dataclass
class ConsoleProgress:
    """Shows a phase as a bar with the time left."""

    bars: Progress
    task: TaskID | None = field(default=None)

    def begin(self, phase: str, total: int) -> None:
        """Show a new bar."""
        self.task = self.bars.add_task(phase, total=total)

    def advance(self, count: int) -> None:
        """Move the latest bar."""
        if self.task is not None:
            self.bars.advance(self.task, count)


@contextmanager
def console_progress(console: Console) -> Iterator[ConsoleProgress]:
    """Bars while the block runs, if anybody sees them."""
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bars:
        yield ConsoleProgress(bars)
