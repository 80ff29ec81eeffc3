"""``hyctas report`` on a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from db.repository import Repository
from hyctas.__main__ import app
from hyctas.architecture_json import read_architecture
from hyctas.errors import CheckpointMismatch
from search.report.sample_predictions import open_source, sample_set
from tests.search.report.conftest import DATASET, StoredSearch
from tests.search.report.world import FAST


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", *arguments])


def page_with(stored: StoredSearch, *arguments: str) -> str:
    out = stored.supernet.parent / "pages" / "page.html"
    result = invoked(str(stored.run), "--db", stored.url, "--out", str(out), *arguments)
    assert result.exit_code == 0, result.output
    assert f"report: {out}" in result.stdout
    return out.read_text(encoding="utf-8")


def test_page_is_written_with_samples_of_the_best_networks(stored: StoredSearch) -> None:
    page = page_with(stored, "--samples", "2")
    assert page.count("ground truth") == 2 * 2
    assert stored.sha256 in page
    assert ", as they are now" in page
    assert page == page_with(stored, "--samples", "2")


def test_without_samples_the_page_says_that_none_were_asked_for(stored: StoredSearch) -> None:
    assert "none were asked for" in page_with(stored, "--samples", "0")


def test_json_is_one_document_that_agrees_with_the_page(stored: StoredSearch, tmp_path: Path) -> None:
    result = invoked(str(stored.run), "--db", stored.url, "--out", str(tmp_path / "r.html"), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["report"] == str(tmp_path / "r.html")
    assert found["search_run"]["status"] == "finished"
    assert found["search_run"]["supernet_sha256"] == stored.sha256
    assert found["counts"] == {"scored": 12, "evaluated": 12, "failed": 0, "over_limit": 0}
    with Repository.open(stored.url) as repository:
        records = {record.architecture_key: record for record in repository.candidates(stored.run)}
    assert found["networks"]
    for network in found["networks"]:
        record = records[network["key"]]
        assert network["architecture"] == record.document
        assert network["miou"] == record.final_miou
        (latency,) = network["latencies"]
        assert latency["latency_ms"] == pytest.approx(record.latencies[0].predicted_s * 1e3)
        assert latency["measured_ms"] == pytest.approx((record.latencies[0].measured_s or 0) * 1e3)
    keys = {network["key"] for network in found["networks"]}
    assert set(found["fronts"][FAST]["overall"]) <= keys
    assert len(found["candidates"]) == 12
    assert len(found["comparisons"][FAST]["networks"]) >= len(keys)


def test_page_is_written_where_the_supernet_is_gone(stored: StoredSearch) -> None:
    for file in stored.supernet.iterdir():
        file.unlink()
    assert f"there is no supernet in {stored.supernet}" in page_with(stored)


def test_supernet_that_was_trained_anew_gives_no_samples(stored: StoredSearch) -> None:
    with Repository.open(stored.url) as repository:
        repository.finish_search(stored.run, {"supernet": "0" * 64})
    page = page_with(stored)
    assert "the search used 000000000000..." in page
    assert "ground truth" not in page


def test_supernet_of_other_images_is_refused(stored: StoredSearch) -> None:
    with pytest.raises(CheckpointMismatch, match="learned from other images than those of synthetic:1"):
        open_source(str(stored.supernet), DATASET.replace(":0:", ":1:"), sha256=None)


def test_interrupted_search_is_reported_on(stored: StoredSearch) -> None:
    with Repository.open(stored.url) as repository:
        repository.finish_search(stored.run, {"ended_by": "PredictorUnavailable", "message": "gone"}, "interrupted")
    page = page_with(stored, "--samples", "0")
    assert "PredictorUnavailable: gone" in page
    assert f"hyctas search --resume {stored.run}" in page


def test_unknown_search_is_one_error_that_names_those_there_are(stored: StoredSearch) -> None:
    result = invoked("99", "--db", stored.url)
    assert result.exit_code == 1
    assert f"search 99 does not exist; stored searches: {stored.run}" in result.stderr
    assert result.stdout == ""


def test_missing_database_is_not_made(tmp_path: Path) -> None:
    result = invoked("1", "--db", f"sqlite:///{tmp_path / 'none.db'}")
    assert result.exit_code == 1
    assert not (tmp_path / "none.db").exists()


def test_samples_are_what_the_network_says_of_the_images(stored: StoredSearch) -> None:
    source = open_source(str(stored.supernet), DATASET, sha256=None)
    with Repository.open(stored.url) as repository:
        records = repository.candidates(stored.run)[:2]
    networks = [read_architecture(record.document) for record in records]
    said: list[str] = []
    shown = sample_set(source, networks, images=2, recalibration_batches=1, said=said.append)
    assert len(shown.samples) == 4 and len(said) == 2
    for sample in shown.samples:
        original = next(
            image for image in map(source.dataset.validation.__getitem__, range(5)) if image.name == sample.name
        )
        assert (sample.image == original.image).all()
        assert (sample.labels == original.labels).all()
        assert sample.predicted.shape == sample.labels.shape
        assert int(sample.predicted.max()) < len(shown.classes)
