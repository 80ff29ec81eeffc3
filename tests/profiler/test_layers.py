"""Layer by layer: the report, and the command that prints it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hyctas.__main__ import app
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_json import to_json
from hyctas.errors import MeasuringError
from hyctas.graph import Graph
from hyctas.lowering import lower_part
from hyctas.measurement import Measurement, Protocol, Round
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target
from profiler.layers import LayerReport, profile_layers
from profiler.runtimes.engine import LayerTime
from profiler.session import SessionSettings

CHAIN = lower_part(Part("conv", 4, 4, (8,), 8), copies=2)
FIRST, SECOND = (tuple(node.name for node in CHAIN.nodes if node.place == f"conv[{copy}]") for copy in (0, 1))


def a_report(target: Target, *layers: LayerTime) -> LayerReport:
    rounds = (Round((0.004,), (0.002,), (0.004,), 1.0),) * 5
    return LayerReport(CHAIN, Measurement("w", target, rounds, 1e-5, Protocol(), {}), layers)


def test_layers_are_summed_by_place(target: Target) -> None:
    fused = (FIRST[-1], SECOND[0])
    layers = (LayerTime("a", 1.0, FIRST[:-1]), LayerTime("b", 2.0, fused), LayerTime("c", 4.0, ()))
    report = a_report(target, *layers, LayerTime("d", 1.0, FIRST[:1]))
    assert report.sum_s == 8.0
    assert report.by_place() == {("conv[0]",): 2.0, ("conv[0]", "conv[1]"): 2.0, (): 4.0}
    assert report.share(2.0) == 0.25
    assert report.uncovered == SECOND[1:]


def test_nothing_has_no_share(target: Target) -> None:
    report = a_report(target)
    assert (report.sum_s, report.share(0.0), report.by_place()) == (0, 0.0, {})
    assert report.uncovered == (*FIRST, *SECOND)


def test_runtime_that_does_not_split_is_an_error_that_says_so(
    target: Target, staged: Mapping[str, str], graph: Callable[..., Graph], quick: Protocol
) -> None:
    for name, reason in [("run", "does not tell the time of single layers"), ("unsupported", "no such primitive")]:
        with pytest.raises(MeasuringError, match=f"onnxruntime-fp32-t1: {name}: unsupported: .*{reason}"):
            profile_layers(graph(name), SessionSettings(target, quick, "none", 0, staged))


def test_gpu_is_split_too(
    gpu_target: Target, staged: Mapping[str, str], graph: Callable[..., Graph], quick: Protocol
) -> None:
    report = profile_layers(graph("run"), SessionSettings(gpu_target, quick, "none", 0, staged))
    assert report.measurement.metric == "compute_time"
    assert report.layers == (LayerTime("layer relu", 0.001, ("relu",)), LayerTime("copy", 0.001, ()))


@pytest.fixture
def network() -> dict[str, Any]:
    settings = ArchitectureDefaults(height=64, width=128, base_channels=4)
    (drawn,) = sample_structured(SearchSpace(depth=6), np.random.default_rng(3), 1, settings)
    return to_json(drawn)


@pytest.fixture
def layers_command(monkeypatch: pytest.MonkeyPatch, network: dict[str, Any]) -> Callable[..., Result]:
    monkeypatch.setenv("HYCTAS_DEVICE", "bench")
    return lambda *options: CliRunner().invoke(app, ["profile", "layers", "-", *options], input=json.dumps(network))


@pytest.mark.slow
def test_command_splits_a_network(layers_command: Callable[..., Result]) -> None:
    result = layers_command("--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["target"], found["metric"], found["part"]) == ("bench/onnxruntime-fp32-t1", "host_time", None)
    assert found["uncovered"] == []
    assert found["latency_ms"] > 0.0
    assert found["sum_ms"] == pytest.approx(sum(layer["latency_ms"] for layer in found["layers"]))
    assert sum(layer["share"] for layer in found["layers"]) == pytest.approx(1.0)
    assert sum(place["share"] for place in found["places"]) == pytest.approx(1.0)
    places = {place for layer in found["layers"] for place in layer["places"]}
    assert {"stem.conv", "branches[0].cells[0]", "head.classifier"} <= places


def test_command_splits_one_operator_in_words(layers_command: Callable[..., Result]) -> None:
    result = layers_command("--part", "stem.conv")
    assert result.exit_code == 0, result.stderr
    assert "stem_conv" in result.stdout and "on bench/onnxruntime-fp32-t1" in result.stdout
    assert "layers under the profiler" in result.stdout
    assert "latency without it (host_time)" in result.stdout


def test_unknown_place_lists_the_places(layers_command: Callable[..., Result]) -> None:
    result = layers_command("--part", "branches[9]")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--part: 'branches[9]' is not allowed" in result.stderr and "stem.conv" in result.stderr
