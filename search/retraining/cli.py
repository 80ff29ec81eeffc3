"""The command that trains a chosen network: ``hyctas retrain``."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from db.engine import DEFAULT_URL
from db.option import Db
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_options import read_architecture_file, with_settings
from hyctas.client_options import API_KEY_VARIABLE
from hyctas.errors import InvalidInput
from hyctas.target import parse_target

if TYPE_CHECKING:
    from search.retraining.plan import RetrainingPlan
    from search.retraining.summary import PredictedLatency

LOCAL_SERVER: Final = "http://localhost:8000"
DATASET: Final = "synthetic"

_TRAINING: Final = "Training"
_SCORING: Final = "What it is worth"


def register(app: typer.Typer) -> None:
    """Add this package's command to `app`."""
    app.command("retrain")(retrain)


def _training(text: str, least: int | None = None) -> Any:
    return typer.Option(help=text, rich_help_panel=_TRAINING, min=least)


def _scoring(text: str, least: int | None = None) -> Any:
    return typer.Option(help=text, rich_help_panel=_SCORING, min=least)


@with_settings
def retrain(
    arch: Annotated[
        str, typer.Argument(metavar="ARCH", help="Architecture JSON (- reads stdin), or a key with --search.")
    ],
    settings: ArchitectureDefaults,
    search: Annotated[
        int | None, typer.Option(help="Number of a search; ARCH is then the first digits of a candidate's key.")
    ] = None,
    db: Db = DEFAULT_URL,
    dataset: Annotated[
        str | None,
        typer.Option(help="synthetic, or NAME:DIR with camvid, cityscapes, ade20k or coco-stuff; or the search's."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for everything that comes of it; training goes on there.")] = Path(
        "retrained"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds train equally.")] = 0,
    supernet: Annotated[
        Path | None, _training("Folder of a supernet whose slices to start from; from scratch if absent.")
    ] = None,
    steps: Annotated[int, _training("Updates.", 1)] = 3000,
    batch_size: Annotated[int, _training("Images of an update.", 2)] = 8,
    image_height: Annotated[
        int | None, _training("Rows of training and scored images; as in the search, or as deployed, if absent.")
    ] = None,
    image_width: Annotated[int | None, _training("Columns, likewise.")] = None,
    optimiser: Annotated[str, _training("sgd or adamw.")] = "sgd",
    learning_rate: Annotated[
        float | None, _training("After warming up; 0.05 for sgd and 0.002 for adamw if absent.")
    ] = None,
    warmup: Annotated[int | None, _training("Steps of warming up; 1000, or a tenth of all, if absent.", 0)] = None,
    class_weights: Annotated[bool, _training("Let rare classes weigh more.")] = False,
    checkpoint_every: Annotated[int, _training("Steps between checkpoints.", 1)] = 200,
    loaders: Annotated[int, _training("Processes that prepare images; 0: this one.", 0)] = 0,
    precision: Annotated[
        list[str] | None, _scoring("Also score as if deployed in fp16, bf16, tf32 or int8; may be repeated.")
    ] = None,
    images: Annotated[int | None, _scoring("Validation images; all if absent.", 1)] = None,
    target: Annotated[str | None, _scoring("Also predict the latency on this target; its full name.")] = None,
    url: Annotated[str | None, _scoring(f"Server that predicts; {LOCAL_SERVER} if absent.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Train one network, and write its mIoU, its ONNX model with trained weights and its drawing.

    Interrupted, the same command goes on from the checkpoint, to the same weights.
    """
    from search.datasets.catalogue import open_dataset
    from search.retraining.candidates import choose
    from search.retraining.plan import WEIGHT_DECAY, RetrainingPlan, check_writable, usual_learning_rate, warmup_steps
    from search.training.settings import TrainingSettings
    from search.training.supernet_training import load_supernet

    if url is not None and target is None:
        raise InvalidInput("--url", url, "a --target to ask that server about")
    chosen = None if search is None else choose(db, search, arch)
    data = open_dataset(dataset or (chosen.plan.dataset if chosen else DATASET))
    classes = len(data.classes)
    found = chosen.architecture if chosen else read_architecture_file(arch, replace(settings, classes=classes))
    shown = chosen.plan.training if chosen else found.input
    plan = RetrainingPlan(
        architecture=replace(found, input=replace(found.input, batch=1)),
        dataset=data,
        training=TrainingSettings(
            steps=steps,
            batch_size=batch_size,
            height=image_height or shown.height,
            width=image_width or shown.width,
            optimiser=optimiser,  # type: ignore[arg-type]
            learning_rate=usual_learning_rate(optimiser) if learning_rate is None else learning_rate,
            weight_decay=WEIGHT_DECAY,
            warmup_steps=warmup_steps(steps) if warmup is None else warmup,
            class_weights=class_weights,
            seed=seed,
            checkpoint_every=checkpoint_every,
        ),
        out=out,
        supernet=None if supernet is None else load_supernet(supernet),
        precisions=(*(precision or ()), *([] if target is None else [parse_target(target).precision])),
        images=images,
    )
    check_writable(out)
    latency = None if target is None else _predicted(plan.architecture, target, url or LOCAL_SERVER)
    _run(plan, latency, loaders=loaders, as_json=as_json)


def _predicted(architecture: Architecture, target: str, url: str) -> PredictedLatency:
    from hyctas.client import Client
    from search.retraining.summary import PredictedLatency

    with Client(url, api_key=os.environ.get(API_KEY_VARIABLE)) as client:
        return PredictedLatency(target, client.predict(target, architecture))


def _run(plan: RetrainingPlan, latency: PredictedLatency | None, *, loaders: int, as_json: bool) -> None:
    """Train, score and write, with progress on standard error, and print what came of it."""
    from search.progress import StepBars, progress_display
    from search.retraining.description import described
    from search.retraining.retrain import retrain as run
    from search.retraining.summary import summary_json
    from search.training.ranks import alone

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with progress_display() as display:
        bars = StepBars(*display)
        try:
            found = run(plan, rank=replace(alone(), loaders=loaders), progress=bars, latency=latency)
        except KeyboardInterrupt:
            bars.say(f"interrupted; the same command goes on from the last checkpoint in {plan.out}")
            raise
    typer.echo(json.dumps(summary_json(found), allow_nan=False) if as_json else described(found))
