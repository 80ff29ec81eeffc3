"""Rounds as compact JSON: one array a quantity, floats exactly as they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyctas.measurement import Round


def rounds_to_json(rounds: Sequence[Round]) -> dict[str, Any]:
    """The JSON of `rounds`: arrays with one item a round."""
    return {
        "samples_s": [list(round_.samples_s) for round_ in rounds],
        "compute_reference_s": [list(round_.compute_reference_s) for round_ in rounds],
        "memory_reference_s": [list(round_.memory_reference_s) for round_ in rounds],
        "cpu_share": [round_.cpu_share for round_ in rounds],
        "clock_hz": [round_.clock_hz for round_ in rounds],
    }


def rounds_from_json(document: Mapping[str, Any]) -> tuple[Round, ...]:
    """The rounds that :func:`rounds_to_json` wrote, equal to the last bit."""
    columns = zip(
        document["samples_s"],
        document["compute_reference_s"],
        document["memory_reference_s"],
        document["cpu_share"],
        document["clock_hz"],
        strict=True,
    )
    return tuple(
        Round(tuple(samples), tuple(compute), tuple(memory), cpu_share, clock_hz)
        for samples, compute, memory, cpu_share, clock_hz in columns
    )
