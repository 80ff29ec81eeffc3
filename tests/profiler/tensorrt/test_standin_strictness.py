"""The stand-ins are as strict as NVIDIA's bindings about names, types and classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hyctas.graph import Graph
from tests.profiler.tensorrt.driver import Driver, kept_log, model_of


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


def test_host_memory_offers_its_buffer_and_no_more(driver: Driver, small: Graph) -> None:
    plan = driver.plan(model_of(small))
    assert plan.nbytes == len(bytes(plan)) == memoryview(plan).nbytes
    for wrong in (lambda: len(plan), lambda: plan[0], lambda: list(plan), lambda: plan + b""):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(AttributeError):
        plan.decode()


def test_machine_without_a_gpu(driver: Driver, simulation: Any) -> None:

    scenario = driver.on.gpu().scenario
    scenario.device = replace(scenario.device, count=0)
    assert driver.cuda.cudaGetDeviceCount() == (driver.cuda.cudaError_t.cudaErrorNoDevice, None)
    with pytest.raises(TypeError, match="nullptr"):
        driver.trt.Builder(kept_log(driver.trt))
    with pytest.raises(driver.on.misuse, match="without a driver"):
        driver.trt.Runtime(kept_log(driver.trt))
