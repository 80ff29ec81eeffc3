"""What only a wrong program does raises, and faults can be had on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hyctas.graph import Graph
from hyctas.weights import seeded_inputs
from tests.profiler.tensorrt.driver import Driver, Running, kept_log, model_of


def test_execution_before_addresses(driver: Driver, small: Graph) -> None:
    context = driver.context(driver.plan(model_of(small)))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    with pytest.raises(driver.on.misuse, match="before set_tensor_address of image"):
        context.execute_async_v3(stream)


def test_inputs_that_nobody_wrote(driver: Driver, small: Graph) -> None:
    context = driver.context(driver.plan(model_of(small)))
    driver.bind(context, {})
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream)
    with pytest.raises(driver.on.misuse, match=r"input image .* nothing was ever written"):
        driver.cuda.cudaStreamSynchronize(stream)


def test_zero_inputs_are_counted(driver: Driver, small: Graph) -> None:
    context = driver.context(driver.plan(model_of(small)))
    driver.bind(context, {"image": np.zeros((1, 4, 16, 16), np.float32)})
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    assert context.execute_async_v3(stream)
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))
    assert driver.on.gpu().all_zero_inputs == 1


def test_buffer_that_is_too_small(driver: Driver, small: Graph) -> None:
    context = driver.context(driver.plan(model_of(small)))
    address = driver.ok(driver.cuda.cudaMalloc(16))
    with pytest.raises(driver.on.misuse, match="only 16 are allocated"):
        context.set_tensor_address("image", address)


def test_use_after_free_and_double_free(running: Running) -> None:
    driver, context, stream = running.driver, running.context, running.stream
    addresses = running.addresses
    driver.ok(driver.cuda.cudaFree(addresses["image"]))
    with pytest.raises(driver.on.misuse, match="after it was freed"):
        context.execute_async_v3(stream)
    with pytest.raises(driver.on.misuse, match="freed twice"):
        driver.cuda.cudaFree(addresses["image"])
    assert len(driver.on.gpu().report()["misuses"]) == 2


@pytest.mark.parametrize("call", ["cudaMalloc", "cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaMemcpy"])
def test_what_a_capture_does_not_allow(running: Running, call: str) -> None:
    driver, addresses, stream = running.driver, running.addresses, running.stream
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


def test_capture_without_a_run_before_fails_by_code(driver: Driver, small: Graph) -> None:
    context = driver.context(driver.plan(model_of(small)))
    driver.bind(context, seeded_inputs(small, 0))
    stream = driver.ok(driver.cuda.cudaStreamCreate())
    driver.ok(driver.cuda.cudaStreamBeginCapture(stream, driver.cuda.cudaStreamCaptureMode(0)))
    assert context.execute_async_v3(stream) is False
    invalidated = driver.cuda.cudaError_t.cudaErrorStreamCaptureInvalidated
    assert driver.cuda.cudaStreamEndCapture(stream) == (invalidated, None)
    assert driver.cuda.cudaGetLastError() == (invalidated,)
    assert driver.cuda.cudaGetLastError() == (driver.cuda.cudaError_t.cudaSuccess,)


def test_graph_outlives_neither_context_nor_its_own_end(running: Running) -> None:
    driver, context, stream = running.driver, running.context, running.stream
    replay = driver.captured(context, stream)
    del context, running
    driver.ok(driver.cuda.cudaGraphLaunch(replay, stream))
    driver.ok(driver.cuda.cudaStreamSynchronize(stream))  # the fixture still holds the context
    driver.ok(driver.cuda.cudaGraphExecDestroy(replay))
    with pytest.raises(driver.on.misuse, match="after it was destroyed"):
        driver.cuda.cudaGraphLaunch(replay, stream)


def test_graph_of_a_context_that_is_gone(driver: Driver, small: Graph) -> None:
    context = driver.context(driver.plan(model_of(small)))
    driver.bind(context, seeded_inputs(small, 0))
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


def test_device_memory_runs_out(driver: Driver, small: Graph) -> None:
    plan = driver.plan(model_of(small))
    memory = driver.on.gpu().memory
    memory.capacity = memory.used + 100
    assert driver.cuda.cudaMalloc(101) == (driver.cuda.cudaError_t.cudaErrorMemoryAllocation, None)
    logs = kept_log(driver.trt)
    assert driver.trt.Runtime(logs).deserialize_cuda_engine(plan) is None
    assert "OutOfMemory" in logs.lines[-1]


def test_injected_faults(driver: Driver, small: Graph) -> None:
    from simulated_gpu import Fault  # type: ignore[import-not-found]

    scenario = driver.on.gpu().scenario
    scenario.faults = (
        Fault("cudaMalloc", at=2, error="cudaErrorMemoryAllocation"),
        Fault("build_serialized_network", graph="^small$", message="Error Code 10: no implementation"),
        Fault("parse", operator="Softmax", graph="other"),
    )
    assert driver.cuda.cudaMalloc(16)[0] == driver.cuda.cudaError_t.cudaSuccess
    assert driver.cuda.cudaMalloc(16) == (driver.cuda.cudaError_t.cudaErrorMemoryAllocation, None)
    assert driver.plan(model_of(small)) is None


def test_scenario_is_read_strictly(simulation: Any, on_device: Any, tmp_path: Path) -> None:
    from simulated_gpu import Scenario  # type: ignore[import-not-found]

    found = Scenario.from_json({"device": {"memory_bytes": 5}, "tactics": [1, 2], "capturable": False})
    assert (found.device.memory_bytes, found.tactics, found.capturable) == (5, (1, 2), False)
    for wrong in ({"devise": {}}, {"device": {"ram": 1}}, {"faults": [{"cal": "x"}]}):
        with pytest.raises(TypeError):
            Scenario.from_json(wrong)
