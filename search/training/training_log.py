"""The log of a training: a line of JSON for each step."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from search.atomic import write_atomically

NAME: Final = "training.jsonl"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What is kept of a step.

    Attributes:
        step: Its number, from 0.
        loss: Mean over its passes, of the process that leads.
        learning_rate: What it used.
        gradient_norm: Length of its gradient before clipping; None where fp16 overflowed, so that it was skipped.
        seconds: How long it took, with waiting for its data.
        architectures: Keys of the networks that it trained.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float | None
    seconds: float
    architectures: tuple[str, ...]


class TrainingLog:
    """The log in a folder. A resumed training goes on in it, with no step missing and none there twice."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def cut(self, step: int) -> None:
        """Drop the lines from `step` on, which are done again, and a line that a kill left half written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            lines = self._path.read_text().splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < step]
            write_atomically(self._path, "".join(kept).encode())

    def add(self, record: StepRecord) -> None:
        """Append a step."""
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")

    def sync(self) -> None:
        """Let everything reach the disk, so that a checkpoint never knows more steps than the log."""
        with self._path.open("a") as file:
            os.fsync(file.fileno())


def read_log(folder: Path) -> list[StepRecord]:
    """The steps in the log of `folder`; none where there is no log."""
    path = folder / NAME
    lines = map(json.loads, path.read_text().splitlines() if path.exists() else [])
    return [StepRecord(**line | {"architectures": tuple(line["architectures"])}) for line in lines]
