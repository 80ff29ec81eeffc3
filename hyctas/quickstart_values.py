"""What the quick start is told to do, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hyctas.architecture import ArchitectureDefaults
from hyctas.prediction import Prediction

DEMO_NETWORKS: Final = ArchitectureDefaults(height=96, width=192, base_channels=8, classes=8)
"""Small enough to train on a CPU in minutes; the classes are those of the drawn street scenes."""


@dataclass(frozen=True, slots=True)
class SearchSize:
    """How much the quick start searches; field by field an option of ``hyctas search``.

    Attributes:
        steps: Updates of the supernet.
        batch_size: Images of an update.
        optimiser: Learns faster than SGD in a training as short as this.
        learning_rate: Its learning rate.
        population: Candidates kept from one generation to the next.
        evaluations: Candidates to score.
        images: Validation images for a candidate.
        processes: Local processes that evaluate.
    """

    steps: int = 400
    batch_size: int = 8
    optimiser: str = "adamw"
    learning_rate: float = 0.002
    population: int = 18
    evaluations: int = 72
    images: int = 32
    processes: int = 2


@dataclass(frozen=True, slots=True)
class QuickstartSettings:
    """What the quick start does.

    Attributes:
        out: Folder for the database, the model, the report and the log.
        target: What to measure; the device may be left out.
        budget_s: Seconds of measuring, shared out over the steps.
        networks: Everything about the networks but their branches.
        depth: Most cells of a branch.
        training_networks: Most networks to learn from.
        held_out_networks: Most networks to score on.
        asked_networks: Networks to ask the server about.
        search: How much to search afterwards; None for not at all.
    """

    out: Path = Path("demo")
    target: str = "onnxruntime-fp32-t1"
    budget_s: float = 300.0
    networks: ArchitectureDefaults = field(default=DEMO_NETWORKS)
    depth: int = 10
    training_networks: int = 120
    held_out_networks: int = 40
    asked_networks: int = 8
    search: SearchSize | None = field(default=SearchSize())

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
    def search_report(self) -> Path:
        """The report of the search, a page."""
        return self.out / "search.html"

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
    search: Mapping[str, Any] | None
    serve_command: str
