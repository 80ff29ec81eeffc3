"""Measuring processes: what comes back, and what becomes of deaths and hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from hyctas.errors import RuntimeUnavailable
from hyctas.graph import Graph
from hyctas.measurement import DeviceConditions, Failure, Protocol
from hyctas.target import Target, parse_target
from profiler.runtimes.engine import LayerTime
from profiler.session import (
    BUILD_LIMIT_S,
    GPU_BUILD_LIMIT_S,
    Outcome,
    ProcessEnded,
    Session,
    SessionSettings,
)

MakeGraph = Callable[..., Graph]


def measured(session: Session, *graphs: Graph) -> dict[str, Outcome]:
    """The outcomes of a block, by name of the graph."""
    return {outcome.name: outcome for outcome in session.measure({graph.name: graph for graph in graphs})}


def gone(pid: int) -> bool:
    """Whether no such process runs (any more); one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_until_gone(pid: int, limit_s: float = 10.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone(pid)


def test_block_gives_rounds_for_each_graph(session: Session, graph: MakeGraph, quick: Protocol) -> None:
    outcomes = measured(session, graph("run"), graph("run too", 5))
    assert set(outcomes) == {"run", "run too"}
    for outcome in outcomes.values():
        assert outcome.failure is None
        assert len(outcome.rounds) == quick.max_rounds
        assert all(min(*r.samples_s, *r.compute_reference_s, *r.memory_reference_s) > 0 for r in outcome.rounds)


def test_process_says_what_it_is(session: Session) -> None:
    assert session.environment["staged"] == "yes"
    assert {"numpy", "python", "kernel", "load"} <= set(session.environment)
    assert session.reference_id.startswith("sgemm")
    assert session.call_floor_s > 0.0


def test_runtime_that_measures_something_else_is_refused(staged: Mapping[str, str], quick: Protocol) -> None:
    runtimes = {"onnxruntime": "staged_runtime:MismatchedRuntime"}
    settings = SessionSettings(parse_target("bench/onnxruntime-fp32-t1"), quick, "none", 0, runtimes)
    with pytest.raises(RuntimeUnavailable, match="means host_time, but its runtime measures host_time_with_copies"):
        Session(settings)


@pytest.fixture
def gpu_session(gpu_target: Target, staged: Mapping[str, str], quick: Protocol) -> Iterator[Session]:
    with Session(SessionSettings(gpu_target, quick, "none", 0, staged)) as opened:
        yield opened


def test_device_with_a_clock_of_its_own_is_timed_by_it(gpu_session: Session, graph: MakeGraph) -> None:
    rounds = measured(gpu_session, graph("run"))["run"].rounds
    assert gpu_session.metric == "compute_time"
    assert gpu_session.call_floor_s == 0.002
    assert {sample for round_ in rounds for sample in round_.samples_s} == {0.002}
    assert {round_.conditions for round_ in rounds} == {DeviceConditions(sm_clock_hz=2e9, temperature_c=50.0)}


def test_layers_come_after_the_measurement(gpu_session: Session, graph: MakeGraph, quick: Protocol) -> None:
    whole, split = gpu_session.measure_layers("run", graph("run"))
    assert (len(whole.rounds), whole.layers) == (quick.max_rounds, ())
    assert split == Outcome("run", (), None, (LayerTime("layer relu", 0.001, ("relu",)), LayerTime("copy", 0.001, ())))


def test_layers_of_a_graph_that_fails_are_its_failure(gpu_session: Session, graph: MakeGraph) -> None:
    (outcome,) = gpu_session.measure_layers("bad", graph("unsupported"))
    assert outcome.failure == Failure("unsupported", "no such primitive here")


def test_runtime_without_layers_says_so(session: Session, graph: MakeGraph) -> None:
    whole, split = session.measure_layers("run", graph("run"))
    assert session.metric == "host_time"
    assert whole.rounds and whole.failure is None
    assert split.failure == Failure("unsupported", "this runtime does not tell the time of single layers")


def test_build_on_a_gpu_may_take_longer(gpu_target: Target, target: Target, quick: Protocol) -> None:
    limits = [SessionSettings(t, quick, "none", 0).longest_build_s for t in (target, gpu_target)]
    assert limits == [BUILD_LIMIT_S, GPU_BUILD_LIMIT_S]
    assert SessionSettings(gpu_target, quick, "none", 0, build_limit_s=7.0).longest_build_s == 7.0


def test_time_is_accounted_for(session: Session, graph: MakeGraph) -> None:
    measured(session, graph("run"))
    timing = session.timing
    assert 0.0 < timing.timed_s < timing.wall_s
    assert 0.0 < timing.prepare_s < timing.wall_s - timing.timed_s


def test_output_of_a_library_does_not_break_into_the_answers(session: Session, graph: MakeGraph) -> None:
    assert measured(session, graph("chatter"))["chatter"].rounds


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("not finite", "not_finite", "NaN"),
        ("unsupported", "unsupported", "no such primitive here"),
        ("memory error", "out_of_memory", "allocation"),
        ("cuda memory", "out_of_memory", "RuntimeError: CUDA error: out of memory"),
        ("cannot build", "build", "ValueError: the model is broken"),
    ],
)
def test_refused_graph_fails_alone(session: Session, graph: MakeGraph, name: str, kind: str, message: str) -> None:
    outcomes = measured(session, graph(name), graph("run", 5))
    failure = outcomes[name].failure
    assert failure is not None
    assert failure.kind == kind
    assert message in failure.message
    assert outcomes["run"].rounds


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("abort after 3", "crash", "SIGABRT"),
        ("abort while building", "crash", "SIGABRT"),
        ("killed after 3", "out_of_memory", "memory"),
        ("cuda memory at run after 3", "out_of_memory", "status 1. RuntimeError: cudaErrorMemoryAllocation"),
        ("hang after 3", "timeout", "no sign of life for 3 s"),
        ("hang while building", "timeout", "the build took longer than 4 s; --build-limit allows more"),
    ],
)
def test_death_and_hang_name_the_culprit(
    session: Session, graph: MakeGraph, name: str, kind: str, message: str
) -> None:
    with pytest.raises(ProcessEnded, match=message) as caught:
        measured(session, graph("run", 5), graph(name))
    assert (caught.value.kind, caught.value.culprit) == (kind, name)


def test_death_between_blocks_has_no_culprit(session: Session, graph: MakeGraph) -> None:
    measured(session, graph("run"))
    session.kill()
    with pytest.raises(ProcessEnded) as caught:
        measured(session, graph("run"))
    assert caught.value.culprit is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("openvino-fp32-t1", "no_such_module"),
        ("tensorrt-fp16", "no runtime 'tensorrt' here; known: onnxruntime, torch, openvino, tensorrt-rtx"),
        ("torch-fp32-t1", "SIGABRT"),
    ],
)
def test_runtime_that_does_not_open_says_why(
    staged: Mapping[str, str], quick: Protocol, name: str, reason: str
) -> None:
    settings = SessionSettings(parse_target(name, device="bench"), quick, "none", 0, staged)
    with pytest.raises(RuntimeUnavailable, match=reason):
        Session(settings)


def test_missing_package_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: Protocol
) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = SessionSettings(parse_target("bench/torch-fp32-t1"), quick, "none", 0)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'hyctas\[torch\]'"):
        Session(settings)


def test_process_has_one_thread_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, staged: Mapping[str, str], quick: Protocol
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    with Session(SessionSettings(parse_target("bench/onnxruntime-fp32-t1"), quick, "none", 0, staged)) as session:
        environment = Path(f"/proc/{session.pid}/environ").read_bytes().split(b"\0")
    assert b"OPENBLAS_NUM_THREADS=1" in environment


def test_closing_ends_the_process_even_in_mid_block(session: Session, graph: MakeGraph) -> None:
    block = session.measure({"hang": graph("hang after 9"), "run": graph("run", 5), "bad": graph("unsupported", 6)})
    assert next(block).name == "bad"
    session.close()
    assert wait_until_gone(session.pid)


ORPHAN = """
import sys
from hyctas.builder import GraphBuilder
from hyctas.layers import relu
from hyctas.measurement import Protocol
from hyctas.target import parse_target
from profiler.session import Session, SessionSettings

target = parse_target("bench/onnxruntime-fp32-t1")
session = Session(SessionSettings(target, Protocol(), "none", 0, {"onnxruntime": "staged_runtime:StagedRuntime"}))
print(session.pid, flush=True)
b = GraphBuilder("hang after 3")
list(session.measure({"hang": b.build(relu(b, b.input("x", (1, 1, 1, 1))))}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="death signals are Linux's")
def test_process_dies_with_its_parent(staged: Mapping[str, str]) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
        parent.kill()
    assert wait_until_gone(child)
