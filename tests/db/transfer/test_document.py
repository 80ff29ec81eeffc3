"""The file of a measurements document: sound files are read, all others refused before anything is stored."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.repository import Repository
from db.transfer import document, lines
from db.transfer.document import read_document, write_document
from hyctas.errors import InvalidInput, InvalidTarget, StorageError

RECORDS = (lines.Device("epyc-7b12", {"cpu": "EPYC"}), lines.Target("epyc-7b12/onnxruntime-fp32-t1"))
Change = Callable[[list[dict[str, Any]]], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound document of two records."""
    write_document(tmp_path / "a.jsonl", RECORDS)
    return tmp_path / "a.jsonl"


def test_records_come_back_as_they_were_written(file: Path) -> None:
    assert tuple(read_document(file)) == RECORDS
    first, *_, last = map(json.loads, file.read_text().splitlines())
    assert first == {"record": "header", "format": "hyctas-measurements", "version": 1}
    assert last["records"] == {"device": 1, "target": 1}
    assert last["sha256"] == hashlib.sha256(b"".join(file.read_bytes().splitlines(keepends=True)[:-1])).hexdigest()


def test_name_that_ends_in_gz_compresses_without_time_or_name(tmp_path: Path, file: Path) -> None:
    for name in ("b.jsonl.gz", "c.jsonl.gz"):
        write_document(tmp_path / name, RECORDS)
        assert gzip.decompress((tmp_path / name).read_bytes()) == file.read_bytes()
        assert tuple(read_document(tmp_path / name)) == RECORDS
    assert (tmp_path / "b.jsonl.gz").read_bytes() == (tmp_path / "c.jsonl.gz").read_bytes()


def test_every_truncation_is_refused(file: Path) -> None:
    content = file.read_bytes()
    for length in range(len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(InvalidInput, match=r"a whole document|a record of the format"):
            list(read_document(file))


def test_truncated_compressed_file_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "a.gz"
    write_document(whole, RECORDS)
    content = whole.read_bytes()
    for length in range(len(content)):
        whole.write_bytes(content[:length])
        with pytest.raises(InvalidInput):
            list(read_document(whole))


@given(data=st.data())
def test_any_changed_byte_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = tmp_path_factory.mktemp("changed") / "a.jsonl"
    write_document(file, RECORDS)
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 2))
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    file.write_bytes(content)
    try:
        found = tuple(read_document(file))
    except InvalidInput:
        return
    # The counts of the trailer are for people; everything else is under the checksum.
    assert found == RECORDS
    assert place > content.rindex(b'{"record":"end"')


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "a.jsonl"
    file.write_bytes(content)
    with pytest.raises(InvalidInput):
        list(read_document(file))


def test_newer_version_says_to_upgrade(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(InvalidInput, match=r"a newer hyctas wrote it: upgrade"):
        list(read_document(file))


def test_endless_line_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_LINE_BYTES", 100)
    file.write_bytes(b" " * 1000)
    with pytest.raises(InvalidInput, match="a line of more than 100 bytes"):
        list(read_document(file))


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere.*No such file"):
        list(read_document(tmp_path / "nowhere"))
    with pytest.raises(StorageError, match=r"a.jsonl: No such file"):
        write_document(tmp_path / "no-folder" / "a.jsonl", RECORDS)


def test_failed_writing_leaves_the_old_file(file: Path) -> None:
    before = file.read_bytes()

    def failing() -> Any:
        yield RECORDS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_document(file, failing())
    assert file.read_bytes() == before
    assert [found.name for found in file.parent.iterdir()] == [file.name]


# Documents with a right checksum, written by something else


def rewritten(file: Path, change: Change) -> None:
    """Change the records of a document, and its checksum accordingly."""
    records = [json.loads(line) for line in file.read_text().splitlines()]
    end = records.pop()
    change(records)
    body = "".join(json.dumps(record) + "\n" for record in records)
    end["sha256"] = hashlib.sha256(body.encode()).hexdigest()
    file.write_text(body + '{"record":"end",' + json.dumps({"records": {}, "sha256": end["sha256"]})[1:] + "\n")


def first(records: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(record for record in records if record["record"] == kind)


def setting(kind: str, name: str, value: Any) -> Change:
    return lambda records: first(records, kind).__setitem__(name, value)


def without(kind: str) -> Change:
    return lambda records: records.remove(first(records, kind))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("measurement", "latency_s", "fast"), r"line 12.*Expected `float \| null`, got `str`"),
        (setting("measurement", "status", "good"), r"line 12"),
        (setting("measurement", "created_at", "2026-01-01T00:00:00"), r"line 12.*timezone"),
        (setting("measurement", "colour", "red"), r"line 12.*colour"),
        (setting("workload", "macs", None), r"line \d+.*macs"),
        (
            setting("environment", "digest", "0" * 64),
            r"environment: '0+' is not allowed; expected the digest of its facts",
        ),
        (setting("calibration", "compute_reference_s", 9.9), r"calibration: .*the checksum of its content"),
        (setting("run", "kind", "chosen"), r"run: .*the checksum of its content"),
        (setting("target", "name", "toaster"), r"target: 'toaster' is not allowed"),
        (without("run"), r"measurement: .*a run that stands before it"),
        (without("calibration"), r"measurement: .*a calibration that stands before it"),
        (without("environment"), r"measurement: .*an? environment that stands before it"),
        (without("target"), r"record: .*a target that stands before it"),
        (lambda records: records.reverse(), r"is not allowed"),
        (setting("header", "version", 0), r"version 1 of the format"),
    ],
)
def test_record_that_does_not_fit_is_named_and_nothing_is_merged(
    change: Change, message: str, sqlite_url: str, fill: Callable[..., Repository], tmp_path: Path,
    new_database: Callable[..., Repository],
) -> None:  # fmt: skip
    file = tmp_path / "a.jsonl"
    fill(new_database("source"), "p1").export_measurements(file)
    rewritten(file, change)
    with Repository(sqlite_url) as repository:
        with pytest.raises((InvalidInput, InvalidTarget), match=message):
            repository.merge_measurements(file)
        assert (repository.targets(), repository.count(), repository.runs()) == ((), 0, ())
