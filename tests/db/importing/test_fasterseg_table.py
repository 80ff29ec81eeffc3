"""``hyctas import fasterseg-table``: what it stores, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from db.records import IMPORTED, MeasurementFilter
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.fasterseg_table import table_part
from hyctas.lowering import lower_part
from hyctas.target import parse_target
from hyctas.workload import workload_key

TARGET = parse_target("gtx-1080-ti/tensorrt-fp32")
REFINEMENT = "ConvNorm_H128_W256_Cin96_Cout64_kernel3_stride1"
CONV = "BasicResidual1x_H128_W256_Cin96_Cout64_stride1_dilation1"
SKIPS = tuple(f"FactorizedReduce_H128_W256_Cin32_Cout{channels}_stride1" for channels in (32, 48, 64))
ENTRIES: Mapping[str, Any] = {
    REFINEMENT: 0.2569,
    CONV: 0.2502,
    **dict(zip(SKIPS, (0.0431, 0.0430, 0.0424), strict=True)),
}

Import = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'imported.db'}"


@pytest.fixture
def import_table(tmp_path: Path, url: str) -> Import:
    """Imports entries (or the text, or the file) with some options."""

    def run(table: Mapping[str, Any] | str | Path, *options: str) -> Result:
        path = table if isinstance(table, Path) else tmp_path / "table.json"
        if not isinstance(table, Path):
            path.write_text(table if isinstance(table, str) else json.dumps(table))
        return CliRunner().invoke(app, ["import", "fasterseg-table", str(path), "--db", url, "--json", *options])

    return run


def outcome(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def message(result: Result) -> str:
    """Of a command that failed, what went wrong."""
    assert result.exit_code == 1
    return result.output


def test_entries_of_one_graph_stay_under_their_keys(import_table: Import, url: str) -> None:
    found = outcome(import_table(ENTRIES))
    assert (found["added"], found["repeats"], found["known"], found["skipped"]) == (5, 3, 0, [])
    with Repository.open(url, create=False) as repository:
        rows = repository.measurements(MeasurementFilter(target=TARGET))
    assert {row.label: row.latency_s for row in rows} == {key: value / 1e3 for key, value in ENTRIES.items()}
    keys = {row.label: row.workload_key for row in rows}
    assert keys[REFINEMENT] == keys[CONV]
    assert len({keys[skip] for skip in SKIPS}) == 1
    for key, value in keys.items():
        part = table_part(str(key))
        assert part is not None
        assert workload_key(lower_part(part)) == value


def test_rows_claim_nothing_that_was_not_told(import_table: Import, url: str, tmp_path: Path) -> None:
    outcome(import_table(ENTRIES, "--source", "our own board"))
    with Repository.open(url, create=False) as repository:
        row = repository.measurements(MeasurementFilter(target=TARGET))[0]
        (run,) = repository.runs(TARGET)
        whole = repository.measurement(row.id)
    assert (row.status, row.wall_s, row.half_width, row.calibration_version) == ("ok", None, None, None)
    assert whole.rounds == ()
    assert (run.kind, run.status) == (IMPORTED, "finished")
    digest = hashlib.sha256((tmp_path / "table.json").read_bytes()).hexdigest()
    expected = {"provenance": "imported", "file_sha256": digest, "table": "fasterseg", "source": "our own board"}
    assert expected.items() <= row.environment.items()
    assert row.environment["interpolation"] == "nearest in place of bilinear"
    assert "tensorrt" not in row.environment


def test_importing_twice_changes_nothing(import_table: Import, url: str) -> None:
    outcome(import_table(ENTRIES))
    again = outcome(import_table(dict(reversed(ENTRIES.items()))))
    assert (again["run"], again["added"], again["known"]) == (None, 0, 5)
    with Repository.open(url, create=False) as repository:
        assert len(repository.runs(TARGET)) == 1
        assert repository.count(MeasurementFilter(target=TARGET)) == 5


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("MHSA_H128_W256_Cin32_Cout48", 0.1, "MHSA_H128_W256_Cin32_Cout48: .*the key of an operator of FasterSeg"),
        (CONV.replace("dilation1", "dilation2"), 0.1, "dilation2: .*with dilation 1"),
        (CONV, -0.1, "-0.1 is not allowed; expected a positive number of milliseconds"),
        (CONV, 0, "0 is not allowed"),
        (CONV, True, "True is not allowed"),
        (CONV, "0.25", "'0.25' is not allowed"),
        (CONV, None, "None is not allowed"),
        (CONV, [0.25], r"\[0.25\] is not allowed"),
    ],
)
def test_what_cannot_be_read_is_named_and_counted(
    key: str, value: object, told: str, import_table: Import, url: str
) -> None:
    table = {**ENTRIES, key: value}
    refused = import_table(table)
    assert "1 bad row(s)" in message(refused)
    assert re.search(told, message(refused))
    found = outcome(import_table(table, "--skip-bad"))
    assert found["added"] == len(table) - 1
    assert len(found["skipped"]) == 1
    with Repository.open(url, create=False) as repository:
        (run,) = repository.runs(TARGET)
    assert run.arguments["skipped"] == [key]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_named(text: str, import_table: Import) -> None:
    assert "1 bad row(s)" in message(import_table(f'{{"{REFINEMENT}": 0.25, "{CONV}": {text}}}'))


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1e-3), ("microseconds", 1e3), ("nanoseconds", 1e6)])
def test_other_units_are_refused(unit: str, factor: float, import_table: Import, url: str) -> None:
    told = message(import_table({key: value * factor for key, value in ENTRIES.items()}))
    assert "entries are milliseconds; are these other units?" in told
    with Repository.open(url) as repository:
        assert repository.targets() == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no JSON"),
        ('{"a": 1', "no JSON"),
        ("[1, 2]", "a list"),
        ("[" * 100_000, "no JSON"),
        (f'{{"{CONV}": 0.2, "{CONV}": 0.3}}', "twice"),
        ("\x93NUMPY", "no JSON"),
    ],
)
def test_files_that_are_no_table_are_refused(text: str, told: str, import_table: Import) -> None:
    assert told in message(import_table(text))


@pytest.mark.shared_data
def test_published_table_is_known_by_its_content(import_table: Import, url: str, shared_data: Path) -> None:
    folder = shared_data / "fasterseg"
    first = outcome(import_table(folder / "latency_lookup_table.npy"))
    again = outcome(import_table(folder / "latency_lookup_table.json"))
    assert (first["added"], first["repeats"], again["added"], again["known"]) == (667, 62, 0, 667)
    with Repository.open(url, create=False) as repository:
        row = repository.measurements(MeasurementFilter(target=TARGET))[0]
    facts = {"tensorrt": "5.1.5", "precision": "fp32", "batch": "1", "gpu": "NVIDIA GeForce GTX 1080 Ti"}
    assert facts.items() <= row.environment.items()
    assert "arXiv 1912.10917" in row.environment["source"]


@pytest.mark.shared_data
@pytest.mark.parametrize("target", ["gtx-1080-ti/tensorrt-fp16", "epyc-7b12/onnxruntime-fp32-t1"])
def test_published_table_is_of_one_runtime(target: str, import_table: Import, shared_data: Path) -> None:
    table = shared_data / "fasterseg" / "latency_lookup_table.json"
    assert "TensorRT 5.1.5 in fp32 measured this table" in message(import_table(table, "--target", target))


@pytest.mark.shared_data
def test_published_file_that_is_cut_short_leaves_nothing(
    import_table: Import, url: str, shared_data: Path, tmp_path: Path
) -> None:
    whole = (shared_data / "fasterseg" / "latency_lookup_table.npy").read_bytes()
    for size in (60, 200, len(whole) // 2, len(whole) - 1):
        (tmp_path / "short.npy").write_bytes(whole[:size])
        assert "is it cut short?" in message(import_table(tmp_path / "short.npy"))
    with Repository.open(url) as repository:
        assert repository.targets() == ()
