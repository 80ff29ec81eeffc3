"""The quick start from end to end, on tiny networks: real measurements, a real model, a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyctas.architecture import ArchitectureDefaults
from hyctas.command_process import CommandRunner
from hyctas.quickstart import Quickstart
from hyctas.quickstart_report import report_json, report_markdown
from hyctas.quickstart_values import QuickstartResult, QuickstartSettings, SearchSize

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> QuickstartSettings:
    return QuickstartSettings(
        out=tmp_path_factory.mktemp("quickstart") / "demo",
        budget_s=40.0,
        networks=ArchitectureDefaults(height=64, width=64, base_channels=4, classes=8),
        depth=6,
        training_networks=16,
        held_out_networks=6,
        asked_networks=2,
        search=SearchSize(steps=4, batch_size=2, population=6, evaluations=12, images=4, processes=0),
    )


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(settings: QuickstartSettings, said: list[str]) -> QuickstartResult:
    return Quickstart(settings, say=said.append, sign_of_life=lambda elapsed_s: None).run()


def test_quickstart_leaves_database_model_and_log(settings: QuickstartSettings, result: QuickstartResult) -> None:
    assert (settings.out / "hyctas.db").is_file()
    assert (settings.models / result.model["model_id"] / "manifest.json").is_file()
    logged = settings.log.read_text()
    for command in ("profile operators", "profile networks", "train", "serve", "measurements"):
        assert f"$ hyctas {command} " in logged


def test_quickstart_predicts_networks_that_it_measures_later(result: QuickstartResult) -> None:
    assert len(result.comparisons) == 2
    for comparison in result.comparisons:
        assert comparison.predicted.tier != "measured"
        assert comparison.predicted.low_s <= comparison.predicted.latency_s <= comparison.predicted.high_s
        assert comparison.measured_s is not None and comparison.measured_s > 0


def test_quickstart_searches_over_http_and_measures_the_front(
    settings: QuickstartSettings, result: QuickstartResult
) -> None:
    assert result.search is not None
    assert result.search["evaluated"] == 12
    assert result.search["front"]
    assert result.search["drift"][result.target]["networks"] >= len(result.search["front"])
    assert "<svg" in settings.search_report.read_text()


def test_quickstart_tells_of_every_step(result: QuickstartResult, said: list[str]) -> None:
    told = "\n".join(said)
    for step in ("operators of the space", "to learn from", "to score on", "learning", "asking it about 2 networks"):
        assert step in told


def test_quickstart_reports_are_complete(settings: QuickstartSettings, result: QuickstartResult) -> None:
    report = report_markdown(result, settings)
    assert result.target in report and result.serve_command in report
    assert json.loads(json.dumps(report_json(result, settings)))["model_id"] == result.model["model_id"]


def test_quickstart_again_measures_nothing_twice(
    settings: QuickstartSettings, result: QuickstartResult, said: list[str]
) -> None:
    again = Quickstart(settings, say=said.append, sign_of_life=lambda elapsed_s: None).run()
    assert again.training["measured"] <= result.training["unstable"]
    assert all(comparison.predicted.tier != "measured" for comparison in again.comparisons)


def test_model_is_served_again_by_the_command_that_was_printed(
    settings: QuickstartSettings, result: QuickstartResult, tmp_path: Path
) -> None:
    from hyctas.client import Client

    arguments = result.serve_command.removeprefix("hyctas serve ").split()
    runner = CommandRunner(tmp_path / "log", lambda elapsed_s: None)
    with runner.serving(*arguments) as url, Client(url) as client:
        assert result.model["model_id"] in {model.model_id for model in client.models()}
