"""What the quick start is told to do, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hyctas.architecture import ArchitectureDefaults
from hyctas.prediction import Prediction


@dataclass(frozen=True, slots=True)
class QuickstartSettings:
    """What the quick start does.

    Attributes:
        out: Folder for the database, the model, the report and the log.
        target: What to measure; the device may be left out.
        budget_s: Seconds of measuring, shared out over the steps.
        networks: Everything about the networks but their branches.
        training_networks: Most networks to learn from.
        held_out_networks: Most networks to score on.
        asked_networks: Networks to ask the server about.
    """

    out: Path = Path("demo")
    target: str = "onnxruntime-fp32-t1"
    budget_s: float = 270.0
    networks: ArchitectureDefaults = field(default=ArchitectureDefaults(height=96, width=192))
    training_networks: int = 120
    held_out_networks: int = 40
    asked_networks: int = 8

    @property
    def database_url(self) -> str:
        """URL of the demo's own database."""
        return f"sqlite:///{self.out / 'hyctas.db'}"

    @property
    def models(self) -> Path:
        """Folder of the model artifacts."""
        return self.out / "models"

    @property
    def report(self) -> Path:
        """The report, in Markdown."""
        return self.out / "report.md"

    @property
    def log(self) -> Path:
        """Every command that was run, with what it printed."""
        return self.out / "quickstart.log"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A network that the model has never seen: predicted over HTTP, then measured.

    Attributes:
        key: The architecture's key.
        branches: Its number of branches.
        predicted: The server's answer.
        measured_s: The measured latency, or None where measuring failed or the budget ended.
        stable: Whether the measurement settled; on a busy machine some do not.
    """

    key: str
    branches: int
    predicted: Prediction
    measured_s: float | None
    stable: bool

    @property
    def error(self) -> float | None:
        """Relative error of the prediction."""
        return None if self.measured_s is None else self.predicted.latency_s / self.measured_s - 1.0


@dataclass(frozen=True, slots=True)
class QuickstartResult:
    """What came of it; documents are the commands' own JSON."""

    target: str
    operators: Mapping[str, Any]
    training: Mapping[str, Any]
    held_out: Mapping[str, Any]
    model: Mapping[str, Any]
    comparisons: tuple[Comparison, ...]
    serve_command: str
