"""What this machine can measure: every target is accounted for, whatever its runtime does to its process."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from typer.testing import CliRunner

from hyctas.__main__ import app
from hyctas.target import parse_target
from profiler.probe import NAMELESS_GPU, ProbedTarget, missing_by_reason, probe_targets
from profiler.runtimes import CATALOGUE, RuntimeSource, Variant


def by_name(probed: tuple[ProbedTarget, ...]) -> dict[str, ProbedTarget]:
    return {found.target.local_name: found for found in probed}


def staged_source(location: str, *variants: tuple[str, ...]) -> RuntimeSource:
    return RuntimeSource(f"staged_probes:{location}", tuple(Variant(targets, "nothing") for targets in variants))


@pytest.mark.slow
def test_every_target_of_the_catalogue_is_listed() -> None:
    probed = by_name(probe_targets("bench"))
    assert set(probed) == {name for source in CATALOGUE.values() for name in source.local_targets}
    assert probed["onnxruntime-fp32-t1"].reason is None
    assert "onnxruntime" in probed["onnxruntime-fp32-t1"].environment
    assert all((found.reason is None) == bool(found.environment) for found in probed.values())
    assert all("install" in (found.reason or "install") for found in probed.values() if found.target.on_gpu)


def test_crash_costs_its_variant_only(staged: Mapping[str, str]) -> None:
    variants = (("torch-fp32-t1", "torch-bf16-t1"), ("torch-fp32-cuda", "torch-fp16-cuda"), ("torch-fp32-compiled-t1",))
    probed = by_name(probe_targets("bench", catalogue={"torch": staged_source("CrashesOnCuda", *variants)}))
    assert [probed[name].reason for name in ("torch-fp32-t1", "torch-bf16-t1", "torch-fp32-compiled-t1")] == [None] * 3
    reason = "torch-fp32-cuda ended its process with signal SIGABRT. no driver; it needs: nothing"
    assert {probed[name].reason for name in variants[1]} == {reason}
    assert missing_by_reason(tuple(probed.values())) == {reason: [probed[name].target for name in variants[1]]}


def test_hang_is_a_reason(staged: Mapping[str, str]) -> None:
    source = staged_source("Hangs", ("torch-fp32-t1", "torch-bf16-t1"))
    probed = probe_targets("bench", catalogue={"torch": source}, limit_s=2.0)
    assert [found.reason for found in probed] == ["torch-fp32-t1 hangs: no answer within 2 s; it needs: nothing"] * 2


def test_refusal_and_surprise_are_reasons_of_their_targets(staged: Mapping[str, str]) -> None:
    targets = ("torch-fp32-t1", "torch-int8-t1", "torch-bf16-t1")
    probed = probe_targets("bench", catalogue={"torch": staged_source("Particular", targets)})
    assert [found.reason for found in probed] == [None, "no int8 here", "KeyError: 'bf16'"]


def test_first_target_of_a_variant_must_run_a_network(staged: Mapping[str, str]) -> None:
    probed = probe_targets("bench", catalogue={"torch": staged_source("NotFinite", ("torch-fp32-t1", "torch-bf16-t1"))})
    assert [found.reason for found in probed] == ["a small network gives NaN or infinity", None]


def test_each_target_has_the_slug_of_its_device(staged: Mapping[str, str]) -> None:
    catalogue = {"torch": staged_source("Calm", ("torch-fp32-t1",), ("torch-fp32-cuda",))}
    with_gpu = probe_targets("bench", "rtx-4090", catalogue)
    assert [(found.target.name, found.reason) for found in with_gpu] == [
        ("bench/torch-fp32-t1", None),
        ("rtx-4090/torch-fp32-cuda", None),
    ]
    without_name = probe_targets("bench", None, catalogue)
    assert [(found.target.name, found.reason) for found in without_name] == [
        ("bench/torch-fp32-t1", None),
        ("gpu/torch-fp32-cuda", NAMELESS_GPU),
    ]


def test_missing_package_says_what_to_install() -> None:
    source = RuntimeSource("no_such_module:Runtime", (Variant(("openvino-fp32-t1",), "nothing"),))
    (found,) = probe_targets("bench", catalogue={"openvino": source})
    assert found.reason is not None
    assert "no_such_module" in found.reason
    assert CATALOGUE["openvino"].install in found.reason


def test_command_lists_what_is_here_and_groups_what_is_not_by_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(cpu: str, gpu: str | None) -> tuple[ProbedTarget, ...]:
        names = {"torch-fp32-t1": None, "torch-fp32-cuda": "no GPU; buy one", "torch-fp16-cuda": "no GPU; buy one"}
        return tuple(ProbedTarget(parse_target(name, device=cpu), reason, {}) for name, reason in names.items())

    monkeypatch.setenv("HYCTAS_DEVICE", "my-board")
    monkeypatch.setattr("profiler.cli.targets.probe_targets", probe)
    plain = CliRunner().invoke(app, ["targets"])
    assert plain.stdout.splitlines() == [
        "my-board/torch-fp32-t1",
        "not available: torch-fp32-cuda, torch-fp16-cuda: no GPU; buy one",
    ]
    as_json = json.loads(CliRunner().invoke(app, ["targets", "--json"]).stdout)
    assert as_json["targets"][0] == {"target": "my-board/torch-fp32-t1", "available": True, "reason": None}
    assert [row["available"] for row in as_json["targets"]] == [True, False, False]
