"""The supernet as a torch module: any architecture of the space, on slices of one set of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.blueprints import blueprint_of
from hyctas.decomposition import IMAGE, PlacedPart, decompose
from hyctas.enumeration import branch_ends
from hyctas.errors import InvalidArchitecture
from hyctas.graph import Node, Parameter
from hyctas.parts import IMAGE_CHANNELS
from hyctas.space import SearchSpace
from hyctas.torch_form import register, run_node
from hyctas.weights import initial_array
from search.supernet.slicing import Channels, PartPlan, plan_part
from search.supernet.slots import all_widths, slot_of, slot_templates
from search.supernet.wiring import AUXILIARY, FUSION, input_channels

IMAGE_INPUT: Final = Channels.leading(IMAGE_CHANNELS, IMAGE_CHANNELS)
SETTINGS_SHARED: Final = (
    "space",
    "base_channels",
    "stem_width",
    "head_width",
    "head",
    "attention",
    "classes",
    "output",
)
"""Settings that an architecture must have in common with the supernet; its input size is its own."""


class Supernet(nn.Module):  # type: ignore[misc]
    """All parameters that the architectures of a space can need, at their largest.

    There are no running statistics: those of one network are useless to another. A network that
    :func:`search.supernet.deriving.derive` gives has its own.

    Args:
        space: Which architectures can run.
        settings: Everything about them but their branches and their input size.
        seed: Draws the initial parameters; each slot has a stream of its own.
    """

    def __init__(self, space: SearchSpace, settings: ArchitectureDefaults, seed: int) -> None:
        super().__init__()
        self.space = space
        self.settings = settings
        self._templates = slot_templates(space, settings)
        for slot, template in self._templates.items():
            rng = np.random.default_rng([seed, crc32(slot.encode())])
            for name, parameter in template.parameters.items():
                full = Parameter(f"{slot}.{name}", parameter.shape, parameter.role)
                register(self, full)
                self.get_parameter(full.name).data.copy_(torch.from_numpy(initial_array(rng, full)))
        blueprint = blueprint_of(settings)
        stride_8, stride_16 = (max(branch_ends(space, blueprint, scale)) for scale in (0, 1))
        widest_16 = max(blueprint.cell_out(1, cell) for cell in all_widths(space))
        brought_up = (blueprint.branch_out(0),) * (len(space.scales) - 1)
        self._widest = {FUSION: (stride_8, *brought_up), AUXILIARY: (widest_16, stride_16)}

    def forward(self, architecture: Architecture, images: Tensor) -> tuple[Tensor, ...]:
        """Run `architecture` in its training form; batch norms use the statistics of the batch.

        Args:
            architecture: What to run.
            images: (batch, 3, height, width), of the architecture's size; any batch.

        Returns:
            Logits at the head's stride, then auxiliary logits of 1/32 and 1/16 where the network has them.

        Raises:
            InvalidArchitecture: It is not of this supernet's space and settings.
        """
        self.check(architecture)
        decomposition = decompose(architecture, training=True)
        values: list[Tensor] = []
        for placed, plan in zip(decomposition.parts, self._plans(architecture, decomposition.parts), strict=True):
            inputs = [images if position == IMAGE else values[position] for position in placed.inputs]
            values.append(self._run(slot_of(architecture, placed), plan, inputs))
        return tuple(values[position] for position in decomposition.outputs)

    def check(self, architecture: Architecture) -> None:
        """Raise unless `architecture` is of this supernet's space and settings.

        Raises:
            InvalidArchitecture: The first thing that differs.
        """
        self.space.check(architecture)
        for name in SETTINGS_SHARED:
            given, own = getattr(architecture, name), getattr(self.settings, name)
            if given != own:
                raise InvalidArchitecture(f"$.{name}", given, f"{own!r}, as in the supernet")

    def slices(self, architecture: Architecture, *, training: bool = False) -> dict[str, Tensor]:
        """The slice for each trainable parameter of ``lower(architecture, training=training)``, by its name there.

        They are views or concatenations of the supernet's own parameters, so gradients flow back.

        Raises:
            InvalidArchitecture: It is not of this supernet's space and settings.
        """
        self.check(architecture)
        parts = decompose(architecture, training=training).parts
        return {
            f"{placed.place}.{piece.name}": piece.of(
                self.get_parameter(f"{slot_of(architecture, placed)}.{piece.name}")
            )
            for placed, plan in zip(parts, self._plans(architecture, parts), strict=True)
            for pieces in plan.slices
            for piece in pieces
        }

    def _plans(self, architecture: Architecture, parts: Sequence[PlacedPart]) -> Iterator[PartPlan]:
        """How each part runs, in order."""
        channels: list[Channels] = []
        for placed in parts:
            given = [IMAGE_INPUT if position == IMAGE else channels[position] for position in placed.inputs]
            inputs = input_channels(architecture, placed, given, self._widest)
            plan = plan_part(placed.part, self._templates[slot_of(architecture, placed)], inputs)
            channels.append(plan.output)
            yield plan

    def _run(self, slot: str, plan: PartPlan, inputs: Sequence[Tensor]) -> Tensor:
        holder = self.get_submodule(slot) if any(plan.slices) else self
        values = {value.name: tensor for value, tensor in zip(plan.graph.inputs, inputs, strict=True)}
        for node, slices in zip(plan.graph.nodes, plan.slices, strict=True):
            tensors = [piece.of(holder.get_parameter(piece.name)) for piece in slices]
            values[node.output.name] = run_node(
                node, [values[name] for name in node.inputs], _with_statistics(node, tensors), training=True
            )
        return values[plan.graph.outputs[0]]


def _with_statistics(node: Node, tensors: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """The parameters of a node; a batch norm gets no running statistics, so that it leaves no trace."""
    return (*tensors, None, None) if node.op == "batch_norm" else tensors
