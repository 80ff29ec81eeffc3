"""A right program on the stand-ins, step by step, so that a test can leave a step out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyctas.attention import attend
from hyctas.builder import GraphBuilder
from hyctas.graph import Graph
from hyctas.layers import conv_bn_relu
from hyctas.onnx_form import to_onnx_bytes
from hyctas.ranges import seeded_ranges
from hyctas.weights import seeded_inputs, seeded_weights


def small_graph() -> Graph:
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


@dataclass
class Running:
    """An engine that has run once, with its addresses by tensor, in a stream."""

    driver: Driver
    context: Any
    addresses: dict[str, int]
    stream: Any

    @classmethod
    def of(cls, driver: Driver, graph: Graph) -> Running:
        """Build, load and run `graph`."""
        context = driver.context(driver.plan(model_of(graph)))
        addresses = driver.bind(context, seeded_inputs(graph, 0))
        stream = driver.ok(driver.cuda.cudaStreamCreate())
        assert context.execute_async_v3(stream)
        driver.ok(driver.cuda.cudaStreamSynchronize(stream))
        return cls(driver, context, addresses, stream)
