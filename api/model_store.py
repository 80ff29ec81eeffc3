"""What the server knows: the newest model of each target, every old one on demand, and all measured networks.

Requests read an immutable snapshot, so that none waits for the database; a background task replaces it when the
database has changed.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final

from db.records import MeasurementRow, ModelRecord
from db.repository import Repository
from hyctas.errors import ArtifactError, ChecksumMismatch, StorageError, UnknownModel, UnknownTarget
from hyctas.measurement import Calibration
from hyctas.target import Target
from predictor.artifact import MANIFEST, load_predictor, manifest_sha256
from predictor.measured import MeasuredNetwork
from predictor.model import Predictor

MAX_LOADED: Final = 32
"""Predictors kept in memory."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredNetwork:
    """A measured network and when it was stored."""

    network: MeasuredNetwork
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database as it was at one moment.

    Attributes:
        mark: Changes whenever the database does.
        targets: All targets.
        models: All models by id.
        newest: Id of each target's newest model, by full name.
        networks: By full name of the target, measured networks by architecture key.
    """

    mark: tuple[int, ...] = ()
    targets: tuple[Target, ...] = ()
    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    newest: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, Mapping[str, StoredNetwork]] = field(default_factory=dict)


class ModelStore:
    """Serves models and measured networks from a repository; safe to share between threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._loaded: OrderedDict[str, Predictor] = OrderedDict()
        self._lock = Lock()
        self.snapshot = Snapshot()
        self.fault: str | None = "the database has not been read yet"
        """Why the last look at the database failed, or None."""

    def refresh(self) -> bool:
        """Take a new snapshot if the database has changed, and load new models; tells whether it did.

        A database that cannot be read leaves the old snapshot in place and is told in :attr:`fault`.
        """
        try:
            changed = self._refresh()
        except StorageError as error:
            _log.warning("the database cannot be read: %s", error)
            self.fault = str(error)
            return False
        self.fault = None
        return changed

    def full_name(self, target: str) -> str:
        """The full name of a stored target that may be given without its device where only one device has it.

        Raises:
            UnknownTarget: There is none, or more than one; lists all.
        """
        return _full_name(target, self.snapshot.networks)

    def _refresh(self) -> bool:
        newest = self._repository.measurements(limit=1, order="newest")
        models = self._repository.models()
        mark = (newest[0].id if newest else 0, self._repository.count(), len(models))
        if mark == self.snapshot.mark:
            return False
        targets = self._repository.targets()
        self.snapshot = Snapshot(
            mark=mark,
            targets=targets,
            models={record.model_id: record for record in models},
            newest={record.target.name: record.model_id for record in models},
            networks={target.name: self._networks(target) for target in targets},
        )
        self._load_newest()
        return True

    def predictor(self, target: str, model_id: str | None = None) -> Predictor:
        """The model with that id, or the target's newest.

        Raises:
            UnknownTarget: No model is registered for the target; lists those that have one.
            UnknownModel: There is no such model for the target.
            ArtifactError: Its files are not what was registered.
        """
        snapshot = self.snapshot
        name = _full_name(target, snapshot.newest)
        chosen = snapshot.newest[name] if model_id is None else model_id
        record = snapshot.models.get(chosen)
        if record is None or record.target.name != name:
            known = [record.model_id for record in snapshot.models.values() if record.target.name == name]
            raise UnknownModel(chosen, known)
        return self._load(record)

    def measured(self, target: str, until: datetime | None = None) -> Mapping[str, MeasuredNetwork]:
        """Measured networks of a target by architecture key, those stored after `until` left out."""
        stored = self.snapshot.networks.get(target, {})
        if until is None:
            return _Current(stored)
        limit = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        return {key: entry.network for key, entry in stored.items() if entry.created_at <= limit}

    def _load_newest(self) -> None:
        """Load what will be asked next, so that no request waits for a file; a bad artifact is told when asked for."""
        for model_id in self.snapshot.newest.values():
            try:
                self._load(self.snapshot.models[model_id])
            except ArtifactError as error:
                _log.warning("a model cannot be served: %s", error)

    def _load(self, record: ModelRecord) -> Predictor:
        with self._lock:
            predictor = self._loaded.get(record.model_id)
            if predictor is None:
                predictor = self._loaded[record.model_id] = _loaded(record)
                if len(self._loaded) > MAX_LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(record.model_id)
            return predictor

    def _networks(self, target: Target) -> Mapping[str, StoredNetwork]:
        calibrations = {c.version: c for c in self._repository.calibrations(target)}
        return {
            key: StoredNetwork(_measured_network(row, calibrations), row.created_at)
            for key, row in self._repository.architecture_latencies(target).items()
            if row.latency_s is not None
        }


class _Current(Mapping[str, MeasuredNetwork]):
    """A view of stored networks without their times; costs nothing to make."""

    def __init__(self, stored: Mapping[str, StoredNetwork]) -> None:
        self._stored = stored

    def __getitem__(self, key: str) -> MeasuredNetwork:
        return self._stored[key].network

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def _loaded(record: ModelRecord) -> Predictor:
    """The predictor of a registered artifact, which must be what was registered."""
    path = Path(record.path)
    found = manifest_sha256(path)
    if found != record.sha256:
        raise ChecksumMismatch(str(path / MANIFEST), record.sha256, found)
    predictor = load_predictor(path)
    if predictor.target != record.target.name:
        raise ArtifactError(f"{path} predicts {predictor.target}, not {record.target.name}")
    return predictor


def _measured_network(row: MeasurementRow, calibrations: Mapping[int, Calibration]) -> MeasuredNetwork:
    calibration = calibrations.get(row.calibration_version or 0)
    process_error = calibration.process_error.get(row.normaliser, 0.0) if calibration else 0.0
    return MeasuredNetwork(row.latency_s or 0.0, row.half_width, process_error)


def _full_name(target: str, known: Collection[str]) -> str:
    if target in known:
        return target
    matching = [name for name in known if name.partition("/")[2] == target]
    if len(matching) != 1:
        raise UnknownTarget(target, sorted(known))
    return matching[0]
