"""The fast reader: version-1 JSON straight into structs, and structs into values by table look-ups.

It takes well-formed documents only and explains nothing: :mod:`hyctas.architecture_json` hands whatever it
refuses to the careful reader.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hyctas.architecture import Architecture, Attention, Head, InputSize, Output
from hyctas.cell import CELL_OF_CODE, Branch, Operator, Width

VERSION: Final = 1
"""The version of the format."""


class WireCell(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A cell on the wire; the last cell of a branch has no width."""

    op: Operator
    down: bool
    width: Width | None = None


class WireBranch(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A branch on the wire."""

    cells: list[WireCell]


class WireInput(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Batch and image size on the wire."""

    batch: int
    height: int
    width: int


class WireArchitecture(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A version-1 architecture on the wire; :func:`build` checks it and makes it a value."""

    version: int
    space: str
    input: WireInput
    base_channels: int
    stem_width: Width
    head_width: Width
    head: Head
    attention: Attention
    classes: int
    output: Output
    branches: list[WireBranch]


_CODE_OF_CELL: Final = {WireCell(cell.op, cell.down, cell.width): code for code, cell in CELL_OF_CODE.items()}

decode_wire: Final = msgspec.json.Decoder(WireArchitecture).decode
"""Decode JSON text of version 1; raises `msgspec.MsgspecError` where types or choices are wrong."""


def build(wire: WireArchitecture) -> Architecture:
    """Make a decoded architecture a value, fast and without explanations.

    Raises:
        InvalidArchitecture, KeyError: It breaks a rule; the careful reader finds out which, and where.
    """
    if wire.version != VERSION:
        raise KeyError(wire.version)
    code_of = _CODE_OF_CELL.__getitem__
    return Architecture(
        wire.space,
        InputSize(wire.input.batch, wire.input.height, wire.input.width),
        wire.base_channels,
        wire.stem_width,
        wire.head_width,
        wire.head,
        wire.attention,
        wire.classes,
        wire.output,
        tuple([Branch.from_code(bytes(map(code_of, branch.cells))) for branch in wire.branches]),
    )
