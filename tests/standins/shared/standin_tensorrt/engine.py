"""The runtime and its engines."""

from __future__ import annotations

from simulated_gpu import Misuse, gpu
from tensorrt._members import (
    MAJOR,
    DataType,
    ExecutionContextAllocationStrategy,
    ProfilingVerbosity,
    Severity,
    TensorFormat,
    TensorIOMode,
    TensorLocation,
)

from standin_tensorrt.context import IExecutionContext
from standin_tensorrt.inspector import EngineInspector
from standin_tensorrt.logger import ILogger
from standin_tensorrt.model import SIZES, Model
from standin_tensorrt.numerics import Numerics
from standin_tensorrt.plan import NotAPlan, Plan, deserialise
from standin_tensorrt.strict import Buffer, ContextManaged, NotConstructible, checked, strict
from standin_tensorrt.values import Dims, IHostMemory

OUT_OF_MEMORY = (
    "Error Code 2: OutOfMemory (Requested size was {size} bytes.) Requested amount of GPU memory ({size} bytes) "
    "could not be allocated. There may not be enough free memory for allocation to succeed."
)


@strict
class ICudaEngine(NotConstructible, ContextManaged):
    """A plan on the device, with its weights in the device's memory."""

    __slots__ = ("__weakref__", "_logger", "_model", "_numerics", "_plan", "_weights")

    def _set_up(self, plan: Plan, logger: ILogger, weights: int | None) -> None:
        self._plan, self._logger, self._weights = plan, logger, weights
        self._model = Model(plan.model)
        self._numerics = Numerics(self._model)

    def __del__(self) -> None:
        weights = getattr(self, "_weights", None)
        if weights is not None:
            gpu().memory.free(weights)

    def _known(self, name: str) -> str:
        if name not in self._model.inputs and name not in self._model.outputs:
            raise Misuse(
                f"{name!r} is no tensor of this engine: {', '.join((*self._model.inputs, *self._model.outputs))}"
            )
        return name

    @property
    def name(self) -> str:
        return self._plan.name

    @property
    def num_io_tensors(self) -> int:
        return len(self._model.inputs) + len(self._model.outputs)

    @property
    def num_layers(self) -> int:
        return len(self._plan.layers)

    @property
    def num_aux_streams(self) -> int:
        return self._plan.aux_streams

    @property
    def num_optimization_profiles(self) -> int:
        return 1

    @property
    def profiling_verbosity(self) -> ProfilingVerbosity:  # type: ignore[valid-type]
        return ProfilingVerbosity.__members__[self._plan.verbosity]

    @property
    def tactic_sources(self) -> int:
        return self._plan.tactic_sources

    if MAJOR == 10:

        @property
        def device_memory_size(self) -> int:
            return self._plan.scratch_bytes

    @property
    def device_memory_size_v2(self) -> int:
        return self._plan.scratch_bytes

    @property
    def streamable_weights_size(self) -> int:
        return 0

    def get_tensor_name(self, index: int) -> str:
        return (*self._model.inputs, *self._model.outputs)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:  # type: ignore[valid-type]
        return TensorIOMode.INPUT if self._known(name) in self._model.inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims(self._model.types[self._known(name)].shape)

    def get_tensor_dtype(self, name: str) -> DataType:  # type: ignore[valid-type]
        return self._model.types[self._known(name)].element

    def get_tensor_location(self, name: str) -> TensorLocation:  # type: ignore[valid-type]
        self._known(name)
        return TensorLocation.DEVICE

    def get_tensor_format(self, name: str) -> TensorFormat:  # type: ignore[valid-type]
        self._known(name)
        return TensorFormat.LINEAR

    def get_tensor_bytes_per_component(self, name: str) -> int:
        return SIZES[self._model.types[self._known(name)].element.name]  # type: ignore[union-attr]

    def serialize(self) -> IHostMemory:
        from standin_tensorrt.plan import serialise

        return IHostMemory(serialise(self._plan))

    def create_execution_context(
        self,
        strategy: ExecutionContextAllocationStrategy = ExecutionContextAllocationStrategy.STATIC,  # type: ignore[valid-type]
    ) -> IExecutionContext | None:
        gpu().not_while_capturing("create_execution_context")
        fault = gpu().scenario.entered("create_execution_context", self._plan.name)
        size = self._plan.scratch_bytes if strategy != ExecutionContextAllocationStrategy.USER_MANAGED else 0
        scratch = gpu().memory.allocate(size, "context") if size else None
        if fault is not None or (size and scratch is None):
            self._logger.log(Severity.ERROR, fault.message if fault else OUT_OF_MEMORY.format(size=size))
            return None
        return IExecutionContext._make(self, scratch.address if scratch else None)

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector._make(self)

    def __getitem__(self, arg0: int) -> str:
        return self.get_tensor_name(arg0)


@strict
class Runtime(ContextManaged):
    """Without a driver the real one is an object that crashes when it is used."""

    __slots__ = ("_logger", "_max_threads")

    def __init__(self, logger: ILogger) -> None:
        if not gpu().scenario.device.count:
            raise Misuse("Runtime(logger) without a driver: it crashes as soon as it is used")
        self._logger, self._max_threads = logger, 1

    @property
    def logger(self) -> ILogger:
        return self._logger

    @property
    def max_threads(self) -> int:
        return self._max_threads

    @max_threads.setter
    def max_threads(self, threads: int) -> None:
        self._max_threads = threads

    def deserialize_cuda_engine(self, serialized_engine: Buffer) -> ICudaEngine | None:
        gpu().not_while_capturing("deserialize_cuda_engine")
        try:
            plan = deserialise(serialized_engine)  # type: ignore[arg-type]
        except NotAPlan as error:
            self._logger.log(Severity.ERROR, f"IRuntime::deserializeCudaEngine: Error Code 1: Serialization ({error})")
            return None
        fault = gpu().scenario.entered("deserialize_cuda_engine", plan.name)
        size = Model(plan.model).weight_bytes
        weights = gpu().memory.allocate(size, "engine") if size and not fault else None
        if fault is not None or (size and weights is None):
            self._logger.log(Severity.ERROR, fault.message if fault else OUT_OF_MEMORY.format(size=size))
            return None
        return ICudaEngine._make(plan, self._logger, weights.address if weights else None)


@checked
def init_libnvinfer_plugins(logger: ILogger, namespace: str) -> bool:
    """Nothing to register."""
    return True
