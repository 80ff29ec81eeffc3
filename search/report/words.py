"""Numbers and times as words of a report."""

from __future__ import annotations

from datetime import datetime

from db.records import CandidateLatency

NONE = "–"
"""Stands where there is no number."""


def digits(value: float) -> str:
    """A number with four digits, or all of its whole part."""
    return f"{value:#.4g}".rstrip(".") if abs(value) < 1e4 else f"{value:.0f}"


def milliseconds(latency_s: float | None) -> str:
    """A latency with four digits."""
    return NONE if latency_s is None else f"{digits(latency_s * 1e3)} ms"


def interval(latency: CandidateLatency) -> str:
    """A prediction with its interval; a tier of ``measured`` has one too."""
    low, high = digits(latency.low_s * 1e3), digits(latency.high_s * 1e3)
    return f"{milliseconds(latency.predicted_s)} [{low} to {high}]"


def share(value: float | None, *, signed: bool = False) -> str:
    """A share as a percentage."""
    if value is None:
        return NONE
    return f"{value:+.1%}" if signed else f"{value:.1%}"


def amount(value: float) -> str:
    """A count with a prefix: 12.3 M."""
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.0f}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number before its noun."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def moment(time: datetime | None) -> str:
    """A time, to the second."""
    return NONE if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def short(key: str) -> str:
    """The start of a key, enough to tell it from others."""
    return key[:12]


def anchor(key: str) -> str:
    """Where on the page a network stands."""
    return f"network-{short(key)}"
