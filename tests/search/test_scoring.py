from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hyctas.architecture import Architecture
from hyctas.client import Client
from search.candidate import Candidate
from search.evaluation.quality import Failure, Fidelity, Quality
from search.latency import RemoteLatency
from search.scoring import Scoring
from search.settings import SearchSettings
from search.stopwatch import Stopwatch
from tests.search.scored import ARCHITECTURES
from tests.search.small_search import SEARCH, TARGETS
from tests.search.world import FAST, Served, law_s

NETWORKS = ARCHITECTURES[:8]
LIMIT_S = sorted(law_s(FAST, network) for network in NETWORKS)[4] * 1.02
"""Five of them keep to it, three do not."""


class Recorded:
    """A pool that takes what it is given down; networks that `fails` names fail."""

    def __init__(self, fails: Sequence[Architecture] = ()) -> None:
        self.evaluated: list[Architecture] = []
        self.fidelities: list[Fidelity] = []
        self._fails = {network.key for network in fails}

    def evaluate(
        self, architectures: Sequence[Architecture], fidelity: Fidelity, finished: Callable[[], None] = lambda: None
    ) -> list[Quality | Failure]:
        self.evaluated += architectures
        self.fidelities.append(fidelity)
        for _ in architectures:
            finished()
        return [self._result(architecture) for architecture in architectures]

    def _result(self, architecture: Architecture) -> Quality | Failure:
        if architecture.key in self._fails:
            return Failure("the logits are not all finite")
        return Quality(int(architecture.key[:4], 16) / 0xFFFF, ())


@pytest.fixture
def latency(server: Served) -> Iterator[RemoteLatency]:
    with Client(server.url) as client:
        yield RemoteLatency(client, TARGETS, measured_until=datetime.now(UTC))


def scored(
    latency: RemoteLatency,
    pool: Recorded,
    settings: SearchSettings = SEARCH,
    *,
    known: Sequence[Candidate] = (),
    finished: Callable[[], None] = lambda: None,
) -> list[Candidate]:
    by_key = {candidate.architecture.key: candidate for candidate in known}
    return Scoring(latency, pool, settings, Stopwatch(), known=by_key)(NETWORKS, finished)


def test_each_network_gets_its_own_latency_and_quality(latency: RemoteLatency) -> None:
    pool, ticks = Recorded(), []
    found = scored(latency, pool, finished=lambda: ticks.append(1))
    assert [c.architecture for c in found] == list(NETWORKS)
    assert [c.predictions for c in found] == latency(NETWORKS)
    assert [c.miou for c in found] == [int(network.key[:4], 16) / 0xFFFF for network in NETWORKS]
    assert len(ticks) == len(NETWORKS)


def test_networks_are_evaluated_as_carefully_as_the_settings_say(latency: RemoteLatency) -> None:
    pool = Recorded()
    scored(latency, pool, replace(SEARCH, recalibration_batches=7, images=3))
    assert pool.fidelities == [Fidelity(7, 3)]


def test_a_network_over_a_limit_is_not_evaluated(latency: RemoteLatency) -> None:
    pool, ticks = Recorded(), []
    found = scored(latency, pool, replace(SEARCH, limits_s=(LIMIT_S, None)), finished=lambda: ticks.append(1))
    within = [c.architecture for c in found if c.latency_s[0] <= LIMIT_S]
    assert pool.evaluated == within and len(within) == 5
    assert [c.architecture for c in found if c.miou is not None] == within
    assert all(c.failure is None for c in found)
    assert len(ticks) == len(NETWORKS)


def test_nothing_is_evaluated_where_everything_is_over_a_limit(latency: RemoteLatency) -> None:
    pool = Recorded()
    found = scored(latency, pool, replace(SEARCH, limits_s=(None, 1e-6)))
    assert pool.evaluated == []
    assert [c.miou for c in found] == [None] * len(NETWORKS)


def test_a_failure_is_kept_with_its_reason(latency: RemoteLatency) -> None:
    found = scored(latency, Recorded(fails=NETWORKS[2:3]))
    assert [c.failure for c in found] == [None, None, "the logits are not all finite", *[None] * 5]
    assert found[2].miou is None
    assert math.isinf(found[2].score((None, None)).violation)
    assert found[2].predictions == latency(NETWORKS)[2]


def test_what_is_known_is_taken_as_it_is(latency: RemoteLatency, server: Served) -> None:
    known = scored(latency, Recorded())
    marked = [replace(candidate, miou=0.123) for candidate in known[:3]]
    pool, ticks = Recorded(), []
    found = scored(latency, pool, known=marked, finished=lambda: ticks.append(1))
    assert found == [*marked, *known[3:]]
    assert pool.evaluated == list(NETWORKS[3:])
    assert len(ticks) == len(NETWORKS)


def test_nobody_is_asked_where_everything_is_known(latency: RemoteLatency, server: Served) -> None:
    known = scored(latency, Recorded())
    server.stop()
    with Client(server.url) as client:
        fresh = RemoteLatency(client, TARGETS, measured_until=datetime.now(UTC))
        pool = Recorded()
        assert scored(fresh, pool, known=known) == known
    assert pool.evaluated == []
    server.start()
