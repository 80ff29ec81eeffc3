"""Locks of the host that a worker opens: that it serves its targets alone, and one for each device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hyctas.errors import MeasuringError
from hyctas.target import Target
from profiler.fleet.host_lock import HostLock


@contextmanager
def presence(targets: Sequence[Target], locks: Path) -> Iterator[None]:
    """Say that a worker serves these targets on this host.

    Raises:
        MeasuringError: One does already.
    """
    with ExitStack() as stack:
        for target in targets:
            lock = HostLock(locks, f"worker-{target.name}")
            stack.callback(lock.close)
            if not lock.take():
                raise MeasuringError(
                    f"a worker for {target} is running on this host already (pid {lock.holder()}); "
                    f"end it first, or serve another target (lock: {lock.file})"
                )
        yield


@contextmanager
def device_locks(targets: Sequence[Target], folder: Path) -> Iterator[dict[str, HostLock]]:
    """The host's lock of each device, open but not taken."""
    with ExitStack() as stack:
        locks: dict[str, HostLock] = {}
        for device in dict.fromkeys(target.device for target in targets):
            locks[device] = HostLock(folder, f"device-{device}")
            stack.callback(locks[device].close)
        yield locks
