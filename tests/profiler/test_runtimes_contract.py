"""Contract of every CPU runtime that is installed: what its engines compute, and what they refuse."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hyctas.architecture import ArchitectureDefaults, Attention
from hyctas.builder import GraphBuilder
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from hyctas.weights import seeded_inputs
from profiler.runtimes import CATALOGUE, Runtime, Unsupported, open_runtime
from profiler.runtimes.engine import Engine
from profiler.runtimes.seeded_model import seeded_onnx

Outputs = list[npt.NDArray[Any]]

TOLERANCES = {"fp32": 1e-3, "fp16": 0.02, "bf16": 0.1, "int8": 0.1}
"""Largest difference, as a share of the largest output. A bfloat16 has 8 bits, and networks are 10 layers deep; where
int8 rounds the other way, what follows differs by whole steps."""
TARGETS = [
    name
    for source in CATALOGUE.values()
    for name in source.local_targets
    if not parse_target(name, device="bench").on_gpu and "compiled" not in name
]


@pytest.fixture(params=TARGETS)
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[Runtime, str]]:
    """A runtime in this process, and the precision of its target."""
    target = parse_target(request.param, device="bench")
    if importlib.util.find_spec(target.runtime) is None:
        pytest.skip(f"{target.runtime} is not installed: {CATALOGUE[target.runtime].install}")
    try:
        yield open_runtime(target), target.precision
    except Unsupported as reason:
        pytest.skip(str(reason))


def networks() -> Iterator[Graph]:
    """Networks of one to three branches, of both forms of attention, in the training form with all its outputs."""
    forms: tuple[Attention, ...] = ("efficient", "released")
    for seed, attention in enumerate(forms):
        settings = ArchitectureDefaults(height=64, width=96, base_channels=4, attention=attention)
        for network in sample_structured(SearchSpace(depth=7), np.random.default_rng(seed), 3, settings):
            yield lower(network, training=True)


def odd_maps() -> Iterator[Graph]:
    """Operators on maps of odd size."""
    for part in (
        Part("conv_2x", 9, 15, (16,), 24, stride=2),
        Part("sa", 7, 5, (16,), 16, attention="efficient"),
        Part("sa", 3, 5, (16,), 16, attention="released"),
        Part("head_attention", 9, 15, (43,), 43, attention="efficient"),
        Part("fuse", 3, 5, (96, 43), 48),
        Part("ffm", 9, 15, (32, 43, 21), 96),
        Part("upsample", 3, 5, (19,), 19, stride=8),
        Part("argmax", 5, 7, (19,), 19),
    ):
        yield lower_part(part)


@cache
def expected(graph: Graph, precision: str) -> Outputs:
    """What ONNX Runtime computes without any optimisation; of int8 what its model says, node by node in float32."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = seeded_onnx(graph, seed=3, precision="int8" if precision == "int8" else "fp32")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found: Outputs = session.run(None, seeded_inputs(graph, 3))
    return found


def difference(found: Outputs, graph: Graph, precision: str) -> float:
    """Largest difference from what is expected, as a share of the largest output; of classes, the share that differ."""
    wanted = expected(graph, precision)
    assert [array.shape for array in found] == [array.shape for array in wanted]
    if wanted[0].dtype.kind == "i":
        return max(float((one != other).mean()) for one, other in zip(found, wanted, strict=True))
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in zip(found, wanted, strict=True))


def outputs(engine: Engine) -> Outputs:
    """What every engine of ours can tell, though measuring has no need of it."""
    found: Outputs = engine.outputs()  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("graph", [*networks()], ids=lambda graph: graph.name)
def test_network_gives_the_right_outputs(opened: tuple[Runtime, str], graph: Graph) -> None:
    runtime, precision = opened
    engine = runtime.prepare(graph, seed=3)
    assert engine.finite()
    assert len(graph.outputs) > 1
    assert difference(outputs(engine), graph, precision) <= TOLERANCES[precision]


@pytest.mark.parametrize("graph", [*odd_maps()], ids=lambda graph: graph.name)
def test_operator_on_an_odd_map_gives_the_right_output(opened: tuple[Runtime, str], graph: Graph) -> None:
    runtime, precision = opened
    assert difference(outputs(runtime.prepare(graph, seed=3)), graph, precision) <= TOLERANCES[precision]


def test_run_can_be_repeated_without_a_change(opened: tuple[Runtime, str]) -> None:
    graph = lower_part(Part("conv", 6, 12, (8,), 8))
    engine = opened[0].prepare(graph, seed=3)
    first = outputs(engine)
    engine.run()
    assert all(np.array_equal(one, other) for one, other in zip(first, outputs(engine), strict=True))


def test_overflow_is_not_finite(opened: tuple[Runtime, str]) -> None:
    if opened[1] == "int8":
        pytest.skip("it has no range to calibrate, which is an error of its own")
    b = GraphBuilder("overflow")
    value = b.input("x", (1, 4, 4, 4))
    for _ in range(3):
        value = b.append("scale", [value], {"factor": 1e30})
    assert not opened[0].prepare(b.build(value), seed=0).finite()


def test_several_engines_live_side_by_side(opened: tuple[Runtime, str]) -> None:
    runtime, precision = opened
    graphs = [lower_part(Part("conv", 6, 12, (channels,), channels)) for channels in (4, 6, 8)]
    engines = [runtime.prepare(graph, seed=3) for graph in graphs]
    for engine in engines:
        engine.run()
    for graph, engine in zip(graphs, engines, strict=True):
        assert difference(outputs(engine), graph, precision) <= TOLERANCES[precision]


def test_environment_is_words_only_and_names_the_threads(opened: tuple[Runtime, str]) -> None:
    environment = opened[0].environment()
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in environment.items())
    assert environment["threads"] == "1"
    assert opened[0].metric == "host_time"


@pytest.mark.parametrize(
    "name", ["onnxruntime-bf16-t1", "openvino-fp32-fast-t1", "torch-fp32-compiled-channels-last-t1"]
)
def test_what_is_not_offered_names_what_is(name: str) -> None:
    target = parse_target(name, device="bench")
    pytest.importorskip(target.runtime)
    with pytest.raises(Unsupported, match=f"{name}: {target.runtime} on the CPU runs fp32.* without options.* only"):
        open_runtime(target)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_compiled_modules_give_the_right_outputs() -> None:
    """One network of each form of attention: each takes ten seconds to compile, in which torch warns of its own age."""
    pytest.importorskip("torch")
    runtime = open_runtime(parse_target("bench/torch-fp32-compiled-t1"))
    by_attention = [*networks()]
    for graph in (by_attention[0], by_attention[-1]):
        assert difference(outputs(runtime.prepare(graph, seed=3)), graph, "fp32") <= TOLERANCES["fp32"]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_onnxruntime_refuses_what_its_cpu_provider_converts(precision: str) -> None:
    with pytest.raises(Unsupported, match=f"does not compute in {precision} .*; measure onnxruntime-fp32"):
        open_runtime(parse_target(f"bench/onnxruntime-{precision}-t1"))


def test_openvino_computes_convolutions_of_int8_in_integers() -> None:
    openvino = pytest.importorskip("openvino")
    graph = lower_part(Part("conv_2x", 12, 24, (32,), 32))
    engine = open_runtime(parse_target("bench/openvino-int8-t1")).prepare(graph, seed=3)
    compiled = engine._request.get_compiled_model()  # type: ignore[attr-defined]
    assert isinstance(compiled, openvino.CompiledModel)
    operations = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops()]
    convolutions = [facts for facts in operations if facts["layerType"] == "Convolution"]
    assert [facts["runtimePrecision"] in ("i8", "u8") for facts in convolutions] == [True, True]


def test_openvino_concatenates_int8_at_its_step() -> None:
    """As its own transformations do it from ONNX, this differs by a third: values are rounded to whole numbers."""
    pytest.importorskip("openvino")
    graph = lower_part(Part("fuse", 6, 10, (96, 43), 48))
    engine = open_runtime(parse_target("bench/openvino-int8-t1")).prepare(graph, seed=3)
    assert difference(outputs(engine), graph, "int8") <= 1e-5


def test_openvino_leaves_signals_as_they_were(root: Path) -> None:
    """In a process of its own: where a runtime takes the stack of signal handlers away, the signal is its end."""
    pytest.importorskip("openvino")
    script = """
import signal
from hyctas.target import parse_target
from profiler.runtimes.openvino import OpenVinoRuntime
first, second = (OpenVinoRuntime(parse_target("bench/openvino-fp32-t1")) for _ in range(2))
del first
del second
signal.signal(signal.SIGUSR1, lambda number, frame: print("handled"))
signal.raise_signal(signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_openvino_refuses_threads_that_it_would_not_take() -> None:
    pytest.importorskip("openvino")
    too_many = 4 * (os.cpu_count() or 1)
    with pytest.raises(Unsupported, match=f"not {too_many}; ask for no more"):
        open_runtime(parse_target(f"bench/openvino-fp32-t{too_many}"))
