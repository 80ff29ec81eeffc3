"""The model store: snapshots of a database that changes, breaks and comes back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from api.model_store import ModelStore
from db.repository import Repository
from hyctas.errors import ArtifactError, ChecksumMismatch, UnknownModel, UnknownTarget
from hyctas.target import parse_target
from tests.api.world import START, TARGET, World, a_calibration, a_model, store_networks

OTHER = parse_target("rtx-4090/onnxruntime-fp32-t1")


@pytest.fixture
def repository(world: World) -> Iterator[Repository]:
    with Repository(world.url) as opened:
        yield opened


@pytest.fixture
def store(repository: Repository) -> ModelStore:
    made = ModelStore(repository)
    assert made.refresh()
    return made


def test_refresh_tells_whether_anything_changed(repository: Repository, store: ModelStore, world: World) -> None:
    assert not store.refresh()
    run = repository.start_run("networks", TARGET, {})
    store_networks(repository, run, world.unseen[:1], a_calibration())
    assert store.refresh()
    assert world.unseen[0].key in store.measured(TARGET.name)


def test_newest_model_answers_and_old_ones_by_id(store: ModelStore, world: World) -> None:
    assert store.predictor(TARGET.name).model_id == world.model
    assert store.predictor(TARGET.name, world.old_model).model_id == world.old_model
    assert store.predictor(TARGET.name) is store.predictor(TARGET.local_name)


def test_unknown_names_list_the_known(store: ModelStore, world: World) -> None:
    with pytest.raises(UnknownTarget) as target:
        store.predictor("moon/torch-fp32")
    assert target.value.known == (TARGET.name,)
    with pytest.raises(UnknownModel) as model:
        store.predictor(TARGET.name, "feed")
    assert model.value.known == (world.old_model, world.model)


def test_local_name_of_two_devices_is_ambiguous(repository: Repository, store: ModelStore, world: World) -> None:
    repository.ensure_target(OTHER, {})
    repository.add_model(replace(a_model(world.folder / world.model, START), model_id="other", target=OTHER))
    store.refresh()
    with pytest.raises(UnknownTarget, match=r"epyc-7b12.*rtx-4090"):
        store.predictor(TARGET.local_name)
    assert store.full_name(TARGET.name) == TARGET.name


def test_artifact_of_another_target_is_refused(repository: Repository, store: ModelStore, world: World) -> None:
    repository.ensure_target(OTHER, {})
    repository.add_model(replace(a_model(world.folder / world.model, START), model_id="other", target=OTHER))
    store.refresh()
    with pytest.raises(ArtifactError, match=r"epyc-7b12.*rtx-4090"):
        store.predictor(OTHER.name)


def test_changed_artifact_is_refused_and_the_others_go_on(
    repository: Repository, store: ModelStore, world: World, tmp_path: Path
) -> None:
    broken = shutil.copytree(world.folder / world.model, tmp_path / world.model)
    record = replace(a_model(broken, START + timedelta(days=5)), model_id="broken")
    (broken / "knowledge.json").write_bytes((broken / "knowledge.json").read_bytes()[:-1])
    repository.add_model(record)
    assert store.refresh()
    with pytest.raises(ChecksumMismatch, match="SHA-256"):
        store.predictor(TARGET.name)
    assert store.predictor(TARGET.name, world.model).model_id == world.model


def test_measured_until_is_inclusive(store: ModelStore, world: World) -> None:
    times = sorted(entry.created_at for entry in store.snapshot.networks[TARGET.name].values())
    assert len(store.measured(TARGET.name, times[2])) == 3
    assert len(store.measured(TARGET.name, times[2].replace(tzinfo=None))) == 3
    assert len(store.measured(TARGET.name)) == len(world.measured)


def test_database_that_cannot_be_read_leaves_the_old_snapshot(
    store: ModelStore, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(world.url.removeprefix("sqlite:///"))
    content = file.read_bytes()
    before = store.snapshot
    file.write_bytes(b"not a database" * 1000)
    assert not store.refresh()
    assert store.fault is not None
    assert "cannot be read" in caplog.text
    assert store.snapshot is before
    assert store.predictor(TARGET.name).model_id == world.model
    file.write_bytes(content)
    store.refresh()
    assert store.fault is None
