"""Inputs and outputs of an engine: in device memory, with page-locked host memory beside it for copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from profiler.runtimes.engine import Unsupported
from profiler.runtimes.outputs import Output
from profiler.runtimes.tensorrt.cuda import Address, Cuda, Pinned, Stream

_DTYPES: Final[Mapping[str, npt.DTypeLike]] = MappingProxyType(
    {
        "FLOAT": np.float32,
        "HALF": np.float16,
        "INT8": np.int8,
        "UINT8": np.uint8,
        "INT32": np.int32,
        "INT64": np.int64,
        "BOOL": np.bool_,
    }
)
"""Types at the border of an engine that the host can hold; our models have float32 there, or integers of an argmax."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Attributes:
        name: As in the graph.
        array: Page-locked memory, in the tensor's type and shape.
        address: On the device.
    """

    name: str
    array: npt.NDArray[Any]
    address: Address

    @property
    def bytes_on_host(self) -> Pinned:
        """The same memory as plain bytes, which is what copies take."""
        return self.array.reshape(-1).view(np.uint8)


class Tensors:
    """All inputs and outputs of an engine.

    Args:
        cuda: The device.
        engine: An ``ICudaEngine``.
        resources: Frees their memory.

    Raises:
        Unsupported: A tensor has no static shape, or a type that the host cannot hold.
        CudaOutOfMemory: They do not fit.
    """

    def __init__(self, cuda: Cuda, engine: Any, resources: ExitStack) -> None:
        self._cuda = cuda
        inputs: list[Tensor] = []
        outputs: list[Tensor] = []
        for name in map(engine.get_tensor_name, range(engine.num_io_tensors)):
            tensor = _allocated(cuda, engine, name, resources)
            (inputs if engine.get_tensor_mode(name).name == "INPUT" else outputs).append(tensor)
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)

    @property
    def size_bytes(self) -> int:
        """Device memory of all of them."""
        return sum(tensor.array.nbytes for tensor in (*self.inputs, *self.outputs))

    def fill(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Set the inputs, on the host; :meth:`upload` brings them to the device.

        Raises:
            Unsupported: The engine has an input that `arrays` lack, or of another shape.
        """
        for tensor in self.inputs:
            given = arrays.get(tensor.name)
            if given is None or given.shape != tensor.array.shape:
                has = "none" if given is None else f"one of shape {given.shape}"
                raise Unsupported(
                    f"the engine reads {tensor.name} of shape {tensor.array.shape}, and the graph has {has}"
                )
            tensor.array[...] = given

    def bind(self, context: Any) -> None:
        """Tell an execution context where the tensors are."""
        for tensor in (*self.inputs, *self.outputs):
            if not context.set_tensor_address(tensor.name, tensor.address):
                raise Unsupported(f"TensorRT refuses the address of {tensor.name}")

    def upload(self, stream: Stream) -> None:
        """Enqueue copies of all inputs to the device."""
        for tensor in self.inputs:
            self._cuda.to_device(tensor.address, tensor.bytes_on_host, stream)

    def download(self, stream: Stream) -> None:
        """Enqueue copies of all outputs to the host."""
        for tensor in self.outputs:
            self._cuda.to_host(tensor.bytes_on_host, tensor.address, stream)

    def downloaded(self, names: Iterable[str]) -> list[Output]:
        """What outputs held at the last :meth:`download` that is done, as copies that outlive the engine."""
        arrays = {tensor.name: tensor.array for tensor in self.outputs}
        return [arrays[name].copy() for name in names]


def _allocated(cuda: Cuda, engine: Any, name: str, resources: ExitStack) -> Tensor:
    """Memory for one tensor."""
    shape = tuple(int(size) for size in engine.get_tensor_shape(name))
    kind = engine.get_tensor_dtype(name).name
    if kind not in _DTYPES or min(shape, default=1) < 1:
        known = ", ".join(_DTYPES)
        raise Unsupported(f"{name} is {kind} of shape {shape}; needed are a static shape and one of {known}")
    array = np.zeros(shape, _DTYPES[kind])
    pinned = cuda.pinned(array.nbytes)
    resources.callback(cuda.free_pinned, pinned)
    address = cuda.malloc(array.nbytes)
    resources.callback(cuda.free, address)
    return Tensor(name, pinned.view(array.dtype).reshape(shape), address)
