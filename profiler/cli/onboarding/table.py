"""The curve of onboarding, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from profiler.cli.durations import described_duration
from profiler.cli.onboarding.values import Point

HEADER: Final = f"{'used':>7}{'operators':>11}{'networks':>10}{'by chance':>11}{'error':>9}{'interval':>19}"


def described_point(point: Point) -> str:
    """One line of the table: error on the networks that chance picked, and half-width of the interval."""
    error = "-" if point.mape is None else f"{point.mape:.1%}"
    interval = "not calibrated yet"
    if point.half_width is not None and point.coverage is not None:
        interval = f"±{point.half_width:.1%} at {point.coverage:.0%}"
    return (
        f"{described_duration(point.used_s):>7}{point.operators:>11}{point.networks:>10}{point.drawn:>11}"
        f"{error:>9}{interval:>19}"
    )


def curve_json(curve: Sequence[Point]) -> list[dict[str, Any]]:
    """The points as they are printed and stored."""
    return [asdict(point) for point in curve]
