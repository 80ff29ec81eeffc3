"""The encoder finds exactly the parts that networks are built from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.decomposition import decompose
from hyctas.parts import Part
from hyctas.sampling import sample_structured, sample_uniform
from hyctas.space import HYCTAS, SearchSpace
from predictor.encoding import Encoder

Sampler = Callable[..., tuple[Architecture, ...]]
SMALL = ArchitectureDefaults(height=64, width=96, base_channels=4)
FASTERSEG = replace(SMALL, space="fasterseg", head="plain", attention="none")
SETTINGS = (
    SMALL,
    FASTERSEG,
    replace(FASTERSEG, stem_width=8, head_width=6, base_channels=6, output="argmax"),
    replace(SMALL, head="light", attention="released", output="argmax"),
    replace(SMALL, stem_width=8, head_width=6, base_channels=5, output="upsampled", batch=2),
)


def encoder_and_parts() -> tuple[Encoder, dict[Part, int]]:
    """An encoder, and the rows that it has given to parts so far."""
    rows: dict[Part, int] = {}
    return Encoder(lambda part: rows.setdefault(part, len(rows))), rows


def parts_of(architecture: Architecture) -> Counter[Part]:
    return Counter(placed.part for placed in decompose(architecture).parts)


@given(
    seed=st.integers(0, 2**32 - 1),
    defaults=st.sampled_from(SETTINGS),
    sampler=st.sampled_from((sample_structured, sample_uniform)),
    depth=st.integers(6, 12),
)
@settings(max_examples=60, deadline=None)
def test_encoder_agrees_with_decomposition(
    seed: int, defaults: ArchitectureDefaults, sampler: Sampler, depth: int
) -> None:
    networks = sampler(SearchSpace(name=defaults.space, depth=depth), np.random.default_rng(seed), 6, defaults)
    encoder, rows = encoder_and_parts()
    encoded = encoder.encode(networks)
    parts = tuple(rows)
    ends = [*encoded.starts[1:], len(encoded.rows)]
    for network, start, end in zip(networks, encoded.starts, ends, strict=True):
        assert Counter(parts[row] for row in encoded.rows[start:end]) == parts_of(network)


def test_encoder_keeps_settings_apart() -> None:
    branches = sample_uniform(SearchSpace(name="fasterseg"), np.random.default_rng(0), 1, FASTERSEG)[0].branches
    networks = [defaults.architecture(branches) for defaults in SETTINGS]
    encoder, rows = encoder_and_parts()
    encoded = encoder.encode(networks)
    parts = tuple(rows)
    assert encoder.settings_count == len(SETTINGS)
    assert [context.settings for context in encoded.contexts] == list(SETTINGS)
    assert Counter(parts[row] for row in encoded.rows) == sum(map(parts_of, networks), Counter())


def test_sums_of_a_batch_equal_those_of_each_alone() -> None:
    networks = sample_structured(HYCTAS, np.random.default_rng(1), 40, SMALL)
    encoder, parts = encoder_and_parts()
    batch = encoder.encode(networks)
    matrix = np.random.default_rng(2).random((len(parts), 7))
    for network, row in zip(networks, batch.sums(matrix), strict=True):
        assert np.array_equal(encoder.encode([network]).sums(matrix)[0], row)


def test_encoder_asks_for_each_part_of_a_state_once() -> None:
    networks = sample_structured(HYCTAS, np.random.default_rng(3), 30, SMALL)
    asked: list[Part] = []

    def row_of(part: Part) -> int:
        asked.append(part)
        return 0

    encoder = Encoder(row_of)
    encoder.encode(networks)
    count = len(asked)
    encoder.encode(networks)
    assert len(asked) == count
