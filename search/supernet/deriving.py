"""Networks of their own out of a supernet: copies of its slices."""

from __future__ import annotations

import numpy as np

from hyctas.architecture import Architecture
from hyctas.graph import Graph
from hyctas.lowering import lower
from hyctas.torch_form import GraphModule
from hyctas.weights import Array, initial_array
from search.supernet.supernet import Supernet


def derive(supernet: Supernet, architecture: Architecture, *, training: bool = False) -> GraphModule:
    """The network of `architecture` with its own copy of the supernet's slices, on the supernet's device.

    Its batch norms have mean 0 and variance 1 until they are recalibrated.

    Args:
        supernet: Whose parameters to copy.
        architecture: Which network, at which input size.
        training: Whether with auxiliary heads.

    Raises:
        InvalidArchitecture: It is not of the supernet's space and settings.
    """
    graph = lower(architecture, training=training)
    module = GraphModule(graph, derived_weights(supernet, architecture, graph, training=training))
    module.to(next(supernet.parameters()).device)
    return module


def derived_weights(
    supernet: Supernet, architecture: Architecture, graph: Graph, *, training: bool = False
) -> dict[str, Array]:
    """A float32 array for each parameter of `graph`, which is the lowered `architecture`."""
    slices = supernet.slices(architecture, training=training)
    unused = np.random.default_rng(0)
    return {
        parameter.name: slices[parameter.name].detach().cpu().numpy()
        if parameter.trainable
        else initial_array(unused, parameter)
        for parameter in graph.parameters
    }
