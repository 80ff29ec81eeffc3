"""Settings from environment variables."""

from __future__ import annotations

import pytest

from api.settings import Settings, settings_from
from hyctas.errors import InvalidInput


def test_empty_environment_gives_the_defaults() -> None:
    assert settings_from({}) == Settings()


def test_variables_are_read() -> None:
    environment = {"HYCTAS_DB": "sqlite:///x.db", "HYCTAS_API_KEYS": " a, b,, ", "HYCTAS_REFRESH_S": "0.5"}
    settings = settings_from(environment)
    assert (settings.database_url, settings.refresh_s) == ("sqlite:///x.db", 0.5)
    assert settings.api_keys == {"a", "b"}


@pytest.mark.parametrize("value", ["", "soon", "0", "-1", "nan", "inf"])
def test_refresh_that_is_no_positive_number_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="HYCTAS_REFRESH_S"):
        settings_from({"HYCTAS_REFRESH_S": value})
