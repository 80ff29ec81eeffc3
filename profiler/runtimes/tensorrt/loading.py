"""Loading serialised engines, and what TensorRT said where it would not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hyctas.errors import MeasuringError
from profiler.faults import is_out_of_memory
from profiler.runtimes.tensorrt.cuda import Cuda
from profiler.runtimes.tensorrt.library import Library
from profiler.runtimes.tensorrt.settings import TensorRtSettings


class EngineFailed(MeasuringError):
    """TensorRT cannot load or run an engine that it built; becomes a failed measurement."""


class EngineOutOfMemory(EngineFailed, MemoryError):
    """An engine does not fit into the memory of the device."""


@dataclass(frozen=True, slots=True)
class Loader:
    """What the engines of a process share.

    Attributes:
        library: Which TensorRT.
        runtime: Its ``IRuntime``.
        cuda: The device.
        settings: How to run.
    """

    library: Library
    runtime: Any
    cuda: Cuda
    settings: TensorRtSettings

    def load(self, plan: bytes) -> Any:
        """The ``ICudaEngine`` of a plan.

        Raises:
            EngineFailed: TensorRT refuses it.
            EngineOutOfMemory: Its weights do not fit.
        """
        self.library.logger.messages.clear()
        engine = self.runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise self.failure("deserialize_cuda_engine")
        return engine

    def create_context(self, engine: Any) -> Any:
        """An ``IExecutionContext`` of an engine, with memory of its own for activations.

        Raises:
            EngineFailed: TensorRT refuses it.
            EngineOutOfMemory: Its memory does not fit.
        """
        context = engine.create_execution_context()
        if context is None:
            raise self.failure("create_execution_context")
        return context

    @property
    def said(self) -> str:
        """Errors that TensorRT logged since the last engine was loaded: it returns nothing, and logs why."""
        return "; ".join(self.library.logger.messages.reasons()) or "it does not say why"

    def failure(self, call: str) -> EngineFailed:
        """What to raise when `call` returned nothing."""
        kind = EngineOutOfMemory if is_out_of_memory(self.said) else EngineFailed
        return kind(f"{self.library.runtime} {self.library.version}: {call} failed: {self.said}")


def scratch_bytes(engine: Any) -> int:
    """Memory of an execution context; TensorRT 10.0 has only the older name, 11 only the newer."""
    name = "device_memory_size_v2" if hasattr(engine, "device_memory_size_v2") else "device_memory_size"
    return int(getattr(engine, name))
