"""Blocking calls beside an event loop, in threads that may hang for good without holding the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


async def in_thread(function: Callable[[], Value]) -> Value:
    """Call a function that may block, in a daemon thread of its own.

    :func:`asyncio.to_thread` does not do: the interpreter waits for its threads, and one that waits for an answer from
    a network that was cut in silence never ends.

    A cancelled caller does not wait. What the function returns then is dropped, or closed if it can be.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Value] = loop.create_future()

    def run() -> None:
        try:
            value = function()
        except BaseException as error:
            _call(loop, _fail, future, error)
        else:
            if not _call(loop, _resolve, future, value):
                _close(value)

    threading.Thread(target=run, daemon=True, name=f"fleet-{getattr(function, '__name__', 'call')}").start()
    return await future


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> bool:
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # the loop has ended
        return False
    return True


def _resolve(future: asyncio.Future[Value], value: Value) -> None:
    if future.cancelled():
        _close(value)
    else:
        future.set_result(value)


def _fail(future: asyncio.Future[Value], error: BaseException) -> None:
    if not future.cancelled():
        future.set_exception(error)


def _close(value: object) -> None:
    close = getattr(value, "close", None)
    if callable(close):
        close()
