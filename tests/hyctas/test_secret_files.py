"""Secrets that are handed over as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyctas.errors import InvalidInput
from hyctas.secret_files import SECRETS, replace_secret_files


@pytest.mark.parametrize("name", SECRETS)
def test_file_stands_for_the_variable(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("  postgresql://hyctas:a,b@postgres/hyctas\n\n")
    environment = {f"{name}_FILE": str(file), "HOME": "/tmp"}
    replace_secret_files(environment)
    assert environment == {name: "postgresql://hyctas:a,b@postgres/hyctas", "HOME": "/tmp"}


def test_lines_of_the_keys_are_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("first\n\n second\n")
    environment = {"HYCTAS_API_KEYS_FILE": str(file)}
    replace_secret_files(environment)
    assert environment == {"HYCTAS_API_KEYS": "first,second"}


def test_environment_without_files_stays() -> None:
    environment = {"HYCTAS_DB": "sqlite:///here.db", "HYCTAS_API_KEYS_FILE": ""}
    replace_secret_files(environment)
    assert environment == {"HYCTAS_DB": "sqlite:///here.db", "HYCTAS_API_KEYS_FILE": ""}


def test_secret_given_twice_is_refused(tmp_path: Path) -> None:
    environment = {"HYCTAS_DB": "sqlite:///one.db", "HYCTAS_DB_FILE": str(tmp_path / "two")}
    with pytest.raises(InvalidInput, match=r"HYCTAS_DB_FILE.*left out where HYCTAS_DB is set"):
        replace_secret_files(environment)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("HYCTAS_DB", b"", "one line, not 0"),
        ("HYCTAS_DB", b"one\ntwo\n", "one line, not 2"),
        ("HYCTAS_API_KEYS", b" \n", "lines, not 0"),
        ("HYCTAS_API_KEY", b"\xff", "UTF-8"),
        ("HYCTAS_API_KEY", None, "No such file"),
    ],
)
def test_file_that_holds_no_secret_is_refused_without_showing_it(
    name: str, content: bytes | None, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=reason) as refused:
        replace_secret_files({f"{name}_FILE": str(file)})
    assert str(file) in str(refused.value) and "two" not in str(refused.value)
