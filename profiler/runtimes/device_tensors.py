"""Inputs and outputs of a graph in device memory, with page-locked host memory beside them for copies."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from hyctas.graph import Graph, Value
from hyctas.weights import seeded_inputs
from profiler.runtimes.outputs import Output
from profiler.runtimes.tensorrt.cuda import Cuda, Stream
from profiler.runtimes.tensorrt.tensors import Tensor


class DeviceTensors:
    """The inputs of a graph, filled with seeded numbers, and room for its outputs.

    Args:
        cuda: The device.
        graph: What names them; float32 at its border, or the integers of an argmax.
        seed: Of the inputs, which are never zeros: those draw less power and let clocks rise.
        resources: Frees their memory.

    Raises:
        CudaOutOfMemory: They do not fit.
    """

    def __init__(self, cuda: Cuda, graph: Graph, seed: int, resources: ExitStack) -> None:
        self._cuda = cuda
        self.inputs = tuple(self._allocated(value, resources) for value in graph.inputs)
        self.outputs = tuple(self._allocated(graph.values[name], resources) for name in graph.outputs)
        for tensor, array in zip(self.inputs, seeded_inputs(graph, seed).values(), strict=True):
            tensor.array[...] = array

    def upload(self, stream: Stream) -> None:
        """Enqueue copies of all inputs to the device."""
        for tensor in self.inputs:
            self._cuda.to_device(tensor.address, tensor.bytes_on_host, stream)

    def download(self, stream: Stream) -> None:
        """Enqueue copies of all outputs to the host."""
        for tensor in self.outputs:
            self._cuda.to_host(tensor.bytes_on_host, tensor.address, stream)

    def downloaded(self) -> list[Output]:
        """What the outputs held at the last :meth:`download` that is done, as copies that outlive their memory."""
        return [tensor.array.copy() for tensor in self.outputs]

    def _allocated(self, value: Value, resources: ExitStack) -> Tensor:
        dtype = np.dtype(value.dtype)
        size_bytes = value.elements * dtype.itemsize
        pinned = self._cuda.pinned(size_bytes)
        resources.callback(self._cuda.free_pinned, pinned)
        address = self._cuda.malloc(size_bytes)
        resources.callback(self._cuda.free, address)
        return Tensor(value.name, pinned.view(dtype).reshape(value.shape), address)
