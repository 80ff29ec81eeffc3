"""Cells, branches, architectures: their rules, codes, keys and order."""

import pickle
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import Architecture, ArchitectureDefaults, InputSize
from hyctas.cardinality import branches_at, cardinality
from hyctas.cell import CELL_OF_CODE, MAX_CELLS, Branch, Cell
from hyctas.errors import InvalidArchitecture
from hyctas.space import HYCTAS

architectures = st.integers(0, cardinality(HYCTAS) - 1).map(
    lambda number: ArchitectureDefaults().architecture(branches_at(HYCTAS, number))
)

CONV = Cell("conv", 12, False)
DOWN = Cell("conv", 12, True)
LAST = Cell("sa", None, False)


def branch(*cells: Cell) -> Branch:
    return Branch((*cells, LAST))


def test_cell_codes_are_stable():
    assert Cell("skip", None, False).code == 0x00
    assert Cell("skip", 4, False).code == 0x02
    assert Cell("conv", 12, True).code == 0x1B
    assert Cell("conv_downup", 6, False).code == 0x24
    assert Cell("conv_2x_downup", 8, True).code == 0x37
    assert Cell("sa", 10, False).code == 0x48
    assert Cell("conv_2x", 12, True).code == 0x5B


def test_cell_codes_number_every_form_once():
    assert len(CELL_OF_CODE) == 6 * (5 * 2 + 1)
    assert all(cell.code == code for code, cell in CELL_OF_CODE.items())


@pytest.mark.parametrize(
    ("op", "width", "down", "path"),
    [("pool", 4, False, "$.op"), ("conv", 5, False, "$.width"), ("conv", None, True, "$.down")],
)
def test_cell_outside_its_choices_is_refused(op, width, down, path):
    with pytest.raises(InvalidArchitecture) as caught:
        Cell(op, width, down)
    assert caught.value.path == path


def test_branch_scale_rises_after_the_cell_that_goes_down():
    path = branch(CONV, DOWN, CONV, DOWN)
    assert path.scales == (0, 0, 1, 1, 2)
    assert path.last_scale == 2
    assert Branch((LAST,)).scales == (0,)


@pytest.mark.parametrize(
    ("cells", "path"),
    [
        ((), "$.cells"),
        ((CONV,) * MAX_CELLS + (LAST,), "$.cells"),
        ((CONV, CONV), "$.cells[1].width"),
        ((CONV, LAST, LAST), "$.cells[1].width"),
        ((DOWN, CONV, DOWN, CONV, DOWN, LAST), "$.cells[4].down"),
    ],
)
def test_branch_that_breaks_a_rule_names_the_cell(cells, path):
    with pytest.raises(InvalidArchitecture) as caught:
        Branch(cells)
    assert caught.value.path == path


def test_branch_of_the_most_cells_is_accepted():
    assert len(Branch((CONV,) * (MAX_CELLS - 1) + (LAST,)).cells) == MAX_CELLS


def test_branch_from_unknown_code_is_refused():
    with pytest.raises(InvalidArchitecture, match="codes of cells"):
        Branch.from_code(b"\xff")


@given(architectures)
def test_branch_code_round_trips(architecture):
    for path in architecture.branches:
        again = Branch.from_code(path.code)
        assert again == path == Branch(path.cells)
        assert hash(again) == hash(Branch(path.cells))


@given(architectures)
def test_architecture_ignores_the_order_of_branches(architecture):
    for order in permutations(architecture.branches):
        again = replace(architecture, branches=order)
        assert again == architecture
        assert again.key == architecture.key
        assert [path.last_scale for path in again.branches] == sorted(path.last_scale for path in order)


def test_architecture_key_is_stable():
    """Keys are stored in databases: if this changes, raise the version in the canonical bytes."""
    architecture = ArchitectureDefaults().architecture((branch(CONV, DOWN), branch(CONV)))
    assert architecture.canonical_bytes == (
        b"hyctas-architecture-1 hyctas 1x1024x2048 12 12 12 s4 efficient 19 logits\x001a40\x001a1b40"
    )
    assert architecture.key == "d4c0e2cc2502bde82e7cae9057dafc034432456521c1f45c455f27c2dd60a299"


@pytest.mark.parametrize(
    "change",
    [
        {"input": InputSize(2, 1024, 2048)},
        {"input": InputSize(1, 2048, 1024)},
        {"base_channels": 16},
        {"stem_width": 8},
        {"head_width": 8},
        {"head": "light"},
        {"attention": "released"},
        {"classes": 20},
        {"output": "argmax"},
        {"branches": (branch(CONV, CONV),)},
    ],
)
def test_architecture_key_changes_with_every_field(change):
    architecture = ArchitectureDefaults().architecture((branch(CONV),))
    changed = replace(architecture, **change)
    assert changed != architecture
    assert changed.key != architecture.key


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"space": "darts"}, "$.space"),
        ({"batch": 0}, "$.batch"),
        ({"batch": 1025}, "$.batch"),
        ({"height": 48}, "$.height"),
        ({"height": 0}, "$.height"),
        ({"width": 16416}, "$.width"),
        ({"base_channels": 0}, "$.base_channels"),
        ({"base_channels": 257}, "$.base_channels"),
        ({"stem_width": 5}, "$.stem_width"),
        ({"head_width": 0}, "$.head_width"),
        ({"head": "heavy"}, "$.head"),
        ({"attention": "flash"}, "$.attention"),
        ({"classes": 0}, "$.classes"),
        ({"output": "masks"}, "$.output"),
    ],
)
def test_settings_outside_their_choices_are_refused(settings, path):
    with pytest.raises(InvalidArchitecture) as caught:
        ArchitectureDefaults(**settings).architecture((branch(CONV),))
    assert caught.value.path == path
    assert str(next(iter(settings.values()))) in str(caught.value)


def test_settings_round_trip():
    settings = ArchitectureDefaults(batch=2, height=96, width=160, base_channels=16, head="light", classes=3)
    assert settings.architecture((branch(CONV),)).settings == settings


def test_branches_that_end_at_one_scale_are_refused():
    with pytest.raises(InvalidArchitecture, match="different scales") as caught:
        ArchitectureDefaults().architecture((branch(DOWN), branch(CONV), branch(CONV, DOWN)))
    assert caught.value.path == "$.branches[2].cells"


def test_architecture_without_branches_is_refused():
    with pytest.raises(InvalidArchitecture, match="1 to 3 branches"):
        ArchitectureDefaults().architecture(())


@given(architectures)
def test_architecture_survives_pickling(architecture):
    again: Architecture = pickle.loads(pickle.dumps(architecture))
    assert again == architecture
    assert hash(again) == hash(architecture)
