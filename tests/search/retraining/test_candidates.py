"""Networks of a search, by the first digits of their keys."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from db.records import CandidateRecord
from db.repository import Repository
from hyctas.architecture_json import to_json
from hyctas.errors import InvalidInput, StorageError
from search.retraining.candidates import choose, chosen_candidate
from tests.search.evaluation.tiny import networks

NETWORKS = networks(20)


def record(number: int, *, key: str | None = None, miou: float | None = None) -> CandidateRecord:
    architecture = NETWORKS[number]
    return CandidateRecord(1, 0, key or architecture.key, to_json(architecture), miou, None, None, ())


def test_first_digits_are_enough() -> None:
    records = [record(number) for number in range(20)]
    for number, network in enumerate(NETWORKS):
        assert chosen_candidate(records, network.key[:16]) == NETWORKS[number]
        assert chosen_candidate(records, network.key.upper()) == NETWORKS[number]


def test_digits_of_several_candidates_are_refused_with_their_keys() -> None:
    records = [record(0, key="abc1"), record(1, key="abc2"), record(2, key="bcd")]
    with pytest.raises(InvalidInput, match=r"ARCH: 'abc' .* more digits: 2 candidates begin so, such as abc1, abc2$"):
        chosen_candidate(records, "abc")


@pytest.mark.parametrize("prefix", ["ffff", ""])
def test_unknown_digits_are_refused_with_the_best_keys(prefix: str) -> None:
    records = [record(0, key="abc1", miou=0.1), record(1, key="abc2"), record(2, key="abc3", miou=0.2)]
    with pytest.raises(InvalidInput, match=r"one of the search's 3 candidates.* such as abc3, abc1, abc2$"):
        chosen_candidate(records, prefix)


def test_search_without_candidates_is_named() -> None:
    with pytest.raises(InvalidInput, match="the search has none yet"):
        chosen_candidate([], "abc")


def test_search_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hyctas.db'}"
    with pytest.raises(StorageError):
        choose(url, 1, "abc")
    with Repository.open(url):
        pass
    with pytest.raises(StorageError, match="7"):
        choose(url, 7, "abc")


def test_key_of_a_record_is_that_of_its_network() -> None:
    stored = dataclasses.replace(record(3), miou=0.5)
    assert chosen_candidate([stored], stored.architecture_key).key == stored.architecture_key
