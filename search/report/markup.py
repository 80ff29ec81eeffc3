"""HTML and SVG built from values: text is escaped unless it is markup already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

Attributes = Mapping[str, str | float | None]

VOID: Final = frozenset({"br", "col", "hr", "img", "meta"})
"""HTML elements that have no end tag."""


class Markup(str):
    """Text that is HTML or SVG already."""

    __slots__ = ()


def element(name: str, attributes: Attributes | None = None, *children: str) -> Markup:
    """One element.

    Args:
        name: Its tag.
        attributes: By name; None leaves one out, numbers are written short.
        children: Its content in order; what is not markup is escaped.
    """
    written = "".join(f' {key}="{_value(value)}"' for key, value in (attributes or {}).items() if value is not None)
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(pieces: Iterable[str], separator: str = "") -> Markup:
    """Pieces one after the other; what is not markup is escaped."""
    return Markup(separator.join(piece if isinstance(piece, Markup) else escape(piece) for piece in pieces))


def number(value: float) -> str:
    """A coordinate with at most two decimals, written the same way on every machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else number(value)
