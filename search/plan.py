"""Everything that a search is told, so that it can be stored and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.errors import CheckpointMismatch, InvalidInput
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from search.settings import SearchSettings
from search.training.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What one search is told to do, and with what.

    Attributes:
        search: Targets, limits, algorithm, budget.
        space: Which architectures are searched.
        networks: Everything about the networks but their branches, as deployed.
        dataset: What they are trained and evaluated on.
        supernet: Folder of the supernet's checkpoint.
        training: How the supernet is trained if the folder holds none.
        url: Server that predicts.
        folder: Folder for the search's state.
        epochs: How often a sample of the front is measured and the predictor refitted on the way; 0 for never.
        measure: Whether to measure doubtful predictions and the final front.
        measured_networks: Networks to measure in each epoch.

    Raises:
        InvalidInput: A number is too small.
    """

    search: SearchSettings
    space: SearchSpace
    networks: ArchitectureDefaults
    dataset: str
    supernet: str
    training: TrainingSettings
    url: str
    folder: str
    epochs: int = 0
    measure: bool = False
    measured_networks: int = 8

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        for name, least in (("epochs", 0), ("measured_networks", 1)):
            if getattr(self, name) < least:
                raise InvalidInput(name, getattr(self, name), f"at least {least}")


def example_network(plan: SearchPlan) -> Architecture:
    """A network of the plan's space, to ask a server about."""
    return sample_structured(plan.space, np.random.default_rng(0), 1, plan.networks)[0]


def plan_to_json(plan: SearchPlan) -> dict[str, Any]:
    """The plan as a JSON object."""
    document: dict[str, Any] = msgspec.to_builtins(plan)
    return document


def plan_from_json(document: Mapping[str, Any]) -> SearchPlan:
    """Read a plan back.

    Raises:
        CheckpointMismatch: Another version wrote it.
    """
    try:
        return msgspec.convert(dict(document), SearchPlan)
    except msgspec.ValidationError as error:
        raise CheckpointMismatch(f"the search was planned by another version of hyctas: {error}") from error
