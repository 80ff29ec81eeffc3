"""Witnesses: processes that each measure all canaries, interleaved, once.

Two processes differ more than two rounds of one, so what a night says about a canary is a median over witnesses. Each
prepares all canaries anew and measures them in one block, so that every canary has the same company each night.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from hyctas.measurement import Measurement, Normaliser, Protocol
from hyctas.target import Target
from profiler.blocks import BlockRunner, BlockSettings
from profiler.plan import PlannedWorkload
from profiler.runtimes import RUNTIMES

CANARY_PROTOCOL: Final = Protocol(min_rounds=7, max_rounds=15, samples_per_round=5, budget_s=5.0)
"""More rounds than for learning: what is looked for is small."""


def witness(
    target: Target,
    canaries: Sequence[PlannedWorkload],
    normaliser: Normaliser,
    *,
    seed: int,
    build_limit_s: float | None = None,
    runtimes: Mapping[str, str] = RUNTIMES,
    protocol: Protocol = CANARY_PROTOCOL,
) -> Iterator[tuple[PlannedWorkload, Measurement]]:
    """Measure all canaries in a new process; yields each as soon as it is there, failures too.

    A canary that kills the process fails; the others go on in another one.

    Args:
        target: Where.
        canaries: What to measure.
        normaliser: The reference of the stopping rule.
        seed: Of the order, weights and inputs.
        build_limit_s: See :class:`profiler.session.SessionSettings`.
        runtimes: Where runtimes are defined.
        protocol: How many rounds, of how many samples.

    Raises:
        RuntimeUnavailable: The target's runtime cannot be opened.
    """
    settings = BlockSettings(size=len(canaries), build_limit_s=build_limit_s, runtimes=runtimes)
    rng = np.random.default_rng(seed)
    runner = BlockRunner(target, protocol, normaliser, rng, replace(settings, per_process=1))
    waiting = [canaries[place] for place in rng.permutation(len(canaries))]
    try:
        while waiting:
            block, _ = runner.take(waiting)
            for finished in runner.measure(block, chains=False):
                waiting = [planned for planned in waiting if planned.key != finished.item.key]
                yield finished.item, finished.measurement
    finally:
        runner.end_process()
