"""Building under TensorRT 10 and 11, which a simulated GPU stands in for: types, flags, timing cache, faults."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from hyctas.errors import RuntimeUnavailable
from hyctas.graph import Graph
from hyctas.lowering import lower_part
from hyctas.parts import Part
from hyctas.target import PRECISIONS
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.seeded_model import seeded_onnx
from profiler.runtimes.tensorrt import timing_cache
from profiler.runtimes.tensorrt.building import EngineBuilder, engine_builder
from profiler.runtimes.tensorrt.cuda import DeviceProperties
from profiler.runtimes.tensorrt.faults import BuildFailed, BuildOutOfMemory
from profiler.runtimes.tensorrt.library import Library, open_library
from profiler.runtimes.tensorrt.settings import TensorRtSettings
from profiler.runtimes.tensorrt.timing_cache import TimingCacheFile, default_folder

STAND_INS = Path(__file__).parents[2] / "standins"
REPLACED = ("tensorrt", "simulated_gpu", "standin_tensorrt")
DEVICE = DeviceProperties("NVIDIA GeForce RTX 4090", (8, 9), 72 << 20)


def forget_stand_ins() -> None:
    for module in [name for name in sys.modules if name.split(".")[0] in REPLACED]:
        del sys.modules[module]
    open_library.cache_clear()


@pytest.fixture(scope="module", params=["10", "11"])
def simulated(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The stand-in for one version of TensorRT, imported into this process once for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        for folder in (f"tensorrt{request.param}", "shared"):
            patch.syspath_prepend(str(STAND_INS / folder))
        forget_stand_ins()
        yield importlib.import_module("simulated_gpu")
        forget_stand_ins()


@pytest.fixture
def gpu(simulated: Any) -> Any:
    """The simulated GPU of this process; nothing goes wrong on it until a test says so."""
    device = simulated.gpu()
    device.scenario = simulated.Scenario()
    return device


@pytest.fixture
def library(gpu: Any) -> Library:
    return open_library("tensorrt")


@pytest.fixture
def graph() -> Graph:
    return lower_part(Part("conv_2x", 6, 12, (8,), 8))


@pytest.fixture
def timings(library: Library, tmp_path: Path) -> TimingCacheFile:
    return TimingCacheFile.of(library, DEVICE.name, DEVICE.compute_capability, tmp_path / "cache")


def build(builder: EngineBuilder, graph: Graph) -> Any:
    """The plan of an engine for `graph`, as the stand-in has it."""
    model = seeded_onnx(graph, precision=builder.model_precision, seed=0)
    return importlib.import_module("standin_tensorrt.plan").deserialise(builder.build(model).plan)


def fails(gpu: Any, call: str, **what: Any) -> None:
    """Have a call of the simulated GPU fail from now on."""
    gpu.scenario.faults = (*gpu.scenario.faults, importlib.import_module("simulated_gpu").Fault(call, **what))


def with_tactics(gpu: Any, *factors: float) -> None:
    """Have successive builds find tactics that are slower by these factors."""
    gpu.scenario.tactics = factors


@pytest.mark.parametrize("precision", PRECISIONS)
def test_types_come_from_flags_under_10_and_from_the_model_under_11(
    library: Library, graph: Graph, precision: str
) -> None:
    builder = EngineBuilder(library, TensorRtSettings(precision))
    plan = build(builder, graph)
    assert plan.strongly_typed == (library.major == 11)
    by_flags = library.major == 10 and precision != "int8"
    assert builder.model_precision == ("fp32" if by_flags else precision)
    assert plan.tf32 == (precision == "tf32")
    assert plan.verbosity == "DETAILED"
    assert builder.environment()["typing"] == ("flags" if library.major == 10 else "strong")


@pytest.mark.parametrize("precision", ["tf32", "fp16", "bf16", "int8"])
def test_narrow_precisions_are_used(library: Library, precision: str) -> None:
    busy = lower_part(Part("conv", 32, 64, (256,), 256))
    narrow, full = (build(EngineBuilder(library, TensorRtSettings(name)), busy) for name in (precision, "fp32"))
    assert sum(narrow.times_s) < sum(full.times_s)


def test_settings_reach_the_builder(library: Library) -> None:
    fork = lower_part(Part("ffm", 6, 12, (8, 8), 16))
    plain, wide = (build(EngineBuilder(library, TensorRtSettings("fp32", aux_streams=n)), fork) for n in (0, 3))
    assert plain.aux_streams == 0
    assert wide.aux_streams <= 3
    low, high = (build(EngineBuilder(library, TensorRtSettings("fp32", level=n)), fork) for n in (0, 5))
    assert sum(high.times_s) < sum(low.times_s)


def test_tactic_sources_are_named(library: Library) -> None:
    sources = EngineBuilder(library, TensorRtSettings("fp32")).environment()["tactic_sources"]
    assert ("CUBLAS_LT" in sources) == (library.major == 10)
    assert "JIT_CONVOLUTIONS" in sources


def test_timing_cache_fixes_the_tactics_and_a_build_without_it_does_not(
    gpu: Any, library: Library, graph: Graph, timings: TimingCacheFile
) -> None:
    """The trap: a tactic that won by noise stays, and only builds without the cache show it."""
    with_tactics(gpu, 1.5, 1.0, 1.2)
    cached = EngineBuilder(library, TensorRtSettings("fp16"), timings)
    first, second = build(cached, graph), build(cached, graph)
    fresh = build(EngineBuilder(library, TensorRtSettings("fp16")), graph)
    assert second.times_s == first.times_s
    assert sum(fresh.times_s) < sum(first.times_s)


def test_more_timing_iterations_choose_better(gpu: Any, library: Library, graph: Graph) -> None:
    with_tactics(gpu, 1.5)
    once, often = (build(EngineBuilder(library, TensorRtSettings("fp16", timing_iterations=n)), graph) for n in (1, 8))
    assert sum(often.times_s) < sum(once.times_s)


def test_build_tells_how_large_the_cache_was(library: Library, graph: Graph, timings: TimingCacheFile) -> None:
    builder = EngineBuilder(library, TensorRtSettings("fp32"), timings)
    model = seeded_onnx(graph, precision="fp32", seed=0)
    assert builder.build(model).timings_bytes == 0
    assert builder.build(model).timings_bytes > 0


def entries(timings: TimingCacheFile) -> set[str]:
    """Keys of the layers that are timed."""
    content = timings.path.read_bytes()
    return set(json.loads(content[content.index(b"{") :])["factors"])


def test_two_processes_at_once_keep_the_entries_of_both(library: Library, timings: TimingCacheFile) -> None:
    """Both read the empty cache, then both write."""
    builders = [library.create_builder() for _ in range(2)]
    configs = [builder.create_builder_config() for builder in builders]
    for config in configs:
        assert timings.attach(config) == 0
    for factor, config in enumerate(configs):
        config.get_timing_cache()._factors[f"layer{factor}"] = 1.0
    for config in configs:
        timings.keep(config)
    assert entries(timings) == {"layer0", "layer1"}


@pytest.mark.parametrize("content", [b"", b"garbage", b"hyctas timing cache 1\n" + b"x" * 40])
def test_damaged_cache_is_begun_anew_with_a_warning(
    content: bytes, library: Library, graph: Graph, timings: TimingCacheFile, caplog: pytest.LogCaptureFixture
) -> None:
    timings.path.parent.mkdir()
    timings.path.write_bytes(content)
    build(EngineBuilder(library, TensorRtSettings("fp32"), timings), graph)
    assert "is damaged; it is begun anew" in caplog.text
    caplog.clear()
    build(EngineBuilder(library, TensorRtSettings("fp32"), timings), graph)
    assert caplog.text == ""
    assert entries(timings)


def test_cache_that_tensorrt_refuses_is_begun_anew(
    gpu: Any, library: Library, graph: Graph, timings: TimingCacheFile, caplog: pytest.LogCaptureFixture
) -> None:
    """As when the file was copied from another machine."""
    builder = EngineBuilder(library, TensorRtSettings("fp32"), timings)
    build(builder, graph)
    content = timings.path.read_bytes()
    data = content[content.index(b"standin") :].replace(b"RTX 4090", b"RTX 3060")
    timings._write(data)
    build(builder, graph)
    assert "TensorRT does not accept the timing cache" in caplog.text
    caplog.clear()
    build(builder, graph)
    assert caplog.text == ""


def test_cache_in_a_folder_that_cannot_be_written(
    library: Library, graph: Graph, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    timings = TimingCacheFile(tmp_path / "file" / "x.timings")
    assert build(EngineBuilder(library, TensorRtSettings("fp32"), timings), graph)
    assert "is not kept" in caplog.text


def test_cache_that_another_process_holds_for_long_is_not_waited_for(
    library: Library,
    graph: Graph,
    timings: TimingCacheFile,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing_cache, "LOCK_LIMIT_S", 0.05)
    timings.path.parent.mkdir()
    with FileLock(f"{timings.path}.lock"):
        assert build(EngineBuilder(library, TensorRtSettings("fp32"), timings), graph)
    assert "is not kept" in caplog.text
    assert not timings.path.exists()


def test_each_device_and_version_has_its_file(library: Library, tmp_path: Path) -> None:
    builder = engine_builder(library, TensorRtSettings("fp16"), DEVICE, cache_folder=tmp_path)
    assert builder.timings is not None
    assert builder.timings.path == tmp_path / f"nvidia-geforce-rtx-4090-sm8.9-tensorrt-{library.version}.timings"
    assert builder.environment()["timing_cache"] == builder.timings.path.name
    assert default_folder().name == "tensorrt"


def test_target_without_a_cache(library: Library, tmp_path: Path) -> None:
    builder = engine_builder(library, TensorRtSettings("fp16", timing_cache=False), DEVICE, cache_folder=tmp_path)
    assert builder.timings is None
    assert builder.environment()["timing_cache"] == "none"


def test_unsupported_operator_names_the_node(gpu: Any, library: Library, graph: Graph) -> None:
    fails(gpu, "parse", operator="Relu")
    name = next(node.name for node in graph.nodes if node.op == "relu")
    with pytest.raises(Unsupported, match=rf"tensorrt {library.version} cannot parse node {name} \(Relu\)"):
        build(EngineBuilder(library, TensorRtSettings("fp32")), graph)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Error Code 2: OutOfMemory (Requested size was 2147483648 bytes.)", BuildOutOfMemory),
        ("Error Code 10: Internal Error (Could not find any implementation for node x.)", Unsupported),
        ("Error Code 2: Internal Error (Assertion failed)", BuildFailed),
    ],
)
def test_failed_build_says_why_and_keeps_no_timings(
    said: str, kind: type[Exception], gpu: Any, library: Library, graph: Graph, timings: TimingCacheFile
) -> None:
    fails(gpu, "build_serialized_network", at=1, message=said)
    builder = EngineBuilder(library, TensorRtSettings("fp32"), timings)
    with pytest.raises(kind, match=r"OutOfMemory|implementation|Assertion") as raised:
        build(builder, graph)
    assert type(raised.value) is kind
    assert not timings.path.exists()
    assert build(builder, graph)


def test_no_device_is_said(gpu: Any, library: Library, graph: Graph) -> None:
    gpu.scenario.device = type(gpu.scenario.device)(count=0)
    with pytest.raises(RuntimeUnavailable, match=r"cannot create a builder .*NVIDIA GPU and a driver"):
        build(EngineBuilder(library, TensorRtSettings("fp32")), graph)


def test_runtime_that_does_not_open_says_on_what(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    class OnePresent:
        """A CUDA device, as far as opening a runtime asks about it."""

        def properties(self) -> DeviceProperties:
            return DEVICE

    def refuse(logger: Any) -> None:
        logger.messages.add("CUDA initialization failure with error: 35", error=True)
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(library.module, "Runtime", refuse)
    with pytest.raises(RuntimeUnavailable, match=r"cannot create a runtime on NVIDIA GeForce RTX 4090 \(CUDA init"):
        library.create_runtime(OnePresent())  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["9.3.0", "8.6.1.post1", "12.0.0"])
def test_other_versions_are_refused(version: str, gpu: Any, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.module, "__version__", version)
    open_library.cache_clear()
    with pytest.raises(RuntimeUnavailable, match=rf"tensorrt {version} is installed; supported are 10 to 11.x"):
        open_library("tensorrt")
