"""``hyctas profile build-variance`` from the command line to a simulated GPU and back."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from db.repository import Repository
from hyctas.errors import InvalidTarget
from hyctas.measurement import Protocol
from profiler.build_variance import InProcesses
from profiler.cli import build_variance as command
from profiler.cli import register

QUICK = Protocol(min_rounds=3, max_rounds=3, samples_per_round=1, relative_half_width=10.0, min_cpu_share=0.0)
NO_OVERHEAD = {"layer_overhead_s": 0.0, "graph_launch_s": 1e-9, "kernel_launch_s": 1e-10, "event_resolution_s": 1e-9}
SMALL = ["--height", "32", "--width", "64", "--base-channels", "8"]


def run(target: str, db: str, *options: str) -> Any:
    app = typer.Typer()
    register(app)
    arguments = ["profile", "build-variance", "--target", target, *SMALL, "--db", db, *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def few_canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "OPERATORS", 1)
    monkeypatch.setattr(command, "InProcesses", partial(InProcesses, protocol=QUICK))


@pytest.mark.slow
@pytest.mark.usefixtures("few_canaries")
def test_bad_tactic_in_the_cache_is_found(simulation: Any, tmp_path: Path) -> None:
    """A first build was disturbed and chose badly; later ones choose better, but the cache keeps the first choice."""
    db = f"sqlite:///{tmp_path / 'x.db'}"
    simulation.scenario(tactics=[3.0], times=NO_OVERHEAD)
    disturbed = json.loads(run("rtx-4090/tensorrt-fp16", db, "--json").stdout)
    simulation.scenario(tactics=[1.0, 1.1, 1.2, 1.3], times=NO_OVERHEAD)
    document = json.loads(run("rtx-4090/tensorrt-fp16-nocache", db, "--json").stdout)
    assert document["target"] == disturbed["target"] == "rtx-4090/tensorrt-fp16"
    assert [canary["bad_tactic"] for canary in disturbed["canaries"]] == [False, False]
    assert disturbed["largest_spread"] == pytest.approx(0.0)
    for canary in document["canaries"]:
        assert len(canary["fresh_ms"]) == 3
        assert canary["failures"] == []
        assert canary["spread"] > 0.03
        assert canary["cached_excess"] > 0.5
        assert canary["bad_tactic"]
    with Repository.open(db) as repository:
        _, second = repository.runs()
    assert (second.kind, second.status) == ("build-variance", "finished")
    assert second.summary["largest_spread"] == document["largest_spread"]


@pytest.mark.slow
@pytest.mark.usefixtures("few_canaries")
def test_table_shows_each_canary_and_what_failed(simulation: Any, tmp_path: Path) -> None:
    simulation.scenario(faults=[{"call": "build_serialized_network", "at": 2, "act": "abort"}])
    shown = " ".join(run("rtx-4090/tensorrt-fp16", f"sqlite:///{tmp_path / 'x.db'}", "--builds", "2").stdout.split())
    assert "run 1: engines for rtx-4090/tensorrt-fp16" in shown
    assert "network" in shown
    assert "crash: the measuring process ended with signal SIGABRT" in shown


@pytest.mark.parametrize("name", ["tensorrt-rtx-fp16", "onnxruntime-fp32-t1"])
def test_runtime_whose_builds_do_not_differ_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidTarget, match=r"expected a target of tensorrt, the only runtime that times tactics"):
        run(f"bench/{name}", f"sqlite:///{tmp_path / 'x.db'}")
