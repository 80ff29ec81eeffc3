"""Exporting and merging: nothing is lost, nothing is there twice, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from db.records import WorkloadRecord
from db.repository import Repository
from db.transfer.values import ExportFilter
from hyctas.measurement import Calibration, Measurement
from hyctas.target import Target, parse_target

Fill = Callable[..., Repository]


def exported(repository: Repository, file: Path, wanted: ExportFilter | None = None) -> bytes:
    repository.export_measurements(file, wanted)
    return file.read_bytes()


def rows(repository: Repository) -> list[Any]:
    """All measurements without the numbers that differ between databases, in the order of their times."""
    found = (replace(row, id=0, run_id=0) for row in repository.measurements(limit=None))
    return sorted(found, key=lambda row: (row.created_at, row.workload_key))


def learned(repository: Repository, target: Target) -> list[tuple[Any, float | None, float | None]]:
    """What a model is trained on, in its order."""
    networks = [(record.document, row.latency_s, None) for record, row in repository.network_latencies(target)]
    operators = [
        (record.description, row.latency_s, row.marginal_s) for record, row in repository.operator_latencies(target)
    ]
    return [*networks, *operators]


def test_empty_database_after_import_exports_the_same_document(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path, target: Target
) -> None:
    source = fill(new_database("source"), "p1")
    before = exported(source, tmp_path / "before.jsonl")
    outcome = empty.merge_measurements(tmp_path / "before.jsonl")
    assert exported(empty, tmp_path / "after.jsonl") == before
    assert outcome.added == outcome.read
    assert outcome.read == {
        "device": 1, "target": 1, "environment": 1, "calibration": 1,
        "workload": 3, "architecture": 2, "run": 1, "measurement": 5,
    }  # fmt: skip
    assert rows(empty) == rows(source)
    assert learned(empty, target) == learned(source, target)
    whole = [[repository.measurement(row.id) for row in repository.measurements()] for repository in (empty, source)]
    assert whole[0] == whole[1]
    assert empty.latest_calibration(target) == source.latest_calibration(target)


def test_exporting_from_either_kind_of_database_gives_the_same_document(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path
) -> None:
    fill(empty, "p1")
    document = exported(empty, tmp_path / "a.jsonl")
    there = new_database("there")
    there.merge_measurements(tmp_path / "a.jsonl")
    assert exported(there, tmp_path / "b.jsonl") == document


def test_importing_twice_changes_nothing(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path
) -> None:
    exported(fill(new_database("source"), "p1"), tmp_path / "a.jsonl")
    empty.merge_measurements(tmp_path / "a.jsonl")
    before, runs = rows(empty), empty.runs()
    outcome = empty.merge_measurements(tmp_path / "a.jsonl")
    assert (outcome.added, outcome.repeats, outcome.demoted) == ({}, 0, 0)
    assert (rows(empty), empty.runs()) == (before, runs)


def test_a_database_that_imports_itself_changes_nothing(empty: Repository, fill: Fill, tmp_path: Path) -> None:
    fill(empty, "p1")
    running = empty.start_run("operators", None, {})
    before, runs = rows(empty), empty.runs()
    exported(empty, tmp_path / "a.jsonl")
    assert empty.merge_measurements(tmp_path / "a.jsonl").added == {}
    assert (rows(empty), empty.runs()) == (before, runs)
    assert empty.runs()[-1].id == running


def test_merging_either_way_gives_equal_training_data(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path, target: Target
) -> None:
    first, second = new_database("first", 0), new_database("second", 10)
    exported(fill(first, "p1"), tmp_path / "first.jsonl")
    exported(fill(second, "p2", reference_s=0.006), tmp_path / "second.jsonl")
    one = first.merge_measurements(tmp_path / "second.jsonl")
    other = second.merge_measurements(tmp_path / "first.jsonl")
    for name in ("second", "first"):
        empty.merge_measurements(tmp_path / f"{name}.jsonl")
    assert learned(first, target) == learned(second, target) == learned(empty, target)
    assert (one.added["measurement"], one.repeats, one.demoted) == (5, 2, 0)
    assert (other.added["measurement"], other.repeats, other.demoted) == (5, 0, 2)
    assert {row.process_id for _, row in empty.network_latencies(target)} == {"p1"}


def test_calibrations_of_two_databases_stay_apart(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path, target: Target
) -> None:
    exported(fill(new_database("other"), "p2", reference_s=0.006), tmp_path / "other.jsonl")
    fill(empty, "p1")
    own = empty.latest_calibration(target)
    empty.merge_measurements(tmp_path / "other.jsonl")
    assert [(c.version, c.compute_reference_s) for c in empty.calibrations(target)] == [(1, 0.005), (2, 0.006)]
    assert empty.latest_calibration(target) == own
    by_process = {row.process_id: row for row in empty.measurements() if row.workload_key == "w"}
    assert (by_process["p1"].calibration_version, by_process["p2"].calibration_version) == (1, 2)
    assert by_process["p2"].latency_s == pytest.approx(by_process["p1"].latency_s * 1.2)
    assert all(a.calibration_version == b.calibration_version for a, b in empty.repeats(target))


def test_runs_get_new_numbers_and_say_where_they_came_from(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path, target: Target
) -> None:
    empty.ensure_target(target, {})
    empty.start_run("operators", target, {})
    exported(fill(new_database("other"), "p2"), tmp_path / "other.jsonl")
    empty.merge_measurements(tmp_path / "other.jsonl")
    own, merged = empty.runs()
    assert (own.origin, merged.id) == (None, 2)
    assert (merged.kind, merged.arguments, merged.summary) == ("networks", {"seed": 3, "of": "p2"}, {"measured": 5})
    assert merged.origin is not None
    assert merged.origin["number"] == 1
    assert {row.run_id for row in empty.measurements()} == {2}


def test_filters_leave_out_measurements_and_what_only_they_refer_to(
    empty: Repository, fill: Fill, tmp_path: Path, target: Target,
    workload: Callable[..., WorkloadRecord], measured: Callable[..., Measurement],
) -> None:  # fmt: skip
    fill(empty, "p1")
    elsewhere = parse_target("a100/tensorrt-fp16")
    empty.ensure_target(elsewhere, {})
    empty.add_workloads([workload("only-there")])
    run = empty.start_run("operators", elsewhere, {})
    number = empty.add_measurement(run, replace(measured("only-there"), target=elsewhere), calibration=None)
    (last,) = empty.measurements(after_id=number - 1)
    for wanted in (ExportFilter((elsewhere,)), ExportFilter(since=last.created_at)):
        kinds = [json.loads(line) for line in exported(empty, tmp_path / "a.jsonl", wanted).splitlines()]
        counts = kinds[-1]["records"]
        assert counts == {"device": 1, "environment": 1, "measurement": 1, "run": 1, "target": 1, "workload": 1}
    assert set(empty.export_measurements(tmp_path / "b.jsonl", ExportFilter((target, elsewhere)))) >= {"calibration"}


def test_a_run_that_went_on_after_it_was_merged_is_brought_up_to_date(
    empty: Repository, new_database: Callable[..., Repository], tmp_path: Path, target: Target,
    workload: Callable[..., WorkloadRecord], measured: Callable[..., Measurement],
) -> None:  # fmt: skip
    source = new_database("source")
    source.ensure_target(target, {})
    source.add_workloads([workload("w"), workload("v")])
    run = source.start_run("operators", target, {})
    first = source.add_measurement(run, measured("w"), calibration=None)
    exported(source, tmp_path / "early.jsonl")
    source.set_marginal(first, 0.002)
    source.add_measurement(run, measured("v"), calibration=None)
    source.finish_run(run, {"measured": 2})
    late = exported(source, tmp_path / "late.jsonl")
    empty.merge_measurements(tmp_path / "early.jsonl")
    assert [r.status for r in empty.runs()] == ["interrupted"]
    outcome = empty.merge_measurements(tmp_path / "late.jsonl")
    assert outcome.added == {"measurement": 1, "workload": 1}
    assert [(r.status, r.summary) for r in empty.runs()] == [("finished", {"measured": 2})]
    assert exported(empty, tmp_path / "after.jsonl") == late


def test_nothing_is_merged_where_the_database_fails_half_way(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path
) -> None:
    exported(fill(new_database("source"), "p1"), tmp_path / "a.jsonl")

    def fail(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("INSERT INTO measurement"):
            raise KeyboardInterrupt

    engine = empty._database._engine
    event.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(KeyboardInterrupt):
        empty.merge_measurements(tmp_path / "a.jsonl")
    event.remove(engine, "before_cursor_execute", fail)
    assert (empty.targets(), empty.runs(), empty.count()) == ((), (), 0)
    assert empty.merge_measurements(tmp_path / "a.jsonl").added["measurement"] == 5


def test_a_calibration_whose_version_is_taken_twice_keeps_its_measurements(
    empty: Repository, new_database: Callable[..., Repository], fill: Fill, tmp_path: Path, target: Target,
    calibration: Calibration,
) -> None:  # fmt: skip
    for place, reference_s in enumerate((0.005, 0.006, 0.007)):
        source = fill(new_database(f"s{place}", place), f"p{place}", reference_s=reference_s)
        exported(source, tmp_path / f"s{place}.jsonl")
        empty.merge_measurements(tmp_path / f"s{place}.jsonl")
    assert [(c.version, c.compute_reference_s) for c in empty.calibrations(target)] == [
        (1, 0.005),
        (2, 0.006),
        (3, 0.007),
    ]
    latest = empty.latest_calibration(target)
    assert latest is not None
    assert latest.version == 3
