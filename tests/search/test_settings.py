from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from hyctas.errors import CheckpointMismatch, InvalidInput
from search.plan import SearchPlan, plan_from_json, plan_to_json
from search.settings import SearchSettings
from search.training.settings import TrainingSettings
from tests.search.world import FAST, NETWORKS, SLOW, SPACE

SETTINGS = SearchSettings((FAST.name, SLOW.name), (None, 8e-3))
PLAN = SearchPlan(
    search=SETTINGS,
    space=SPACE,
    networks=NETWORKS,
    dataset="synthetic",
    supernet="supernet",
    training=TrainingSettings(steps=20, height=32, width=64),
    url="http://localhost:8000",
    folder="searches",
    epochs=2,
    measure=True,
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"targets": ()}, "targets"),
        ({"targets": (FAST.name, FAST.name)}, "targets"),
        ({"limits_s": (None,)}, "limits_s"),
        ({"limits_s": (None, 0.0)}, "limits_s"),
        ({"limits_s": (-1e-3, None)}, "limits_s"),
        ({"limits_s": (math.nan, None)}, "limits_s"),
        ({"limits_s": (math.inf, None)}, "limits_s"),
        ({"algorithm": "annealing"}, "algorithm.*annealing.*nsga2, random, local, single"),
        ({"population": 3}, "population"),
        ({"evaluations": 0}, "evaluations"),
        ({"recalibration_batches": 0}, "recalibration_batches"),
        ({"final_batches": 0}, "final_batches"),
        ({"images": 0}, "images"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_that_cannot_be_searched_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        dataclasses.replace(SETTINGS, **changes)


def test_a_plan_survives_json() -> None:
    assert plan_from_json(json.loads(json.dumps(plan_to_json(PLAN)))) == PLAN


@pytest.mark.parametrize(
    "changes",
    [{"search": None}, {"space": {"depth": "deep"}}, {"training": []}, {"epochs": "often"}, {"folder": 3}],
)
def test_a_plan_of_another_version_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CheckpointMismatch, match="another version"):
        plan_from_json({**plan_to_json(PLAN), **changes})


def test_a_plan_without_one_of_its_parts_is_refused() -> None:
    document = plan_to_json(PLAN)
    del document["dataset"]
    with pytest.raises(CheckpointMismatch, match="dataset"):
        plan_from_json(document)


@pytest.mark.parametrize("changes", [{"epochs": -1}, {"measured_networks": 0}])
def test_a_plan_that_cannot_be_followed_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(changes))):
        dataclasses.replace(PLAN, **changes)
