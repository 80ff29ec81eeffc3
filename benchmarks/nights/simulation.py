"""Nights made of real processes: the flow of the command, with a bench that deals out what was collected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

import numpy as np

from benchmarks.nights.collection import SETTINGS, Process, canaries
from hyctas.measurement import NORMALISERS, Normaliser
from hyctas.target import parse_target
from profiler.calibration import choose_normaliser
from profiler.nightly.config import JudgingConfig, NightConfig, TargetConfig
from profiler.nightly.night import NightRun, NightTarget
from profiler.nightly.report import Filled, TargetReport, Trained
from profiler.nightly.sightings import Sighting

TARGET: Final = "collected/onnxruntime-fp32-t1"
TONIGHT: Final = "tonight"
Slow = Literal["nothing", "operator", "machine", "runtime"]


@dataclass(frozen=True, slots=True)
class SlowDown:
    """What is slower tonight.

    Attributes:
        what: Nothing, one operator, the whole machine (its references too), or the runtime (references not).
        share: By how much.
        operator: Name of the operator.
    """

    what: Slow = "nothing"
    share: float = 0.0
    operator: str = ""


@dataclass
class Dealer:
    """Bench and records of simulated nights of one target.

    Attributes:
        nights: Processes of earlier nights.
        first: Processes of tonight's first look.
        second: Processes of its second look.
        normaliser: What latencies are normalised by.
        slow_down: What is slower tonight.
        looks: Looks that were asked for.
    """

    nights: Sequence[Sequence[Process]]
    first: Sequence[Process]
    second: Sequence[Process]
    normaliser: Normaliser
    slow_down: SlowDown
    looks: set[int] = field(default_factory=set)

    def look(self, target: NightTarget, look: int, processes: int) -> int:
        """Deal the processes of a look."""
        assert processes == len((self.first, self.second)[look - 1])
        self.looks.add(look)
        return 0

    def fill(self, target: NightTarget, environment: Mapping[str, str]) -> Filled:
        """Nothing else is measured."""
        return Filled()

    def train(self, target: NightTarget) -> Trained | None:
        """Nothing is learned."""
        return None

    def sightings(self, target: NightTarget) -> Sequence[Sighting]:
        """What the processes dealt so far saw."""
        found = [
            seen
            for number, night in enumerate(self.nights)
            for place, process in enumerate(night)
            for seen in self._of(target, process, f"night {number}", 1, f"{number}-{place}", SlowDown())
        ]
        for look in sorted(self.looks):
            for place, process in enumerate((self.first, self.second)[look - 1]):
                found += self._of(target, process, TONIGHT, look, f"tonight-{look}-{place}", self.slow_down)
        return found

    def slower(self, target: NightTarget) -> Mapping[str, Collection[str]]:
        """Earlier nights were quiet."""
        return {}

    def environments(self, target: NightTarget) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Nothing changed."""
        return {}, {}

    def notes(self, target: NightTarget) -> Sequence[str]:
        """Nothing was left out."""
        return ()

    def _of(
        self, target: NightTarget, process: Process, night: str, look: int, name: str, slow: SlowDown
    ) -> list[Sighting]:
        found = []
        for key, canary in target.names.items():
            if (seen := process.seen.get(canary)) is None:
                continue
            alone = slow.what == "runtime" or (slow.what == "operator" and slow.operator == canary)
            everything = slow.what == "machine"
            on_ratio = 1.0 + slow.share * (alone or (everything and self.normaliser == "none"))
            ratio = seen.ratios[self.normaliser] * on_ratio
            reference_s = seen.wall_s / seen.ratios[self.normaliser] * (1.0 + slow.share * everything)
            found.append(Sighting(night, look, name, key, ratio, None if self.normaliser == "none" else reference_s))
        return found


@dataclass(frozen=True)
class Stage:
    """Where nights are simulated.

    Attributes:
        target: The target.
        processes: All that were collected.
        normaliser: What a calibration on them would choose.
        config: How nights judge.
        nights: Earlier nights of each simulated one.
    """

    target: NightTarget
    processes: Sequence[Process]
    normaliser: Normaliser
    config: NightConfig
    nights: int

    @property
    def needed(self) -> int:
        """Processes of one simulated night with its history."""
        judging = self.config.judging
        return (self.nights + 1) * judging.witnesses + judging.second_look

    def night(self, order: Sequence[int], slow_down: SlowDown) -> TargetReport:
        """Simulate a night of the processes with these numbers, no process twice."""
        judging, dealt = self.config.judging, [self.processes[number] for number in order]
        per_night = judging.witnesses
        nights = [dealt[start : start + per_night] for start in range(0, self.nights * per_night, per_night)]
        first = dealt[self.nights * per_night : (self.nights + 1) * per_night]
        second = dealt[(self.nights + 1) * per_night : self.needed]
        dealer = Dealer(nights, first, second, self.normaliser, slow_down)
        (report,) = NightRun(TONIGHT, [self.target], self.config, dealer, dealer).run()
        return report


def stage_of(processes: Sequence[Process], judging: JudgingConfig, nights: int) -> Stage:
    """The stage for these processes."""
    config = TargetConfig(TARGET, SETTINGS, train=False)
    target = NightTarget(parse_target(TARGET), config, canaries())
    return Stage(target, processes, normaliser_of(processes), NightConfig((config,), judging=judging), nights)


def normaliser_of(processes: Sequence[Process]) -> Normaliser:
    """The reference under which canaries differ least between processes, chosen as a calibration chooses."""
    names = [name for name in processes[0].seen if all(name in process.seen for process in processes)]
    return choose_normaliser({each: _error(processes, names, each) for each in NORMALISERS})


def _error(processes: Sequence[Process], names: Sequence[str], normaliser: Normaliser) -> float:
    values = np.array([[process.seen[name].ratios[normaliser] for name in names] for process in processes])
    centres = np.array([median(column) for column in values.T])
    return float(np.mean(1.4826 * np.median(np.abs(values - centres), axis=0) / centres))
