"""Two architectures have one identity exactly if their graphs have one workload key."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyctas.architecture import Architecture
from hyctas.lowering import lower
from hyctas.workload import workload_key
from search.evolution.identity import graph_identity
from search.evolution.mutation import mutated
from tests.search.evolution.strategies import NETWORKS, SPACES, architectures, generator, seeds, with_trunks


@settings(max_examples=20, deadline=None)
@given(st.data(), seeds)
def test_identities_are_equal_exactly_if_graphs_are(data: st.DataObject, seed: int) -> None:
    first = data.draw(architectures(SPACES[0]))
    second = mutated(SPACES[0], first, generator(seed))
    assert (graph_identity(first) == graph_identity(second)) == (key(first) == key(second))


def key(architecture: Architecture) -> str:
    return workload_key(lower(architecture))


@pytest.mark.parametrize(
    "setting", [{"height": 64}, {"batch": 2}, {"base_channels": 3}, {"head": "light"}, {"attention": "released"}]
)
def test_settings_are_part_of_the_identity(setting: dict[str, object]) -> None:
    tree = with_trunks(SPACES[0], 0)
    other = dataclasses.replace(NETWORKS, **setting).architecture(tree.branches)
    assert graph_identity(tree) != graph_identity(other)
