"""A model on disk: a folder of JSON and plain arrays under a manifest with checksums. No pickle anywhere.

::

    <model_id>/
        manifest.json     schema version, target, facts, SHA-256 of every other file
        knowledge.json    prior, intervals, trained range, expected error
        operators.json    operator costs, measured and borrowed
        booster.json      the correction in XGBoost's own format, if there is one
        estimator.npz     the estimator of unmeasured operator costs, if there is one

The model id is the start of the manifest's SHA-256, so equal content has an equal id and a changed one cannot keep it.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from hyctas.errors import ArtifactError, ChecksumMismatch
from hyctas.parts import Part
from hyctas.prediction import ExpectedError
from predictor.correction import Correction
from predictor.intervals import Intervals
from predictor.knowledge import Knowledge, TrainedRange
from predictor.learning import Latency
from predictor.model import Predictor
from predictor.operator_costs import OperatorCosts
from predictor.operator_estimator import OperatorEstimator
from predictor.part_table import COLUMNS
from predictor.prior import AdditivePrior

T = TypeVar("T")

SCHEMA_VERSION: Final = 2
"""What is written. Version 1 had no borrowed costs; it is read as it was."""
READABLE_VERSIONS: Final = (1, 2)
MANIFEST: Final = "manifest.json"
_ID_LENGTH: Final = 16


class _Knowledge(msgspec.Struct, frozen=True):
    """Content of ``knowledge.json``; weights by column name, so that another column set is noticed."""

    weights: dict[str, float]
    strength: float | None
    intervals: Intervals
    trained: TrainedRange | None
    expected_error: ExpectedError | None
    free_kinds: tuple[str, ...] = ()


class _PricedPart(msgspec.Struct, frozen=True):
    part: Part
    cost_s: float
    entry: str = ""
    borrowed: bool = False


class _Manifest(msgspec.Struct, frozen=True):
    schema_version: int
    target: str
    facts: dict[str, Any]
    files: dict[str, str]


def save_predictor(knowledge: Knowledge, folder: Path) -> Path:
    """Write `knowledge` under `folder` and return the artifact's path, whose name is the model id.

    The artifact appears whole or not at all.
    """
    files = _files(knowledge)
    checksums = {name: _sha256(content) for name, content in files.items()}
    manifest = _Manifest(SCHEMA_VERSION, knowledge.target, dict(knowledge.facts), checksums)
    files[MANIFEST] = _json(manifest)
    path = folder / _sha256(files[MANIFEST])[:_ID_LENGTH]
    if path.exists():
        load_predictor(path)
        return path
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
    try:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        os.chmod(temporary, 0o755)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return path


def load_predictor(path: Path) -> Predictor:
    """Read an artifact, every file checked against its checksum.

    Raises:
        ChecksumMismatch: A file, the manifest included, is not what was written.
        ArtifactError: A file is missing or malformed, or the schema version is unknown.
    """
    manifest_bytes = _read(path / MANIFEST)
    found = _sha256(manifest_bytes)
    if not found.startswith(path.name):
        raise ChecksumMismatch(str(path / MANIFEST), f"{path.name}…", found)
    manifest = _decode(manifest_bytes, _Manifest, path / MANIFEST)
    if manifest.schema_version not in READABLE_VERSIONS:
        raise ArtifactError(
            f"{path}: schema version {manifest.schema_version} is unknown; "
            f"this hyctas reads {' and '.join(map(str, READABLE_VERSIONS))}; train again"
        )
    files = {name: _checked(path / name, checksum) for name, checksum in manifest.files.items()}
    return Predictor(_knowledge(manifest, files, path), model_id=path.name)


def manifest_sha256(path: Path) -> str:
    """Checksum of an artifact's manifest, which pins every other file."""
    return _sha256(_read(path / MANIFEST))


def _files(knowledge: Knowledge) -> dict[str, bytes]:
    prior = knowledge.latency.prior
    strength = None if np.isinf(prior.strength) else prior.strength
    weights = dict(zip(COLUMNS, prior.weights.tolist(), strict=True))
    costs = knowledge.costs
    free_kinds = tuple(sorted(costs.free_kinds))
    content = _Knowledge(
        weights, strength, knowledge.intervals, knowledge.trained, knowledge.expected_error, free_kinds
    )
    parts = [_PricedPart(part, cost_s, costs.entries.get(part, "")) for part, cost_s in costs.measured.items()]
    parts += [_PricedPart(part, cost_s, borrowed=True) for part, cost_s in costs.borrowed.items()]
    files = {"knowledge.json": _json(content), "operators.json": _json(parts)}
    if knowledge.latency.correction is not None:
        files["booster.json"] = knowledge.latency.correction.booster
    if knowledge.costs.estimator is not None:
        files["estimator.npz"] = _pack(knowledge.costs.estimator.arrays())
    return files


def _knowledge(manifest: _Manifest, files: Mapping[str, bytes], path: Path) -> Knowledge:
    content = _decode(_needed(files, "knowledge.json", path), _Knowledge, path / "knowledge.json")
    parts = _decode(_needed(files, "operators.json", path), list[_PricedPart], path / "operators.json")
    if tuple(content.weights) != COLUMNS:
        raise ArtifactError(f"{path / 'knowledge.json'}: its columns are not those of this version; train again")
    strength = float("inf") if content.strength is None else content.strength
    prior = AdditivePrior(np.array(list(content.weights.values())), strength)
    booster = files.get("booster.json")
    estimator = files.get("estimator.npz")
    return Knowledge(
        target=manifest.target,
        costs=OperatorCosts(
            {priced.part: priced.cost_s for priced in parts if not priced.borrowed},
            None if estimator is None else OperatorEstimator.from_arrays(_unpack(estimator, path / "estimator.npz")),
            {priced.part: priced.entry for priced in parts if priced.entry},
            frozenset(content.free_kinds),
            {priced.part: priced.cost_s for priced in parts if priced.borrowed},
        ),
        latency=Latency(prior, None if booster is None else Correction.from_booster(booster)),
        trained=content.trained,
        intervals=content.intervals,
        expected_error=content.expected_error,
        facts=manifest.facts,
    )


def _pack(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(content: bytes, path: Path) -> dict[str, np.ndarray[Any, Any]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, KeyError) as error:
        raise ArtifactError(f"{path}: not a file of plain arrays: {error}") from error


def _checked(path: Path, expected: str) -> bytes:
    content = _read(path)
    found = _sha256(content)
    if found != expected:
        raise ChecksumMismatch(str(path), expected, found)
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}); is this a model folder?") from error


def _needed(files: Mapping[str, bytes], name: str, path: Path) -> bytes:
    try:
        return files[name]
    except KeyError:
        raise ArtifactError(f"{path / MANIFEST}: lists no {name}; train again") from None


def _decode(content: bytes, kind: type[T], path: Path) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"{path}: malformed: {error}") from error


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
