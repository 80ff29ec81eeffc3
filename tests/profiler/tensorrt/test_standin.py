"""The stand-ins themselves: they compute, keep time, and raise where a program is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from hyctas.attention import attend
from hyctas.builder import GraphBuilder
from hyctas.graph import Graph
from hyctas.layers import conv_bn_relu
from hyctas.onnx_form import to_onnx_bytes
from hyctas.ranges import seeded_ranges
from hyctas.weights import seeded_inputs, seeded_weights


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Two convolutions and an attention."""
    b = GraphBuilder("small")
    x = b.input("image", (1, 4, 16, 16))
    with b.scope("a"):
        x = conv_bn_relu(b, x, 8, kernel=3, name="conv")
    with b.scope("b"):
        x = conv_bn_relu(b, x, 16, kernel=1, name="conv")
    with b.scope("att"):
        x = attend(b, x, form="efficient")
    return b.build(x)


def model_of(graph: Graph, precision: str = "fp32") -> bytes:
    weights = seeded_weights(graph, 0)
    ranges = seeded_ranges(graph, weights, 0) if precision == "int8" else {}
    return to_onnx_bytes(graph, weights, precision=precision, ranges=ranges)


@dataclass
class Driver:
    """A right program, step by step, so that a test can leave one out."""

    trt: Any
    cuda: Any
    on: Any

    def ok(self, result: tuple[Any, ...]) -> Any:
        assert result[0] == self.cuda.cudaError_t.cudaSuccess, result
        return result[1] if len(result) > 1 else None

    def config(self, builder: Any, *flags: str) -> Any:
        config = builder.create_builder_config()
        config.clear_flag(self.trt.BuilderFlag.TF32)
        for flag in flags:
            config.set_flag(getattr(self.trt.BuilderFlag, flag))
        config.max_aux_streams = 0
        config.profiling_verbosity = self.trt.ProfilingVerbosity.DETAILED
        return config

    def parsed(self, model: bytes, *, strong: bool = True) -> tuple[Any, Any, Any]:
        logger = kept_log(self.trt)
        builder = self.trt.Builder(logger)
        flag = 1 << int(self.trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(flag if strong else 0)
        parser = self.trt.OnnxParser(network, logger)
        parser.parse(model)
        return builder, network, parser

    def plan(self, model: bytes, *flags: str, strong: bool = True, change: Callable[[Any], None] = id) -> Any:
        builder, network, parser = self.parsed(model, strong=strong)
        assert parser.num_errors == 0, str(parser.get_error(0))
        config = self.config(builder, *flags)
        change(config)
        return builder.build_serialized_network(network, config)

    def context(self, plan: Any) -> Any:
        engine = self.trt.Runtime(kept_log(self.trt)).deserialize_cuda_engine(plan)
        return engine.create_execution_context()

    def bind(self, context: Any, inputs: dict[str, Any]) -> dict[str, int]:
        engine = context.engine
        addresses = {}
        for name in (engine.get_tensor_name(i) for i in range(engine.num_io_tensors)):
            size = self.trt.volume(engine.get_tensor_shape(name)) * engine.get_tensor_dtype(name).itemsize
            addresses[name] = self.ok(self.cuda.cudaMalloc(size))
            assert context.set_tensor_address(name, addresses[name])
        for name, array in inputs.items():
            to_device = self.cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
            self.ok(self.cuda.cudaMemcpy(addresses[name], array.ctypes.data, array.nbytes, to_device))
        return addresses

    def read(self, address: int, shape: tuple[int, ...]) -> Any:
        array = np.empty(shape, np.float32)
        to_host = self.cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self.ok(self.cuda.cudaMemcpy(array.ctypes.data, address, array.nbytes, to_host))
        return array

    def captured(self, context: Any, stream: Any) -> Any:
        mode = self.cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self.ok(self.cuda.cudaStreamBeginCapture(stream, mode))
        assert context.execute_async_v3(stream)
        graph = self.ok(self.cuda.cudaStreamEndCapture(stream))
        return self.ok(self.cuda.cudaGraphInstantiate(graph, 0))

    def timed(self, stream: Any, work: Callable[[], None]) -> float:
        start, stop = (self.ok(self.cuda.cudaEventCreate()) for _ in range(2))
        self.ok(self.cuda.cudaEventRecord(start, stream))
        work()
        self.ok(self.cuda.cudaEventRecord(stop, stream))
        self.ok(self.cuda.cudaStreamSynchronize(stream))
        return float(self.ok(self.cuda.cudaEventElapsedTime(start, stop))) * 1e-3


def kept_log(trt: Any) -> Any:
    """A logger that keeps what it is told."""

    class Kept(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lines: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            self.lines.append(msg)

    return Kept()


@pytest.fixture
def driver(on_device: Any) -> Driver:
    """The stand-ins in this process."""
    return Driver(on_device.trt, on_device.cuda, on_device)


@pytest.fixture
def running(driver: Driver, graph: Graph) -> tuple[Driver, Any, dict[str, int], Any]:
    """An engine that has run once: driver, context, addresses, stream."""
    context = driver.context(driver.plan(model_of(graph)))
    addresses = driver.bind(context, seeded_inputs(graph, 0))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    return driver, context, addresses, stream


# What is computed


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 2e-2), ("bf16", 8e-2), ("int8", 0.2)])
def test_engine_computes_its_model(driver: Driver, graph: Graph, precision: str, tolerance: float) -> None:
    inputs = seeded_inputs(graph, 0)
    context = driver.context(driver.plan(model_of(graph, precision)))
    addresses = driver.bind(context, inputs)
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream_handle=stream)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    session = onnxruntime.InferenceSession(model_of(graph), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, inputs)
    found = driver.read(addresses[graph.outputs[0]], expected.shape)
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_result_is_there_only_after_waiting(driver: Driver, graph: Graph) -> None:
    context = driver.context(driver.plan(model_of(graph)))
    addresses = driver.bind(context, seeded_inputs(graph, 0))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    event = driver.ok(driver.cuda.cudaEventCreate())
    assert context.execute_async_v3(stream)
    driver.ok(driver.cuda.cudaEventRecord(event, stream))
    assert driver.cuda.cudaEventQuery(event) == (driver.cuda.cudaError_t.cudaErrorNotReady,)
    output = addresses[graph.outputs[0]]
    with pytest.raises(driver.on.misuse, match="nothing was ever written"):
        driver.on.gpu().memory.read(output, 4)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    assert driver.on.gpu().memory.read(output, 4)


# What it costs


def test_replay_takes_the_sum_of_its_layers(running: tuple[Driver, Any, dict[str, int], Any]) -> None:
    driver, context, _, stream = running
    replay = driver.captured(context, stream)
    driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))

    def hundred() -> None:
        for _ in range(100):
            driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))

    layers_s = sum(context.engine._plan.times_s)
    assert driver.timed(stream, hundred) == pytest.approx(100 * layers_s, rel=0.01)


def test_plain_enqueue_of_small_layers_times_the_host(running: tuple[Driver, Any, dict[str, int], Any]) -> None:
    driver, context, _, stream = running

    def hundred() -> None:
        for _ in range(100):
            context.execute_async_v3(stream)

    launch_s = driver.on.gpu().scenario.times.kernel_launch_s * context.engine.num_layers
    assert launch_s > sum(context.engine._plan.times_s)
    assert driver.timed(stream, hundred) == pytest.approx(100 * launch_s, rel=0.02)


def test_run_after_a_large_write_is_slower(running: tuple[Driver, Any, dict[str, int], Any]) -> None:
    driver, context, _, stream = running
    replay = driver.captured(context, stream)
    size = 2 * driver.on.gpu().scenario.device.l2_bytes
    buffer = driver.ok(driver.cuda.cudaMalloc(size))

    def launch() -> None:
        driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))

    launch()
    warm_s = driver.timed(stream, launch)
    driver.ok(driver.cuda.cudaMemsetAsync(buffer, 0, size, stream))
    cold_s = driver.timed(stream, launch)
    assert cold_s == pytest.approx(1.25 * warm_s, rel=0.02)


def test_profiled_layers_are_slower_than_the_run(running: tuple[Driver, Any, dict[str, int], Any]) -> None:
    driver, context, _, stream = running

    class Times(driver.trt.IProfiler):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.ms: list[float] = []

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.ms.append(ms)

    context.profiler = times = Times()
    assert context.execute_async_v3(stream)
    assert len(times.ms) == context.engine.num_layers
    assert sum(times.ms) * 1e-3 > sum(context.engine._plan.times_s)


def test_builds_differ_by_the_tactics_that_they_find(driver: Driver, graph: Graph) -> None:
    driver.on.gpu().scenario.tactics = (1.0, 1.5, 0.8)
    model = model_of(graph)

    def latency_s(change: Callable[[Any], None] = id) -> float:
        return float(sum(driver.context(driver.plan(model, change=change)).engine._plan.times_s))

    first, second, third = (latency_s() for _ in range(3))
    assert third < first < second
    cache = driver.trt.Builder(kept_log(driver.trt)).create_builder_config().create_timing_cache(b"")

    def with_cache(config: Any) -> None:
        assert config.set_timing_cache(cache, ignore_mismatch=False)

    assert len({latency_s(with_cache) for _ in range(3)}) == 1


# What the versions and the builder refuse


def test_versions_differ_as_the_real_ones_do(driver: Driver) -> None:
    flags = driver.trt.BuilderFlag.__members__
    if driver.on.simulation.version == 10:
        assert {"FP16", "BF16", "INT8"} <= set(flags)
        assert hasattr(driver.trt.ICudaEngine, "device_memory_size")
    else:
        assert not {"FP16", "BF16", "INT8"} & set(flags)
        assert not hasattr(driver.trt.ICudaEngine, "device_memory_size")
        assert not hasattr(driver.trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH")


def test_typed_model_needs_flags_or_strong_typing(driver: Driver, graph: Graph) -> None:
    model = model_of(graph, "fp16")
    if driver.on.simulation.version == 11:
        assert driver.plan(model, strong=False) is not None
        return
    assert driver.plan(model, strong=False) is None
    assert driver.plan(model, "FP16", strong=False) is not None
    assert driver.plan(model, "FP16", strong=True) is None
    assert driver.plan(model, strong=True) is not None


def mixed_model() -> bytes:
    """Adds half to float."""
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], name="cast", to=TensorProto.FLOAT16),
        helper.make_node("Mul", ["half", "half"], ["square"], name="square"),
        helper.make_node("Add", ["square", "x"], ["y"], name="sum"),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("x", "y"))
    graph = helper.make_graph(nodes, "mixed", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())


def test_mixed_types_are_refused(driver: Driver) -> None:
    _, network, parser = driver.parsed(mixed_model())
    assert network.num_layers == 0
    assert parser.num_errors
    assert any(word in str(parser.get_error(0)) for word in ("type", "Type"))


def test_unsupported_operator_names_its_node(driver: Driver) -> None:
    node = helper.make_node("Det", ["x"], ["y"], name="odd one")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 3, 3))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (2,))
    model = helper.make_model(
        helper.make_graph([node], "odd", [x], [y]), opset_imports=[helper.make_opsetid("", 17)], ir_version=10
    )
    _, _, parser = driver.parsed(model.SerializeToString())
    assert parser.num_errors == 1
    error = parser.get_error(0)
    assert (error.node_name(), error.node_operator(), error.code()) == (
        "odd one",
        "Det",
        driver.trt.ErrorCode.UNSUPPORTED_NODE,
    )


def test_asymmetric_quantisation_is_refused(driver: Driver, graph: Graph) -> None:
    model = onnx.load_model_from_string(model_of(graph, "int8"))
    zero = next(n.input[2] for n in model.graph.node if n.op_type == "QuantizeLinear" and len(n.input) > 2)
    for tensor in model.graph.initializer:
        if tensor.name == zero:
            tensor.CopyFrom(helper.make_tensor(zero, TensorProto.INT8, tensor.dims, np.full(tensor.dims, 3, np.int8)))
    _, _, parser = driver.parsed(model.SerializeToString())
    assert "symmetric" in parser.get_error(0).desc()


def test_bytes_that_are_no_model_or_engine(driver: Driver) -> None:
    _, _, parser = driver.parsed(b"\xff not ONNX")
    assert parser.get_error(0).code() == driver.trt.ErrorCode.MODEL_DESERIALIZE_FAILED
    runtime = driver.trt.Runtime(kept_log(driver.trt))
    assert runtime.deserialize_cuda_engine(b"no engine") is None


def test_engine_of_another_version_is_refused(driver: Driver, graph: Graph) -> None:
    plan = bytes(driver.plan(model_of(graph)))
    changed = plan.replace(driver.trt.__version__.encode(), b"9.3.0.1", 1)
    assert driver.trt.Runtime(kept_log(driver.trt)).deserialize_cuda_engine(changed) is None


def test_timing_cache_that_is_damaged_or_of_another_device(driver: Driver) -> None:
    config = driver.trt.Builder(kept_log(driver.trt)).create_builder_config()
    assert config.create_timing_cache(b"garbage") is None
    data = bytes(config.create_timing_cache(b"").serialize())
    moved = config.create_timing_cache(data.replace(b"4090", b"3090"))
    assert not config.set_timing_cache(moved, ignore_mismatch=False)
    assert config.set_timing_cache(moved, ignore_mismatch=True)


def test_monitor_ends_a_build(driver: Driver, graph: Graph) -> None:
    class Ends(driver.trt.IProgressMonitor):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()

        def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:
            return step < 1

        def phase_finish(self, phase_name: str) -> None:
            pass

    def monitored(config: Any) -> None:
        config.progress_monitor = Ends()

    assert driver.plan(model_of(graph), change=monitored) is None


def test_inspector_tells_all_only_of_a_detailed_engine(driver: Driver, graph: Graph) -> None:
    def brief(config: Any) -> None:
        config.profiling_verbosity = driver.trt.ProfilingVerbosity.LAYER_NAMES_ONLY

    def layers(plan: Any) -> list[Any]:
        inspector = driver.context(plan).engine.create_engine_inspector()
        found = json.loads(inspector.get_engine_information(driver.trt.LayerInformationFormat.JSON))
        assert found["Bindings"] == ["image", graph.outputs[0]]
        return list(found["Layers"])

    detailed = layers(driver.plan(model_of(graph)))
    assert [layer["Name"] for layer in detailed] == layers(driver.plan(model_of(graph), change=brief))
    assert detailed[0]["Name"] == "a.conv + a.relu"
    assert detailed[0]["Metadata"] == "[ONNX Layer: a.conv]\x1e[ONNX Layer: a.relu]"
    region = next(layer["Name"] for layer in detailed if "att" in layer["Metadata"] and "softmax" in layer["Metadata"])
    assert region.startswith("{ForeignNode[" if driver.on.simulation.version == 10 else "__myl_")


# Strictness of the bindings


def test_unknown_names_raise(driver: Driver) -> None:
    config = driver.trt.Builder(kept_log(driver.trt)).create_builder_config()
    with pytest.raises(AttributeError):
        _ = driver.trt.no_such_thing
    with pytest.raises(AttributeError):
        _ = config.no_such_thing
    with pytest.raises(AttributeError):
        config.max_workspace_size = 1
    with pytest.raises(AttributeError):
        _ = driver.trt.BuilderFlag.NO_SUCH_FLAG
    with pytest.raises(AttributeError):
        _ = driver.cuda.cudaNoSuchCall


def test_arguments_are_checked(driver: Driver) -> None:
    builder = driver.trt.Builder(kept_log(driver.trt))
    config = builder.create_builder_config()
    for call in (
        lambda: config.set_flag(6),
        lambda: config.set_flag(driver.trt.MemoryPoolType.WORKSPACE),
        lambda: config.set_memory_pool_limit(driver.trt.MemoryPoolType.WORKSPACE, 1.5),
        lambda: config.set_memory_pool_limit(pool=driver.trt.MemoryPoolType.WORKSPACE, size=1),
        lambda: builder.create_network("0"),
        lambda: driver.trt.OnnxParser(None, kept_log(driver.trt)),
        lambda: driver.trt.IBuilderConfig(),
        lambda: driver.cuda.cudaMalloc("16"),
        lambda: driver.cuda.cudaMalloc(16, 16),
    ):
        with pytest.raises(TypeError):
            call()


def test_enumerations_are_no_numbers(driver: Driver) -> None:
    flag = driver.trt.BuilderFlag.TF32
    assert (int(flag), flag.name, flag.value, [0] * 6 + [1]) == (6, "TF32", 6, [0, 0, 0, 0, 0, 0, 1])
    assert [*range(7)][flag] == 6
    assert flag != 6 and flag == driver.trt.BuilderFlag(6)
    assert flag > driver.trt.BuilderFlag.REFIT
    for wrong in (lambda: 1 << flag, lambda: flag | flag, lambda: list(driver.trt.BuilderFlag), lambda: flag < 7):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        _ = driver.trt.DataType.HALF < driver.trt.DataType.INT8


def test_derived_classes_call_the_constructor_of_their_base(driver: Driver) -> None:
    class Careless(driver.trt.IProfiler):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.times: list[float] = []

    with pytest.raises(TypeError, match=r"IProfiler.__init__\(\) must be called"):
        Careless()


def test_host_memory_offers_its_buffer_and_no_more(driver: Driver, graph: Graph) -> None:
    plan = driver.plan(model_of(graph))
    assert plan.nbytes == len(bytes(plan)) == memoryview(plan).nbytes
    for wrong in (lambda: len(plan), lambda: plan[0], lambda: list(plan), lambda: plan + b""):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(AttributeError):
        plan.decode()


def test_machine_without_a_gpu(driver: Driver, simulation: Any) -> None:
    from dataclasses import replace

    scenario = driver.on.gpu().scenario
    scenario.device = replace(scenario.device, count=0)
    assert driver.cuda.cudaGetDeviceCount() == (driver.cuda.cudaError_t.cudaErrorNoDevice, None)
    with pytest.raises(TypeError, match="nullptr"):
        driver.trt.Builder(kept_log(driver.trt))
    with pytest.raises(driver.on.misuse, match="without a driver"):
        driver.trt.Runtime(kept_log(driver.trt))


# What only a wrong program does


def test_execution_before_addresses(driver: Driver, graph: Graph) -> None:
    context = driver.context(driver.plan(model_of(graph)))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    with pytest.raises(driver.on.misuse, match="before set_tensor_address of image"):
        context.execute_async_v3(stream)


def test_inputs_that_nobody_wrote(driver: Driver, graph: Graph) -> None:
    context = driver.context(driver.plan(model_of(graph)))
    driver.bind(context, {})
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream)
    with pytest.raises(driver.on.misuse, match=r"input image .* nothing was ever written"):
        driver.cuda.cudaStreamSynchronize(stream)


def test_zero_inputs_are_counted(driver: Driver, graph: Graph) -> None:
    context = driver.context(driver.plan(model_of(graph)))
    driver.bind(context, {"image": np.zeros((1, 4, 16, 16), np.float32)})
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    assert driver.on.gpu().all_zero_inputs == 1


def test_buffer_that_is_too_small(driver: Driver, graph: Graph) -> None:
    context = driver.context(driver.plan(model_of(graph)))
    address = driver.ok(driver.cuda.cudaMalloc(16))
    with pytest.raises(driver.on.misuse, match="only 16 are allocated"):
        context.set_tensor_address("image", address)


def test_use_after_free_and_double_free(running: tuple[Driver, Any, dict[str, int], Any]) -> None:
    driver, context, addresses, stream = running
    driver.ok(driver.cuda.cudaFree(addresses["image"]))
    with pytest.raises(driver.on.misuse, match="after it was freed"):
        context.execute_async_v3(stream)
    with pytest.raises(driver.on.misuse, match="freed twice"):
        driver.cuda.cudaFree(addresses["image"])
    assert len(driver.on.gpu().report()["misuses"]) == 2


@pytest.mark.parametrize("call", ["cudaMalloc", "cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaMemcpy"])
def test_what_a_capture_does_not_allow(running: tuple[Driver, Any, dict[str, int], Any], call: str) -> None:
    driver, _, addresses, stream = running
    to_device = driver.cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
    arguments = {
        "cudaMalloc": (16,),
        "cudaStreamSynchronize": (stream,),
        "cudaMemcpy": (addresses["image"], np.zeros(4).ctypes.data, 4, to_device),
    }
    driver.ok(driver.cuda.cudaStreamBeginCapture(stream, driver.cuda.cudaStreamCaptureMode(0)))
    with pytest.raises(driver.on.misuse, match="captur"):
        getattr(driver.cuda, call)(*arguments.get(call, ()))
    driver.ok(driver.cuda.cudaStreamEndCapture(stream))


def test_capture_without_a_run_before_fails_by_code(driver: Driver, graph: Graph) -> None:
    context = driver.context(driver.plan(model_of(graph)))
    driver.bind(context, seeded_inputs(graph, 0))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    driver.ok(driver.cuda.cudaStreamBeginCapture(stream, driver.cuda.cudaStreamCaptureMode(0)))
    assert context.execute_async_v3(stream) is False
    invalidated = driver.cuda.cudaError_t.cudaErrorStreamCaptureInvalidated
    assert driver.cuda.cudaStreamEndCapture(stream) == (invalidated, None)
    assert driver.cuda.cudaGetLastError() == (invalidated,)
    assert driver.cuda.cudaGetLastError() == (driver.cuda.cudaError_t.cudaSuccess,)


def test_graph_outlives_neither_context_nor_its_own_end(running: tuple[Driver, Any, dict[str, int], Any]) -> None:
    driver, context, _, stream = running
    replay = driver.captured(context, stream)
    del context, running
    driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))  # the fixture still holds the context
    driver.ok(driver.cuda.cudaGraphExecDestroy(replay))
    with pytest.raises(driver.on.misuse, match="after it was destroyed"):
        driver.cuda.cudaGraphLaunch(replay, stream)


def test_graph_of_a_context_that_is_gone(driver: Driver, graph: Graph) -> None:
    context = driver.context(driver.plan(model_of(graph)))
    driver.bind(context, seeded_inputs(graph, 0))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    replay = driver.captured(context, stream)
    del context
    driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))
    with pytest.raises(driver.on.misuse, match="after its execution context was destroyed"):
        driver.cuda.cudaStreamSynchronize(stream)


def test_pointers_of_the_wrong_side(driver: Driver) -> None:
    address = driver.ok(driver.cuda.cudaMalloc(64))
    array = np.ones(16, np.float32)
    to_host = driver.cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
    with pytest.raises(driver.on.misuse, match="not host memory"):
        driver.cuda.cudaMemcpy(address, array.ctypes.data, 64, to_host)


def test_what_is_left_over_is_reported(driver: Driver) -> None:
    driver.ok(driver.cuda.cudaMalloc(64))
    driver.ok(driver.cuda.cudaMallocHost(64))
    driver.ok(driver.cuda.cudaStreamCreate())
    report = driver.on.gpu().report()
    assert (report["leaked_allocations"], report["leaked_pinned"], report["leaked_handles"]) == ([64], 1, ["Stream"])


# Faults


def test_device_memory_runs_out(driver: Driver, graph: Graph) -> None:
    plan = driver.plan(model_of(graph))
    memory = driver.on.gpu().memory
    memory.capacity = memory.used + 100
    assert driver.cuda.cudaMalloc(101) == (driver.cuda.cudaError_t.cudaErrorMemoryAllocation, None)
    logs = kept_log(driver.trt)
    assert driver.trt.Runtime(logs).deserialize_cuda_engine(plan) is None
    assert "OutOfMemory" in logs.lines[-1]


def test_injected_faults(driver: Driver, graph: Graph) -> None:
    from simulated_gpu import Fault  # type: ignore[import-not-found]

    scenario = driver.on.gpu().scenario
    scenario.faults = (
        Fault("cudaMalloc", at=2, error="cudaErrorMemoryAllocation"),
        Fault("build_serialized_network", graph="^small$", message="Error Code 10: no implementation"),
        Fault("parse", operator="Softmax", graph="other"),
    )
    assert driver.cuda.cudaMalloc(16)[0] == driver.cuda.cudaError_t.cudaSuccess
    assert driver.cuda.cudaMalloc(16) == (driver.cuda.cudaError_t.cudaErrorMemoryAllocation, None)
    assert driver.plan(model_of(graph)) is None


def test_scenario_is_read_strictly(simulation: Any, on_device: Any, tmp_path: Path) -> None:
    from simulated_gpu import Scenario  # type: ignore[import-not-found]

    found = Scenario.from_json({"device": {"memory_bytes": 5}, "tactics": [1, 2], "capturable": False})
    assert (found.device.memory_bytes, found.tactics, found.capturable) == (5, (1, 2), False)
    for wrong in ({"devise": {}}, {"device": {"ram": 1}}, {"faults": [{"cal": "x"}]}):
        with pytest.raises(TypeError):
            Scenario.from_json(wrong)
