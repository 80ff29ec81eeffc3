"""The configuration of a night. Everything but the names of targets has a default; `config_file.py` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from hyctas.architecture import ArchitectureDefaults

Occasion = Literal["regression", "failure", "quiet"]
Version = Literal["runtime", "driver", "firmware", "hyctas"]


@dataclass(frozen=True, slots=True)
class JudgingConfig:
    """When a night calls a canary slower.

    Attributes:
        false_alarms: Share of quiet nights on which anything at all may be called slower by mistake.
        screen: Probability (p-value) under which a canary is looked at again, in new processes.
        witnesses: Processes that measure all canaries each night.
        second_look: Processes of a second look.
        history: Nights without which nothing is judged.
        window: Nights of history that count, the latest ones.
    """

    false_alarms: float = 0.01
    screen: float = 0.1
    witnesses: int = 3
    second_look: int = 8
    history: int = 10
    window: int = 30


@dataclass(frozen=True, slots=True)
class CanaryConfig:
    """How many workloads are measured each night; see :func:`profiler.nightly.canaries.choose_canaries`."""

    operators: int = 12
    networks: int = 2


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """One target of a night.

    Attributes:
        name: Target; the device may be left out if it is this machine's.
        settings: Space and sizes of what is measured.
        canaries: What is measured every night.
        operators: Whether every operator of the space is to be measured.
        networks: Sampled networks that are to be measured.
        depth: Most cells of a branch.
        seed: Of the samples.
        since: Nights before this day are no history: set it once a change of speed is accepted.
        build_limit_s: Seconds that the build of one engine may take; None takes the default of the device.
        train: Whether the predictor is trained again.
    """

    name: str
    settings: ArchitectureDefaults = field(default_factory=ArchitectureDefaults)
    canaries: CanaryConfig = field(default_factory=CanaryConfig)
    operators: bool = False
    networks: int = 0
    depth: int = 16
    seed: int = 0
    since: date | None = None
    build_limit_s: float | None = None
    train: bool = True


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """When a predictor is registered.

    Attributes:
        models: Folder of model artifacts.
        tolerance: Share by which its mean error on held-out networks may exceed that of the newest one.
    """

    models: Path = Path("models")
    tolerance: float = 0.05


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Who is told how a night ended.

    Attributes:
        url: Where the report's JSON is posted; empty for nowhere.
        url_from: Environment variable that holds the URL instead, since it may be a secret.
        on: What is told: regressions, failures, quiet nights.
        timeout_s: Seconds that one of three tries may take.
    """

    url: str = ""
    url_from: str = ""
    on: tuple[Occasion, ...] = ("regression", "failure")
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """What is forgotten.

    Attributes:
        rounds_days: Raw rounds of canaries older than this are dropped; latencies stay. None keeps everything.
        reports_days: Reports older than this are deleted. None keeps all.
    """

    rounds_days: int | None = None
    reports_days: int | None = None


@dataclass(frozen=True, slots=True)
class NightConfig:
    """What a night does.

    Attributes:
        targets: Where it measures.
        database: Database URL.
        reports: Folder of reports.
        budget_minutes: Minutes after which nothing new is begun.
        stale: Changes of which a measurement is stale.
        judging: When a canary is called slower.
        training: When a predictor is registered.
        webhook: Who is told.
        retention: What is forgotten.
    """

    targets: tuple[TargetConfig, ...]
    database: str = "sqlite:///hyctas.db"
    reports: Path = Path("nightly")
    budget_minutes: float = 120.0
    stale: tuple[Version, ...] = ("runtime", "driver", "firmware", "hyctas")
    judging: JudgingConfig = field(default_factory=JudgingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    webhook: WebhookConfig = field(default_factory=WebhookConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
