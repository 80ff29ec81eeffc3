"""What is left to measure on a target after its canaries: what is missing, stale or unstable, in this order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hyctas.measurement import Status
from profiler.nightly.config import Version
from profiler.plan import PlannedWorkload

FACTS: Final[Mapping[Version, tuple[str, ...]]] = MappingProxyType(
    {
        "runtime": ("onnxruntime", "openvino", "torch", "tensorrt", "tensorrt-rtx", "provider", "cuda", "cudnn"),
        "driver": ("gpu driver", "cuda_driver"),
        "firmware": ("microcode", "bios", "gpu vbios"),
        "hyctas": ("hyctas",),
    }
)
"""Names in the environment of a measurement that say which version was at work."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a workload.

    Attributes:
        status: How its measurements ended; ``ok`` if one did.
        environment: Versions of the one that counts; empty where none is ``ok``.
    """

    status: Status
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be measured, by why.

    Attributes:
        missing: Was never measured.
        stale: Was measured under other versions.
        unstable: Never settled.
    """

    missing: tuple[PlannedWorkload, ...]
    stale: tuple[PlannedWorkload, ...]
    unstable: tuple[PlannedWorkload, ...]

    def by_reason(self) -> Mapping[str, tuple[PlannedWorkload, ...]]:
        """The same by name, what matters most first."""
        return {"missing": self.missing, "stale": self.stale, "unstable": self.unstable}


def work_of(
    plan: Sequence[PlannedWorkload],
    known: Mapping[str, Known],
    environment: Mapping[str, str],
    stale: Collection[Version],
) -> Work:
    """Sort a plan by what is known of it; what failed before is left alone, as everywhere.

    Args:
        plan: What is wanted.
        known: What is stored, by workload key.
        environment: Of tonight's measurements.
        stale: Changes of which a measurement is stale.
    """
    missing = tuple(item for item in plan if item.key not in known)
    unstable = tuple(item for item in plan if item.key in known and known[item.key].status == "unstable")
    measured = (item for item in plan if item.key in known and known[item.key].status == "ok")
    old = tuple(item for item in measured if changed(known[item.key].environment, environment, stale))
    return Work(missing, old, unstable)


def changed(
    before: Mapping[str, str], now: Mapping[str, str], kinds: Collection[Version]
) -> Mapping[str, tuple[str, str]]:
    """What changed, by name of the fact: its value before and now. A fact that one side lacks tells nothing."""
    names = [name for kind, of_kind in FACTS.items() if kind in kinds for name in of_kind]
    both = [name for name in names if name in before and name in now]
    return {name: (before[name], now[name]) for name in both if before[name] != now[name]}
