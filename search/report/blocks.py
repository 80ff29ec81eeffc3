"""Building blocks of the page: sections, tables, lists of facts, legends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from search.report.markup import Attributes, Markup, element
from search.report.plot import diamond, marker
from search.report.words import counted


def section(title: str, *content: str, name: str) -> Markup:
    """A part of the page under a heading.

    Args:
        title: The heading.
        content: What follows.
        name: Anchor.
    """
    return element("section", {"id": name}, element("h2", None, title), *content)


def paragraph(*content: str, soft: bool = False) -> Markup:
    """A paragraph; a soft one is an explanation on the side."""
    return element("p", {"class": "soft"} if soft else None, *content)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, text: Collection[int] = (0,)) -> Markup:
    """A table that scrolls sideways where it has no room.

    Args:
        header: Names of the columns.
        rows: Cells of each row.
        text: Positions of the columns that are not numbers.
    """
    head = element("tr", None, *(element("th", _aligned(index, text), name) for index, name in enumerate(header)))
    body = [
        element("tr", None, *(element("td", _aligned(index, text), cell) for index, cell in enumerate(row)))
        for row in rows
    ]
    inner = element("table", None, element("thead", None, head), element("tbody", None, *body))
    return element("div", {"class": "scroll"}, inner)


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Names with what they stand for."""
    entries = (element("div", None, element("dt", None, name), element("dd", None, value)) for name, value in pairs)
    return element("dl", {"class": "facts"}, *entries)


def code(text: str) -> Markup:
    """A word that is typed, or a key."""
    return element("code", None, text)


def commands(*lines: str) -> Markup:
    """Commands to type, one a line."""
    return element("pre", None, element("code", None, "\n".join(lines)))


def folded(summary: str, *content: str) -> Markup:
    """Content that opens on demand."""
    return element("details", None, element("summary", None, summary), *content)


def branch_legend(branch_counts: Iterable[int], *, overall: str, measured: bool = False) -> Markup:
    """What the colours and outlines of a chart stand for.

    Args:
        branch_counts: Those that the chart shows.
        overall: What its thick line is.
        measured: Whether it marks measurements.
    """
    entries = [_entry(element("path", {"class": "overall", "d": "M1 8H23"}), overall)] if overall else []
    for branches in branch_counts:
        line = element("path", {"class": "front", "d": "M1 8H23"})
        shape = element("path", {"class": "member", "d": marker((12, 8), branches, 4.5)})
        mark = element("g", {"class": f"b{branches}"}, line, shape)
        entries.append(_entry(mark, counted(branches, "branch", "branches")))
    if measured:
        entries.append(_entry(element("path", {"class": "measured", "d": diamond((12, 8), 4.5)}), "measured"))
    return element("ul", {"class": "legend"}, *entries)


def _entry(mark: Markup, text: str) -> Markup:
    attributes: Attributes = {"viewBox": "0 0 24 16", "width": 24, "height": 16, "aria-hidden": "true"}
    return element("li", None, element("svg", attributes, mark), text)


def _aligned(index: int, text: Collection[int]) -> Attributes | None:
    return None if index in text else {"class": "number"}
