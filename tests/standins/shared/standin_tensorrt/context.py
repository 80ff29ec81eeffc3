"""Running an engine: what is on the stream, what it computes, and every way to get it wrong."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from simulated_gpu import Misuse, gpu
from simulated_gpu.streams import Stream, Work
from tensorrt._members import ProfilingVerbosity, Severity

from standin_tensorrt.derived import IProfiler
from standin_tensorrt.model import TensorType
from standin_tensorrt.numerics import NUMPY_TYPES
from standin_tensorrt.strict import ContextManaged, NotConstructible, strict
from standin_tensorrt.values import Dims

if TYPE_CHECKING:
    from standin_tensorrt.engine import ICudaEngine

_CAPTURING = "Error Code 1: Cuda Runtime (operation not permitted when stream is capturing)"


@dataclass
class _Run:
    """One enqueued execution; a graph that was captured from it runs it again and again.

    `computed` is what the outputs were last computed from and into, so that equal work is done once.
    """

    addresses: dict[str, int]
    alive: weakref.ref[IExecutionContext]
    engine: ICudaEngine
    cold: bool = False
    computed: tuple[int, ...] = field(default=())

    def begin(self) -> float:
        """Look at the cache of the device as the first layer starts."""
        self.cold, gpu().cold = gpu().cold, False
        return 0.0

    def compute(self) -> None:
        """Read the inputs, run the model, write the outputs."""
        if self.alive() is None:
            raise Misuse("an engine runs after its execution context was destroyed")
        model, memory = self.engine._model, gpu().memory
        found = {n: memory.find(a, model.types[n].size_bytes, f"tensor {n}")[0] for n, a in self.addresses.items()}
        if self.computed == tuple(found[name].version for name in self.addresses):
            return
        inputs = {name: _read(self.addresses[name], model.types[name], name) for name in model.inputs}
        if inputs and not any(array.any() for array in inputs.values()):
            gpu().all_zero_inputs += 1
        for name, array in self.engine._numerics.run(inputs).items():
            memory.write(self.addresses[name], _encoded(array, model.types[name]), f"output {name}")
        self.computed = tuple(found[name].version for name in self.addresses)


@strict
class IExecutionContext(NotConstructible, ContextManaged):
    """Static shapes only."""

    __slots__ = (
        "__weakref__",
        "_addresses",
        "_emits",
        "_engine",
        "_nvtx_verbosity",
        "_profiler",
        "_reported",
        "_scratch",
        "_shapes",
        "_warm",
    )

    def _set_up(self, engine: ICudaEngine, scratch: int | None) -> None:
        self._engine, self._scratch = engine, scratch
        self._addresses: dict[str, int] = {}
        self._profiler: IProfiler | None = None
        self._emits, self._warm, self._reported = True, False, True
        self._nvtx_verbosity = engine.profiling_verbosity

    def __del__(self) -> None:
        scratch = getattr(self, "_scratch", None)
        if scratch is not None:
            gpu().memory.free(scratch)

    @property
    def engine(self) -> Any:
        return self._engine

    @property
    def profiler(self) -> IProfiler | None:
        return self._profiler

    @profiler.setter
    def profiler(self, profiler: IProfiler | None) -> None:
        self._profiler = profiler

    @property
    def enqueue_emits_profile(self) -> bool:
        return self._emits

    @enqueue_emits_profile.setter
    def enqueue_emits_profile(self, emits: bool) -> None:
        self._emits = emits

    @property
    def nvtx_verbosity(self) -> ProfilingVerbosity:  # type: ignore[valid-type]
        return self._nvtx_verbosity

    @nvtx_verbosity.setter
    def nvtx_verbosity(self, verbosity: ProfilingVerbosity) -> None:  # type: ignore[valid-type]
        self._nvtx_verbosity = verbosity

    def set_tensor_address(self, name: str, memory: int) -> bool:
        found = self._engine._model.types[self._engine._known(name)]
        gpu().memory.find(memory, found.size_bytes, f"address of tensor {name}")
        self._addresses[name] = memory
        return True

    def get_tensor_address(self, name: str) -> int:
        return self._addresses.get(self._engine._known(name), 0)

    def set_input_shape(self, name: str, shape: tuple) -> bool:  # type: ignore[type-arg]
        if self._engine._known(name) not in self._engine._model.inputs:
            raise Misuse(f"the shape of {name!r}, which is no input, is set")
        if tuple(shape) == self._engine._model.types[name].shape:
            return True
        self._log(f"IExecutionContext::setInputShape: Error Code 3: API Usage Error (static dimensions of {name})")
        return False

    def get_tensor_shape(self, name: str) -> Dims:
        return self._engine.get_tensor_shape(name)

    def infer_shapes(self) -> list[str]:
        return []

    def execute_async_v3(self, stream_handle: int) -> bool:
        fault = gpu().scenario.entered("execute_async_v3", self._engine.name)
        if fault is not None:
            self._log(fault.message)
            return False
        self._check_addresses()
        stream = gpu().stream(stream_handle)
        if stream_handle == 0:
            self._engine._logger.log(
                Severity.WARNING, "Using default stream in enqueueV3() may lead to performance issues"
            )
        if stream.capturing is not None and not self._may_be_captured():
            stream.invalidated = "TensorRT synchronises"
            self._log(f"IExecutionContext::enqueueV3: {_CAPTURING}")
            return False
        stream.enqueue(self._work())
        self._warm = True
        if self._profiler is not None:
            self._after_profiled(stream)
        return True

    def report_to_profiler(self) -> bool:
        if self._profiler is None or self._emits or self._reported:
            return False
        self._report()
        return True

    def _may_be_captured(self) -> bool:
        """Not before a first run, which sets things up; nor while layers are timed by the host."""
        scenario = gpu().scenario
        profiled = self._profiler is not None and self._emits
        allowed = scenario.capturable and scenario.entered("capture", self._engine.name) is None
        return allowed and self._warm and not profiled

    def _check_addresses(self) -> None:
        model = self._engine._model
        missing = [name for name in (*model.inputs, *model.outputs) if name not in self._addresses]
        if missing:
            raise Misuse(f"execute_async_v3 before set_tensor_address of {', '.join(missing)}")
        spans = []
        for name, address in self._addresses.items():
            size = model.types[name].size_bytes
            gpu().memory.find(address, size, f"tensor {name}")
            spans.append((address, address + size, name))
        spans.sort()
        for (_, end, first), (start, _, second) in itertools.pairwise(spans):
            if start < end and not {first, second} <= set(model.inputs):
                raise Misuse(f"tensors {first} and {second} share memory")

    def _work(self) -> Sequence[Work]:
        run = _Run(dict(self._addresses), weakref.ref(self), self._engine)
        times = gpu().scenario.times
        overhead_s = times.profiling_overhead_s if self._profiler is not None else 0.0

        def lasting(layer_s: float, first: bool) -> Any:
            def duration_s() -> float:
                if first:
                    run.begin()
                return layer_s * (times.cold_factor if run.cold else 1.0) + overhead_s

            return duration_s

        plan = self._engine._plan
        work = [
            Work(layer.name, lasting(layer_s, index == 0), launch_s=times.kernel_launch_s)
            for index, (layer, layer_s) in enumerate(zip(plan.layers, plan.times_s, strict=True))
        ]
        return [*work, Work("results", lambda: 0.0, run.compute)]

    def _after_profiled(self, stream: Stream) -> None:
        if self._emits and stream.capturing is None:
            stream.synchronize()
            self._report()
        else:
            self._reported = False

    def _report(self) -> None:
        assert self._profiler is not None
        plan, overhead_s = self._engine._plan, gpu().scenario.times.profiling_overhead_s
        for layer, layer_s in zip(plan.layers, plan.times_s, strict=True):
            self._profiler.report_layer_time(layer.name, (layer_s + overhead_s) * 1e3)
        self._reported = True

    def _log(self, message: str) -> None:
        self._engine._logger.log(Severity.ERROR, message)


def _read(address: int, found: TensorType, name: str) -> Any:
    data = gpu().memory.read(address, found.size_bytes, f"input {name}")
    assert found.element is not None
    if found.element.name == "BF16":
        widened = np.frombuffer(data, np.uint16).astype(np.uint32) << 16
        return widened.view(np.float32).reshape(found.shape)
    return np.frombuffer(data, NUMPY_TYPES[found.element.name]).reshape(found.shape)


def _encoded(array: Any, found: TensorType) -> bytes:
    assert found.element is not None
    if found.element.name == "BF16":
        return bytes((array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes())
    return bytes(np.ascontiguousarray(array, NUMPY_TYPES[found.element.name]).tobytes())
