"""Ctrl-C while something must not be cut in two."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody has pressed Ctrl-C."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal; the next one interrupts at once."""
        self.asked = True
        signal.signal(number, signal.default_int_handler)


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Interruption]:
    """While the block runs, Ctrl-C does no more than say so once; who runs the block raises `KeyboardInterrupt`.

    So does SIGTERM where it raises that too. A signal that is ignored or handled otherwise is left as it is, and all
    are outside the main thread, where Python lets nobody handle them.
    """
    interruption = Interruption()
    in_main_thread = threading.current_thread() is threading.main_thread()
    raising = [each for each in SIGNALS if in_main_thread and signal.getsignal(each) is signal.default_int_handler]
    for each in raising:
        signal.signal(each, interruption.ask)
    try:
        yield interruption
    finally:
        for each in raising:
            signal.signal(each, signal.default_int_handler)
