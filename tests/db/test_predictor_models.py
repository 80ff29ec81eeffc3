"""Contract: the registry of models, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from db.records import ModelRecord
from db.repository import Repository, utc_now
from hyctas.errors import StorageError, UnknownModel, UnknownTarget
from hyctas.target import Target, parse_target


@pytest.fixture
def model(target: Target) -> ModelRecord:
    """A model of the target."""
    metrics: dict[str, Any] = {"mape": 0.018, "by_branches": {"1": 0.02}, "folds": [0.1, 0.2]}
    return ModelRecord("m1", target, "models/m1", "0" * 64, utc_now(), 1, metrics, {"networks": 200})


def test_model_comes_back_equal(repository: Repository, model: ModelRecord) -> None:
    repository.add_model(model)
    assert repository.model("m1") == model


def test_latest_model_is_the_one_trained_last(repository: Repository, model: ModelRecord, target: Target) -> None:
    assert repository.latest_model(target) is None
    older = replace(model, model_id="m0", created_at=model.created_at - timedelta(days=1))
    for record in (model, older):
        repository.add_model(record)
    assert repository.latest_model(target) == model
    assert repository.models(target) == repository.models() == (older, model)
    assert repository.models(parse_target("a100/tensorrt-fp16")) == ()


def test_unknown_model_lists_known(repository: Repository, model: ModelRecord) -> None:
    repository.add_model(model)
    with pytest.raises(UnknownModel, match="'m9'; known: m1"):
        repository.model("m9")


def test_model_id_is_never_reused(repository: Repository, model: ModelRecord) -> None:
    repository.add_model(model)
    with pytest.raises(StorageError, match="'m1' is registered already"):
        repository.add_model(replace(model, path="models/other"))


def test_model_of_unknown_target_is_refused(repository: Repository, model: ModelRecord) -> None:
    with pytest.raises(UnknownTarget):
        repository.add_model(replace(model, target=parse_target("a100/tensorrt-fp16")))
