"""Weights that nobody trained: seeded ones for measuring and parity tests, initial ones for training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from hyctas.errors import GraphError
from hyctas.graph import Graph, Parameter, Role
from hyctas.moments import second_moments

Array = npt.NDArray[np.float32]
Draw = Callable[[np.random.Generator, Parameter], Array]


def seeded_weights(graph: Graph, seed: int) -> dict[str, Array]:
    """A float32 array for each parameter of `graph`, by name; equal seeds give equal arrays.

    Like a trained network's: running statistics fit what the batch norm reads, give or take, so that activations
    stay near 1 however deep the network; gamma, beta, mean, variance and gate are random and never their defaults,
    so that what they do can be seen. Convolutions as :func:`initial_weights` draws them.
    """
    moments = second_moments(graph)
    rng = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    for node in graph.nodes:
        moment = moments[node.inputs[0]]
        weights.update((parameter.name, _seeded(rng, parameter, moment)) for parameter in node.parameters)
    return weights


def initial_weights(graph: Graph, seed: int) -> dict[str, Array]:
    """The weights of `graph` before training, by name; equal seeds give equal arrays.

    Convolutions are normal with variance 2 / fan-in (He et al., "Delving Deep into Rectifiers", 2015), biases and
    gates 0, batch norms the identity.
    """
    rng = np.random.default_rng(seed)
    return {parameter.name: initial_array(rng, parameter) for parameter in graph.parameters}


def initial_array(rng: np.random.Generator, parameter: Parameter) -> Array:
    """The float32 array of one parameter before training; see :func:`initial_weights`."""
    return _INITIAL[parameter.role](rng, parameter)


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


def _seeded(rng: np.random.Generator, parameter: Parameter, moment: float) -> Array:
    """Draw `parameter`; running statistics are in proportion to the `moment` (mean square) of what is read."""
    drawn = _SEEDED[parameter.role](rng, parameter)
    if parameter.role == "mean":
        drawn *= np.float32(math.sqrt(moment))
    elif parameter.role == "variance":
        drawn *= np.float32(moment)
    return drawn


def _normal(deviation: float) -> Draw:
    def draw(rng: np.random.Generator, parameter: Parameter) -> Array:
        drawn = rng.standard_normal(parameter.shape, dtype=np.float32)
        drawn *= np.float32(deviation)
        return drawn

    return draw


def _he_normal(rng: np.random.Generator, parameter: Parameter) -> Array:
    return _normal(math.sqrt(2.0 / math.prod(parameter.shape[1:])))(rng, parameter)


def _between(low: float, high: float) -> Draw:
    def draw(rng: np.random.Generator, parameter: Parameter) -> Array:
        drawn = rng.random(parameter.shape, dtype=np.float32)
        drawn *= np.float32(high - low)
        drawn += np.float32(low)
        return drawn

    return draw


def _constant(value: float) -> Draw:
    return lambda rng, parameter: np.full(parameter.shape, value, np.float32)


_SEEDED: Final[Mapping[Role, Draw]] = MappingProxyType(
    {
        "weight": _he_normal,
        "bias": _normal(0.1),
        "gamma": _between(0.7, 1.3),
        "beta": _normal(0.1),
        "mean": _normal(0.1),
        "variance": _between(0.5, 1.5),
        "gate": _between(0.3, 0.7),
    }
)
_INITIAL: Final[Mapping[Role, Draw]] = MappingProxyType(
    {
        "weight": _he_normal,
        "bias": _constant(0.0),
        "gamma": _constant(1.0),
        "beta": _constant(0.0),
        "mean": _constant(0.0),
        "variance": _constant(1.0),
        "gate": _constant(0.0),
    }
)
