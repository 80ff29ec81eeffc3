"""``hyctas search``."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from db.engine import DEFAULT_URL
from db.option import Db, shown_database
from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_options import with_settings
from hyctas.errors import InvalidInput
from hyctas.space import HYCTAS

LOCAL_SERVER: Final = "http://localhost:8000"
FEWEST_CELLS: Final = HYCTAS.min_cells
"""Every branch of the space has that many cells, or more."""

_TRAINING: Final = "Training of the supernet"
_EVOLUTION: Final = "Search"
_WORK: Final = "Where the work is done"


def register(app: typer.Typer) -> None:
    """Add this package's command to `app`."""
    app.command("search")(search)


def _evolution(text: str, least: int | None = None) -> Any:
    return typer.Option(help=text, rich_help_panel=_EVOLUTION, min=least)


def _training(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_TRAINING)


def _work(text: str, least: int | None = None) -> Any:
    return typer.Option(help=text, rich_help_panel=_WORK, min=least)


@with_settings
def search(
    settings: ArchitectureDefaults,
    target: Annotated[
        list[str] | None, typer.Option(help="Full name of a target that the server predicts; repeat for several.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help=f"Server that predicts latencies; {LOCAL_SERVER} unless given.")
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="synthetic, or NAME:DIR with camvid, cityscapes, ade20k or coco-stuff.")
    ] = "synthetic",
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds search equally.")] = 0,
    depth: Annotated[int, _evolution("Most cells of a branch.", FEWEST_CELLS)] = 10,
    algorithm: Annotated[str, _evolution("nsga2, random, local or single.")] = "nsga2",
    population: Annotated[int, _evolution("Candidates kept from one generation to the next.")] = 24,
    evaluations: Annotated[int, _evolution("Candidates to score.")] = 240,
    max_latency_ms: Annotated[
        list[str] | None, _evolution("Slowest network wanted: MS, or TARGET=MS; repeat for several targets.")
    ] = None,
    images: Annotated[int | None, _evolution("Validation images for a candidate; all unless given.", 1)] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure what is in doubt, and the front; the server must read --db.")
    ] = False,
    epochs: Annotated[int, _evolution("With --measure: how often to measure and refit on the way.", 0)] = 1,
    supernet: Annotated[Path, _training("Folder of the supernet; it is trained there unless it is.")] = Path(
        "supernet"
    ),
    steps: Annotated[int, _training("Updates.")] = 3000,
    batch_size: Annotated[int, _training("Images of an update.")] = 8,
    image_height: Annotated[int | None, _training("Rows of training and scored images; as deployed if absent.")] = None,
    image_width: Annotated[int | None, _training("Columns, likewise.")] = None,
    optimiser: Annotated[str, _training("sgd or adamw.")] = "sgd",
    learning_rate: Annotated[float, _training("After warming up.")] = 0.05,
    passes: Annotated[str, _training("single (one network a step) or sandwich.")] = "single",
    checkpoint_every: Annotated[int, _training("Updates between checkpoints.")] = 200,
    gpus: Annotated[int, _work("GPUs that train together.", 1)] = 1,
    processes: Annotated[int, _work("Local processes that evaluate candidates; 0: this one.", 0)] = 0,
    dask: Annotated[str | None, _work("Dask scheduler whose workers evaluate instead.")] = None,
    out: Annotated[Path, _work("Folder for the search's state.")] = Path("searches"),
    models: Annotated[Path, _work("Folder for models that are refitted.")] = Path("models"),
    patience: Annotated[float, _work("Seconds to wait for a server that does not answer, before stopping.", 0)] = 600.0,
    resume: Annotated[int | None, typer.Option(help="Number of an interrupted search to go on with.")] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Resume a search that a machine which is gone left running.")
    ] = False,
    db: Db = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Search for networks that are fast and accurate: a supernet scores them, a server predicts their latency.

    Stops cleanly when the server stays away, and on Ctrl-C; --resume goes on where it was, to the same result.
    """
    from hyctas.space import SearchSpace
    from search.cli.session import SearchSession
    from search.datasets.catalogue import anywhere, open_dataset
    from search.latency import Patience
    from search.outcome import outcome_json
    from search.plan import SearchPlan
    from search.settings import SearchSettings
    from search.supernet_evaluation import Workers
    from search.training.settings import TrainingSettings

    session = SearchSession(
        db=db, models=models, workers=Workers(processes, dask, gpus), patience=Patience(limit_s=patience)
    )
    if resume is not None:
        outcome = session.resume(resume, url=url, take_over=take_over)
    else:
        if not target:
            raise InvalidInput("--target", target, "the full name of at least one target that the server predicts")
        plan = SearchPlan(
            search=SearchSettings(
                targets=tuple(target),
                limits_s=limits_s(target, max_latency_ms or []),
                algorithm=algorithm,  # type: ignore[arg-type]
                population=population,
                evaluations=evaluations,
                seed=seed,
                images=images,
            ),
            space=SearchSpace(name=settings.space, depth=depth),
            networks=dataclasses.replace(settings, classes=len(open_dataset(dataset).classes)),
            dataset=anywhere(dataset),
            supernet=str(supernet.resolve()),
            training=TrainingSettings(
                steps=steps,
                batch_size=batch_size,
                height=image_height or settings.height,
                width=image_width or settings.width,
                optimiser=optimiser,  # type: ignore[arg-type]
                learning_rate=learning_rate,
                passes=passes,  # type: ignore[arg-type]
                seed=seed,
                checkpoint_every=checkpoint_every,
            ),
            url=url or LOCAL_SERVER,
            folder=str(out.resolve()),
            epochs=epochs if measure else 0,
            measure=measure,
        )
        outcome = session.begin(plan)
    typer.echo(json.dumps(outcome_json(outcome)) if as_json else _described(outcome, target or [], db))


def limits_s(targets: list[str], given: list[str]) -> tuple[float | None, ...]:
    """The latency limit of each target in seconds, from MS or TARGET=MS.

    Raises:
        InvalidInput: A limit is no number, or is of a target that is not searched.
    """
    limits: dict[str, float | None] = dict.fromkeys(targets)
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            limit_s = float(number) / 1e3
        except ValueError as error:
            raise InvalidInput("--max-latency-ms", text, "milliseconds, or TARGET=milliseconds") from error
        if name and name not in limits:
            raise InvalidInput("--max-latency-ms", text, f"a limit for one of {', '.join(targets)}")
        limits |= dict.fromkeys([name] if name else targets, limit_s)
    return tuple(limits.values())


def _described(outcome: Any, targets: list[str], db: str) -> str:
    lines = [f"search {outcome.search_run_id}: {outcome.evaluated} candidates, hypervolume {outcome.hypervolume:.4f}"]
    for count, front in outcome.fronts.by_branches.items():
        lines.append(f"front of networks with {count} branch{'es' if count > 1 else ''}:")
        for candidate in front:
            latencies = ", ".join(f"{1e3 * latency_s:.2f} ms" for latency_s in candidate.latency_s)
            lines.append(f"  {candidate.architecture.key[:12]}  mIoU {candidate.miou:.3f}  {latencies}")
    for target, drift in outcome.drift.items():
        lines.append(
            f"{target}: {drift.networks} networks measured, predictions off by {drift.mape:.1%} on average "
            f"({drift.bias:+.1%}), {drift.inversions} of {drift.pairs} pairs in the wrong order, "
            f"{drift.coverage:.0%} inside their {drift.nominal_coverage:.0%} interval"
        )
    report = ("hyctas", "report", str(outcome.search_run_id), *shown_database(db, os.environ))
    lines.append(f"report: {shlex.join(report)}")
    return "\n".join(lines)
