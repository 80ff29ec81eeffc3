"""Networks as SVG."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import decode_architecture
from hyctas.cardinality import branches_at, cardinality
from hyctas.cell import OPERATORS, Branch, Cell
from hyctas.sampling import sample_structured
from hyctas.sharing import built_from
from hyctas.space import HYCTAS, SearchSpace
from search.report.network_drawing import PER_TWELFTH, legend_svg, network_svg

SVG = "{http://www.w3.org/2000/svg}"


def parsed(architecture: Architecture) -> ElementTree.Element:
    return ElementTree.fromstring(network_svg(architecture))


def cells(svg: ElementTree.Element) -> list[ElementTree.Element]:
    return [group for group in svg.iter(f"{SVG}g") if "data-op" in group.attrib]


def rings(svg: ElementTree.Element) -> int:
    """Marks of attention outside the legend, which is the one group that is moved."""
    groups = [group for group in svg.findall(f"{SVG}g") if "transform" not in group.attrib]
    return sum(rect.get("class") == "attention" for group in groups for rect in group.findall(f"{SVG}rect"))


@given(st.sampled_from((HYCTAS, SearchSpace(depth=4, min_cells=3, operators=("conv",)))), st.data())
def test_every_built_cell_is_drawn_once_inside_the_drawing(space: SearchSpace, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, cardinality(space) - 1))
    architecture = ArchitectureDefaults(head="light").architecture(branches_at(space, number))
    svg = parsed(architecture)
    listed = [cell.op for branch in architecture.branches for cell in branch.cells]
    shared = built_from(architecture)
    once = [
        cell.op
        for branch, prefix in zip(architecture.branches, shared, strict=True)
        for cell in branch.cells[prefix.length :]
    ]
    drawn = [group.get("data-op") for group in cells(svg)]
    assert sorted(map(str, drawn)) == sorted(once)
    assert len(drawn) == len(listed) - sum(prefix.length for prefix in shared)
    assert rings(svg) == drawn.count("sa")
    for rect in svg.iter(f"{SVG}rect"):
        left, top = float(rect.get("x", 0)), float(rect.get("y", 0))
        assert left + float(rect.get("width", 0)) <= float(svg.get("width", 0))
        assert top + float(rect.get("height", 0)) <= float(svg.get("height", 0))


def test_cells_of_one_drawing_do_not_overlap() -> None:
    for architecture in sample_structured(HYCTAS, np.random.default_rng(2), 9):
        boxes = [_box(group) for group in cells(parsed(architecture))]
        for index, (left, top, right, bottom) in enumerate(boxes):
            for other in boxes[:index]:
                assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def _box(group: ElementTree.Element) -> tuple[float, float, float, float]:
    rect = group.find(f"{SVG}rect")
    assert rect is not None
    x, y, width, height = (float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def test_height_of_a_cell_is_its_width_and_the_last_has_that_of_the_head() -> None:
    branch = Branch((Cell("conv", 4, False), Cell("sa", 10, True), Cell("skip", None, False)))
    svg = parsed(ArchitectureDefaults(head_width=8).architecture((branch,)))
    heights = [float(group.findall(f"{SVG}rect")[0].get("height", 0)) for group in cells(svg)]
    assert heights == [4 * PER_TWELFTH, 10 * PER_TWELFTH, 8 * PER_TWELFTH]
    titles = [title.text for title in svg.iter(f"{SVG}title")]
    assert "branches[0].cells[1]: sa, width 10/12, halves the resolution" in titles


def test_attention_of_the_head_has_a_ring_too() -> None:
    branch = Branch((Cell("conv", 4, False), Cell("conv", None, False)))
    assert rings(parsed(ArchitectureDefaults(head="s4").architecture((branch,)))) == 1
    assert rings(parsed(ArchitectureDefaults(head="light").architecture((branch,)))) == 0


def test_published_network_has_its_three_scales_and_trunk(root: Path) -> None:
    architecture = decode_architecture((root / "examples" / "hrtnet_l.json").read_text())
    svg = parsed(architecture)
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert [text for text in texts if text in ("1/8", "1/16", "1/32")] == ["1/8", "1/16", "1/32"]
    assert svg.get("aria-label") == "network of 3 branches: 48 cells, 3 of them attention"
    assert [path.get("class") for path in svg.iter(f"{SVG}path")].count("wire") == 4


@pytest.mark.parametrize("standalone", [True, False])
def test_equal_networks_have_equal_drawings_that_need_no_other_file(standalone: bool) -> None:
    (architecture,) = sample_structured(HYCTAS, np.random.default_rng(0), 1)
    text = network_svg(architecture, standalone=standalone)
    assert text == network_svg(architecture, standalone=standalone)
    assert not re.search(r"href|url\(|@import|<script", text)
    assert ("<style>" in text) == standalone


def test_legend_names_every_operator() -> None:
    svg = ElementTree.fromstring(str(legend_svg()))
    texts = [text.text for text in svg.iter("text")]
    for op in OPERATORS:
        assert ("attention" if op == "sa" else op) in texts
