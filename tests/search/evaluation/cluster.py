"""A Dask cluster on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import LocalCluster


@contextmanager
def running_cluster(workers: int, *, allowed_failures: int = 1) -> Iterator[str]:
    """The address of a scheduler with so many worker processes, each restarted when it dies."""
    settings = {
        "distributed.scheduler.allowed-failures": allowed_failures,
        "distributed.worker.memory.terminate": False,
    }
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with dask.config.set(settings), LocalCluster(n_workers=workers, **options) as cluster:
        yield cluster.scheduler_address
