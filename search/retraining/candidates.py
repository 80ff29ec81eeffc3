"""Networks of a search, by the first digits of their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from db.records import CandidateRecord
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.architecture_json import read_architecture
from hyctas.errors import InvalidInput
from search.plan import SearchPlan, plan_from_json

SHOWN: Final = 5
DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Chosen:
    """A candidate, and what its search was told.

    Attributes:
        architecture: The network.
        plan: The search.
    """

    architecture: Architecture
    plan: SearchPlan


def choose(db: str, search_run_id: int, prefix: str) -> Chosen:
    """The candidate of a stored search whose key begins with `prefix`.

    Args:
        db: URL of the database.
        search_run_id: Number of the search.
        prefix: First digits of its key.

    Raises:
        StorageError: There is no such database or search.
        InvalidInput: There is no such candidate, or more than one.
    """
    with Repository.open(db, create=False) as repository:
        plan = plan_from_json(repository.search_run(search_run_id).settings)
        return Chosen(chosen_candidate(repository.candidates(search_run_id), prefix), plan)


def chosen_candidate(records: Sequence[CandidateRecord], prefix: str) -> Architecture:
    """The candidate whose key begins with `prefix`.

    Raises:
        InvalidInput: There is none, or more than one.
    """
    found = [record for record in records if prefix and record.architecture_key.startswith(prefix.lower())]
    if len(found) != 1:
        raise InvalidInput("ARCH", prefix, _allowed(records, found))
    return read_architecture(found[0].document)


def _allowed(records: Sequence[CandidateRecord], found: Sequence[CandidateRecord]) -> str:
    if not records:
        return "a candidate, but the search has none yet"
    if found:
        return f"more digits: {len(found)} candidates begin so, such as {_listed(found)}"
    best = sorted(records, key=_miou, reverse=True)
    return f"the key of one of the search's {len(records)} candidates, or its first digits, such as {_listed(best)}"


def _miou(record: CandidateRecord) -> float:
    return record.miou if record.miou is not None else -1.0


def _listed(records: Sequence[CandidateRecord]) -> str:
    return ", ".join(record.architecture_key[:DIGITS] for record in records[:SHOWN])
