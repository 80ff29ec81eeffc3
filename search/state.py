"""The state of a search between two generations, in a file beside its supernet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hyctas.errors import CheckpointMismatch
from search.latency import Pin

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class SearchState:
    """Everything that the next generation depends on.

    Attributes:
        search_run_id: Its number in the database.
        evaluated: Candidates that were scored.
        algorithm: The algorithm's own state, as JSON.
        pin: The models that predict.
        revision: How often the predictor was refitted.
        scored_revision: How often it had been when all candidates were scored by it; less than `revision` if the search
            ended just after a refit.
        reference_point: Up to which hypervolume counts; None before the first generation.
        spent_s: Seconds by activity.
        supernet: SHA-256 of the supernet's parameters; None before it was trained.
    """

    search_run_id: int
    evaluated: int
    algorithm: Mapping[str, Any]
    pin: Pin
    revision: int
    scored_revision: int
    reference_point: tuple[float, ...] | None
    spent_s: Mapping[str, float]
    supernet: str | None


def state_path(folder: Path, search_run_id: int) -> Path:
    """Where the state of a search lies in its folder."""
    return folder / f"search-{search_run_id}.json"


def state_text(state: SearchState) -> str:
    """The state as JSON text."""
    document = {
        "version": VERSION,
        "search_run_id": state.search_run_id,
        "evaluated": state.evaluated,
        "algorithm": dict(state.algorithm),
        "model_ids": state.pin.model_ids,
        "measured_until": state.pin.measured_until.isoformat(),
        "revision": state.revision,
        "scored_revision": state.scored_revision,
        "reference_point": state.reference_point,
        "spent_s": dict(state.spent_s),
        "supernet": state.supernet,
    }
    return json.dumps(document, allow_nan=False)


def read_state(path: Path, search_run_id: int) -> SearchState:
    """Read a state back.

    Raises:
        CheckpointMismatch: The file is no state of that search in this version.
    """
    try:
        found = json.loads(path.read_text())
        version, number = found["version"], found["search_run_id"]
        if (version, number) != (VERSION, search_run_id):
            raise CheckpointMismatch(
                f"{path} is the state of search {number} in version {version}; expected search {search_run_id} in "
                f"version {VERSION}"
            )
        reference = found["reference_point"]
        return SearchState(
            search_run_id=number,
            evaluated=found["evaluated"],
            algorithm=found["algorithm"],
            pin=Pin(tuple(found["model_ids"]), datetime.fromisoformat(found["measured_until"])),
            revision=found["revision"],
            scored_revision=found["scored_revision"],
            reference_point=None if reference is None else tuple(reference),
            spent_s=found["spent_s"],
            supernet=found["supernet"],
        )
    except OSError as error:
        raise CheckpointMismatch(f"the state of search {search_run_id} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointMismatch(f"{path} is not the state of a search: {error!r}") from error
