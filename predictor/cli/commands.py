"""The commands and their options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from db.engine import DEFAULT_URL
from db.option import Db
from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_options import read_architecture_file, with_settings
from hyctas.client_wire import Question
from hyctas.errors import InsufficientData
from hyctas.fasterseg_table import check_release_lookup
from hyctas.prediction import Prediction
from hyctas.prediction_json import prediction_to_json
from hyctas.target import Target
from predictor.artifact import save_predictor
from predictor.cli.admission import DEFAULT_TOLERANCE, Admission, admit
from predictor.cli.data import read_data, read_measured, read_networks, read_noise_floor
from predictor.cli.lending import Borrow, read_lenders
from predictor.cli.registering import load_model, register_model
from predictor.evaluation import Evaluation, evaluate, evaluate_beside_baselines, repeated_splits
from predictor.measured import measured_prediction
from predictor.presentation import described_evaluation, described_prediction
from predictor.samples import NetworkSample
from predictor.training import train as learn

TargetName = Annotated[str, typer.Option("--target", help="Target; the device may be left out if only one has it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Runs = Annotated[list[int] | None, typer.Option("--run", help="Networks of this run; may be repeated.")]


def register(app: typer.Typer) -> None:
    """Add this package's commands to `app`."""
    app.command("train")(train)
    app.command("evaluate")(score_model)
    app.command("predict")(predict)


def train(
    target: TargetName = "onnxruntime-fp32-t1",
    train_run: Annotated[list[int] | None, typer.Option(help="Train on networks of this run; repeatable.")] = None,
    held_out_run: Annotated[list[int] | None, typer.Option(help="Score on networks of this run; repeatable.")] = None,
    borrow: Annotated[
        Borrow,
        typer.Option(help="Take what parts cost from other targets of the database, where that predicts better."),
    ] = "auto",
    splits: Annotated[int, typer.Option(min=0, help="Random half/half splits over all networks for error bars.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of model artifacts.")] = Path("models"),
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds and data give equal models.")] = 0,
    if_no_worse: Annotated[
        bool,
        typer.Option("--if-no-worse", help="Register it only if it is no worse on the held-out networks."),
    ] = False,
    than: Annotated[
        str | None, typer.Option("--than", metavar="MODEL", help="No worse than this model; the newest unless given.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Share of the other's mean error by which its own may exceed that.")
    ] = DEFAULT_TOLERANCE,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Learn the latency of a target from its measurements, score it on networks left out, and register it.

    Without --held-out-run a random fifth of the networks is left out. The scores stand beside the noise floor
    of the same measurements and beside three plain baselines. Where operators alone were measured or imported, the
    latency of a network is the sum of theirs. Networks that a search chose (profile networks
    --chosen) are learned from, but calibrate no interval and are scored on only if --held-out-run names their run.
    With --if-no-worse a model that is worse than the newest is neither registered nor kept.
    """
    if than is not None and not if_no_worse:
        raise typer.BadParameter("--than names the model for --if-no-worse")
    with Repository.open(db, create=False) as repository:
        found = repository.target_named(target)
        data = read_data(repository, found, train_runs=train_run, held_out_runs=held_out_run, seed=seed)
        facts = {"runs": train_run, "held_out_runs": held_out_run}
        lenders = read_lenders(repository, found, data.training, seed=seed) if borrow == "auto" else []
        knowledge = learn(
            found.name,
            data.training,
            data.operators,
            free_kinds=data.free_kinds,
            lenders=lenders,
            seed=seed,
            facts=facts,
        )
        evaluation = evaluate_beside_baselines(knowledge, data.training, data.held_out) if data.held_out else None
        everything = [*data.training, *data.held_out]
        bars = (
            repeated_splits(
                found.name, everything, data.operators, free_kinds=data.free_kinds, splits=splits, seed=seed
            )
            if splits
            else {}
        )
        metrics = {**_evaluation_json(evaluation, data.noise_floor), "splits": {k: asdict(v) for k, v in bars.items()}}
        admitted = admit(repository, found, knowledge, data.held_out, than, tolerance) if if_no_worse else None
        if admitted is not None and not admitted.admitted:
            _tell_refused(found, admitted, metrics, as_json=as_json)
            return
        path = save_predictor(knowledge, out).resolve()
        registered = register_model(repository, found, path, metrics, dict(knowledge.facts))
    compared = {} if admitted is None else {"registered": True, "comparison": admitted.document}
    if as_json:
        typer.echo(json.dumps({"model_id": path.name, "target": found.name, "path": str(path), **metrics, **compared}))
        return
    typer.echo(f"model {path.name} for {found.name}{'' if registered else ' (was registered before)'}: {path}")
    if admitted is not None:
        typer.echo(admitted.reason)
    typer.echo(f"{_counted(data.training)}, {len(data.operators)} operators; {_choices(knowledge.facts)}")
    if evaluation is not None:
        typer.echo(described_evaluation(evaluation, data.noise_floor, bars))


def score_model(
    model: Annotated[str, typer.Option("--model", help="Id of a registered model, or the path of an artifact.")],
    run: Runs = None,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Score a model on measured networks; what was measured is never looked up, only predicted.

    Without --run on all networks but those that a search chose, since these are no random sample.
    """
    with Repository.open(db, create=False) as repository:
        predictor = load_model(repository, model)
        target = repository.target_named(predictor.target)
        found = read_networks(repository, target, run)
        floor = read_noise_floor(repository, target)
    networks = [sample for sample in found if run or sample.calibrates]
    left_out = len(found) - len(networks)
    if not networks:
        where = f" in runs {', '.join(map(str, run))}" if run else ""
        chosen = f" but {left_out} that a search chose (name their run with --run)" if left_out else ""
        raise InsufficientData(f"no measured networks of {target}{where}{chosen}: run 'hyctas profile networks'")
    evaluation = evaluate(predictor, networks)
    if as_json:
        document = {"model_id": predictor.model_id, "target": predictor.target, "chosen_left_out": left_out}
        typer.echo(json.dumps({**document, **_evaluation_json(evaluation, floor)}))
        return
    typer.echo(described_evaluation(evaluation, floor, {}))
    if left_out:
        typer.echo(f"left out: {left_out} networks that a search chose")


@with_settings
def predict(
    files: Annotated[list[str], typer.Argument(metavar="FILE|-...", help="Architecture JSON; - reads stdin.")],
    settings: ArchitectureDefaults,
    target: TargetName = "onnxruntime-fp32-t1",
    model: Annotated[str | None, typer.Option("--model", help="Ask this model instead of the newest.")] = None,
    breakdown: Annotated[bool, typer.Option(help="Add what each part contributes.")] = False,
    release_lookup: Annotated[
        bool,
        typer.Option("--release-lookup", help="Repeat the wrong look-up of FasterSeg's release (see docs/spaces.md)."),
    ] = False,
    url: Annotated[str | None, typer.Option(help="Ask this server instead of a database.")] = None,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Predict the latency of architectures, from a database or from a server."""
    networks = [read_architecture_file(name, settings) for name in files]
    question = Question(target, breakdown=breakdown, model_id=model, release_lookup=release_lookup)
    predictions = _predict_here(networks, question, db) if url is None else _predict_there(networks, question, url)
    if as_json:
        answers = [prediction_to_json(n.key, p) for n, p in zip(networks, predictions, strict=True)]
        typer.echo(json.dumps({"target": target, "predictions": answers}))
        return
    for name, prediction in zip(files, predictions, strict=True):
        typer.echo(described_prediction(name, prediction))


def _predict_here(networks: Sequence[Architecture], question: Question, db: str) -> list[Prediction]:
    if question.release_lookup:
        for network in networks:
            check_release_lookup(network)
    model = question.model_id
    with Repository.open(db, create=False) as repository:
        target = repository.target_named(question.target)
        if model is None:
            latest = repository.latest_model(target)
            if latest is None:
                raise InsufficientData(f"no model of {target} is registered: run 'hyctas train --target {target}'")
            model = latest.model_id
        predictor = load_model(repository, model)
        measured = read_measured(repository, target)
    predictions = predictor.predict(networks, breakdown=question.breakdown, release_lookup=question.release_lookup)
    if question.breakdown or question.release_lookup:
        return predictions
    known = [measured.get(network.key) for network in networks]
    return [p if m is None else measured_prediction(m) for p, m in zip(predictions, known, strict=True)]


def _predict_there(networks: Sequence[Architecture], question: Question, url: str) -> list[Prediction]:
    from hyctas.client import Client

    with Client(url) as client:
        answers = client.predict_all(
            question.target,
            networks,
            breakdown=question.breakdown,
            model_id=question.model_id,
            release_lookup=question.release_lookup,
        )
        return list(answers)


def _tell_refused(target: Target, admitted: Admission, metrics: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        told = {"registered": False, "comparison": admitted.document}
        typer.echo(json.dumps({"model_id": "", "target": target.name, "path": None, **metrics, **told}))
    else:
        typer.echo(f"no model was registered for {target.name}: {admitted.reason}")


def _evaluation_json(evaluation: Evaluation | None, floor: float | None) -> dict[str, Any]:
    document = {"noise_floor": floor, "evaluation": None if evaluation is None else asdict(evaluation)}
    return {name: _finite(value) for name, value in document.items()}


def _finite(value: Any) -> Any:
    """The same with null for what is not a finite number, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _counted(networks: Sequence[NetworkSample]) -> str:
    chosen = sum(not sample.calibrates for sample in networks)
    told = f" ({chosen} of them chosen by a search: they calibrate nothing)" if chosen else ""
    return f"{len(networks)} networks{told}"


def _choices(facts: Mapping[str, object]) -> str:
    if "prior_strength" not in facts:
        return "a network takes the sum of its operators"
    trees = facts.get("correction")
    boosted = f"boosted correction {trees}" if trees else "no boosted correction (it did not help)"
    lent = facts.get("borrowed")
    shares = ", ".join(f"{share:.0%} from {target}" for target, share in lent.items()) if isinstance(lent, dict) else ""
    borrowed = f"; costs of parts: {shares}" if shares else ""
    return f"prior shrunk by {facts.get('prior_strength')}, {boosted}{borrowed}"
