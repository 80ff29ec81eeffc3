"""Every command of ``hyctas``: which module registers it, and its line in ``hyctas --help``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class CommandSource:
    """Where a command comes from.

    Attributes:
        module: A composition root with a function ``register(app: typer.Typer) -> None``.
        summary: One line for the list of commands, which is printed without importing `module`.
    """

    module: str
    summary: str


COMMANDS: Final[Mapping[str, CommandSource]] = MappingProxyType(
    {
        "targets": CommandSource("profiler.cli", "List what this machine can measure, and why not the rest."),
        "arch": CommandSource("hyctas.cli", "Show, sample and export architectures."),
        "profile": CommandSource("profiler.cli", "Measure operators or whole networks on this machine."),
        "measurements": CommandSource("db.cli", "List measurements; export and import them."),
        "onboard": CommandSource(
            "profiler.cli.onboarding", "Take a target from nothing to a usable predictor in one command."
        ),
        "import": CommandSource("db.cli", "Take in what others measured: tables of operators and networks."),
        "train": CommandSource("predictor.cli", "Learn the latency of a target from its measurements."),
        "evaluate": CommandSource("predictor.cli", "Score a registered model on other measurements."),
        "predict": CommandSource("predictor.cli", "Predict the latency of architectures."),
        "serve": CommandSource("api.cli", "Answer POST /predict over HTTP."),
        "search": CommandSource("search.cli", "Search for networks that are fast and accurate."),
        "worker": CommandSource("profiler.cli.worker", "Measure what a queue asks for, on this machine's targets."),
        "nightly": CommandSource("profiler.cli.nightly", "Measure each night, and report what got slower."),
        "jobs": CommandSource("profiler.cli.jobs", "Fill the queue of a fleet, and see what became of its jobs."),
        "report": CommandSource("search.report.cli", "Write a search as one HTML page."),
        "retrain": CommandSource("search.retraining.cli", "Train one network, and export it with its mIoU."),
        "quickstart": CommandSource("hyctas.cli", "Profile this CPU, train, serve, ask and search, in minutes."),
    }
)

EXTRAS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "torch": "torch",
        "pymoo": "search",
        "PIL": "search",
        "matplotlib": "search",
        "distributed": "fleet",
        "openvino": "openvino",
        "tensorrt": "tensorrt",
        "psycopg": "postgres",
        "psycopg_pool": "fleet",
        "procrastinate": "fleet",
    }
)
"""The extra that installs an optional module."""
