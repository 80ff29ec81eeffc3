"""Building with the real TensorRT-RTX, whose parser and builder need no GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.tensorrt_builds import ONE_IN, build_all, chosen, network_subjects, operator_subjects
from hyctas.architecture import ArchitectureDefaults
from hyctas.errors import RuntimeUnavailable
from hyctas.lowering import lower_part
from hyctas.onnx_form import to_onnx
from hyctas.parts import Part
from hyctas.target import PRECISIONS
from hyctas.weights import seeded_weights
from profiler.runtimes.engine import Unsupported
from profiler.runtimes.seeded_model import seeded_onnx
from profiler.runtimes.tensorrt.building import EngineBuilder, engine_builder
from profiler.runtimes.tensorrt.cuda import DeviceProperties
from profiler.runtimes.tensorrt.faults import BuildFailed
from profiler.runtimes.tensorrt.library import Library, open_library
from profiler.runtimes.tensorrt.settings import TensorRtSettings

NETWORKS = Path(__file__).parents[4] / "shared" / "data" / "hyctas"
ADA = DeviceProperties("NVIDIA GeForce RTX 4090", (8, 9), 72 << 20)
TURING = DeviceProperties("NVIDIA GeForce RTX 2080", (7, 5), 4 << 20)
PARTS = (
    Part("conv_2x_downup", 6, 12, (8,), 16, stride=2),
    Part("sa", 6, 12, (16,), 16, attention="efficient"),
    Part("sa", 6, 12, (16,), 16, attention="released"),
    Part("ffm", 6, 12, (8, 8), 16),
)


@pytest.fixture(scope="module")
def library() -> Library:
    if importlib.util.find_spec("tensorrt_rtx") is None:
        pytest.skip("TensorRT-RTX is not installed: pip install 'hyctas[tensorrt-rtx]' (Linux on x86-64)")
    return open_library("tensorrt-rtx")


def builder(library: Library, precision: str, **settings: int) -> EngineBuilder:
    return EngineBuilder(library, TensorRtSettings(precision, **settings), compute_capability=(8, 9))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_operators_build_in_every_precision(library: Library, precision: str) -> None:
    build = builder(library, precision)
    assert build.model_precision == precision
    for part in PARTS:
        engine = build.build(seeded_onnx(lower_part(part), precision=precision, seed=0))
        assert engine.plan_bytes > 10_000
        assert engine.layers > 1
        assert engine.build_s > 0.0 and engine.parse_s > 0.0
        assert engine.timings_bytes == 0


def test_half_precision_halves_the_weights(library: Library) -> None:
    graph = lower_part(Part("conv", 8, 8, (256,), 256))
    sizes = {
        precision: builder(library, precision).build(seeded_onnx(graph, precision=precision, seed=0)).plan_bytes
        for precision in ("fp32", "fp16", "int8")
    }
    weights = 256 * 256 * 9
    assert sizes["fp32"] - sizes["fp16"] == pytest.approx(2 * weights, rel=0.2)
    assert sizes["int8"] < sizes["fp16"]


def test_environment_says_how_it_is_built(library: Library) -> None:
    environment = builder(library, "fp16", workspace_bytes=64 << 20).environment()
    assert environment["tensorrt-rtx"] == library.version
    assert environment["typing"] == "strong"
    assert environment["workspace"] == "64 MiB"
    assert environment["timing_cache"] == "none"
    assert environment["tactic_sources"]


def test_node_that_is_not_supported_is_named(library: Library) -> None:
    graph = lower_part(PARTS[0])
    model = to_onnx(graph, seeded_weights(graph, 0))
    model.graph.node[1].op_type = "Conjure"
    with pytest.raises(
        Unsupported, match=rf"tensorrt-rtx 1.* cannot parse node {model.graph.node[1].name} \(Conjure\)"
    ):
        builder(library, "fp32").build(model.SerializeToString())


def test_mixed_types_are_refused(library: Library) -> None:
    graph = lower_part(PARTS[3])
    model = to_onnx(graph, seeded_weights(graph, 0), precision="fp16")
    cast = next(node for node in model.graph.node if node.op_type == "Cast")
    for node in model.graph.node:
        node.input[:] = [cast.input[0] if name == cast.output[0] else name for name in node.input]
    with pytest.raises(Unsupported, match=r"cannot parse node ffm.concat .*must all be of the same type"):
        builder(library, "fp16").build(model.SerializeToString())


def test_bytes_that_are_no_model(library: Library) -> None:
    with pytest.raises((BuildFailed, Unsupported), match=r"no output|cannot parse the model"):
        builder(library, "fp32").build(b"xx")


def test_failure_leaves_the_next_build_alone(library: Library) -> None:
    build = builder(library, "fp32")
    with pytest.raises((BuildFailed, Unsupported)):
        build.build(b"xx")
    assert build.build(seeded_onnx(lower_part(PARTS[0]), precision="fp32", seed=0)).plan_bytes


def test_workspace_that_is_too_small_is_unsupported(library: Library) -> None:
    build = builder(library, "fp16", workspace_bytes=1 << 20)
    with pytest.raises(Unsupported, match=r"within a workspace of 1 MiB"):
        build.build(seeded_onnx(lower_part(Part("conv", 6, 12, (8,), 8)), precision="fp16", seed=0))


def test_unknown_gpu_lists_the_known_ones(library: Library) -> None:
    build = EngineBuilder(library, TensorRtSettings("fp32"), compute_capability=(9, 0))
    with pytest.raises(Unsupported, match=r"does not build for SM90; it builds for SM120, .*SM89"):
        build.build(seeded_onnx(lower_part(PARTS[0]), precision="fp32", seed=0))


def test_builder_of_a_device_has_no_timing_cache(library: Library, tmp_path: Path) -> None:
    """TensorRT-RTX times nothing when it builds."""
    assert engine_builder(library, TensorRtSettings("fp16"), ADA, cache_folder=tmp_path).timings is None
    for settings in (TensorRtSettings("fp16", timing_cache=False), TensorRtSettings("fp16", timing_iterations=9)):
        with pytest.raises(Unsupported, match=r"times no tactics"):
            engine_builder(library, settings, ADA, cache_folder=tmp_path)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_precision_that_the_device_lacks_is_unsupported(library: Library, precision: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=rf"{precision} needs compute capability 8.0; .*2080 has 7.5"):
        engine_builder(library, TensorRtSettings(precision), TURING, cache_folder=tmp_path)


def test_missing_package_says_what_to_install() -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("tensorrt is installed")
    with pytest.raises(RuntimeUnavailable, match=r"tensorrt cannot be imported .*pip install 'hyctas\[tensorrt\]'"):
        open_library("tensorrt")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_operator_of_the_space_builds(library: Library) -> None:
    """All in fp32 and fp16, and a tenth of each kind in the other precisions, at 512x1024."""
    subjects = operator_subjects(ArchitectureDefaults(height=512, width=1024))
    outcomes = list(build_all(chosen(subjects, ()), processes=2))
    assert [outcome for outcome in outcomes if outcome.failure] == []
    tried = {precision: sum(outcome.precision == precision for outcome in outcomes) for precision in ONE_IN}
    assert tried["fp32"] == tried["fp16"] == len(subjects) > 788
    assert all(tried[precision] >= len(subjects) // 10 for precision in ("tf32", "bf16", "int8"))


@pytest.mark.slow
@pytest.mark.shared_data
def test_released_networks_build(library: Library) -> None:
    if not NETWORKS.is_dir():
        pytest.skip(f"the released networks are not at {NETWORKS}")
    networks = network_subjects(NETWORKS, ArchitectureDefaults(height=512, width=1024))
    outcomes = list(build_all(chosen((), networks), processes=2))
    assert len(outcomes) == len(ONE_IN) * 2 * 3
    assert [outcome for outcome in outcomes if outcome.failure] == []
