from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from hyctas.prediction import Prediction
from hyctas.quickstart_report import accuracy, comparison_table, report_json, report_markdown
from hyctas.quickstart_values import Comparison, QuickstartResult, QuickstartSettings


def prediction(latency_s: float) -> Prediction:
    return Prediction(latency_s, 0.9 * latency_s, 1.1 * latency_s, 0.9, "learned", (), (), "m1", None)


def step(**changed: Any) -> dict[str, Any]:
    whole = {"planned": 9, "measured": 5, "already_measured": 1, "unstable": 1, "remaining": 2, "wall_s": 3.6}
    return {**whole, "failed": {"timeout: slow": 2}, **changed}


def scores(mape: float) -> dict[str, Any]:
    shares = {"within_5": 0.5, "within_10": 1.0, "pair_accuracy": None, "bias": 0.0}
    return {"networks": 4, "mape": mape, "spearman": None, **shares}


SEARCH = {
    "evaluated": 24,
    "fronts": {"1": [{"key": "0123456789abcdef", "miou": 0.4, "latency_ms": [2.5]}], "2": []},
    "drift": {
        "a/onnxruntime-fp32-t1": {
            "networks": 1,
            "mape": 0.02,
            "bias": -0.02,
            "inversions": 0,
            "pairs": 0,
            "coverage": 1.0,
            "nominal_coverage": 0.9,
        }
    },
}


def result(*comparisons: Comparison, evaluated: bool = True) -> QuickstartResult:
    coverage = {"nominal": 0.9, "share": 0.75, "low": 0.2, "high": 0.99, "mean_width": 0.1}
    evaluation = {"scores": scores(0.021), "coverage": coverage, "baselines": {"macs_only": scores(0.13)}, "tiers": {}}
    model = {"model_id": "m1", "noise_floor": None, "evaluation": evaluation if evaluated else None}
    return QuickstartResult("a/onnxruntime-fp32-t1", step(), step(), step(), model, comparisons, SEARCH, "hyctas serve")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_comparison_gives_the_relative_error() -> None:
    assert Comparison("k", 1, prediction(0.011), 0.010, True).error == pytest.approx(0.1)
    assert Comparison("k", 1, prediction(0.011), None, False).error is None


def test_table_shows_milliseconds_and_marks_what_was_not_measured() -> None:
    table = comparison_table(
        (Comparison("a" * 64, 2, prediction(0.011), 0.01, True), Comparison("b", 1, prediction(1), None, False))
    )
    first, second = table.splitlines()[2:]
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells == ["a" * 12, "2", "11.000", "9.900 to 12.100", "10.000", "+10.0%", "learned"]
    assert [cell.strip() for cell in second.strip("|").split("|")][4:6] == ["-", "-"]


def test_table_marks_measurements_that_did_not_settle() -> None:
    table = comparison_table((Comparison("a", 1, prediction(0.011), 0.01, stable=False),))
    assert cells(table.splitlines()[-1])[4] == "10.000 (unstable)"


def test_table_columns_line_up() -> None:
    table = comparison_table((Comparison("a" * 64, 2, prediction(0.011), 0.01, True),))
    assert len({len(line) for line in table.splitlines()}) == 1


def test_accuracy_names_the_noise_floor_and_baselines_even_when_unknown() -> None:
    said = accuracy(result())
    ours, baseline = (cells(line) for line in said.splitlines() if "| 50.0%" in line)
    assert ours == ["**hyctas**", "2.1%", "50.0%", "100.0%", "unknown", "-"]
    assert baseline[:2] == ["MACs only", "13.0%"]
    assert "between processes: unknown" in said


def test_accuracy_without_held_out_networks_says_so() -> None:
    assert "nothing can be said" in accuracy(result(evaluated=False))


def test_report_says_that_the_budget_is_small_and_how_to_serve_again() -> None:
    report = report_markdown(result(Comparison("k", 1, prediction(0.01), 0.01, True)), QuickstartSettings(Path("demo")))
    assert "on a small budget (300 s of measuring)" in report
    assert "\nhyctas serve\n" in report
    assert report.endswith("\n") and not report.endswith("\n\n")


def test_report_json_is_json_in_milliseconds() -> None:
    document = report_json(result(Comparison("k", 1, prediction(0.01), 0.008, False)), QuickstartSettings(Path("demo")))
    (comparison,) = json.loads(json.dumps(document))["comparisons"]
    assert comparison["predicted"]["latency_ms"] == pytest.approx(10.0)
    assert comparison["measured_ms"] == pytest.approx(8.0)
    assert comparison["error"] == pytest.approx(0.25)


def test_report_shows_the_front_and_how_far_its_latencies_drifted() -> None:
    report = report_markdown(result(), QuickstartSettings(Path("demo")))
    assert "| 1        | 0123456789ab | 0.400 | 2.500        |" in report
    assert "off by 2.0% on average (bias -2.0%)" in report
    assert "demo/search.html" in report


def test_report_without_a_search_says_so() -> None:
    without = dataclasses.replace(result(), search=None)
    assert "No search was made" in report_markdown(without, QuickstartSettings(Path("demo")))
