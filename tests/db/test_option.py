"""How commands tell each other and their readers which database they use."""

from __future__ import annotations

import pytest

from db.option import same_database, shown_database, without_password
from hyctas.errors import InvalidInput

URL = "postgresql://hyctas:secret@postgres/hyctas"


def test_environment_that_names_the_database_is_enough() -> None:
    assert same_database(URL, {"HYCTAS_DB": URL}) == shown_database(URL, {"HYCTAS_DB": URL}) == ()
    assert same_database(URL, {"HYCTAS_DB": "sqlite:///other.db"}) == ("--db", URL)


def test_password_is_not_shown() -> None:
    assert "secret" not in " ".join(shown_database(URL, {})) and "hyctas:***@postgres" in without_password(URL)
    assert shown_database("sqlite:///here.db", {}) == ("--db", "sqlite:///here.db")


def test_what_is_no_database_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        without_password("mysql://hyctas:secret@there/hyctas")
    assert "secret" not in str(refused.value)
