"""Architectures as JSON: version 1 and the release format in, version 1 out.

There are two readers. The fast one, for servers, decodes well-formed version-1 JSON straight into msgspec
structs (:class:`WireArchitecture`). Whatever it does not take goes through the careful one, which works on
plain JSON values, is the authority on what is allowed, and raises :class:`InvalidArchitecture` with the
JSON path, the value, and what would have been accepted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from hyctas.architecture import (
    MAX_BRANCHES,
    OUTPUTS,
    SPACES,
    Architecture,
    ArchitectureDefaults,
    InputSize,
    default_settings,
)
from hyctas.cell import MAX_CELLS, WIDTHS, Branch, Cell
from hyctas.document import Document, relocated, summary
from hyctas.errors import InvalidArchitecture
from hyctas.release_format import read_release
from hyctas.space_rules import SpaceRules, rules_of
from hyctas.wire import VERSION, WireArchitecture, build, decode_wire


def from_wire(wire: WireArchitecture, *, at: str = "$") -> Architecture:
    """Check a decoded architecture and bring it into canonical form.

    Args:
        wire: What msgspec decoded.
        at: JSON path of the architecture in the document it came from, for errors.

    Raises:
        InvalidArchitecture: It breaks a rule of the format.
    """
    try:
        return build(wire)
    except (InvalidArchitecture, KeyError):
        return read_architecture(msgspec.to_builtins(wire), at=at)


def decode_architecture(
    data: bytes | str | Mapping[str, Any], defaults: ArchitectureDefaults | None = None, *, at: str = "$"
) -> Architecture:
    """Read an architecture in version 1 or in the release format.

    Args:
        data: JSON text, or the value it decodes to.
        defaults: What a release file does not carry; version 1 carries everything.
        at: JSON path of the architecture in the document it came from, for errors.

    Raises:
        InvalidArchitecture: The text is not JSON, or breaks a rule of the format. Nothing else is raised.
    """
    if not isinstance(data, bytes | str):
        return read_architecture(data, defaults, at=at)
    try:
        return build(decode_wire(data))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, InvalidArchitecture, KeyError):
        return read_architecture(_parse(data, at), defaults, at=at)


def decode_each(
    items: Iterable[msgspec.Raw], defaults: ArchitectureDefaults | None = None, *, at: str = "$"
) -> list[Architecture | InvalidArchitecture]:
    """Read the items of a JSON array, each for itself: a bad one becomes its own error.

    Args:
        items: The items, as msgspec decodes an array into ``list[msgspec.Raw]``.
        defaults: As for :func:`decode_architecture`.
        at: JSON path of the array.
    """
    results: list[Architecture | InvalidArchitecture] = []
    for index, item in enumerate(items):
        try:
            results.append(decode_architecture(bytes(item), defaults, at=f"{at}[{index}]"))
        except InvalidArchitecture as error:
            results.append(error)
    return results


def read_architecture(value: object, defaults: ArchitectureDefaults | None = None, *, at: str = "$") -> Architecture:
    """Read a parsed JSON value with full explanations; slower than the wire structs.

    Raises:
        InvalidArchitecture: It breaks a rule of the format.
    """
    try:
        document = Document(value, "$")
        if "ops" in document.mapping("an architecture: an object of version 1 or of the release format"):
            return read_release(document, defaults or ArchitectureDefaults())
        return _read_version_1(document)
    except InvalidArchitecture as error:
        raise relocated(error, at) from error.__cause__


def decode_defaults(value: object, *, at: str = "$.defaults") -> ArchitectureDefaults:
    """Read the ``defaults`` object of a request; every field may be left out, and head and attention follow the space.

    Raises:
        InvalidArchitecture: A field is unknown, or its value is outside its choices.
    """
    known = ArchitectureDefaults.__dataclass_fields__
    try:
        document = Document(value, "$")
        document.only(known)
        given: dict[str, Any] = {}
        for name in document.mapping("an object of settings"):
            kind = Document.text if isinstance(known[name].default, str) else Document.integer
            given[name] = kind(document[name])
        defaults = replace(default_settings(given.get("space", ArchitectureDefaults().space)), **given)
        defaults.architecture((_PROBE,))
    except InvalidArchitecture as error:
        raise relocated(error, at) from error.__cause__
    return defaults


def to_json(architecture: Architecture) -> dict[str, Any]:
    """Write version 1; :func:`decode_architecture` reads back an equal architecture."""
    size = architecture.input
    return {
        "version": VERSION,
        "space": architecture.space,
        "input": {"batch": size.batch, "height": size.height, "width": size.width},
        "base_channels": architecture.base_channels,
        "stem_width": architecture.stem_width,
        "head_width": architecture.head_width,
        "head": architecture.head,
        "attention": architecture.attention,
        "classes": architecture.classes,
        "output": architecture.output,
        "branches": [{"cells": [_cell_to_json(cell) for cell in branch.cells]} for branch in architecture.branches],
    }


def _parse(text: bytes | str, at: str) -> object:
    """Parse JSON leniently (NaN and out-of-range numbers too), so that the careful reader can name their path."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise InvalidArchitecture(at, "deeply nested arrays or objects", "an architecture") from error
    except ValueError as error:
        raise InvalidArchitecture(at, summary(_as_text(text)), f"JSON text ({_reason(error)})") from error


def _as_text(text: bytes | str) -> str:
    return text if isinstance(text, str) else text[:400].decode("utf-8", "replace")


def _reason(error: ValueError) -> str:
    return str(error).partition("; use sys.set_int_max_str_digits")[0]


def _read_version_1(document: Document) -> Architecture:
    document.only(_FIELDS)
    document["version"].choice((VERSION,))
    rules = rules_of(document["space"].choice(SPACES))
    return Architecture(
        space=rules.name,
        input=_read_input(document["input"]),
        base_channels=document["base_channels"].integer(),
        stem_width=document["stem_width"].choice(WIDTHS),
        head_width=document["head_width"].choice(WIDTHS),
        head=document["head"].choice(rules.heads),
        attention=document["attention"].choice(rules.attentions),
        classes=document["classes"].integer(),
        output=document["output"].choice(OUTPUTS),
        branches=_read_branches(document["branches"], rules),
    )


def _read_input(document: Document) -> InputSize:
    document.only(("batch", "height", "width"))
    sizes = [document[name].integer() for name in ("batch", "height", "width")]
    try:
        return InputSize(*sizes)
    except InvalidArchitecture as error:
        raise relocated(error, document.path) from None


def _read_branches(document: Document, rules: SpaceRules) -> tuple[Branch, ...]:
    document.count(MAX_BRANCHES, "branches")
    branches = []
    for branch in document:
        branch.only(("cells",))
        branch["cells"].count(MAX_CELLS, "cells")
        cells = tuple(_read_cell(cell, rules) for cell in branch["cells"])
        try:
            branches.append(Branch(cells))
        except InvalidArchitecture as error:
            raise relocated(error, branch.path) from None
    return tuple(branches)


def _read_cell(document: Document, rules: SpaceRules) -> Cell:
    document.only(("op", "width", "down"))
    op = document["op"].choice(rules.operators)
    fields = document.mapping("a cell")
    width = None if fields.get("width") is None else document["width"].choice(WIDTHS)
    down = document["down"].flag()
    try:
        return Cell(op, width, down)
    except InvalidArchitecture as error:
        raise relocated(error, document.path) from None


def _cell_to_json(cell: Cell) -> dict[str, Any]:
    width = {} if cell.width is None else {"width": cell.width}
    return {"op": cell.op, **width, "down": cell.down}


_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(WireArchitecture))
_PROBE: Final = Branch((Cell("skip", None, False),))
