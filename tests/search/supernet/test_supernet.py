from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.cell import Branch, Cell
from hyctas.costs import costs
from hyctas.decomposition import decompose
from hyctas.errors import InvalidArchitecture
from hyctas.lowering import lower
from hyctas.sampling import sample_structured, sample_uniform
from hyctas.space import SearchSpace
from search.supernet.deriving import derive
from search.supernet.sizes import resized, with_logits
from search.supernet.slots import slot_of
from search.supernet.supernet import Supernet

SPACE = SearchSpace(depth=6, min_cells=3)
SETTINGS = ArchitectureDefaults(height=64, width=96, base_channels=3, classes=5)
FORMS = (
    SETTINGS,
    dataclasses.replace(SETTINGS, attention="released", head="light"),
    dataclasses.replace(SETTINGS, stem_width=8, head_width=10, base_channels=4),
)


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return awake(Supernet(SPACE, SETTINGS, seed=0))


def awake(supernet: Supernet) -> Supernet:
    """With attention that contributes, unlike at the start of training."""
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if name.endswith("gate"):
                parameter.fill_(0.7)
    return supernet


def images(batch: int = 2, *, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


def network(*branches: tuple[Cell, ...]) -> Architecture:
    return SETTINGS.architecture(tuple(map(Branch, branches)))


def largest_difference(supernet: Supernet, architecture: Architecture, given: torch.Tensor) -> float:
    module = derive(supernet, architecture, training=True).train()
    with torch.no_grad():
        ours, theirs = supernet(architecture, given), module(given)
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    assert len(ours) == len(theirs)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("settings", FORMS, ids=["default", "released-light", "narrow-stem"])
def test_slices_equal_the_derived_network(settings: ArchitectureDefaults) -> None:
    supernet = awake(Supernet(SPACE, settings, seed=0))
    rng = np.random.default_rng(0)
    sample = (*sample_structured(SPACE, rng, 12, settings), *sample_uniform(SPACE, rng, 6, settings))
    for architecture in sample:
        assert largest_difference(supernet, architecture, images()) < 1e-5


def test_another_input_size_runs_on_the_same_parameters(supernet: Supernet) -> None:
    architecture = sample_structured(SPACE, np.random.default_rng(3), 1, SETTINGS)[0]
    larger = resized(architecture, batch=3, height=96, width=128)
    assert largest_difference(supernet, larger, images(3, height=96, width=128)) < 1e-5


def test_every_network_of_the_space_has_its_slots(supernet: Supernet) -> None:
    names = {name for name, _ in supernet.named_parameters()}
    for architecture in sample_uniform(SPACE, np.random.default_rng(1), 150, SETTINGS):
        for placed in decompose(architecture, training=True).parts:
            slot = slot_of(architecture, placed)
            assert placed.part.kind in ("upsample", "argmax") or any(name.startswith(f"{slot}.") for name in names)


def test_every_parameter_is_as_large_as_some_network_needs_it(supernet: Supernet) -> None:
    """The widest three-branch network of one operator uses its cells' parameters whole."""
    wide = [Cell("conv", 12, False) for _ in range(5)]
    down = Cell("conv", 12, True)
    last = Cell("conv", None, False)
    architecture = network((*wide, last), (*wide[:3], down, wide[0], last), (*wide[:3], down, down, last))
    slices = supernet.slices(architecture, training=True)
    for placed in decompose(architecture, training=True).parts:
        if placed.part.kind == "conv" and placed.region == "cells":
            whole = supernet.get_parameter(f"{slot_of(architecture, placed)}.conv.weight")
            assert slices[f"{placed.place}.conv.weight"].shape == whole.shape


def test_slices_are_the_trainable_parameters_of_the_network(supernet: Supernet) -> None:
    for architecture in sample_structured(SPACE, np.random.default_rng(2), 6, SETTINGS):
        for training in (False, True):
            graph = lower(architecture, training=training)
            slices = supernet.slices(architecture, training=training)
            expected = {p.name: p.shape for p in graph.parameters if p.trainable}
            assert {name: tuple(tensor.shape) for name, tensor in slices.items()} == expected
            assert sum(tensor.numel() for tensor in slices.values()) == costs(graph).parameters


def test_narrow_cells_use_leading_channels(supernet: Supernet) -> None:
    narrow, last = Cell("conv", 4, False), Cell("conv", None, False)
    architecture = network((narrow, narrow, last))
    piece = supernet.slices(architecture)["branches[0].cells[1].conv.weight"]
    whole = supernet.get_parameter("cells[1].scale0.keep.conv.conv.weight")
    assert torch.equal(piece, whole[:8, :8])
    assert whole.shape[:2] == (24, 24)


def test_channels_after_a_concatenation_are_chunks(supernet: Supernet) -> None:
    """A skip that goes down concatenates two halves, so a narrow one feeds two runs of channels."""
    architecture = network((Cell("conv", 12, False), Cell("skip", 4, True), Cell("conv", None, False)))
    piece = supernet.slices(architecture)["branches[0].cells[2].conv.weight"]
    whole = supernet.get_parameter("cells[2].scale1.keep.conv.conv.weight")
    assert torch.equal(piece, torch.cat([whole[:, :8], whole[:, 24:32]], 1))


def test_fusion_reads_each_scale_with_its_own_weights(supernet: Supernet) -> None:
    conv, down, last = Cell("conv", 12, False), Cell("conv", 12, True), Cell("conv", None, False)
    finest_and_coarsest = network((conv, conv, conv, last), (conv, down, down, last))
    middle = network((conv, conv, down, last))
    whole = supernet.get_parameter("fusion.ffm.conv.weight")
    two = supernet.slices(finest_and_coarsest)["fusion.ffm.conv.weight"]
    one = supernet.slices(middle)["fusion.ffm.conv.weight"]
    assert torch.equal(two, torch.cat([whole[:48, :24], whole[:48, 48:72]], 1))
    assert torch.equal(one, whole[:24, 24:48])


def test_branches_share_slots_whatever_their_position(supernet: Supernet) -> None:
    conv, down, last = Cell("conv", 12, False), Cell("conv", 12, True), Cell("conv", None, False)
    alone, beside = network((conv, down, down, last)), network((conv, conv, last), (conv, down, down, last))
    for part in ("conv.weight", "conv_bn.gamma"):
        first = supernet.slices(alone)[f"branches[0].cells[2].{part}"]
        assert torch.equal(first, supernet.slices(beside)[f"branches[1].cells[2].{part}"])


def test_only_parameters_of_the_path_get_gradients() -> None:
    supernet = Supernet(SPACE, SETTINGS, seed=0)
    architecture = sample_structured(SPACE, np.random.default_rng(5), 1, SETTINGS)[0]
    sum(output.square().mean() for output in supernet(architecture, images())).backward()
    slots = {slot_of(architecture, placed) for placed in decompose(architecture, training=True).parts}
    for name, parameter in supernet.named_parameters():
        assert (parameter.grad is not None) == any(name.startswith(f"{slot}.") for slot in slots), name


def test_gradients_flow_into_the_slice_alone() -> None:
    supernet = Supernet(SPACE, SETTINGS, seed=0)
    narrow, last = Cell("conv", 4, False), Cell("conv", None, False)
    supernet(network((narrow, narrow, last)), images())[0].square().mean().backward()
    gradient = supernet.get_parameter("cells[1].scale0.keep.conv.conv.weight").grad
    assert gradient is not None
    assert gradient[:8, :8].abs().min() > 0
    assert gradient[8:].abs().max() == 0
    assert gradient[:, 8:].abs().max() == 0


def test_a_derived_network_is_a_copy(supernet: Supernet) -> None:
    architecture = sample_structured(SPACE, np.random.default_rng(6), 1, SETTINGS)[0]
    before = supernet.get_parameter("stem.conv.conv.weight").clone()
    with torch.no_grad():
        for parameter in derive(supernet, architecture).parameters():
            parameter.zero_()
    assert torch.equal(supernet.get_parameter("stem.conv.conv.weight"), before)


def test_equal_seeds_give_equal_supernets_and_slots_do_not_depend_on_depth() -> None:
    small, again = Supernet(SPACE, SETTINGS, seed=1), Supernet(SPACE, SETTINGS, seed=1)
    deeper = Supernet(dataclasses.replace(SPACE, depth=8), SETTINGS, seed=1).state_dict()
    for name, tensor in small.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
        assert torch.equal(tensor, deeper[name])
    assert not torch.equal(
        small.state_dict()["stem.conv.conv.weight"],
        Supernet(SPACE, SETTINGS, seed=2).state_dict()["stem.conv.conv.weight"],
    )


def test_a_network_of_other_settings_or_another_space_is_refused(supernet: Supernet) -> None:
    other = sample_structured(SPACE, np.random.default_rng(0), 1, dataclasses.replace(SETTINGS, classes=7))[0]
    with pytest.raises(InvalidArchitecture, match=r"\$\.classes: 7 .* 5, as in the supernet"):
        supernet(other, images())
    deep = sample_uniform(SearchSpace(depth=9, min_cells=9), np.random.default_rng(0), 1, SETTINGS)[0]
    with pytest.raises(InvalidArchitecture, match="9 cells"):
        derive(supernet, deep)


def test_the_deployed_form_is_trained_at_its_logits(supernet: Supernet) -> None:
    architecture = sample_structured(
        SPACE, np.random.default_rng(0), 1, dataclasses.replace(SETTINGS, output="argmax")
    )[0]
    with pytest.raises(InvalidArchitecture, match=r"\$\.output"):
        supernet(architecture, images())
    assert supernet(with_logits(architecture), images())[0].shape == (2, 5, 16, 24)


@pytest.mark.parametrize("branches", [1, 2])
def test_a_space_of_fewer_branches_keeps_room_for_every_scale(branches: int) -> None:
    space = dataclasses.replace(SPACE, max_branches=branches)
    supernet = awake(Supernet(space, SETTINGS, seed=0))
    for architecture in sample_uniform(space, np.random.default_rng(0), 8, SETTINGS):
        assert largest_difference(supernet, architecture, images()) < 1e-5
