"""Build variance: how much the latency of one graph differs between engines that were built for it.

A builder times tactics and takes the fastest, so noise in its timing chooses differently each time. A timing cache
hides that, and keeps whatever was chosen first. So a few graphs (canaries) are built several times without the cache,
and the engines of one graph are timed in turn in one process: what differs between them is the build. One more is
built with the cache, as every measurement is, and compared with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from hyctas.graph import Graph
from hyctas.measurement import Failure, Protocol, ratios, relative_half_width, undisturbed
from hyctas.target import Target
from profiler.session import Outcome, ProcessEnded, Session, SessionSettings

DEFAULT_BUILDS: Final = 3

Measure = Callable[[Target, Mapping[str, Graph]], Sequence[Outcome]]
"""Builds an engine for each graph of a mapping, equal graphs too, and times all of them together."""


@dataclass(frozen=True, slots=True)
class Timed:
    """The latency of one engine, or why there is none.

    Attributes:
        latency_s: Median over the rounds.
        half_width: Of its 95 % interval, relative; None where there are too few rounds for one.
        failure: What went wrong.
    """

    latency_s: float | None
    half_width: float | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class BuildVariance:
    """The engines of one canary.

    Attributes:
        name: Of the canary.
        fresh: Those that were built without a timing cache.
        cached: The one that was built with it.
    """

    name: str
    fresh: tuple[Timed, ...]
    cached: Timed

    @property
    def fresh_s(self) -> tuple[float, ...]:
        """Latencies without the cache."""
        return tuple(timed.latency_s for timed in self.fresh if timed.latency_s is not None)

    @property
    def spread(self) -> float | None:
        """Slowest minus fastest build, over their median; None under two builds."""
        found = self.fresh_s
        return (max(found) - min(found)) / median(found) if len(found) > 1 else None

    @property
    def noise(self) -> float | None:
        """What of the spread timing alone may explain: the widest interval of an engine, from end to end."""
        widths = [timed.half_width for timed in self.fresh if timed.half_width is not None]
        return 2.0 * max(widths) if widths else None

    @property
    def cached_excess(self) -> float | None:
        """How much slower the engine from the cache is than the fastest fresh one, relative."""
        if self.cached.latency_s is None or not self.fresh_s:
            return None
        return self.cached.latency_s / min(self.fresh_s) - 1.0

    @property
    def bad_tactic(self) -> bool:
        """Whether the cache seems to hold a bad tactic: slower than all fresh builds, by more than noise."""
        if self.cached.latency_s is None or self.noise is None or not self.fresh_s:
            return False
        return self.cached.latency_s > max(self.fresh_s) * (1.0 + self.noise)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What went wrong, each thing once."""
        return tuple(dict.fromkeys(t.failure for t in (*self.fresh, self.cached) if t.failure is not None))


def build_variance(
    canaries: Mapping[str, Graph],
    measure: Measure,
    *,
    fresh: Target,
    cached: Target,
    builds: int = DEFAULT_BUILDS,
    on_measured: Callable[[str], None] = lambda name: None,
) -> tuple[BuildVariance, ...]:
    """Build and time each canary `builds` times as `fresh`, and once as `cached`.

    Args:
        canaries: Graphs by name.
        measure: What builds and times.
        fresh: The target without a timing cache.
        cached: The same target with one.
        builds: Engines for each canary.
        on_measured: Told the name of each canary when it is done.

    Raises:
        RuntimeUnavailable: The runtime does not open.
    """
    found = []
    for name, graph in canaries.items():
        fresh_outcomes = measure(fresh, {f"{name} build {number}": graph for number in range(1, builds + 1)})
        (cached_outcome,) = measure(cached, {name: graph})
        timed = tuple(_timed(outcome, fresh) for outcome in fresh_outcomes)
        found.append(BuildVariance(name, timed, _timed(cached_outcome, cached)))
        on_measured(name)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class InProcesses:
    """Measures in a new process each time; a process that dies is a failure of all that it was to measure.

    Attributes:
        seed: For weights, inputs and the order of rounds.
        protocol: How engines are timed.
        build_limit_s: Longest time that the build of one engine may take; None takes that of the target's device.
    """

    seed: int
    protocol: Protocol = field(default_factory=Protocol)
    build_limit_s: float | None = None

    def __call__(self, target: Target, graphs: Mapping[str, Graph]) -> Sequence[Outcome]:
        """Build an engine for each graph and time them in turn."""
        settings = SessionSettings(target, self.protocol, "none", self.seed, build_limit_s=self.build_limit_s)
        outcomes: dict[str, Outcome] = {}
        with Session(settings) as session:
            try:
                outcomes.update((outcome.name, outcome) for outcome in session.measure(graphs))
            except ProcessEnded as ended:
                failure = Failure(ended.kind, str(ended))
                outcomes = {name: outcomes.get(name, Outcome(name, (), failure)) for name in graphs}
        return [outcomes[name] for name in graphs]


def variance_json(found: Sequence[BuildVariance]) -> dict[str, Any]:
    """All canaries, and the median and the largest of their spreads."""
    spreads = [canary.spread for canary in found if canary.spread is not None]
    return {
        "canaries": [_canary_json(canary) for canary in found],
        "median_spread": median(spreads) if spreads else None,
        "largest_spread": max(spreads, default=None),
    }


def _canary_json(canary: BuildVariance) -> dict[str, Any]:
    cached_s = canary.cached.latency_s
    return {
        "name": canary.name,
        "fresh_ms": [latency_s * 1e3 for latency_s in canary.fresh_s],
        "cached_ms": None if cached_s is None else cached_s * 1e3,
        "spread": canary.spread,
        "noise": canary.noise,
        "cached_excess": canary.cached_excess,
        "bad_tactic": canary.bad_tactic,
        "failures": [f"{failure.kind}: {failure.message}" for failure in canary.failures],
    }


def _timed(outcome: Outcome, target: Target) -> Timed:
    """The latency from the undisturbed rounds, or from all where there are none, as measurements have it."""
    if outcome.failure is not None:
        return Timed(None, None, outcome.failure)
    rounds = undisturbed(outcome.rounds, Protocol(), target) or outcome.rounds
    found = ratios(rounds, "none")
    half_width = relative_half_width(found)
    return Timed(median(found), half_width if math.isfinite(half_width) else None, None)
