"""Numbers and times as words of a report."""

from __future__ import annotations

from datetime import datetime

from db.records import CandidateLatency

NONE = "–"
"""Stands where there is no number."""


def milliseconds(latency_s: float | None) -> str:
    """A latency with three or four digits."""
    if latency_s is None:
        return NONE
    return f"{latency_s * 1e3:.4g} ms" if latency_s < 1.0 else f"{latency_s * 1e3:.0f} ms"


def interval(latency: CandidateLatency) -> str:
    """A prediction with its interval; a tier of ``measured`` has one too."""
    return f"{latency.predicted_s * 1e3:.4g} ms [{latency.low_s * 1e3:.4g} to {latency.high_s * 1e3:.4g}]"


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
