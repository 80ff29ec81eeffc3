"""CSV tables of others: what is understood, what is refused, and what the database keeps of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.importing.csv_rows import COLUMNS, ReadRows, kinds_of, read_rows
from db.importing.csv_table import BadLine, read_table
from db.importing.source import ImportOutcome, ImportSource, imported_facts
from db.repository import Repository
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.errors import InvalidInput
from hyctas.lowering import lower_part
from hyctas.measurement import Reported
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from hyctas.workload import workload_key

TARGET = parse_target("gtx-1080-ti/tensorrt-fp32")
CONV = {"kind": "conv", "height": "64", "width": "128", "in_channels": "32", "out_channels": "48", "latency_ms": "0.25"}
SA = {
    **CONV,
    "kind": "sa",
    "attention": "efficient",
    "stride": "2",
    "latency_ms": "1.5",
    "note": "attention of stage 2",
}
FUSE = {**CONV, "kind": "fuse", "in_channels": "64+32", "latency_ms": "", "samples_ms": "0.4; 0.5 0.6", "repeats": "30"}


@pytest.fixture(scope="module")
def network() -> Mapping[str, Any]:
    """A small network as version-1 JSON."""
    import numpy as np

    settings = ArchitectureDefaults(height=64, width=64, base_channels=4)
    (found,) = sample_structured(SearchSpace(depth=6), np.random.default_rng(0), 1, settings)
    return to_json(found)


def table(*rows: Mapping[str, str]) -> bytes:
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(content: bytes, folder: Path = Path()) -> ReadRows:
    return read_rows(content, ArchitectureDefaults(), folder=folder, at="ops.csv")


def test_operators_become_workloads_with_the_keys_of_our_own() -> None:
    found = read(table(CONV, SA, FUSE))
    assert found.bad == []
    parts = [
        Part("conv", 64, 128, (32,), 48),
        Part("sa", 64, 128, (32,), 48, stride=2, attention="efficient"),
        Part("fuse", 64, 128, (64, 32), 48),
    ]
    assert [row.workload.key for row in found.latencies] == [workload_key(lower_part(part)) for part in parts]
    assert [row.reported for row in found.latencies] == [
        Reported(0.00025),
        Reported(0.0015, "attention of stage 2"),
        Reported(0.0005, "", (0.0004, 0.0005, 0.0006), 30),
    ]


def test_networks_stand_in_the_table_or_in_files_beside_it(network: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "a.json").write_text(json.dumps(network))
    rows = [
        {"kind": "network", "latency_ms": "7", "architecture": text} for text in (json.dumps(network), "nets/a.json")
    ]
    found = read(table(*rows), tmp_path)
    assert found.bad == []
    first, second = found.latencies
    assert first == second
    assert first.architecture is not None
    assert first.architecture.document == network
    assert first.workload.kind == "network"


def test_byte_order_mark_spaces_and_empty_lines_are_no_fault() -> None:
    header = b"\xef\xbb\xbf kind , height,width,in_channels,out_channels,latency_ms\r\n"
    content = header + b"\r\nconv, 64,128 ,32,48, 0.25\r\n,,,,,\r\n"
    found = read(content)
    assert [row.reported.latency_s for row in found.latencies] == [0.00025]
    assert [bad.number for bad in found.bad] == [4]


@pytest.mark.parametrize(
    ("change", "column", "allowed"),
    [
        ({"kind": "convolution"}, "kind", "one of skip, conv"),
        ({"kind": ""}, "kind", "one of skip, conv"),
        ({"height": "64.0"}, "height", "a whole number from 1"),
        ({"height": "0"}, "height", "a whole number from 1"),
        ({"height": "-3"}, "height", "a whole number from 1"),
        ({"height": "٣"}, "height", "a whole number from 1"),
        ({"width": ""}, "width", "a whole number from 1"),
        ({"width": "9" * 400}, "width", "a whole number from 1"),
        ({"in_channels": "32+"}, "in_channels", "a whole number from 1"),
        ({"in_channels": "32+32"}, "kind", "conv takes 1 input(s), not 2"),
        (
            {"height": "1048576", "width": "1048576", "in_channels": "1048576", "out_channels": "99999"},
            "kind",
            "counted",
        ),
        ({"stride": "3"}, "stride", "1 or 2"),
        ({"kind": "classifier", "stride": "2"}, "stride", "1: classifier has no other"),
        ({"attention": "efficient"}, "attention", "nothing: conv has no attention"),
        ({"kind": "sa"}, "attention", "one of efficient, released"),
        ({"kind": "head_attention", "attention": "efficient"}, "kind", "has 32 output channels"),
        ({"space": "imagenet"}, "space", "one of hyctas, fasterseg"),
        ({"kind": "downup", "space": "hyctas"}, "kind", "a kind of space hyctas"),
        ({"batch": "two"}, "batch", "a whole number from 1"),
        ({"latency_ms": ""}, "latency_ms", "or samples_ms in its place"),
        ({"latency_ms": "0"}, "latency_ms", "a positive number of milliseconds"),
        ({"latency_ms": "-1"}, "latency_ms", "a positive number of milliseconds"),
        ({"latency_ms": "nan"}, "latency_ms", "a positive number of milliseconds"),
        ({"latency_ms": "inf"}, "latency_ms", "a positive number of milliseconds"),
        ({"latency_ms": "0,25"}, "latency_ms", "with a point"),
        ({"samples_ms": "0.3;fast"}, "samples_ms", "a positive number of milliseconds"),
        ({"repeats": "0"}, "repeats", "a whole number from 1"),
        ({"architecture": "{}"}, "architecture", "only rows of kind network"),
        ({"kind": "network"}, "height", "nothing: a network's architecture says it"),
    ],
)
def test_bad_cell_is_named_by_line_and_column(change: Mapping[str, str], column: str, allowed: str) -> None:
    found = read(table(CONV, {**CONV, **change}, CONV))
    (bad,) = found.bad
    assert (bad.number, bad.column) == (3, column)
    assert allowed in str(bad)
    assert len(found.latencies) == 2


@pytest.mark.parametrize("text", ["", "missing.json", '{"version": 1}', "a\0b", "."])
def test_bad_architecture_is_named(text: str, tmp_path: Path) -> None:
    content = b"kind,latency_ms,architecture\n" + f'network,7,"{text.replace(chr(34), chr(34) * 2)}"\n'.encode()
    if "\0" in text:
        found = read_rows_or_refused(content, tmp_path)
        assert isinstance(found, InvalidInput) or found.bad[0].column == "architecture"
        return
    (bad,) = read(content, tmp_path).bad
    assert (bad.number, bad.column) == (2, "architecture")


def read_rows_or_refused(content: bytes, folder: Path) -> ReadRows | InvalidInput:
    try:
        return read(content, folder)
    except InvalidInput as error:
        return error


def test_space_must_be_that_of_the_architecture(network: Mapping[str, Any]) -> None:
    row = {"kind": "network", "latency_ms": "7", "architecture": json.dumps(network), "space": "fasterseg"}
    (bad,) = read(table(row)).bad
    assert (bad.column, bad.allowed) == ("space", "hyctas, like the architecture")


@pytest.mark.parametrize(
    ("content", "place", "told"),
    [
        (b"", "line 1", "a header line"),
        (b"kind,colour\n", "line 1", "'colour' is not allowed"),
        (b"kind,kind\n", "line 1", "kind twice"),
        (b"\xff\xfek\x00", "line 1", "UTF-8"),
        (b'kind,height\nconv,"64\n', "line 2", "quotes doubled"),
    ],
)
def test_file_that_is_no_such_table_is_refused(content: bytes, place: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        read(content)
    assert caught.value.path == f"ops.csv, {place}"


def test_line_numbers_count_lines_inside_quotes() -> None:
    content = b'kind,height,note\nconv,64,"two\nlines"\nconv,64\n'
    lines = list(read_table(content, COLUMNS, at="ops.csv"))
    assert [line.number for line in lines] == [2, 4]
    assert lines[1] == BadLine(4, "", "2 cells", "3, like the header")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    found = read_rows_or_refused(content, Path("/nowhere"))
    assert isinstance(found, InvalidInput | ReadRows)


@given(st.lists(st.tuples(st.sampled_from(COLUMNS), st.text(max_size=12)), max_size=6))
def test_any_cells_are_read_or_named(cells: list[tuple[str, str]]) -> None:
    found = read_rows_or_refused(table({**CONV, **dict(cells)}), Path("/nowhere"))
    assert isinstance(found, InvalidInput) or len(found.latencies) + len(found.bad) >= 1


def test_kinds_of_a_space_are_those_of_its_networks() -> None:
    assert {"sa", "ffm", "argmax"} <= set(kinds_of("hyctas"))
    assert "sa" not in kinds_of("fasterseg")


# What the database keeps


@pytest.fixture
def stored(url: str) -> Iterator[Repository]:
    """An empty database of either kind."""
    with Repository(url) as repository:
        yield repository


def take_in(
    repository: Repository, content: bytes, *, source: str | None = None, chosen: bool = False
) -> ImportOutcome:
    facts = imported_facts(content, source, {})
    found = ImportSource(TARGET, format="csv", facts=facts, arguments={"file": "ops.csv"}, chosen=chosen)
    return repository.import_latencies(found, read(content).latencies)


def test_reported_latencies_claim_no_rounds(stored: Repository) -> None:
    outcome = take_in(stored, table(CONV, FUSE), source="a paper")
    assert outcome == ImportOutcome(outcome.run_id, added=2, repeats=0, known=0)
    conv, fuse = stored.measurements()
    assert (conv.status, conv.latency_s, conv.wall_s, conv.half_width, conv.calibration_version) == (
        "ok", 0.00025, None, None, None,
    )  # fmt: skip
    assert (conv.metric, conv.normaliser, conv.label) == ("compute_time", "none", "")
    assert fuse.half_width == pytest.approx(1.96 * 1.2533 * 1.4826 * 0.2 / 3**0.5)
    whole = stored.measurement(conv.id)
    assert (whole.rounds, whole.reported) == ((), Reported(0.00025))
    assert whole.environment["provenance"] == "imported"
    assert whole.environment["source"] == "a paper"
    assert len(whole.environment["file_sha256"]) == 64
    (run,) = stored.runs(TARGET)
    assert (run.kind, run.status, run.summary["added"]) == ("imported", "finished", 2)


def test_reported_operators_are_learned_from(stored: Repository) -> None:
    take_in(stored, table(CONV, SA))
    assert [row.latency_s for _, row in stored.operator_latencies(TARGET)] == [0.00025, 0.0015]
    assert [row.label for _, row in stored.operator_latencies(TARGET)] == ["", "attention of stage 2"]


def test_importing_twice_changes_nothing(stored: Repository) -> None:
    take_in(stored, table(CONV, SA))
    before = stored.measurements()
    assert take_in(stored, table(SA, CONV), source="again") == ImportOutcome(None, 0, 0, 2)
    assert (stored.measurements(), len(stored.runs())) == (before, 1)


def test_equal_rows_of_one_file_are_one(stored: Repository) -> None:
    assert take_in(stored, table(CONV, CONV)).added == 1


def test_rows_of_one_graph_with_other_names_both_stay(stored: Repository) -> None:
    outcome = take_in(stored, table({**CONV, "note": "a"}, {**CONV, "note": "b"}))
    assert (outcome.added, outcome.repeats) == (2, 1)
    assert [(row.label, row.purpose) for row in stored.measurements()] == [("a", "primary"), ("b", "repeat")]
    assert stored.repeats(TARGET) == ()


def test_another_latency_of_a_known_workload_is_a_repeat(stored: Repository) -> None:
    take_in(stored, table(CONV))
    outcome = take_in(stored, table({**CONV, "latency_ms": "0.5"}, SA))
    assert (outcome.added, outcome.repeats, outcome.known) == (2, 1, 0)
    assert [row.latency_s for _, row in stored.operator_latencies(TARGET)] == [0.00025, 0.0015]


def test_chosen_networks_make_a_chosen_run(stored: Repository) -> None:
    take_in(stored, table(CONV), chosen=True)
    assert [run.kind for run in stored.runs()] == ["chosen"]
