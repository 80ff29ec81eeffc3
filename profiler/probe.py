"""Which targets this machine can measure, and for each that it cannot, why and what to install."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import msgspec

from hyctas.target import Target, parse_target
from profiler.child import how_it_ended, last_words, start_child
from profiler.probe_worker import Answer, Request
from profiler.runtimes import CATALOGUE, RuntimeSource

LIMIT_S: Final = 120.0
"""Longest time that a process may take for all targets of a runtime; building an engine of TensorRT takes seconds."""
_DECODER: Final = msgspec.json.Decoder(Answer)


@dataclass(frozen=True, slots=True)
class ProbedTarget:
    """A target, and whether it can be measured here.

    Attributes:
        target: The target.
        reason: Why not, and what to install; None if it can.
        environment: What its runtime said about itself.
    """

    target: Target
    reason: str | None
    environment: Mapping[str, str] = field(hash=False)


def probe_targets(
    device: str, catalogue: Mapping[str, RuntimeSource] = CATALOGUE, *, limit_s: float = LIMIT_S
) -> tuple[ProbedTarget, ...]:
    """Open every target of `catalogue` in processes of their own, and run a small network on one of each variant.

    The targets of a runtime share a process. If it dies or hangs, the target at work and the others of its variant
    cannot be measured, and another process goes on with what is left.

    Args:
        device: Slug of this machine.
        catalogue: What to probe.
        limit_s: Longest time of one process.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = pool.map(lambda source: tuple(_probe_runtime(source, device, limit_s)), catalogue.values())
        return tuple(probed for runtime in found for probed in runtime)


def missing_by_reason(probed: Sequence[ProbedTarget]) -> Mapping[str, Sequence[Target]]:
    """The targets that cannot be measured, under the reason that they share."""
    grouped = defaultdict(list)
    for found in probed:
        if found.reason is not None:
            grouped[found.reason].append(found.target)
    return grouped


def _probe_runtime(source: RuntimeSource, device: str, limit_s: float) -> Iterator[ProbedTarget]:
    """Every target of one runtime, in the order of the catalogue."""
    waiting = [(parse_target(name, device=device), variant) for variant in source.variants for name in variant.targets]
    while waiting:
        answers, end = _ask([target for target, _ in waiting], source, limit_s)
        for answer in answers:
            yield ProbedTarget(waiting.pop(0)[0], answer.reason, answer.environment)
        if waiting:
            culprit, variant = waiting[0]
            while waiting and waiting[0][1] is variant:
                yield ProbedTarget(waiting.pop(0)[0], f"{culprit.local_name} {end}", {})


def _ask(targets: Sequence[Target], source: RuntimeSource, limit_s: float) -> tuple[list[Answer], str]:
    """What one process answers, and how it ended; that matters only if an answer is missing."""
    first = {variant.targets[0] for variant in source.variants}
    request = Request(
        tuple(target.name for target in targets),
        tuple(target.name for target in targets if target.local_name in first),
        {target.runtime: source.location for target in targets},
    )
    with tempfile.TemporaryFile() as stderr:
        process = start_child("profiler.probe_worker", stderr=stderr)
        try:
            said, _ = process.communicate(msgspec.json.encode(request) + b"\n", timeout=limit_s)
            how = how_it_ended(process.returncode)
            end = f"ended its process with {how}. {last_words(stderr)}".strip()
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            end = f"hangs: no answer within {limit_s:g} s"
    return [_DECODER.decode(line) for line in said.splitlines() if line.endswith(b"}")], end
