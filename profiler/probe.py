"""Which targets this machine can measure, and for each runtime that it cannot, why and what to install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hyctas.errors import MeasuringError
from hyctas.measurement import Protocol
from hyctas.target import Target, parse_target
from profiler.runtimes import CATALOGUE
from profiler.session import Session, SessionSettings


@dataclass(frozen=True, slots=True)
class ProbedTarget:
    """A target, and whether it can be measured here.

    Attributes:
        target: The target.
        reason: Why not, and what to install; None if it can.
        environment: What its runtime said about itself.
    """

    target: Target
    reason: str | None
    environment: Mapping[str, str] = field(hash=False)


def probe_targets(device: str) -> tuple[ProbedTarget, ...]:
    """Open every runtime in a process of its own."""
    return tuple(
        probed
        for source in CATALOGUE.values()
        for probed in _probe_runtime([parse_target(name, device=device) for name in source.local_targets])
    )


def _probe_runtime(targets: list[Target]) -> list[ProbedTarget]:
    """Probe the targets of one runtime; they stand or fall by the first."""
    settings = SessionSettings(targets[0], Protocol(), "none", seed=0)
    try:
        with Session(settings) as session:
            return [ProbedTarget(target, None, session.environment) for target in targets]
    except MeasuringError as error:
        return [ProbedTarget(target, str(error), {}) for target in targets]
