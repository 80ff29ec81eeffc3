from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hyctas.errors import CheckpointMismatch
from search.latency import Pin
from search.state import SearchState, read_state, state_path, state_text

STATE = SearchState(
    search_run_id=7,
    evaluated=24,
    algorithm={"generation": 3, "asked": [], "random": {"state": str(2**120)}, "own": {"crowding": [0.1, None]}},
    pin=Pin(("0123456789abcdef", None), datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
    revision=2,
    scored_revision=1,
    reference_point=(1.05, -4.0 + 1e-16),
    spent_s={"evaluation": 0.1 + 0.2, "storage": 1e-9},
    supernet="ab" * 32,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return state_path(tmp_path, 7)


@pytest.mark.parametrize("state", [STATE, replace(STATE, reference_point=None, supernet=None, evaluated=0, revision=0)])
def test_what_is_read_is_what_was_written(path: Path, state: SearchState) -> None:
    path.write_text(state_text(state))
    assert read_state(path, 7) == state


def test_searches_of_one_folder_have_files_of_their_own(tmp_path: Path) -> None:
    assert state_path(tmp_path, 7) != state_path(tmp_path, 8)


def test_a_number_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        state_text(replace(STATE, reference_point=(float("nan"), 0.0)))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_state_is_refused(path: Path, share: float) -> None:
    text = state_text(STATE)
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(CheckpointMismatch, match=f"{path.name} is not the state of a search"):
        read_state(path, 7)


@pytest.mark.parametrize("content", [b"[]", b"null", b'"state"', b"{}", b"\xff\xfe\x00", b'{"version": 1}'])
def test_a_foreign_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointMismatch, match=path.name):
        read_state(path, 7)


@pytest.mark.parametrize("name", [field.name for field in fields(SearchState) if field.name != "pin"])
def test_a_state_without_one_of_its_parts_is_refused(path: Path, name: str) -> None:
    document = json.loads(state_text(STATE))
    del document[name]
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointMismatch, match=name):
        read_state(path, 7)


@pytest.mark.parametrize(
    ("name", "value"), [("measured_until", "yesterday"), ("model_ids", None), ("reference_point", 3)]
)
def test_a_state_with_a_part_of_another_kind_is_refused(path: Path, name: str, value: object) -> None:
    path.write_text(json.dumps({**json.loads(state_text(STATE)), name: value}))
    with pytest.raises(CheckpointMismatch, match=path.name):
        read_state(path, 7)


def test_the_state_of_another_search_is_refused_by_both_numbers(path: Path) -> None:
    path.write_text(state_text(STATE))
    with pytest.raises(CheckpointMismatch, match=r"search 7 .* expected search 8"):
        read_state(path, 8)


def test_a_state_of_another_version_is_refused(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(state_text(STATE)), "version": 99}))
    with pytest.raises(CheckpointMismatch, match="version 99"):
        read_state(path, 7)


def test_a_state_that_is_not_there_is_said_so(path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="cannot be read"):
        read_state(path, 7)
