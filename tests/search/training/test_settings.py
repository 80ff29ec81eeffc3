"""Training settings: what is refused, and the learning rate that follows from them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from hyctas.errors import InvalidInput
from search.training.schedule import learning_rate
from search.training.settings import TrainingSettings

REFUSED = [
    ("steps", 0, "at least 1"),
    ("accumulation", 0, "at least 1"),
    ("checkpoint_every", 0, "at least 1"),
    ("batch_size", 1, "at least 2"),
    ("warmup_steps", -1, "at least 0"),
    ("seed", -1, "at least 0"),
    ("height", 0, "multiple of 32"),
    ("height", 48, "multiple of 32"),
    ("width", 100, "multiple of 32"),
    ("learning_rate", -0.1, "above 0"),
    ("learning_rate", math.nan, "above 0"),
    ("learning_rate", math.inf, "above 0"),
    ("momentum", 1.0, "0 to below 1"),
    ("momentum", -0.1, "0 to below 1"),
    ("momentum", math.nan, "0 to below 1"),
    ("weight_decay", -1e-9, "0 or more"),
    ("weight_decay", math.nan, "0 or more"),
    ("auxiliary", -0.2, "0 or more"),
    ("clip_norm", -1.0, "0 or more"),
    ("clip_norm", math.inf, "0 or more"),
    ("hardest", 0.0, "above 0, up to 1"),
    ("hardest", 1.5, "above 0, up to 1"),
    ("hardest", math.nan, "above 0, up to 1"),
    ("mastered", 0.0, "between 0 and 1"),
    ("mastered", 1.0, "between 0 and 1"),
    ("passes", "double", "single, sandwich"),
    ("optimiser", "adam", "sgd, adamw"),
    ("precision", "int8", "auto, fp32, bf16, fp16"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), REFUSED)
def test_setting_out_of_range_is_refused_by_name(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(InvalidInput) as error:
        dataclasses.replace(TrainingSettings(), **{name: value})
    assert error.value.path == name
    assert allowed in error.value.allowed


@pytest.mark.parametrize(
    ("name", "value"),
    [("hardest", 1.0), ("momentum", 0.0), ("warmup_steps", 0), ("weight_decay", 0.0), ("auxiliary", 0.0), ("steps", 1)],
)
def test_setting_at_its_limit_is_taken(name: str, value: Any) -> None:
    assert getattr(dataclasses.replace(TrainingSettings(), **{name: value}), name) == value


def test_learning_rate_warms_up_then_falls_to_nothing() -> None:
    settings = TrainingSettings(steps=100, warmup_steps=10, learning_rate=0.5)
    rates = [learning_rate(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.5 / 10)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[40] == pytest.approx(0.5 * 0.6**0.9)
    assert 0 < rates[99] == pytest.approx(0.5 * 0.01**0.9)


def test_learning_rate_without_warming_up_starts_at_the_top() -> None:
    settings = TrainingSettings(steps=4, warmup_steps=0, learning_rate=0.1)
    assert learning_rate(0, settings) == 0.1


def test_warming_up_longer_than_training_is_allowed() -> None:
    settings = TrainingSettings(steps=2, warmup_steps=50, learning_rate=0.1)
    assert [learning_rate(step, settings) for step in (0, 1)] == pytest.approx([0.1 / 50, 0.1 * 2 / 50 * 0.5**0.9])
