"""Ctrl-C that waits for the work inside."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from profiler.interruption import uninterrupted


def test_interrupt_comes_after_the_work() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("work")
    assert done == ["work"]


def test_handler_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_error_of_the_work_comes_through_and_the_handler_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="full"), uninterrupted():
        raise ValueError("full")
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_just_work() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            done.append("work")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["work"]
