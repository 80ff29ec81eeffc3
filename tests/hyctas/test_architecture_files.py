"""Files of several architectures."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_files import decode_architectures, read_architectures
from hyctas.architecture_json import to_json
from hyctas.errors import InvalidArchitecture
from hyctas.release_format import RELEASE_OPERATORS, to_release
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace

RELEASED = SearchSpace(depth=6, operators=RELEASE_OPERATORS)
SETTINGS = ArchitectureDefaults(height=64, width=128)


@pytest.fixture(scope="module")
def networks() -> tuple[Architecture, ...]:
    """Three networks."""
    return tuple(sample_structured(SearchSpace(depth=6), np.random.default_rng(0), 3, SETTINGS))


def test_array_lines_and_single_documents_are_told_apart(networks: tuple[Architecture, ...]) -> None:
    documents = [to_json(network) for network in networks]
    lines = "\n\n".join(json.dumps(document) for document in documents) + "\n"
    for text in (json.dumps(documents), json.dumps(documents, indent=2), lines, lines.replace("\n", "\r\n")):
        assert decode_architectures(text.encode(), at="f") == networks
    for indent in (None, 2):
        assert decode_architectures(json.dumps(documents[0], indent=indent).encode(), at="f") == networks[:1]


def test_release_format_takes_the_settings() -> None:
    network = sample_structured(RELEASED, np.random.default_rng(0), 1, SETTINGS)[0]
    release = to_release(network)
    for text in (json.dumps(release), json.dumps([release, to_json(network)]), f"{json.dumps(release)}\n" * 2):
        assert set(decode_architectures(text.encode(), SETTINGS, at="f")) == {network}


def test_files_and_stdin(networks: tuple[Architecture, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps([to_json(network) for network in networks]).encode()
    (tmp_path / "front.json").write_bytes(text)
    assert read_architectures(str(tmp_path / "front.json"), SETTINGS) == networks
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert read_architectures("-", SETTINGS) == networks
    with pytest.raises(FileNotFoundError):
        read_architectures(str(tmp_path / "missing.json"), SETTINGS)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "front.json: 'nothing' is not allowed; expected an architecture, a JSON array of them, or one on each"),
        (" \n", "front.json: 'nothing' is not allowed"),
        ("[]", "front.json: 'nothing' is not allowed"),
        ("[1]", "front.json: $[0]: 1 is not allowed"),
        ('["{}"]', "front.json: $[0]: '{}' is not allowed"),
        ("{", "front.json: $: '{' is not allowed; expected JSON text"),
        ('{\n"version": 2\n}', "front.json: $.version: 2 is not allowed"),
        ('{"version": 1}\n{', "front.json, line 1: $.space: 'nothing' is not allowed"),
        ('\n{"version": 2}\n{}', "front.json, line 2: $.version: 2 is not allowed"),
    ],
)
def test_error_names_the_file_and_the_place(text: str, place: str) -> None:
    with pytest.raises(InvalidArchitecture) as error:
        decode_architectures(text.encode(), SETTINGS, at="front.json")
    assert str(error.value).startswith(place)
