"""Rounds as compact JSON: one array a quantity, floats exactly as they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from itertools import repeat
from typing import Any, Final

from hyctas.measurement import DeviceConditions, Round

_CONDITIONS: Final = tuple(field.name for field in fields(DeviceConditions))


def rounds_to_json(rounds: Sequence[Round]) -> dict[str, Any]:
    """The JSON of `rounds`: arrays with one item a round; conditions only where the device could be read."""
    document = {
        "samples_s": [list(round_.samples_s) for round_ in rounds],
        "compute_reference_s": [list(round_.compute_reference_s) for round_ in rounds],
        "memory_reference_s": [list(round_.memory_reference_s) for round_ in rounds],
        "cpu_share": [round_.cpu_share for round_ in rounds],
        "clock_hz": [round_.clock_hz for round_ in rounds],
    }
    if all(round_.conditions is None for round_ in rounds):
        return document
    return {**document, "conditions": [r.conditions and asdict(r.conditions) for r in rounds]}


def rounds_from_json(document: Mapping[str, Any]) -> tuple[Round, ...]:
    """The rounds that :func:`rounds_to_json` wrote, equal to the last bit; of a newer one what is known here."""
    columns = zip(
        document["samples_s"],
        document["compute_reference_s"],
        document["memory_reference_s"],
        document["cpu_share"],
        document["clock_hz"],
        document.get("conditions") or repeat(None, len(document["samples_s"])),
        strict=True,
    )
    return tuple(
        Round(tuple(samples), tuple(compute), tuple(memory), cpu_share, clock_hz, _conditions(conditions))
        for samples, compute, memory, cpu_share, clock_hz, conditions in columns
    )


def _conditions(document: Mapping[str, Any] | None) -> DeviceConditions | None:
    if document is None:
        return None
    known = {name: document[name] for name in _CONDITIONS if name in document}
    return DeviceConditions(**{**known, "throttle_reasons": tuple(document.get("throttle_reasons", ()))})
