"""What every call has in common: it is counted, may be told to fail, and leaves its error behind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

from cuda.bindings._enums import cudaError_t
from simulated_gpu import gpu

LAST_ERROR = [cudaError_t.cudaSuccess]


class Handle:
    """An opaque handle; ``int(handle)`` is its number, and 0 the null one."""

    __slots__ = ("_number",)

    def __init__(self, init_value: int = 0) -> None:
        self._number = int(init_value)

    def getPtr(self) -> int:
        return id(self)

    def __int__(self) -> int:
        return self._number

    def __index__(self) -> int:
        return self._number

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._number:#x}>"


def call(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of the interface: integers are checked, an error comes back with None for each value."""
    hints = get_type_hints(function)
    values = len(get_args(hints["return"])) - 1
    names = function.__code__.co_varnames[: function.__code__.co_argcount]

    @functools.wraps(function)
    def called(*arguments: Any) -> tuple[Any, ...]:
        if len(arguments) != len(names):
            raise TypeError(f"{function.__name__}() takes {len(names)} arguments ({len(arguments)} given)")
        for name, argument in zip(names, arguments, strict=True):
            _check(name, argument)
        fault = gpu().scenario.entered(function.__name__)
        if fault is not None:
            error = cudaError_t[fault.error or "cudaErrorUnknown"]
            result: tuple[Any, ...] = (error,)
        else:
            result = function(*arguments)
        if result[0] != cudaError_t.cudaSuccess:
            LAST_ERROR[0] = result[0]
            return (result[0], *(None,) * values)
        return result

    return called


def _check(name: str, argument: Any) -> None:
    if isinstance(argument, float | str | bytes) or not hasattr(argument, "__int__"):
        raise TypeError(f"{name}: an integer or a handle is required, not {argument!r}")
