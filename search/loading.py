"""Values made ahead by other processes, in order."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch.utils.data import DataLoader, get_worker_info

from hyctas.errors import DatasetError, SearchError
from search.datasets.cache import CachedSplit
from search.datasets.dataset import Split

Value = TypeVar("Value")


def loaded(make: Callable[[int], Value], *, start: int, workers: int, split: Split) -> Iterator[Value]:
    """``make(start)``, ``make(start + 1)`` and so on, prepared by `workers` processes, or here if there are none.

    Args:
        make: What to call; the same in any process.
        start: First number.
        workers: Processes; each prepares two values ahead.
        split: What `make` reads; the processes share the memory that it may keep.

    Raises:
        DatasetError: `make` raised it.
        SearchError: A process died.
    """
    if workers == 0:
        return map(make, itertools.count(start))
    return _from_processes(make, start, workers, split)


def _from_processes(make: Callable[[int], Value], start: int, workers: int, split: Split) -> Iterator[Value]:
    loader = DataLoader(
        _Made(make),
        batch_size=None,
        sampler=itertools.count(start),
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_Sharing(split),
    )
    values = iter(loader)
    while True:
        try:
            value = next(values)
        except RuntimeError as error:
            raise SearchError(f"a process that loads images died: {error}; is the memory enough?") from error
        if isinstance(value, DatasetError):
            raise value
        yield value


@dataclass(frozen=True, slots=True)
class _Made(Generic[Value]):
    """What the loader indexes. An error of the data set travels as a value, and keeps its message."""

    make: Callable[[int], Value]

    def __getitem__(self, number: int) -> Value | DatasetError:
        try:
            return self.make(number)
        except DatasetError as error:
            return error


@dataclass(frozen=True, slots=True)
class _Sharing:
    """Gives each process its share of the memory for decoded images. Ctrl-C is for the process that they work for."""

    split: Split

    def __call__(self, worker: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        info = get_worker_info()
        if isinstance(self.split, CachedSplit) and info is not None:
            self.split.budget_bytes //= info.num_workers


def _as_it_is(value: Value) -> Value:
    return value
