"""``hyctas onboard``: from nothing to a model that answers, borrowing, chance, going on, and its errors."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from db.records import CHOSEN
from db.repository import Repository
from hyctas.__main__ import app
from hyctas.architecture_json import to_json
from hyctas.measurement import Failure
from hyctas.target import parse_target
from predictor.artifact import load_predictor
from profiler.cli.onboarding import bench, loop
from profiler.cli.onboarding.loop import BLOCK, FIRST_OPERATORS, LATER_OPERATORS
from tests.predictor import synthetic
from tests.profiler.onboarding.world import SETTINGS, SIZE, Staged, law_s

TARGET = "staged-board/onnxruntime-fp32-t1"
FIRST_BLOCK = BLOCK + FIRST_OPERATORS


class Killed(BaseException):
    """Stands for the end of the process at any point."""


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Staged:
    found = Staged()
    monkeypatch.setenv("HYCTAS_DEVICE", "staged-board")
    monkeypatch.setattr(bench, "calibrate", found.calibrate)
    monkeypatch.setattr(bench, "run_plan", found.run_plan)
    monkeypatch.setattr(loop, "POOL", 40)
    return found


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'measured.db'}"


def onboard(url: str, *arguments: str, target: str = "onnxruntime-fp32-t1", budget: str = "1h") -> Result:
    models = url.removeprefix("sqlite:///") + "-models"
    where = ["--target", target, "--budget", budget, "--db", url, "--out", models]
    return CliRunner().invoke(app, ["onboard", *where, *SIZE, *arguments, "--json"])


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_from_nothing_to_a_model_that_answers(url: str, staged: Staged, tmp_path: Path) -> None:
    found = document(onboard(url, "--networks", "20"))
    assert (found["target"], found["borrowed"], found["interrupted"]) == (TARGET, {}, False)
    assert [point["networks"] for point in found["curve"]] == [10, 20]
    assert [point["operators"] for point in found["curve"]] == [FIRST_OPERATORS, FIRST_OPERATORS + LATER_OPERATORS]
    assert found["curve"][1]["mape"] == found["expected_error"]["mape"] < 0.1
    unseen = synthetic.networks(1, seed=77)[0].architecture
    (tmp_path / "unseen.json").write_text(json.dumps(to_json(unseen)))
    asked = CliRunner().invoke(
        app, ["predict", str(tmp_path / "unseen.json"), "--target", TARGET, "--db", url, "--json"]
    )
    (answer,) = document(asked)["predictions"]
    assert answer["model_id"] == found["model_id"]


def test_some_networks_are_picked_by_chance_and_these_alone_calibrate(url: str, staged: Staged) -> None:
    found = document(onboard(url, "--networks", "20"))
    with Repository.open(url) as repository:
        runs = {run.id: run.kind for run in repository.runs(parse_target(TARGET))}
        rows = repository.measurements(limit=None)
    kinds = Counter(runs[row.run_id] for row in rows if row.kind == "network")
    assert kinds == {"networks": 9, CHOSEN: 11}
    assert found["curve"][-1]["drawn"] == 9
    assert [point["half_width"] is not None for point in found["curve"]] == [False, True]
    assert load_predictor(Path(found["path"])).knowledge.intervals.networks == 9


def test_random_picking_draws_all_by_chance(url: str, staged: Staged) -> None:
    found = document(onboard(url, "--networks", "10", "--picking", "random"))
    assert found["curve"][-1]["drawn"] == found["curve"][-1]["networks"] == 10
    assert found["curve"][-1]["half_width"] is not None


@pytest.mark.slow
def test_known_targets_are_borrowed_from_and_training_again_does_not_forget_them(url: str, staged: Staged) -> None:
    for name in ("torch-fp32-t1", "openvino-fp32-t1"):
        document(onboard(url, "--networks", "30", target=name))
    staged.law_s = lambda work: 2.0 * law_s(work)
    found = document(onboard(url, "--networks", "10"))
    assert set(found["borrowed"]) <= {"staged-board/torch-fp32-t1", "staged-board/openvino-fp32-t1"}
    assert 0.1 < sum(found["borrowed"].values()) < 1.001
    unseen = [sample.architecture for sample in synthetic.networks(5, seed=77, settings=SETTINGS)]
    predicted = load_predictor(Path(found["path"])).predict(unseen)
    assert [p.latency_s for p in predicted] == pytest.approx([2.0 * law_s(network) for network in unseen], rel=0.1)
    trained = CliRunner().invoke(
        app, ["train", "--target", TARGET, "--db", url, "--out", str(Path(found["path"]).parent), "--json"]
    )
    facts = load_predictor(Path(document(trained)["path"])).knowledge.facts
    assert facts["borrowed"]
    alone = document(onboard(url, "--networks", "10", "--borrow", "none"))
    assert alone["borrowed"] == {}


@pytest.mark.slow
def test_interrupted_it_goes_on_where_it_stopped(url: str, staged: Staged) -> None:
    staged.stop_after = FIRST_BLOCK + 5
    first = onboard(url, "--networks", "20")
    assert first.exit_code == 130
    assert json.loads(first.stdout)["interrupted"] is True
    second = document(onboard(url, "--networks", "20"))
    assert second["curve"][-1]["networks"] == 20
    assert [point["networks"] for point in second["curve"]][:2] == [10, 15]
    assert len(staged.measured) == len(set(staged.measured))
    assert staged.networks == 20
    assert staged.calibrations == 1


@pytest.mark.slow
def test_killed_it_goes_on_where_it_stopped(url: str, staged: Staged) -> None:
    staged.stop_after, staged.stop = FIRST_BLOCK + 5, Killed()
    with pytest.raises(Killed):
        CliRunner().invoke(
            app, ["onboard", "--target", "onnxruntime-fp32-t1", "--db", url, *SIZE], standalone_mode=False
        )
    found = document(onboard(url, "--networks", "20"))
    assert found["curve"][-1]["networks"] == 20
    assert len(staged.measured) == len(set(staged.measured))
    assert staged.networks == 20


def test_used_budget_measures_nothing_more(url: str, staged: Staged) -> None:
    document(onboard(url, "--networks", "10"))
    found = document(onboard(url, budget="1s"))
    assert [point["networks"] for point in found["curve"]] == [10]
    assert staged.networks == 10


def test_budget_too_small_to_learn_anything_is_said(url: str, staged: Staged) -> None:
    result = onboard(url, budget="1s")
    assert result.exit_code == 1
    assert "0 networks with a stable result" in result.stderr and "larger --budget" in result.stderr


def test_target_of_another_machine_is_refused(url: str, staged: Staged) -> None:
    result = onboard(url, target="other-board/onnxruntime-fp32-t1")
    assert result.exit_code == 1
    assert "other-board" in result.stderr and "staged-board" in result.stderr
    assert not staged.measured


def test_runtime_that_runs_nothing_ends_with_its_reason(url: str, staged: Staged) -> None:
    staged.failure = Failure("build", "no kernel for Resize")
    result = onboard(url)
    assert result.exit_code == 1
    assert f"none of {FIRST_BLOCK} workloads ran: {FIRST_BLOCK} x build: no kernel for Resize" in result.stderr
    with Repository.open(url) as repository:
        assert {run.status for run in repository.runs()} == {"finished"}


def test_no_known_target_is_said(url: str, staged: Staged) -> None:
    result = onboard(url, "--networks", "10")
    assert "borrows nothing: no other target of the database has 20 measured networks" in " ".join(
        result.stderr.split()
    )


@pytest.mark.parametrize("text", ["", "ten", "0s", "-5m", "5x", "1m1h"])
def test_budget_that_is_no_length_of_time_is_bad_usage(url: str, staged: Staged, text: str) -> None:
    result = onboard(url, budget=text)
    assert result.exit_code == 2
    assert "no length of time" in " ".join(result.stderr.split()) or "option" in result.stderr
