"""Values of a state as JSON that any parser reads: no NaN, no infinities, no integers beyond 53 bits."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from hyctas.errors import CheckpointMismatch, InvalidInput

_SPECIAL: Final = ("nan", "inf", "-inf")

Number = float | str
"""A float, or the name of one that JSON has no number for."""


def number(value: float) -> Number:
    """A float as JSON: itself, or its name if it is not finite."""
    return float(value) if math.isfinite(value) else str(float(value))


def number_from(value: object) -> float:
    """The float that :func:`number` wrote.

    Raises:
        CheckpointMismatch: It wrote none such.
    """
    if isinstance(value, bool) or not (isinstance(value, int | float) or value in _SPECIAL):
        raise CheckpointMismatch(f"{value!r} in a state of a search; expected a number or one of {', '.join(_SPECIAL)}")
    return float(value)


def random_state(rng: np.random.Generator) -> dict[str, Any]:
    """The state of a generator of random numbers.

    Raises:
        InvalidInput: Its kind keeps more than a few integers.
    """
    name, state = _parts(rng)
    if not all(isinstance(value, int) for value in state["state"].values()):
        raise InvalidInput("rng", name, "numpy.random.default_rng(seed), or another of the PCG64 kinds")
    return {**state, "state": {key: str(value) for key, value in state["state"].items()}}


def restore_random_state(rng: np.random.Generator, state: Any) -> None:
    """Let a generator go on where :func:`random_state` saw it.

    Raises:
        CheckpointMismatch: That was a generator of another kind, or the state is none.
    """
    try:
        wide = {key: int(value) for key, value in state["state"].items()}
        rng.bit_generator.state = {**state, "state": wide}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointMismatch(f"{state!r} is no state of a {_parts(rng)[0]} generator: {error}") from error


def _parts(rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    state: dict[str, Any] = dict(rng.bit_generator.state)
    return str(state["bit_generator"]), state
