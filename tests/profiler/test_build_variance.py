"""Build variance: how engines of equal work are compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from hyctas.graph import Graph
from hyctas.measurement import Failure, Round
from hyctas.target import Target, parse_target
from profiler.build_variance import BuildVariance, Timed, build_variance, variance_json
from profiler.session import Outcome

CACHED = parse_target("rtx-4090/tensorrt-fp16")
FRESH = parse_target("rtx-4090/tensorrt-fp16-nocache")
FAILURE = Failure("build", "it gave up")


def a_canary(*fresh_s: float, cached_s: float | None = None, half_width: float | None = 0.01) -> BuildVariance:
    fresh = tuple(Timed(latency_s, half_width, None) for latency_s in fresh_s)
    return BuildVariance("conv", fresh, Timed(cached_s, half_width, None))


def test_spread_is_relative_to_the_median_build() -> None:
    canary = a_canary(0.010, 0.012, 0.009)
    assert canary.spread == pytest.approx(0.3)
    assert canary.noise == pytest.approx(0.02)


def test_cached_engine_is_held_against_the_fresh_ones() -> None:
    assert a_canary(0.010, 0.012, cached_s=0.0121).cached_excess == pytest.approx(0.21)
    assert not a_canary(0.010, 0.012, cached_s=0.0121).bad_tactic
    assert a_canary(0.010, 0.012, cached_s=0.0130).bad_tactic
    assert not a_canary(0.010, 0.012, cached_s=0.009).bad_tactic


@pytest.mark.parametrize("canary", [a_canary(), a_canary(0.01), a_canary(0.01, cached_s=0.5, half_width=None)])
def test_too_little_to_compare(canary: BuildVariance) -> None:
    assert canary.spread is None
    assert not canary.bad_tactic
    assert "NaN" not in json.dumps(variance_json([canary]), allow_nan=False)


def test_nothing_measured_has_no_spread() -> None:
    assert variance_json([]) == {"canaries": [], "median_spread": None, "largest_spread": None}


class Recorder:
    """Times engines in a fixed order; remembers what it was asked."""

    def __init__(self, round_of: Callable[..., Round], latencies_s: Sequence[float | Failure]) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._left = list(latencies_s)
        self._round_of = round_of

    def __call__(self, target: Target, graphs: Mapping[str, Graph]) -> Sequence[Outcome]:
        self.asked.append((target.local_name, tuple(graphs)))
        return [self._outcome(name, self._left.pop(0)) for name in graphs]

    def _outcome(self, name: str, result: float | Failure) -> Outcome:
        if isinstance(result, Failure):
            return Outcome(name, (), result)
        return Outcome(name, (self._round_of(result),) * 3, None)


def test_each_canary_is_built_without_the_cache_and_once_with_it(
    graph: Callable[..., Graph], round_of: Callable[..., Round]
) -> None:
    measure = Recorder(round_of, [0.010, 0.011, 0.012, FAILURE, FAILURE, FAILURE])
    done: list[str] = []
    found = build_variance(
        {"a": graph("a"), "b": graph("b")}, measure, fresh=FRESH, cached=CACHED, builds=2, on_measured=done.append
    )
    assert measure.asked == [
        ("tensorrt-fp16-nocache", ("a build 1", "a build 2")),
        ("tensorrt-fp16", ("a",)),
        ("tensorrt-fp16-nocache", ("b build 1", "b build 2")),
        ("tensorrt-fp16", ("b",)),
    ]
    assert done == ["a", "b"]
    assert found[0].fresh_s == (0.010, 0.011)
    assert found[0].cached.latency_s == 0.012
    assert found[0].failures == ()
    assert found[1].fresh_s == ()
    assert found[1].failures == (FAILURE,)


def test_document_has_milliseconds_and_failures(graph: Callable[..., Graph], round_of: Callable[..., Round]) -> None:
    measure = Recorder(round_of, [0.010, FAILURE, 0.012])
    (canary,) = variance_json(build_variance({"a": graph("a")}, measure, fresh=FRESH, cached=CACHED, builds=2))[
        "canaries"
    ]
    assert canary["fresh_ms"] == pytest.approx([10.0])
    assert math.isclose(canary["cached_ms"], 12.0)
    assert canary["failures"] == ["build: it gave up"]
