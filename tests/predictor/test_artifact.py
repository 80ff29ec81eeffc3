"""Artifacts: an exact round trip, and a refusal of everything that was changed."""

import json
from dataclasses import replace

import pytest

from hyctas.errors import ArtifactError, ChecksumMismatch
from predictor.artifact import load_predictor, manifest_sha256, save_predictor
from predictor.correction import Boosting, correction_inputs, fit_correction
from predictor.learning import Latency
from predictor.model import Predictor
from tests.predictor import synthetic


@pytest.fixture(scope="module")
def corrected(knowledge):
    """The synthetic knowledge with a correction, so that every file of an artifact exists."""
    features = Predictor(knowledge, "m").features([s.architecture for s in synthetic.networks(60, seed=1)])
    inputs = correction_inputs(features, knowledge.latency.prior)
    correction = fit_correction(inputs, inputs[:, 1] / 10, Boosting(20, 3, 0))
    return replace(knowledge, latency=Latency(knowledge.latency.prior, correction))


@pytest.fixture
def path(corrected, tmp_path):
    return save_predictor(corrected, tmp_path / "models")


def test_round_trip_predicts_bit_for_bit_the_same(corrected, path):
    networks = [sample.architecture for sample in synthetic.networks(30, seed=9)]
    loaded = load_predictor(path)
    assert loaded.model_id == path.name
    expected = Predictor(corrected, path.name).predict(networks, breakdown=True)
    assert loaded.predict(networks, breakdown=True) == expected


def test_round_trip_keeps_the_estimator_of_unmeasured_operators(path, corrected):
    other = synthetic.networks(3, seed=9, settings=replace(synthetic.SETTINGS, height=96))
    networks = [sample.architecture for sample in other]
    assert load_predictor(path).predict(networks) == Predictor(corrected, path.name).predict(networks)


def test_round_trip_keeps_entries_and_free_kinds(knowledge, tmp_path):
    part = next(iter(knowledge.costs.measured))
    costs = replace(knowledge.costs, entries={part: "key"}, free_kinds=frozenset({"join"}))
    loaded = load_predictor(save_predictor(replace(knowledge, costs=costs), tmp_path / "models")).knowledge.costs
    assert (loaded.measured, loaded.entries, loaded.free_kinds) == (costs.measured, {part: "key"}, {"join"})


def test_equal_knowledge_gets_an_equal_id(corrected, path, tmp_path):
    assert save_predictor(corrected, tmp_path / "models") == path
    assert save_predictor(corrected, tmp_path / "elsewhere").name == path.name
    assert manifest_sha256(path).startswith(path.name)


def test_no_file_is_a_pickle(path):
    names = {file.name for file in path.iterdir()}
    assert names == {"manifest.json", "knowledge.json", "operators.json", "booster.json", "estimator.npz"}
    for file in path.glob("*.json"):
        json.loads(file.read_bytes())


@pytest.mark.parametrize("name", ["knowledge.json", "operators.json", "booster.json", "estimator.npz"])
def test_changed_or_truncated_file_is_refused_with_both_checksums(path, name):
    content = (path / name).read_bytes()
    for changed in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
        (path / name).write_bytes(changed)
        with pytest.raises(
            ChecksumMismatch, match=rf"{name}: SHA-256 is [0-9a-f]{{64}}, the manifest says [0-9a-f]{{64}}"
        ):
            load_predictor(path)


def test_changed_manifest_is_refused(path):
    manifest = json.loads((path / "manifest.json").read_bytes())
    manifest["target"] = "other/onnxruntime-fp32-t1"
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ChecksumMismatch, match=r"manifest\.json"):
        load_predictor(path)


def test_missing_file_and_missing_artifact_say_so(path, tmp_path):
    (path / "knowledge.json").unlink()
    with pytest.raises(ArtifactError, match=r"knowledge\.json: cannot be read"):
        load_predictor(path)
    with pytest.raises(ArtifactError, match="is this a model folder"):
        load_predictor(tmp_path / "nothing")


def test_unknown_schema_version_is_refused(path, tmp_path):
    import hashlib

    manifest = json.loads((path / "manifest.json").read_bytes())
    content = json.dumps({**manifest, "schema_version": 99}).encode()
    newer = tmp_path / hashlib.sha256(content).hexdigest()[:16]
    path.rename(newer)
    (newer / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError, match="schema version 99 is unknown"):
        load_predictor(newer)


def test_artifact_of_the_version_before_is_read(path, corrected, tmp_path):
    import hashlib

    manifest = json.loads((path / "manifest.json").read_bytes())
    older = path.rename(tmp_path / "older")
    parts = json.loads((older / "operators.json").read_bytes())
    without = json.dumps([{key: part[key] for key in part if key != "borrowed"} for part in parts]).encode()
    manifest["files"]["operators.json"] = hashlib.sha256(without).hexdigest()
    content = json.dumps({**manifest, "schema_version": 1}).encode()
    (older / "operators.json").write_bytes(without)
    (older / "manifest.json").write_bytes(content)
    loaded = load_predictor(older.rename(tmp_path / hashlib.sha256(content).hexdigest()[:16])).knowledge
    assert (loaded.costs.measured, loaded.costs.borrowed) == (corrected.costs.measured, {})


def test_failed_write_leaves_nothing(corrected, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("predictor.artifact.os.rename", fail)
    with pytest.raises(OSError, match="No space left"):
        save_predictor(corrected, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []
