"""Evaluations that go wrong on purpose, for processes to import.

What happens to which network stands in the folder of the job's supernet: its key, and ``once`` or ``always``.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from hyctas.architecture import Architecture
from search.evaluation.job import EvaluationJob, Result
from search.evaluation.quality import Fidelity, Quality

PLAN = "deadly.txt"
MARK = "died"


def plan_death(folder: Path, architecture: Architecture, how: str) -> None:
    """Let the process die that evaluates `architecture`, the first time or each time."""
    (folder / PLAN).write_text(f"{architecture.key} {how}")


def deadly(job: EvaluationJob, architecture: Architecture, fidelity: Fidelity) -> Result:
    """A quality that follows from the key, unless this network is the one that kills."""
    folder = Path(job.supernet)
    key, _, how = (folder / PLAN).read_text().partition(" ")
    if key == architecture.key and (how == "always" or not (folder / MARK).exists()):
        (folder / MARK).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return Quality(int(architecture.key[:8], 16) / 2**32, ())


def endless(job: EvaluationJob, architecture: Architecture, fidelity: Fidelity) -> Result:
    """Write down who works, and never end."""
    Path(job.supernet, f"{os.getpid()}.pid").touch()
    while True:
        time.sleep(1.0)
