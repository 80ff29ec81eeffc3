"""Keys of FasterSeg's latency table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyctas.architecture import ArchitectureDefaults, default_settings
from hyctas.cell import Branch, Cell
from hyctas.decomposition import decompose
from hyctas.enumeration import operator_parts
from hyctas.errors import InvalidArchitecture
from hyctas.fasterseg_table import FREE_KINDS, check_release_lookup, release_lookup_part, table_part
from hyctas.parts import Part
from hyctas.space import FASTERSEG


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("BasicResidual1x_H128_W256_Cin32_Cout48_stride1_dilation1", Part("conv", 128, 256, (32,), 48)),
        ("BasicResidual2x_H64_W128_Cin64_Cout96_stride2_dilation1", Part("conv_2x", 64, 128, (64,), 96, 2)),
        ("BasicResidual_downup_1x_H32_W64_Cin80_Cout96_stride1_dilation1", Part("downup", 32, 64, (80,), 96)),
        ("BasicResidual_downup_2x_H32_W64_Cin80_Cout96_stride2_dilation1", Part("downup_2x", 32, 64, (80,), 96, 2)),
        ("ConvNorm_H1024_W2048_Cin3_Cout32_kernel3_stride2", Part("conv_norm_3x3", 1024, 2048, (3,), 32, 2)),
        ("ConvNorm_H64_W128_Cin192_Cout96_kernel1_stride1", Part("conv_norm_1x1", 64, 128, (192,), 96)),
        ("FactorizedReduce_H128_W256_Cin32_Cout96_stride1", Part("identity", 128, 256, (32,), 32)),
        ("FactorizedReduce_H64_W128_Cin96_Cout256_stride2", Part("reduce", 64, 128, (96,), 256, 2)),
        ("ff_H128_W256_C128", Part("ff", 128, 256, (128,), 128)),
        ("head_H128_W256_Cin128_Cout19", Part("plain_head", 128, 256, (128,), 19)),
    ],
)
def test_key_names_the_part_at_its_input_size(key: str, part: Part) -> None:
    assert table_part(key) == part


@pytest.mark.parametrize(
    "key",
    [
        "",
        "BasicResidual1x",
        "BasicResidual1x_H128_W256_Cin32_Cout48_stride1_dilation2",
        "BasicResidual1x_H128_W256_Cin32_Cout48_stride3_dilation1",
        "BasicResidual3x_H128_W256_Cin32_Cout48_stride1_dilation1",
        "BasicResidual1x_H0_W256_Cin32_Cout48_stride1_dilation1",
        "BasicResidual1x_H128_W256_Cin032_Cout48_stride1_dilation1",
        "BasicResidual1x_H128_W256_Cin32.0_Cout48_stride1_dilation1",
        "BasicResidual1x_H१२८_W256_Cin32_Cout48_stride1_dilation1",
        "ConvNorm_H64_W128_Cin192_Cout96_kernel1_stride2",
        "ConvNorm_H64_W128_Cin192_Cout96_kernel5_stride1",
        "ff_H128_W256_C128\n",
        "MHSA_H128_W256_Cin32_Cout48",
    ],
)
def test_other_keys_name_nothing(key: str) -> None:
    assert table_part(key) is None


def test_the_release_takes_the_wrong_entry_for_one_kind() -> None:
    assert release_lookup_part(Part("downup_2x", 32, 64, (80,), 96, 2)) == Part("conv_2x", 32, 64, (80,), 96, 2)
    assert release_lookup_part(Part("downup", 32, 64, (80,), 96)).kind == "downup"


def test_only_networks_of_the_space_can_be_looked_up() -> None:
    branch = Branch((Cell("conv", 4, False), Cell("conv", None, False)))
    check_release_lookup(default_settings("fasterseg").architecture((branch,)))
    with pytest.raises(InvalidArchitecture, match=r"^\$\.space: .*hyctas.* expected fasterseg"):
        check_release_lookup(ArchitectureDefaults().architecture((branch,)))


@pytest.mark.shared_data
def test_table_prices_what_students_are_made_of(shared_data: Path) -> None:
    """Every width of the space, under the stem and head widths that its supernet and its students have."""
    table = json.loads((shared_data / "fasterseg" / "latency_lookup_table.json").read_bytes())
    priced = {table_part(key) for key in table}
    assert None not in priced
    inner = operator_parts(FASTERSEG, default_settings("fasterseg"))
    cells = [p for p in inner if p.kind in ("identity", "reduce", "downup", "downup_2x") and p.height >= 64]
    narrow = [p for p in cells if max(*p.in_channels, p.out_channels) <= 96]
    assert len(narrow) > 30
    assert set(narrow) <= priced


def test_what_is_free_are_the_joins_alone() -> None:
    branches = (
        Branch((Cell("conv", 4, False), Cell("conv", None, False))),
        Branch((Cell("conv", 4, True), Cell("conv", None, False))),
    )
    network = default_settings("fasterseg").architecture(branches)
    assert {p.part.kind for p in decompose(network).parts} >= FREE_KINDS
