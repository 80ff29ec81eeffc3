"""Commands that learn and predict: ``hyctas train``, ``hyctas evaluate`` and ``hyctas predict``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from db.engine import DEFAULT_URL
from db.records import ModelRecord
from db.repository import Repository
from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import read_architecture
from hyctas.architecture_options import read_architecture_file, with_settings
from hyctas.errors import InsufficientData
from hyctas.parts import Part
from hyctas.prediction import Prediction
from hyctas.prediction_json import prediction_to_json
from hyctas.target import Target
from predictor.artifact import SCHEMA_VERSION, load_predictor, manifest_sha256, save_predictor
from predictor.evaluation import Evaluation, evaluate, evaluate_beside_baselines, repeated_splits
from predictor.measured import MeasuredNetwork, measured_prediction
from predictor.model import Predictor
from predictor.presentation import described_evaluation, described_prediction
from predictor.samples import NetworkSample, OperatorSample
from predictor.training import train as learn
from profiler.noise import noise_floor

HELD_OUT_SHARE: Final = 0.2

Db = Annotated[str, typer.Option("--db", help="Database URL.")]
TargetName = Annotated[str, typer.Option("--target", help="Target; the device may be left out if only one has it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Runs = Annotated[list[int] | None, typer.Option("--run", help="Networks of this run; may be repeated.")]


def register(app: typer.Typer) -> None:
    """Add this package's commands to `app`."""
    app.command("train")(train)
    app.command("evaluate")(score_model)
    app.command("predict")(predict)


@dataclass(frozen=True, slots=True)
class Data:
    """What a database holds to learn a target from."""

    training: Sequence[NetworkSample]
    held_out: Sequence[NetworkSample]
    operators: Sequence[OperatorSample]
    noise_floor: float | None


def train(
    target: TargetName = "onnxruntime-fp32-t1",
    train_run: Annotated[list[int] | None, typer.Option(help="Train on networks of this run; repeatable.")] = None,
    held_out_run: Annotated[list[int] | None, typer.Option(help="Score on networks of this run; repeatable.")] = None,
    splits: Annotated[int, typer.Option(min=0, help="Random half/half splits over all networks for error bars.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of model artifacts.")] = Path("models"),
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds and data give equal models.")] = 0,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Learn the latency of a target from its measurements, score it on networks left out, and register it.

    Without --held-out-run a random fifth of the networks is left out. The scores stand beside the noise floor
    of the same measurements and beside three plain baselines.
    """
    with Repository.open(db, create=False) as repository:
        found = repository.target_named(target)
        data = _data(repository, found, train_run, held_out_run, seed)
        facts = {"runs": train_run, "held_out_runs": held_out_run}
        knowledge = learn(found.name, data.training, data.operators, seed=seed, facts=facts)
        evaluation = evaluate_beside_baselines(knowledge, data.training, data.held_out) if data.held_out else None
        everything = [*data.training, *data.held_out]
        bars = repeated_splits(found.name, everything, data.operators, splits=splits, seed=seed) if splits else {}
        path = save_predictor(knowledge, out).resolve()
        metrics = {**_evaluation_json(evaluation, data.noise_floor), "splits": {k: asdict(v) for k, v in bars.items()}}
        registered = _register(repository, found, path, metrics, dict(knowledge.facts))
    if as_json:
        typer.echo(json.dumps({"model_id": path.name, "target": found.name, "path": str(path), **metrics}))
        return
    typer.echo(f"model {path.name} for {found.name}{'' if registered else ' (was registered before)'}: {path}")
    typer.echo(f"{len(data.training)} networks, {len(data.operators)} operators; {_choices(knowledge.facts)}")
    if evaluation is not None:
        typer.echo(described_evaluation(evaluation, data.noise_floor, bars))


def score_model(
    model: Annotated[str, typer.Option("--model", help="Id of a registered model, or the path of an artifact.")],
    run: Runs = None,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Score a model on measured networks; what was measured is never looked up, only predicted."""
    with Repository.open(db, create=False) as repository:
        predictor = _load(repository, model)
        target = repository.target_named(predictor.target)
        networks = _networks(repository, target, run)
        floor = _noise_floor(repository, target)
    if not networks:
        where = f" in runs {', '.join(map(str, run))}" if run else ""
        raise InsufficientData(f"no measured networks of {target}{where}: run 'hyctas profile networks'")
    evaluation = evaluate(predictor, networks)
    if as_json:
        document = {"model_id": predictor.model_id, "target": predictor.target}
        typer.echo(json.dumps({**document, **_evaluation_json(evaluation, floor)}))
        return
    typer.echo(described_evaluation(evaluation, floor, {}))


@with_settings
def predict(
    files: Annotated[list[str], typer.Argument(metavar="FILE|-...", help="Architecture JSON; - reads stdin.")],
    settings: ArchitectureDefaults,
    target: TargetName = "onnxruntime-fp32-t1",
    model: Annotated[str | None, typer.Option("--model", help="Ask this model instead of the newest.")] = None,
    breakdown: Annotated[bool, typer.Option(help="Add what each part contributes.")] = False,
    url: Annotated[str | None, typer.Option(help="Ask this server instead of a database.")] = None,
    db: Db = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Predict the latency of architectures, from a database or from a server."""
    networks = [read_architecture_file(name, settings) for name in files]
    if url is None:
        predictions = _predict_here(networks, target, model, db, breakdown=breakdown)
    else:
        predictions = _predict_there(networks, target, model, url, breakdown=breakdown)
    if as_json:
        answers = [prediction_to_json(n.key, p) for n, p in zip(networks, predictions, strict=True)]
        typer.echo(json.dumps({"target": target, "predictions": answers}))
        return
    for name, prediction in zip(files, predictions, strict=True):
        typer.echo(described_prediction(name, prediction))


def _predict_here(
    networks: Sequence[Architecture], target_name: str, model: str | None, db: str, *, breakdown: bool
) -> list[Prediction]:
    with Repository.open(db, create=False) as repository:
        target = repository.target_named(target_name)
        if model is None:
            latest = repository.latest_model(target)
            if latest is None:
                raise InsufficientData(f"no model of {target} is registered: run 'hyctas train --target {target}'")
            model = latest.model_id
        predictor = _load(repository, model)
        measured = _measured(repository, target)
    predictions = predictor.predict(networks, breakdown=breakdown)
    if breakdown:
        return predictions
    known = [measured.get(network.key) for network in networks]
    return [p if m is None else measured_prediction(m) for p, m in zip(predictions, known, strict=True)]


def _predict_there(
    networks: Sequence[Architecture], target: str, model: str | None, url: str, *, breakdown: bool
) -> list[Prediction]:
    from hyctas.client import Client

    with Client(url) as client:
        return list(client.predict_all(target, networks, model_id=model, breakdown=breakdown))


def _load(repository: Repository, model: str) -> Predictor:
    """A model by its path, or by its id."""
    path = Path(model)
    return load_predictor(path if path.is_dir() else Path(repository.model(model).path))


def _measured(repository: Repository, target: Target) -> Mapping[str, MeasuredNetwork]:
    errors = {c.version: c.process_error for c in repository.calibrations(target)}
    return {
        key: MeasuredNetwork(
            row.latency_s, row.half_width or 0.0, errors.get(row.calibration_version or 0, {}).get(row.normaliser, 0.0)
        )
        for key, row in repository.architecture_latencies(target).items()
        if row.latency_s is not None
    }


def _data(
    repository: Repository,
    target: Target,
    train_runs: Collection[int] | None,
    held_out_runs: Collection[int] | None,
    seed: int,
) -> Data:
    networks = _networks(repository, target, train_runs)
    operators = _operators(repository, target)
    if held_out_runs:
        held_out = _networks(repository, target, held_out_runs)
        unseen = {sample.architecture.key for sample in held_out}
        training = [sample for sample in networks if sample.architecture.key not in unseen]
    else:
        order = np.random.default_rng(seed).permutation(len(networks))
        left_out = set(order[: round(HELD_OUT_SHARE * len(networks))].tolist())
        held_out = [sample for position, sample in enumerate(networks) if position in left_out]
        training = [sample for position, sample in enumerate(networks) if position not in left_out]
    return Data(training, held_out, operators, _noise_floor(repository, target))


def _networks(repository: Repository, target: Target, runs: Collection[int] | None) -> list[NetworkSample]:
    found = repository.network_latencies(target, run_ids=runs or None)
    return [
        NetworkSample(read_architecture(record.document), row.latency_s)
        for record, row in found
        if row.latency_s is not None
    ]


def _operators(repository: Repository, target: Target) -> list[OperatorSample]:
    return [
        OperatorSample(_part(record.description), row.latency_s, row.marginal_s)
        for record, row in repository.operator_latencies(target)
        if row.latency_s is not None
    ]


def _part(description: Mapping[str, Any]) -> Part:
    return Part(**{**description, "in_channels": tuple(description["in_channels"])})


def _noise_floor(repository: Repository, target: Target) -> float | None:
    """Noise floor of networks between processes, of all repeats that the database holds."""
    pairs = [(first.latency_s, second.latency_s) for first, second in repository.repeats(target, kind="network")]
    return noise_floor((a, b) for a, b in pairs if a is not None and b is not None)


def _register(
    repository: Repository, target: Target, path: Path, metrics: Mapping[str, Any], facts: Mapping[str, Any]
) -> bool:
    """Register an artifact; False if the very same was registered before."""
    if any(record.model_id == path.name for record in repository.models(target)):
        return False
    record = ModelRecord(
        model_id=path.name,
        target=target,
        path=str(path),
        sha256=manifest_sha256(path),
        created_at=datetime.now(UTC),
        schema_version=SCHEMA_VERSION,
        metrics=metrics,
        training=facts,
    )
    repository.add_model(record)
    return True


def _evaluation_json(evaluation: Evaluation | None, floor: float | None) -> dict[str, Any]:
    document = {"noise_floor": floor, "evaluation": None if evaluation is None else asdict(evaluation)}
    return {name: _finite(value) for name, value in document.items()}


def _finite(value: Any) -> Any:
    """The same with null for what is not a finite number, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _choices(facts: Mapping[str, object]) -> str:
    trees = facts.get("correction")
    boosted = f"boosted correction {trees}" if trees else "no boosted correction (it did not help)"
    return f"prior shrunk by {facts.get('prior_strength')}, {boosted}"
