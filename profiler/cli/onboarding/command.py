"""The command and its options."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from db.engine import DEFAULT_URL
from db.option import Db
from db.repository import Repository
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_options import with_settings
from hyctas.errors import InsufficientData, InvalidTarget
from hyctas.target import Target
from predictor.artifact import save_predictor
from predictor.cli.data import read_networks, read_operators
from predictor.cli.lending import Borrow, read_lenders
from predictor.cli.registering import register_model
from predictor.training import MIN_NETWORKS, train
from predictor.transfer.borrowing import MIN_BORROWING
from predictor.transfer.lenders import MIN_NETWORKS as MIN_LENDING
from predictor.transfer.lenders import Lender
from profiler.cli.durations import parse_duration_s
from profiler.cli.onboarding.bench import Bench
from profiler.cli.onboarding.loop import Lesson, Onboarded, Onboarding
from profiler.cli.onboarding.table import HEADER, curve_json, described_point
from profiler.cli.onboarding.values import Picking, Request
from profiler.cli.progress import console_progress
from profiler.device import LocalMachine

EXIT_INTERRUPTED: Final = 130
DEFAULT_DEPTH: Final = 16


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("onboard")(onboard)


@with_settings
def onboard(
    settings: ArchitectureDefaults,
    target: Annotated[str, typer.Option("--target", help="What to learn; the device may be left out.")],
    budget: Annotated[
        float,
        typer.Option(
            "--budget",
            parser=parse_duration_s,
            metavar="DURATION",
            help="Time for calibrating, measuring and learning, such as 90s, 10m or 1h30m.",
        ),
    ] = "10m",  # type: ignore[assignment]
    networks: Annotated[int | None, typer.Option(min=1, help="End early once so many networks are measured.")] = None,
    borrow: Annotated[
        Borrow, typer.Option(help="Take what parts cost from other targets of the database, where that helps.")
    ] = "auto",
    picking: Annotated[
        Picking, typer.Option(help="What to measure next: what teaches most, or anything, to compare with.")
    ] = "informed",
    depth: Annotated[int, typer.Option(min=1, help="Most cells of a branch.")] = DEFAULT_DEPTH,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds pick from equal networks.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of model artifacts.")] = Path("models"),
    db: Db = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take a target of this machine from nothing to a usable predictor: calibrate, measure, learn, register.

    Measures what teaches most, borrows from targets of the database that are known already, and tells after
    each block how good predictions are. Every third network is picked by chance: these alone calibrate intervals
    and tell the error. Interrupted, the same command goes on where it stopped; a larger budget goes on from there.
    """
    machine = LocalMachine(os.environ)
    found = machine.target(target)
    if not machine.is_here(found):
        raise InvalidTarget("--target", target, f"a target of this machine, whose device is {machine.cpu}")
    request = Request(settings, depth, budget, networks, picking, seed)
    console = Console(stderr=True)
    with Repository.open(db) as repository:
        repository.mark_interrupted()
        repository.ensure_target(found, machine.facts(found))
        lenders = read_lenders(repository, found, (), space=settings.space, seed=seed) if borrow == "auto" else []
        console.print(_described_lenders(lenders, borrow), HEADER, sep="\n", highlight=False)
        with console_progress(console) as progress:
            onboarded = Onboarding(
                request,
                Bench(repository, found, request, progress),
                lenders,
                lambda: _learn(repository, found, lenders, seed),
                lambda point: console.print(described_point(point), highlight=False),
            ).run()
        document = _registered(repository, found, onboarded, out)
    typer.echo(json.dumps(document) if as_json else _described(document, db))
    if onboarded.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


def _learn(repository: Repository, target: Target, lenders: list[Lender], seed: int) -> Lesson:
    """Learn from everything that is stored of the target, measured for onboarding or not."""
    networks = read_networks(repository, target, None)
    operators, free_kinds = read_operators(repository, target)
    drawn = sum(sample.calibrates for sample in networks)
    counts = (len(operators), len(networks), drawn)
    if len(networks) < (MIN_BORROWING if lenders else MIN_NETWORKS):
        return Lesson(None, *counts)
    facts = {"onboarded": True}
    knowledge = train(target.name, networks, operators, free_kinds=free_kinds, lenders=lenders, seed=seed, facts=facts)
    return Lesson(knowledge, *counts)


def _registered(repository: Repository, target: Target, onboarded: Onboarded, out: Path) -> dict[str, Any]:
    """Store the model, and tell everything as JSON.

    Raises:
        InsufficientData: Too little was measured to learn anything.
    """
    knowledge = onboarded.knowledge
    if knowledge is None:
        measured = onboarded.curve[-1].networks if onboarded.curve else 0
        raise InsufficientData(
            f"{target}: the budget was enough for {measured} networks with a stable result, too few to learn from; "
            "what was measured is kept: run the same command with a larger --budget, and nothing else beside it"
        )
    path = save_predictor(knowledge, out).resolve()
    curve = curve_json(onboarded.curve)
    error = None if knowledge.expected_error is None else asdict(knowledge.expected_error)
    register_model(repository, target, path, {"expected_error": error, "curve": curve}, dict(knowledge.facts))
    return {
        "target": target.name,
        "model_id": path.name,
        "path": str(path),
        "expected_error": error,
        "borrowed": knowledge.facts.get("borrowed", {}),
        "interrupted": onboarded.interrupted,
        "curve": curve,
    }


def _described_lenders(lenders: list[Lender], borrow: Borrow) -> str:
    if lenders:
        return "borrows from " + ", ".join(f"{lender.target} ({lender.networks} networks)" for lender in lenders)
    if borrow == "none":
        return "borrows nothing, as asked"
    return (
        f"borrows nothing: no other target of the database has {MIN_LENDING} measured networks "
        f"(hyctas measurements import takes them in); a model needs {MIN_NETWORKS} networks then"
    )


def _described(document: dict[str, Any], db: str) -> str:
    where = "" if db == DEFAULT_URL else " --db ..."
    lines = [
        f"model {document['model_id']} for {document['target']}: {document['path']}",
        _described_borrowing(document),
        f"ask it: hyctas predict FILE --target {document['target']}{where}; serve it: hyctas serve{where}",
    ]
    if document["interrupted"]:
        lines.append("interrupted: run the same command again to go on where it stopped")
    return "\n".join(lines)


def _described_borrowing(document: dict[str, Any]) -> str:
    shares = ", ".join(f"{share:.0%} from {name}" for name, share in document["borrowed"].items())
    return f"costs of parts: {shares}" if shares else "nothing is borrowed: its own measurements predict as well"
