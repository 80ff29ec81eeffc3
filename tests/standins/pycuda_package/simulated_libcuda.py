"""Stands in for ``libcuda.so.1`` as :mod:`ctypes` sees it: capture, graphs and the names of errors."""

from __future__ import annotations

from typing import Any

from simulated_gpu import Misuse, gpu
from simulated_gpu.streams import Graph, GraphExec

TEXTS = {
    1: ("CUDA_ERROR_INVALID_VALUE", "invalid argument"),
    2: ("CUDA_ERROR_OUT_OF_MEMORY", "out of memory"),
    100: ("CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"),
    201: ("CUDA_ERROR_INVALID_CONTEXT", "invalid device context"),
    700: ("CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"),
    900: ("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"),
    901: ("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"),
    999: ("CUDA_ERROR_UNKNOWN", "unknown error"),
}
"""The driver's names and words."""
_THREAD_LOCAL = 1


class LibCuda:
    """The functions that our code calls; any other is an ``AttributeError``, as it is of a library without it."""

    def cuStreamBeginCapture_v2(self, stream: Any, mode: Any) -> int:
        found = gpu().stream(stream.value)
        if found.capturing is not None or mode.value != _THREAD_LOCAL:
            raise Misuse("a stream captures already, or in a mode that other threads can break")
        found.capturing, found.invalidated = [], None
        return 0

    def cuStreamEndCapture(self, stream: Any, graph: Any) -> int:
        found = gpu().stream(stream.value)
        if found.capturing is None:
            raise Misuse("a capture is ended that was not begun")
        work, found.capturing = found.capturing, None
        if found.invalidated is not None:
            return 901
        graph._obj.value = gpu().register(Graph(tuple(work)))
        return 0

    def cuGraphInstantiateWithFlags(self, executable: Any, graph: Any, flags: Any) -> int:
        found = gpu().resolve(graph.value, Graph)
        assert isinstance(found, Graph)
        fault = gpu().scenario.entered("cuGraphInstantiateWithFlags")
        if fault is not None:
            return int(fault.error or 999)
        executable._obj.value = gpu().register(GraphExec(found.work))
        return 0

    def cuGraphDestroy(self, graph: Any) -> int:
        found = gpu().resolve(graph.value, Graph)
        assert isinstance(found, Graph)
        found.destroy()
        return 0

    def cuGraphLaunch(self, executable: Any, stream: Any) -> int:
        found = gpu().resolve(executable.value, GraphExec)
        assert isinstance(found, GraphExec)
        gpu().stream(stream.value).launch(found, gpu().scenario.times.graph_launch_s)
        return 0

    def cuGraphExecDestroy(self, executable: Any) -> int:
        gpu().synchronize()
        found = gpu().resolve(executable.value, GraphExec)
        assert isinstance(found, GraphExec)
        found.destroy()
        return 0

    def cuGetErrorName(self, code: Any, text: Any) -> int:
        return _say(code, text, 0)

    def cuGetErrorString(self, code: Any, text: Any) -> int:
        return _say(code, text, 1)


def _say(code: Any, text: Any, which: int) -> int:
    if code.value not in TEXTS:
        return 1
    text._obj.value = TEXTS[code.value][which].encode()
    return 0
