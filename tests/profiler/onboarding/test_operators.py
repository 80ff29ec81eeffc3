"""Which operators are picked: those that networks are made of, unlike one another."""

from __future__ import annotations

from collections import Counter

import pytest

from hyctas.decomposition import decompose
from hyctas.parts import Part
from profiler.cli.onboarding.operators import next_operators, operators_of
from tests.predictor import synthetic


@pytest.fixture(scope="module")
def shares() -> dict[Part, float]:
    return operators_of([sample.architecture for sample in synthetic.networks(30, seed=1)], [])


def test_shares_are_of_all_parts_of_the_networks(shares: dict[Part, float]) -> None:
    networks = [sample.architecture for sample in synthetic.networks(30, seed=1)]
    counts = Counter(placed.part for network in networks for placed in decompose(network).parts)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares == {part: pytest.approx(count / counts.total()) for part, count in counts.items()}


def test_chosen_operators_are_distinct_and_of_many_kinds(shares: dict[Part, float]) -> None:
    chosen = next_operators(shares, [], 20)
    assert len(set(chosen)) == 20
    assert len({part.kind for part in chosen}) >= 8


def test_what_is_measured_is_not_chosen_again(shares: dict[Part, float]) -> None:
    first = next_operators(shares, [], 10)
    assert not set(first) & set(next_operators(shares, first, 10))


def test_operator_that_is_most_of_all_networks_is_chosen_first(shares: dict[Part, float]) -> None:
    heavy = list(shares)[7]
    weighed = {part: (100.0 if part == heavy else 1e-3) for part in shares}
    assert next_operators(weighed, [], 1) == [heavy]


def test_nothing_left_gives_nothing(shares: dict[Part, float]) -> None:
    assert next_operators(shares, list(shares), 5) == []
    assert next_operators(shares, [], 0) == []
