"""Terminal drawings."""

import re

from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import ArchitectureDefaults
from hyctas.architecture_json import decode_architecture
from hyctas.canvas import Canvas
from hyctas.cardinality import branches_at, cardinality
from hyctas.cell import Branch, Cell
from hyctas.drawing import LETTERS, draw
from hyctas.sharing import built_from
from hyctas.space import HYCTAS, SearchSpace

LONG_TRUNKS = SearchSpace(depth=4, min_cells=3, operators=("conv",), widths=(12,))
"""A space in which most branches share cells and lanes cross."""

PUBLISHED = """\
       0   1   2   3   4   5   6   7   8   9   10  11  12  13  14  15  16  17  18  19
1/8   ╶C₁₂─C₁₂─C₁₂─C₁₂┬C₁₂─C₁₂─C₁₂─C₁₂┬C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─E₁₂─E₁₂─E₁₂─A──▸ 0
                      │               └E₁₂─C₁₂┐
                      └E₁₂─C₁₂┐               │
1/16                          │               └C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─E₁₂─E₁₂─A──▸ 1
                              └C₁₂─C₁₂─C₁₂─C₁₂─E₁₂─C₁₂┐
1/32                                                  └C₁₂─C₁₂─C₁₂─C₁₂─C₁₂─E₁₂─E₁₂─A──▸ 2
"""


def trellis(architecture):
    """The lines of the drawing that show lanes."""
    return draw(architecture).splitlines()[3:-2]


def test_published_network_is_drawn(root):
    drawing = draw(decode_architecture((root / "examples" / "hrtnet_l.json").read_text()))
    assert PUBLISHED in drawing
    assert "head s4 12/12" in drawing
    assert "C conv  E conv_2x_downup  A sa " in drawing.splitlines()[-1]


def test_branches_without_a_trunk_leave_the_stem_apart():
    last = Cell("sa", None, False)
    branches = (Branch((Cell("skip", 4, False), last)), Branch((Cell("conv", 12, True), last)))
    assert trellis(ArchitectureDefaults().architecture(branches)) == [
        "1/8   ┌s₄──A──▸ 0",
        "      └C₁₂┐",
        "1/16      └A──▸ 1",
    ]


@given(st.sampled_from((HYCTAS, LONG_TRUNKS)), st.data())
def test_every_built_cell_is_drawn_once(space, data):
    number = data.draw(st.integers(0, cardinality(space) - 1))
    architecture = ArchitectureDefaults().architecture(branches_at(space, number))
    lines = trellis(architecture)
    drawn = sum(len(re.findall(f"[{''.join(LETTERS.values())}]", line)) for line in lines)
    listed = sum(len(branch.cells) for branch in architecture.branches)
    assert drawn == listed - sum(shared.length for shared in built_from(architecture))
    ends = re.findall(r"▸ (\d)", "\n".join(lines))
    assert sorted(ends) == [str(index) for index in range(len(architecture.branches))]


def test_canvas_joins_lines_at_corners_and_crossings():
    canvas = Canvas()
    canvas.horizontal(0, 4, 1)
    canvas.vertical(2, 0, 2)
    canvas.vertical(4, 1, 2)
    canvas.text(1, 1, "x")
    assert canvas.lines() == ["  ╷", "╶x┼─┐", "  ╵ ╵"]


def test_canvas_without_marks_has_no_lines():
    assert Canvas().lines() == []
