"""New architectures: none twice, samples where nothing else is new, and the last ones of a space."""

from __future__ import annotations

from itertools import cycle

from hyctas.space import SearchSpace
from search.evolution.archive import Archive
from search.evolution.branch_codes import codes_of
from search.evolution.population import FRUITLESS, Collection
from search.evolution.scored import Score
from tests.search.evolution.strategies import NETWORKS, generator, with_trunks

SPACE = SearchSpace(depth=6, min_cells=2)
FEW = SearchSpace(depth=2, min_cells=2, operators=("conv", "sa"), widths=(12,))


def test_collection_takes_no_network_twice_and_none_of_the_archive() -> None:
    first, second = with_trunks(SPACE, 0), with_trunks(SPACE, 1)
    archive = Archive(NETWORKS)
    archive.add(first, Score((0.0, 0.0)))
    found = Collection(NETWORKS, archive)
    assert [found.add(codes_of(architecture)) for architecture in (first, second, second)] == [False, True, False]
    assert found.architectures == (second,)


def test_collection_gives_up_when_nothing_new_is_proposed() -> None:
    proposals = cycle([codes_of(with_trunks(SPACE, seed)) for seed in range(3)])
    calls = []
    found = Collection(NETWORKS, Archive(NETWORKS))
    found.add_proposed(lambda: calls.append(1) or next(proposals), 5)
    assert len(found) == 3 and len(calls) == 3 + FRUITLESS


def test_samples_fill_up_to_the_count_with_every_branch_count() -> None:
    found = Collection(NETWORKS, Archive(NETWORKS))
    found.add(codes_of(with_trunks(SPACE, 0)))
    found.add_samples(SPACE, generator(0), 10)
    assert len(found) == 10
    assert {len(architecture.branches) for architecture in found.architectures} == {1, 2, 3}
    assert all(map(SPACE.contains, found.architectures))


def test_samples_of_a_small_space_are_all_that_is_left() -> None:
    archive = Archive(NETWORKS)
    for seed in range(5):
        archive.add(with_trunks(FEW, seed), Score((0.0, 0.0)))
    found = Collection(NETWORKS, archive)
    found.add_samples(FEW, generator(0), 10_000)
    assert len(found) == FEW.cardinality - len(archive)
    assert not any(archive.has(codes_of(architecture)) for architecture in found.architectures)
