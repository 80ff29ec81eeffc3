"""Strict stand-in for the GPU build of ONNX Runtime, on the simulated device of ``tests/standins``.

It computes with the real CPU provider once its stream is waited for, and refuses what a wrong program would do: fall
back, give options that a provider does not have, keep a session longer than its stream, wait inside of a run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as real
from simulated_gpu import gpu
from simulated_gpu.streams import Work

RUN_S = 50e-6
LAUNCH_S = 10e-6
KNOWN_OPTIONS = {
    "CUDAExecutionProvider": {
        "device_id",
        "user_compute_stream",
        "use_tf32",
        "enable_cuda_graph",
        "cudnn_conv_algo_search",
    },
    "TensorrtExecutionProvider": {
        "device_id",
        "user_compute_stream",
        "trt_fp16_enable",
        "trt_int8_enable",
        "trt_cuda_graph_enable",
        "trt_auxiliary_streams",
        "trt_engine_cache_enable",
        "trt_timing_cache_enable",
    },
}
"""Names that ONNX Runtime's sources parse; both providers refuse others."""


class OnnxRuntimeGpu:
    """What stands in for the module.

    Args:
        available: The providers that it was built with.
        loads: Whether their libraries are found.
        refuses: An ONNX operator that they do not take.
    """

    __version__ = real.__version__
    GraphOptimizationLevel = real.GraphOptimizationLevel

    def __init__(self, available: tuple[str, ...], *, loads: bool = True, refuses: str = "") -> None:
        self.available = available
        self.loads = loads
        self.refuses = refuses
        self.preloaded = False
        self.opened: list[dict[str, str]] = []

    def get_available_providers(self) -> list[str]:
        return [*self.available, "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        self.preloaded = True

    SessionOptions = real.SessionOptions
    RunOptions = real.RunOptions

    def InferenceSession(self, model: bytes, options: Any, *, providers: list[Any], enable_fallback: int) -> Session:
        assert enable_fallback == 0, "Python's fallback to other providers is on"
        ((name, given),) = providers
        assert name in self.available
        assert given.keys() <= KNOWN_OPTIONS[name], f"unknown options of {name}: {given}"
        assert all(isinstance(value, str) for value in given.values())
        self.opened.append(given)
        operators = {node.op_type for node in onnx.load_from_string(model).graph.node}
        to_cpu = not self.loads or self.refuses in operators
        try:
            strict = options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
        except RuntimeError:
            strict = False
        if to_cpu and strict:
            raise RuntimeError("nodes are assigned to the default CPU EP, but fallback has been explicitly disabled")
        used = [name] if self.loads else []
        return Session(model, [*used, "CPUExecutionProvider"], int(given.get("user_compute_stream", "0")))


class Session:
    """A session whose runs are work on a stream."""

    late: list[str] = []  # noqa: RUF012  (what went wrong where nothing can be raised)

    def __init__(self, model: bytes, providers: list[str], stream: int) -> None:
        self._real = real.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._providers = providers
        self._stream = gpu().stream(stream)

    def __del__(self) -> None:
        if self._stream.destroyed:
            self.late.append("a session lives longer than its stream")

    def get_providers(self) -> list[str]:
        return self._providers

    def io_binding(self) -> Binding:
        return Binding()

    def run_with_iobinding(self, binding: Binding, options: Any) -> None:
        assert options.get_run_config_entry("disable_synchronize_execution_providers") == "1"

        def act() -> None:
            memory, outputs = gpu().memory, list(binding.outputs)
            feeds = {
                name: np.frombuffer(memory.read(address, size), dtype).reshape(shape)
                for name, (dtype, shape, address, size) in binding.inputs.items()
            }
            for name, array in zip(outputs, self._real.run(outputs, feeds), strict=True):
                dtype, shape, address, size = binding.outputs[name]
                assert (array.dtype, array.shape, array.nbytes) == (dtype, shape, size)
                memory.write(address, np.ascontiguousarray(array).tobytes())

        self._stream.enqueue([Work("session", lambda: RUN_S, act, LAUNCH_S)])


class Binding:
    """Where inputs and outputs are."""

    def __init__(self) -> None:
        self.inputs: dict[str, tuple[Any, tuple[int, ...], int, int]] = {}
        self.outputs: dict[str, tuple[Any, tuple[int, ...], int, int]] = {}

    def bind_input(self, name: str, device: str, number: int, dtype: Any, shape: Any, address: int) -> None:
        self.inputs[name] = self._checked(device, number, dtype, shape, address)

    def bind_output(self, name: str, device: str, number: int, dtype: Any, shape: Any, address: int) -> None:
        self.outputs[name] = self._checked(device, number, dtype, shape, address)

    def _checked(
        self, device: str, number: int, dtype: Any, shape: Any, address: int
    ) -> tuple[Any, tuple[int, ...], int, int]:
        assert (device, number) == ("cuda", 0)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        gpu().memory.find(address, size, "bind")
        return np.dtype(dtype), tuple(shape), address, size
