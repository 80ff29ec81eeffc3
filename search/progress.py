"""How long work shows that it goes on: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft

LINE_EVERY_S: Final = 15.0


@dataclass
class StepBars:
    """Progress of one phase after another, each of so many steps.

    Attributes:
        bars: What a terminal shows.
        console: Where lines go.
        terminal: Whether somebody watches; if not, a line now and then stands in for the bar.
        learner: What is trained, in words.
    """

    bars: Progress
    console: Console
    terminal: bool
    learner: str = "training"
    _task: TaskID | None = field(default=None, init=False)
    _name: str = field(default="", init=False)
    _done: int = field(default=0, init=False)
    _total: int = field(default=0, init=False)
    _first: int = field(default=0, init=False)
    _started_s: float = field(default=0.0, init=False)
    _said_s: float = field(default=0.0, init=False)
    _loss: float | None = field(default=None, init=False)

    def phase(self, name: str, total: int, done: int = 0) -> None:
        """Something begins that has so many steps, of which some are done."""
        self._name, self._total, self._done, self._first = name, total, done, done
        self._started_s = self._said_s = time.monotonic()
        self._task = self.bars.add_task(name, total=total, completed=done)

    def step(self, note: str = "") -> None:
        """One more step of the phase."""
        self._done += 1
        if self._task is not None:
            self.bars.update(self._task, advance=1, description=f"{self._name} {note}".strip())
        now_s = time.monotonic()
        if not self.terminal and now_s - self._said_s >= LINE_EVERY_S and self._done < self._total:
            self._said_s = now_s
            left_s = (now_s - self._started_s) / (self._done - self._first) * (self._total - self._done)
            self.say(f"  {self._name}: {self._done} of {self._total}, about {left_s:.0f} s left {note}".rstrip())

    def training(self, steps: int, done: int) -> None:
        """Training begins, or goes on."""
        if done < steps:
            self.phase(self.learner, steps, done)

    def trained(self, loss: float) -> None:
        """One more step; the loss is smoothed for show."""
        self._loss = loss if self._loss is None else 0.95 * self._loss + 0.05 * loss
        self.step(f"loss {self._loss:.3f}")

    def say(self, line: str) -> None:
        """Show a line."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def progress_display() -> Iterator[tuple[Progress, Console, bool]]:
    """What :class:`StepBars` show on, on standard error while the block runs."""
    console, terminal = Console(stderr=True), sys.stderr.isatty()
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeLeft(), console=console, disable=not terminal) as bars:
        yield bars, console, terminal
