"""Seeded weights for measuring and for parity tests: plausible statistics, never trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.errors import GraphError
from hyctas.graph import Graph, Parameter, Role

Array = npt.NDArray[np.float32]
Initialiser = Callable[[np.random.Generator, tuple[int, ...]], Array]


def seeded_weights(graph: Graph, seed: int) -> dict[str, Array]:
    """A float32 array for each parameter of `graph`, by name; equal seeds give equal arrays.

    Convolutions: He et al., "Delving Deep into Rectifiers" (2015), normal with variance 2 / fan-in. Batch norms:
    gamma in 0.7 to 1.3 and variance in 0.5 to 1.5 (never the defaults, so that parity tests see them), small mean and
    beta. Gates are not zero, so that what they gate does run.
    """
    rng = np.random.default_rng(seed)
    return {parameter.name: _initial(rng, parameter) for parameter in graph.parameters}


def seeded_inputs(graph: Graph, seed: int) -> dict[str, Array]:
    """Standard normal values for each input of `graph`, by name."""
    rng = np.random.default_rng(seed)
    return {value.name: rng.standard_normal(value.shape, dtype=np.float32) for value in graph.inputs}


def check_weights(graph: Graph, weights: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """See that there is an array for each parameter of `graph`, of its shape.

    Raises:
        GraphError: One is missing or has another shape.
    """
    for parameter in graph.parameters:
        array = weights.get(parameter.name)
        if array is None:
            raise GraphError(f"no weights for parameter {parameter.name} of {graph.name}; pass an array for each")
        if array.shape != parameter.shape:
            raise GraphError(f"weights of {parameter.name} have shape {array.shape}; expected {parameter.shape}")


def _initial(rng: np.random.Generator, parameter: Parameter) -> Array:
    return INITIALISERS[parameter.role](rng, parameter.shape)


def _he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    fan_in = math.prod(shape[1:])
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(2.0 / fan_in))


def _small(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(0.1)


def _between(low: float, high: float) -> Initialiser:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return (rng.random(shape, dtype=np.float32) * np.float32(high - low) + np.float32(low)).astype(np.float32)

    return draw


INITIALISERS: Final[Mapping[Role, Initialiser]] = MappingProxyType(
    {
        "weight": _he_normal,
        "bias": _small,
        "gamma": _between(0.7, 1.3),
        "beta": _small,
        "mean": _small,
        "variance": _between(0.5, 1.5),
        "gate": _between(0.3, 0.7),
    }
)
