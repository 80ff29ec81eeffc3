"""What is due on a target: canaries that no process has measured tonight, what is wanted, known, and worth learning."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

import numpy as np

from db.repository import Repository
from hyctas.command_process import CommandRunner
from hyctas.errors import CommandFailed
from hyctas.measurement import Protocol
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from predictor.training import HELD_OUT_SHARE, MIN_NETWORKS
from profiler.cli.nightly_records import NIGHT, NightRecords
from profiler.nightly.config import NightConfig
from profiler.nightly.night import NightTarget
from profiler.nightly.report import Trained
from profiler.nightly.work import Known
from profiler.plan import PlannedWorkload, distinct, plan_networks, plan_operators


def complete_processes(records: NightRecords, target: NightTarget, look: int) -> int:
    """How many processes have measured every canary tonight; one that was cut short counts by what it left."""
    counted: Counter[str] = Counter()
    for run, row in records.rows(target):
        if run.arguments["night"] == records.label and run.arguments["look"] == look:
            counted[row.workload_key] += 1
    return min((counted[key] for key in target.names), default=0)


def plan_of(target: NightTarget) -> tuple[PlannedWorkload, ...]:
    """What is to be measured on a target besides canaries."""
    config = target.config
    space = SearchSpace(name=config.settings.space, depth=config.depth)
    operators = plan_operators(space, config.settings) if config.operators else ()
    networks: tuple[PlannedWorkload, ...] = ()
    if config.networks:
        drawn = sample_structured(space, np.random.default_rng(config.seed), config.networks, config.settings)
        networks = plan_networks(drawn)
    return distinct([*operators, *networks])


def known(repository: Repository, target: NightTarget) -> Mapping[str, Known]:
    """What is stored of all workloads of a target."""
    environments = {row.workload_key: row.environment for _, row in repository.network_latencies(target.target)}
    environments |= {row.workload_key: row.environment for _, row in repository.operator_latencies(target.target)}
    statuses = repository.measured_status(target.target, Protocol().version)
    return {key: Known(status, environments.get(key, {})) for key, status in statuses.items()}


def new_since_training(repository: Repository, target: NightTarget) -> bool:
    """Whether something was measured since a model was trained, registered or not; or there is no model yet."""
    measured = [
        *(row for _, row in repository.network_latencies(target.target)),
        *(row for _, row in repository.operator_latencies(target.target)),
    ]
    newest = repository.latest_model(target.target)
    if newest is None:
        return bool(measured)
    since = max([newest.created_at, *_trained_at(repository, target)])
    return any(row.created_at > since for row in measured)


def _trained_at(repository: Repository, target: NightTarget) -> Iterator[datetime]:
    """When nights before ended that trained a model of a target."""
    for run in repository.runs():
        if run.kind == NIGHT and run.finished_at is not None:
            reports = run.summary.get("targets", ())
            if any(report["target"] == target.target.name and report["trained"] for report in reports):
                yield run.finished_at


def _too_few(repository: Repository, target: NightTarget) -> str:
    """What is missing to learn from, in words; empty where nothing is."""
    networks = len(repository.network_latencies(target.target))
    if not networks and repository.operator_latencies(target.target):
        return ""
    learned = networks - round(HELD_OUT_SHARE * networks)
    needed = math.ceil(MIN_NETWORKS / (1.0 - HELD_OUT_SHARE))
    return "" if learned >= MIN_NETWORKS else f"{networks} networks are measured, about {needed} are needed"


def train(repository: Repository, config: NightConfig, target: NightTarget) -> Trained | None:
    """Train if anything was measured since the newest model; register it if it is no worse.

    Raises:
        CommandFailed: It could not be trained.
    """
    if not new_since_training(repository, target):
        return None
    if few := _too_few(repository, target):
        return Trained("", False, few)
    arguments = ("--target", target.target.name, "--db", config.database, "--out", str(config.training.models))
    log = config.reports / "commands.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    commands = CommandRunner(log, lambda elapsed_s: None)
    try:
        found = commands.run("train", *arguments, "--if-no-worse", "--tolerance", str(config.training.tolerance))
    except CommandFailed as error:
        raise CommandFailed(f"the predictor of {target.target} could not be trained: {error}") from error
    return Trained(found["model_id"], found["registered"], found["comparison"]["reason"])
