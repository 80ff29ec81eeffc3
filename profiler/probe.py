"""Which targets this machine can measure, and for each runtime that it cannot, why and what to install."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from hyctas.errors import MeasuringError
from hyctas.measurement import Protocol
from hyctas.target import Target, parse_target
from profiler.session import Session, SessionSettings

LOCAL_TARGETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "onnxruntime": ("onnxruntime-fp32-t1",),
        "torch": ("torch-fp32-t1", "torch-fp32-channels-last-t1", "torch-fp32-compiled-t1"),
    }
)
"""The targets that each runtime offers on a CPU, on one thread; other thread counts are other targets."""


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
        for names in LOCAL_TARGETS.values()
        for probed in _probe_runtime([parse_target(n, device=device) for n in names])
    )


def _probe_runtime(targets: list[Target]) -> list[ProbedTarget]:
    """Probe the targets of one runtime; they stand or fall by the first."""
    settings = SessionSettings(targets[0], Protocol(), "none", seed=0)
    try:
        with Session(settings) as session:
            return [ProbedTarget(target, None, session.environment) for target in targets]
    except MeasuringError as error:
        return [ProbedTarget(target, str(error), {}) for target in targets]
