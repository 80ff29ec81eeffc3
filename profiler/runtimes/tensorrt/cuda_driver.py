"""The calls of the CUDA driver that PyCUDA does not have: capturing a stream into a graph, and naming errors.

PyCUDA stands on the driver API and hands out its handles, so these calls work on PyCUDA's streams.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

from hyctas.errors import RuntimeUnavailable
from profiler.runtimes.tensorrt.cuda import GraphExec, Stream, failure

_THREAD_LOCAL: Final = 1
"""``CU_STREAM_CAPTURE_MODE_THREAD_LOCAL``: what other threads do meanwhile does not end the capture."""
_HIGHEST_CODE: Final = 1000
_LIBRARIES: Final = ("libcuda.so.1", "nvcuda.dll")


class CudaDriver:
    """A few functions of the driver's library.

    Args:
        library: What has the functions as attributes, such as a :class:`ctypes.CDLL`.
    """

    def __init__(self, library: Any) -> None:
        self._library = library

    def begin_capture(self, stream: Stream) -> None:
        """Capture what this thread enqueues in `stream` from now on."""
        self._call("cuStreamBeginCapture_v2", ctypes.c_void_p(stream), ctypes.c_int(_THREAD_LOCAL))

    def end_capture(self, stream: Stream) -> GraphExec:
        """End the capture and make what was captured ready to be launched."""
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuStreamEndCapture", ctypes.c_void_p(stream), ctypes.byref(graph))
        try:
            self._call("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
        finally:
            self._call("cuGraphDestroy", graph)
        return GraphExec(executable.value or 0)

    def abandon_capture(self, stream: Stream) -> None:
        """End a capture that went wrong; the error that this returns is the one that is known already."""
        graph = ctypes.c_void_p()
        self._library.cuStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph))
        if graph.value:
            self._call("cuGraphDestroy", graph)

    def launch(self, graph: GraphExec, stream: Stream) -> None:
        """Enqueue a captured graph."""
        self._call("cuGraphLaunch", ctypes.c_void_p(graph), ctypes.c_void_p(stream))

    def destroy_graph(self, graph: GraphExec) -> None:
        """Destroy a captured graph."""
        self._call("cuGraphExecDestroy", ctypes.c_void_p(graph))

    def number_of(self, meaning: str) -> int:
        """The number of the error that the driver describes in these words; 0 where it knows none."""
        return next((code for code in range(1, _HIGHEST_CODE) if self._text("cuGetErrorString", code) == meaning), 0)

    def _call(self, name: str, *arguments: Any) -> None:
        code = int(getattr(self._library, name)(*arguments))
        if code:
            texts = (self._text(function, code) for function in ("cuGetErrorName", "cuGetErrorString"))
            raise failure(name, code, *(text or str(code) for text in texts))

    def _text(self, function: str, code: int) -> str:
        text = ctypes.c_char_p()
        getattr(self._library, function)(ctypes.c_int(code), ctypes.byref(text))
        return (text.value or b"").decode()


@cache
def load_driver() -> CudaDriver:
    """The driver's library of this machine.

    Raises:
        RuntimeUnavailable: There is none.
    """
    for name in _LIBRARIES:
        try:
            return CudaDriver(ctypes.CDLL(name))
        except OSError:
            continue
    raise RuntimeUnavailable(f"no CUDA driver here (none of {', '.join(_LIBRARIES)} loads); install the NVIDIA driver")
