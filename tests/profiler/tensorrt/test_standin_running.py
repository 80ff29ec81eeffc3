"""What the stand-ins compute, and what it costs on the simulated clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from hyctas.graph import Graph
from hyctas.weights import seeded_inputs
from tests.profiler.tensorrt.driver import Driver, Running, kept_log, model_of


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 2e-2), ("bf16", 8e-2), ("int8", 0.2)])
def test_engine_computes_its_model(driver: Driver, small: Graph, precision: str, tolerance: float) -> None:
    inputs = seeded_inputs(small, 0)
    context = driver.context(driver.plan(model_of(small, precision)))
    addresses = driver.bind(context, inputs)
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream_handle=stream)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    session = onnxruntime.InferenceSession(model_of(small), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, inputs)
    found = driver.read(addresses[small.outputs[0]], expected.shape)
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_result_is_there_only_after_waiting(driver: Driver, small: Graph) -> None:
    context = driver.context(driver.plan(model_of(small)))
    addresses = driver.bind(context, seeded_inputs(small, 0))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    event = driver.ok(driver.cuda.cudaEventCreate())
    assert context.execute_async_v3(stream)
    driver.ok(driver.cuda.cudaEventRecord(event, stream))
    assert driver.cuda.cudaEventQuery(event) == (driver.cuda.cudaError_t.cudaErrorNotReady,)
    output = addresses[small.outputs[0]]
    with pytest.raises(driver.on.misuse, match="nothing was ever written"):
        driver.on.gpu().memory.read(output, 4)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    assert driver.on.gpu().memory.read(output, 4)


def test_replay_takes_the_sum_of_its_layers(running: Running) -> None:
    driver, context, stream = running.driver, running.context, running.stream
    replay = driver.captured(context, stream)
    driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))

    def hundred() -> None:
        for _ in range(100):
            driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))

    layers_s = sum(context.engine._plan.times_s)
    assert driver.timed(stream, hundred) == pytest.approx(100 * layers_s, rel=0.01)


def test_plain_enqueue_of_small_layers_times_the_host(running: Running) -> None:
    driver, context, stream = running.driver, running.context, running.stream

    def hundred() -> None:
        for _ in range(100):
            context.execute_async_v3(stream)

    launch_s = driver.on.gpu().scenario.times.kernel_launch_s * context.engine.num_layers
    assert launch_s > sum(context.engine._plan.times_s)
    assert driver.timed(stream, hundred) == pytest.approx(100 * launch_s, rel=0.02)


def test_run_after_a_large_write_is_slower(running: Running) -> None:
    driver, context, stream = running.driver, running.context, running.stream
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


def test_profiled_layers_are_slower_than_the_run(running: Running) -> None:
    driver, context, stream = running.driver, running.context, running.stream

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


def test_builds_differ_by_the_tactics_that_they_find(driver: Driver, small: Graph) -> None:
    driver.on.gpu().scenario.tactics = (1.0, 1.5, 0.8)
    model = model_of(small)

    def latency_s(change: Callable[[Any], None] = id) -> float:
        return float(sum(driver.context(driver.plan(model, change=change)).engine._plan.times_s))

    first, second, third = (latency_s() for _ in range(3))
    assert third < first < second
    cache = driver.trt.Builder(kept_log(driver.trt)).create_builder_config().create_timing_cache(b"")

    def with_cache(config: Any) -> None:
        assert config.set_timing_cache(cache, ignore_mismatch=False)

    assert len({latency_s(with_cache) for _ in range(3)}) == 1
