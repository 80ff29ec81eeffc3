"""Runtimes that do to a probing process what real ones do where something is missing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from hyctas.graph import Graph
from hyctas.target import Target
from profiler.runtimes.engine import Unsupported


class Calm:
    """Opens and runs."""

    def __init__(self, target: Target) -> None:
        self.metric = target.metric

    def prepare(self, graph: Graph, *, seed: int) -> Calm:
        """Return itself, which is an engine too."""
        return self

    def environment(self) -> Mapping[str, str]:
        """Nothing but a name."""
        return {"staged": "yes"}

    def run(self) -> None:
        """Do nothing."""

    def finite(self) -> bool:
        """Say so."""
        return True


class NotFinite(Calm):
    """Gives no numbers."""

    def finite(self) -> bool:
        """Deny it."""
        return False


class CrashesOnCuda(Calm):
    """Dies on a GPU, as a library without a driver does."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if target.on_gpu:
            sys.stderr.write("no driver\n")
            sys.stderr.flush()
            os.abort()


class Hangs(Calm):
    """Never opens."""

    def __init__(self, target: Target) -> None:
        time.sleep(3600)


class Particular(Calm):
    """Refuses one precision and stumbles over another."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if target.precision == "int8":
            raise Unsupported("no int8 here")
        if target.precision == "bf16":
            raise KeyError(target.precision)
