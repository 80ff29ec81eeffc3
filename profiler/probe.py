"""Which targets this machine can measure, and for each that it cannot, why and what to install."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from hyctas.target import Target, parse_target
from profiler.child import how_it_ended, last_words, start_child
from profiler.probe_worker import Answer, Request
from profiler.runtimes import CATALOGUE, RuntimeSource, Variant

LIMIT_S: Final = 180.0
"""Longest time that a process may take for all targets of a runtime; building an engine of TensorRT and
compiling a module of torch take seconds each."""
NO_GPU: Final = "gpu"
"""Slug under which GPU targets are listed where no GPU is known."""
NAMELESS_GPU: Final = (
    "it runs here, but the GPU has no name to measure it under: pip install nvidia-ml-py, or set HYCTAS_GPU_DEVICE, "
    "such as HYCTAS_GPU_DEVICE=rtx-4090"
)
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
    cpu: str, gpu: str | None = None, catalogue: Mapping[str, RuntimeSource] = CATALOGUE, *, limit_s: float = LIMIT_S
) -> tuple[ProbedTarget, ...]:
    """Open every target of `catalogue` in processes of their own, and run a small network on one of each variant.

    The targets of a runtime share a process. If it dies or hangs, the target at work and the others of its variant
    cannot be measured, and another process goes on with what is left.

    Args:
        cpu: Slug of this machine's CPU.
        gpu: Slug of its GPU, or None if none is known.
        catalogue: What to probe.
        limit_s: Longest time of one process.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runtimes = [_named_targets(source, cpu, gpu or NO_GPU) for source in catalogue.values()]
        found = pool.map(lambda waiting, source: tuple(_probe(waiting, source, limit_s)), runtimes, catalogue.values())
        return tuple(_with_name(probed, gpu) for runtime in found for probed in runtime)


def missing_by_reason(probed: Sequence[ProbedTarget]) -> Mapping[str, Sequence[Target]]:
    """The targets that cannot be measured, under the reason that they share."""
    grouped = defaultdict(list)
    for found in probed:
        if found.reason is not None:
            grouped[found.reason].append(found.target)
    return grouped


def _named_targets(source: RuntimeSource, cpu: str, gpu: str) -> list[tuple[Target, Variant]]:
    """Every target of a runtime in the order of the catalogue, under the slug of the device that it runs on."""
    local = [(parse_target(name, device=cpu), variant) for variant in source.variants for name in variant.targets]
    return [(replace(target, device=gpu) if target.on_gpu else target, variant) for target, variant in local]


def _with_name(probed: ProbedTarget, gpu: str | None) -> ProbedTarget:
    """Cannot be measured if it runs on a GPU without a name."""
    nameless = gpu is None and probed.target.on_gpu and probed.reason is None
    return replace(probed, reason=NAMELESS_GPU) if nameless else probed


def _probe(waiting: list[tuple[Target, Variant]], source: RuntimeSource, limit_s: float) -> Iterator[ProbedTarget]:
    """All targets of one runtime."""
    while waiting:
        answers, end = _ask([target for target, _ in waiting], source, limit_s)
        for answer in answers:
            yield ProbedTarget(waiting.pop(0)[0], answer.reason, answer.environment)
        if waiting:
            culprit, variant = waiting[0]
            while waiting and waiting[0][1] is variant:
                yield ProbedTarget(waiting.pop(0)[0], f"{culprit.local_name} {end}; it needs: {variant.install}", {})


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
