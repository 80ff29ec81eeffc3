"""``hyctas profile build-variance``: how much engines differ that were built for the same work."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from db.engine import DEFAULT_URL
from db.option import Db
from db.repository import Repository
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_options import with_settings
from hyctas.errors import InvalidTarget
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import Target
from profiler.build_variance import DEFAULT_BUILDS, BuildVariance, InProcesses, build_variance, variance_json
from profiler.cli.progress import console_progress
from profiler.device import LocalMachine
from profiler.plan import PlannedWorkload, plan_operators, planned_network
from profiler.runtimes.tensorrt.settings import read_settings

OPERATORS: Final = 6
"""Operators among the canaries."""
KIND: Final = "build-variance"
"""Kind of the run that keeps the result, as its summary."""


@with_settings
def build_variance_command(
    settings: ArchitectureDefaults,
    target: Annotated[str, typer.Option("--target", help="A TensorRT target; the device may be left out.")],
    builds: Annotated[int, typer.Option(min=2, help="Engines for each canary.")] = DEFAULT_BUILDS,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds build the same canaries.")] = 0,
    build_limit_s: Annotated[
        float | None, typer.Option("--build-limit", min=1.0, help="Seconds that one build may take; 1200 by default.")
    ] = None,
    db: Db = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build a few operators and a network several times without the timing cache, and compare the engines."""
    machine = LocalMachine(os.environ)
    cached, fresh = _with_and_without_cache(machine.target(target))
    chosen = canaries(settings, seed)
    console = Console(stderr=True)
    arguments = {"settings": dataclasses.asdict(settings), "builds": builds, "seed": seed, "canaries": list(chosen)}
    with Repository.open(db) as repository:
        repository.mark_interrupted()
        repository.ensure_target(cached, machine.facts(cached))
        run_id = repository.start_run(KIND, cached, arguments)
        with console_progress(console) as progress:
            progress.begin("canaries", len(chosen))
            found = build_variance(
                {name: planned.workload.graph for name, planned in chosen.items()},
                InProcesses(seed, build_limit_s=build_limit_s),
                fresh=fresh,
                cached=cached,
                builds=builds,
                on_measured=lambda name: progress.advance(1),
            )
        repository.finish_run(run_id, variance_json(found))
    if as_json:
        typer.echo(json.dumps({"run": run_id, "target": cached.name, "builds": builds, **variance_json(found)}))
    else:
        _print(run_id, cached, found)


def canaries(settings: ArchitectureDefaults, seed: int) -> Mapping[str, PlannedWorkload]:
    """What is built, by name: of the commonest kinds of operator the one of median work each, and a sampled network."""
    space = SearchSpace(name=settings.space)
    kinds: dict[str, dict[str, PlannedWorkload]] = {}
    for planned in plan_operators(space, settings):
        if isinstance(planned.source, Part):
            kinds.setdefault(planned.source.kind, {})[planned.source.label] = planned
    commonest = sorted(kinds.values(), key=len, reverse=True)[:OPERATORS]
    found = dict(_of_median_work(of_kind) for of_kind in commonest)
    (network,) = sample_structured(space, np.random.default_rng(seed), 1, settings)
    return {**found, f"network {network.key[:8]}": planned_network(network)}


def _of_median_work(planned: Mapping[str, PlannedWorkload]) -> tuple[str, PlannedWorkload]:
    return sorted(planned.items(), key=lambda item: item[1].costs.macs)[len(planned) // 2]


def _with_and_without_cache(target: Target) -> tuple[Target, Target]:
    """The target with the timing cache and without it, whichever of them was named.

    Raises:
        InvalidTarget: Its builds time no tactics, so they do not differ.
    """
    if target.runtime != "tensorrt":
        raise InvalidTarget(
            "target", target.name, "a target of tensorrt, the only runtime that times tactics in builds"
        )
    settings = read_settings(target)
    cached, fresh = (dataclasses.replace(settings, timing_cache=kept).options for kept in (True, False))
    return dataclasses.replace(target, options=cached), dataclasses.replace(target, options=fresh)


def _print(run_id: int, target: Target, found: Sequence[BuildVariance]) -> None:
    table = Table("canary", "builds ms", "spread", "noise", "cached ms", "over fastest")
    for canary in found:
        fresh = " ".join(f"{latency_s * 1e3:.4g}" for latency_s in canary.fresh_s)
        cached_s = canary.cached.latency_s
        cached = "" if cached_s is None else f"{cached_s * 1e3:.4g}"
        table.add_row(
            canary.name, fresh, *map(_percent, (canary.spread, canary.noise)), cached, _percent(canary.cached_excess)
        )
    console = Console()
    console.print(f"run {run_id}: engines for {target}, built without the timing cache and with it")
    console.print(table)
    for canary in found:
        for failure in canary.failures:
            console.print(f"{canary.name}: {failure.kind}: {failure.message}", markup=False)
    bad = [canary.name for canary in found if canary.bad_tactic]
    if bad:
        console.print(
            f"The cached engine of {', '.join(bad)} is slower than every fresh one: the timing cache holds a bad "
            "tactic. Delete its file (docs/tensorrt.md, Timing cache) and measure again."
        )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
