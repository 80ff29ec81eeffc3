"""Which leading cells branches share."""

from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import ArchitectureDefaults
from hyctas.cell import CELL_OF_CODE, Branch, Cell
from hyctas.sharing import SharedPrefix, built_from, shared_prefix

CONV = Cell("conv", 12, False)
NARROW = Cell("conv", 6, False)
DOWN = Cell("conv", 12, True)
LAST = Cell("conv", None, False)

inner_codes = st.sampled_from([code for code, cell in CELL_OF_CODE.items() if cell.width and not cell.down][:4])
branches = st.lists(inner_codes, max_size=12).map(lambda codes: Branch.from_code(bytes([*codes, LAST.code])))


def naive(first: Branch, second: Branch) -> int:
    shared = 0
    for left, right in zip(first.cells[:-1], second.cells[:-1], strict=False):
        if left != right:
            break
        shared += 1
    return shared


@given(branches, branches)
def test_shared_prefix_equals_a_cell_by_cell_count(first, second):
    assert shared_prefix(first, second) == shared_prefix(second, first) == naive(first, second)


def test_last_cells_are_never_shared():
    assert shared_prefix(Branch((LAST,)), Branch((LAST,))) == 0
    assert shared_prefix(Branch((CONV, LAST)), Branch((CONV, LAST))) == 1


def test_cells_that_differ_in_width_or_next_scale_are_not_shared():
    path = Branch((CONV, CONV, LAST))
    assert shared_prefix(path, Branch((CONV, NARROW, LAST))) == 1
    assert shared_prefix(path, Branch((CONV, DOWN, LAST))) == 1


def test_built_from_names_the_first_branch_that_shares_most():
    architecture = ArchitectureDefaults().architecture(
        (
            Branch((CONV, CONV, CONV, CONV, LAST)),
            Branch((CONV, CONV, DOWN, NARROW, LAST)),
            Branch((CONV, CONV, DOWN, DOWN, LAST)),
        )
    )
    assert built_from(architecture) == (SharedPrefix(0, 0), SharedPrefix(0, 2), SharedPrefix(1, 3))


def test_built_from_shares_nothing_with_a_single_branch():
    assert built_from(ArchitectureDefaults().architecture((Branch((CONV, LAST)),))) == (SharedPrefix(0, 0),)
