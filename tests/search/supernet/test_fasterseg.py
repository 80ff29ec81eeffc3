"""The supernet of FasterSeg's space: identities, and heads whose width does not grow with what they read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hyctas.architecture import Architecture, ArchitectureDefaults, default_settings
from hyctas.cell import Branch, Cell
from hyctas.costs import costs
from hyctas.lowering import lower
from hyctas.sampling import sample_structured, sample_uniform
from hyctas.space import SearchSpace
from search.supernet.deriving import derive
from search.supernet.supernet import Supernet

SPACE = SearchSpace(name="fasterseg", depth=5, min_cells=1)
SETTINGS = replace(default_settings("fasterseg"), height=64, width=96, base_channels=3, classes=5)
FORMS = (SETTINGS, replace(SETTINGS, stem_width=8, head_width=6, base_channels=4))


def networks(form: ArchitectureDefaults, count: int) -> tuple[Architecture, ...]:
    rng = np.random.default_rng(0)
    drawn = (sample(SPACE, rng, count, form) for sample in (sample_structured, sample_uniform))
    return tuple(network for sample in drawn for network in sample)


def difference(supernet: Supernet, architecture: Architecture) -> float:
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    module = derive(supernet, architecture, training=True).train()
    with torch.no_grad():
        ours, theirs = supernet(architecture, images), module(images)
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("form", FORMS, ids=["default", "narrow-head"])
def test_slices_equal_the_derived_network(form: ArchitectureDefaults) -> None:
    supernet = Supernet(SPACE, form, seed=0)
    for architecture in networks(form, 8):
        assert difference(supernet, architecture) < 1e-5


def test_every_network_finds_its_slices() -> None:
    """At 12 base channels a head on 288 channels is narrower than one on 224."""
    wide = replace(SETTINGS, base_channels=12)
    supernet = Supernet(SPACE, wide, seed=0)
    for architecture in networks(wide, 20):
        for training in (False, True):
            slices = supernet.slices(architecture, training=training)
            expected = costs(lower(architecture, training=training)).parameters
            assert sum(tensor.numel() for tensor in slices.values()) == expected


def test_fusion_reads_each_scale_with_its_own_weights() -> None:
    supernet = Supernet(SPACE, SETTINGS, seed=0)
    conv, down, last = Cell("conv", 12, False), Cell("conv", 12, True), Cell("conv", None, False)
    whole = supernet.get_parameter("fusion.ff.conv.weight")

    def weight(*branches: tuple[Cell, ...]) -> torch.Tensor:
        architecture = SETTINGS.architecture(tuple(map(Branch, branches)))
        return supernet.slices(architecture)["fusion.ff.conv.weight"]

    assert torch.equal(weight((conv, down, last)), whole[:24, 24:48])
    two = weight((conv, conv, last), (conv, down, down, last))
    assert torch.equal(two, torch.cat([whole[:48, :24], whole[:48, 48:72]], 1))


def test_gradients_flow_through_identities() -> None:
    supernet = Supernet(SPACE, SETTINGS, seed=0)
    skip = Cell("skip", 12, False)
    architecture = SETTINGS.architecture((Branch((Cell("conv", 12, False), skip, skip, Cell("skip", None, False))),))
    supernet(architecture, torch.randn(2, 3, 64, 96))[0].square().mean().backward()
    gradient = supernet.get_parameter("cells[0].scale0.keep.conv.conv.weight").grad
    assert gradient is not None
    assert gradient.abs().max() > 0
