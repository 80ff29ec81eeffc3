"""The commands and their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Final

import numpy as np
import typer

from db.engine import DEFAULT_URL
from db.option import Db
from db.records import CHOSEN
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_files import read_architectures
from hyctas.architecture_options import with_settings
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from profiler.cli.build_variance import build_variance_command
from profiler.cli.layers import layers
from profiler.cli.measuring import Work, measure
from profiler.cli.options import Options, with_options
from profiler.cli.targets import targets
from profiler.plan import distinct, plan_networks, plan_operators, planned_network

NETWORKS: Final = "networks"
"""Kind of a run whose networks nothing chose for their predictions."""
DEFAULT_COUNT: Final = 200
DEFAULT_DEPTH: Final = 16

TargetName = Annotated[str, typer.Option("--target", help="What to measure; the device may be left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Depth = Annotated[int, typer.Option(min=1, help="Most cells of a branch.")]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="FILE|-",
        help="Measure exactly the networks of this file: architecture JSON, an array of it, or one on each line; "
        "- reads stdin. May be repeated.",
    ),
]

profile: Final = typer.Typer(no_args_is_help=True)
profile.command("build-variance")(build_variance_command)
profile.command("layers")(layers)


def register(app: typer.Typer) -> None:
    """Add this package's commands to `app`."""
    app.command("targets")(targets)
    app.add_typer(profile, name="profile", help="Measure operators or whole networks on this machine.")


@profile.command()
@with_settings
@with_options
def operators(
    settings: ArchitectureDefaults,
    options: Options,
    target: TargetName = "onnxruntime-fp32-t1",
    depth: Depth = DEFAULT_DEPTH,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Measure every distinct operator of a space at one input size, alone and inside a chain."""
    plan = plan_operators(SearchSpace(name=settings.space, depth=depth), settings)
    arguments = {**_arguments(settings, options), "depth": depth}
    measure(Work("operators", plan, arguments, options), target, db, as_json=as_json)


@profile.command()
@with_settings
@with_options
def networks(
    settings: ArchitectureDefaults,
    options: Options,
    files: Files = None,
    chosen: Annotated[
        bool, typer.Option("--chosen", help="A search chose the networks of --from: they never calibrate predictions.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help=f"Networks to sample; {DEFAULT_COUNT} by default.")] = None,
    target: TargetName = "onnxruntime-fp32-t1",
    depth: Annotated[
        int | None, typer.Option(min=1, help=f"Most cells of a branch; {DEFAULT_DEPTH} by default.")
    ] = None,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Measure whole networks: those of --from, or a sample of prefix trees that covers the space evenly."""
    if files and (count is not None or depth is not None):
        raise typer.BadParameter("give either --from, or --count and --depth of a sample")
    if chosen and not files:
        raise typer.BadParameter("--chosen is about the networks of --from; a sample is drawn at random")
    if files:
        work = _named(files, settings, options, kind=CHOSEN if chosen else NETWORKS)
    else:
        work = _sampled(count or DEFAULT_COUNT, depth or DEFAULT_DEPTH, settings, options)
    measure(work, target, db, as_json=as_json)


def _named(files: Sequence[str], settings: ArchitectureDefaults, options: Options, *, kind: str) -> Work:
    """The networks of some files, and no others."""
    read = (network for name in files for network in read_architectures(name, settings))
    networks = {network.key: network for network in read}
    planned = [planned_network(network) for network in networks.values()]
    arguments = {**_arguments(settings, options), "from": list(files), "architectures": list(networks)}
    return Work(kind, distinct(planned), arguments, options, named=planned)


def _sampled(count: int, depth: int, settings: ArchitectureDefaults, options: Options) -> Work:
    sample = sample_structured(
        SearchSpace(name=settings.space, depth=depth), np.random.default_rng(options.seed), count, settings
    )
    arguments = {**_arguments(settings, options), "depth": depth, "count": count}
    return Work(NETWORKS, plan_networks(sample), arguments, options)


def _arguments(settings: ArchitectureDefaults, options: Options) -> dict[str, Any]:
    return {"settings": dataclasses.asdict(settings), **dataclasses.asdict(options)}
