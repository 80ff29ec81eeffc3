"""Every runtime that is installed, in a real measuring process; test_runtimes_contract.py has what it computes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from hyctas.errors import RuntimeUnavailable
from hyctas.lowering import lower_part
from hyctas.measurement import Protocol
from hyctas.parts import Part
from hyctas.target import parse_target
from profiler.runtimes import CATALOGUE, RUNTIMES, open_runtime
from profiler.session import Session, SessionSettings

QUICK = Protocol(min_rounds=3, max_rounds=3, samples_per_round=1, relative_half_width=10.0, min_cpu_share=0.0)
PARTS = (
    Part("conv_2x", 6, 12, (8,), 8),
    Part("conv_downup", 6, 12, (8,), 16, stride=2),
    Part("sa", 6, 12, (16,), 16, attention="efficient"),
    Part("skip", 6, 12, (8,), 16, stride=2),
    Part("ffm", 6, 12, (8, 8), 16),
)
SLOW = ("torch-fp32-t2", "torch-fp32-compiled-t1")
TARGETS = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in (
        "onnxruntime-fp32-t1",
        "onnxruntime-fp32-t2",
        "openvino-fp32-t1",
        "openvino-fp32-t2",
        "openvino-int8-t1",
        "torch-fp32-t1",
        "torch-fp32-t2",
        "torch-fp32-channels-last-t1",
        "torch-fp32-compiled-t1",
    )
]


def needs(runtime: str) -> None:
    if importlib.util.find_spec(runtime) is None:
        pytest.skip(f"{runtime} is not installed: {CATALOGUE[runtime].install}")


@pytest.fixture(scope="module", params=TARGETS)
def opened(request: pytest.FixtureRequest) -> Iterator[Session]:
    target = parse_target(request.param, device="bench")
    needs(target.runtime)
    with Session(SessionSettings(target, QUICK, "none", seed=0)) as session:
        yield session


def test_operators_of_all_kinds_run_and_are_finite(opened: Session) -> None:
    outcomes = list(opened.measure({part.label: lower_part(part) for part in PARTS}))
    assert {outcome.name: outcome.failure for outcome in outcomes} == {part.label: None for part in PARTS}
    assert all(len(outcome.rounds) == QUICK.max_rounds for outcome in outcomes)
    assert 0.0 < opened.call_floor_s < 1.0


def test_environment_names_the_version_and_the_threads(opened: Session) -> None:
    runtime = next(name for name in RUNTIMES if name in opened.environment)
    assert opened.environment[runtime].count(".") >= 2
    assert opened.environment["threads"] in ("1", "2")


@pytest.mark.parametrize(
    "name", ["onnxruntime-int8-t1", "onnxruntime-fp32-fast-t1", "torch-int8-t1", "torch-fp32-fast"]
)
def test_what_a_runtime_lacks_is_refused(name: str, quick: Protocol) -> None:
    target = parse_target(name, device="bench")
    needs(target.runtime)
    with pytest.raises(RuntimeUnavailable, match="fp32"):
        Session(SessionSettings(target, quick, "none", seed=0))


def test_unknown_runtime_lists_the_known_ones() -> None:
    known = {name: location for name, location in RUNTIMES.items() if name in ("onnxruntime", "torch")}
    with pytest.raises(RuntimeUnavailable, match=r"no runtime 'openvino' here; known: onnxruntime, torch$"):
        open_runtime(parse_target("bench/openvino-fp32-t1"), known)
