"""Lengths of time as people write them."""

from __future__ import annotations

import pytest
import typer

from profiler.cli.durations import described_duration, parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("10m", 600.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("2m5s", 125.0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "0", "0s", "-5m", "5x", "1m1h", "m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no length of time"):
        parse_duration_s(text)


def test_durations_are_told_in_minutes() -> None:
    assert [described_duration(seconds) for seconds in (5.0, 61.4, 3600.0)] == ["0:05", "1:01", "60:00"]
