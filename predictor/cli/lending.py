"""Which targets of a database have something to lend to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from db.repository import Repository
from hyctas.target import Target
from predictor.cli.data import read_networks, read_operators
from predictor.samples import NetworkSample
from predictor.transfer.lenders import MIN_NETWORKS, Lender, learn_lender

Borrow = Literal["auto", "none"]
"""Whether a target borrows from others where that predicts better, or never."""


def read_lenders(
    repository: Repository,
    target: Target,
    networks: Sequence[NetworkSample],
    *,
    space: str | None = None,
    seed: int = 0,
) -> list[Lender]:
    """Every other target with enough measured networks of one space, by name.

    Args:
        repository: The database.
        target: Who borrows.
        networks: Its networks; lenders are of the space of most of them.
        space: Name of the space where there are no networks yet.
        seed: Of their estimators and folds.
    """
    wanted = space or _common_space(networks)
    lenders = []
    for other in repository.targets():
        if other == target or wanted is None:
            continue
        known = [
            sample for sample in read_networks(repository, other, None) if sample.architecture.settings.space == wanted
        ]
        if len(known) >= MIN_NETWORKS:
            operators, free_kinds = read_operators(repository, other)
            lenders.append(learn_lender(other.name, known, operators, free_kinds=free_kinds, seed=seed))
    return lenders


def _common_space(networks: Sequence[NetworkSample]) -> str | None:
    spaces = [sample.architecture.settings.space for sample in networks]
    return max(sorted(set(spaces)), key=spaces.count, default=None)
