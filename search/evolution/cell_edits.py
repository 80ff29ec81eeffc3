"""Small changes of one cell, in every branch that shares it.

If a change of a shared cell were made in one branch alone, it would end the trunk there, and after some generations
no network would have any. So it is the exception: :func:`draw_site` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from hyctas.space import SearchSpace
from search.evolution.branch_codes import (
    DOWN,
    OPERATOR,
    WIDTH,
    Codes,
    below,
    random_cell,
    random_operator,
    random_width,
    sharing,
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where an edit takes place.

    Attributes:
        branch: Position of a branch.
        cell: Position of one of its cells.
        members: Branches to edit, `branch` among them; all begin alike up to that cell.
    """

    branch: int
    cell: int
    members: tuple[int, ...]


CellEdit = Callable[[SearchSpace, Codes, Site, np.random.Generator], Codes | None]
"""Branches after an edit, still in the space and with the same last scales; None where there is none at that site."""


def draw_site(codes: Codes, rng: np.random.Generator, *, apart: float) -> Site:
    """Draw a cell of a branch.

    Args:
        codes: Branches.
        rng: Source of randomness.
        apart: Chance that the edit leaves out the other branches that share the cell.
    """
    branch = below(rng, len(codes))
    cell = below(rng, len(codes[branch]))
    alone = len(codes) == 1 or rng.random() < apart
    return Site(branch, cell, (branch,) if alone else sharing(codes, branch, cell))


def change_operator(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Give the cell another operator."""
    return _with_bits(codes, site, OPERATOR, random_operator(space, rng))


def change_width(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Give the cell another width, unless it is a last one, which has none."""
    if _is_last(codes, site):
        return None
    return _with_bits(codes, site, WIDTH, random_width(space, rng))


def change_operators(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Give all cells of a stretch that begins with the cell the same operator."""
    end = site.cell + 1 + below(rng, len(codes[site.branch]) - site.cell)
    bits = random_operator(space, rng)
    return _replaced(codes, site, lambda code: _with_bits_between(code, site.cell, end, OPERATOR, bits))


def exchange_operator(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Give all cells that have the cell's operator, in all branches, the same other one."""
    own, bits = codes[site.branch][site.cell] & OPERATOR, random_operator(space, rng)
    table = bytes(cell & ~OPERATOR | bits if cell & OPERATOR == own else cell for cell in range(256))
    return tuple([code.translate(table) for code in codes])


def change_widths(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Give all inner cells of a stretch that begins with the cell the same width."""
    end = site.cell + 1 + below(rng, len(codes[site.branch]) - site.cell)
    bits = random_width(space, rng)
    return _replaced(
        codes, site, lambda code: _with_bits_between(code, site.cell, min(end, len(code) - 1), WIDTH, bits)
    )


def move_down(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Let the cell go down in place of the next cell on either side that does.

    Every member in which that is possible takes part; the others keep their cells, and leave the trunk there.
    """
    code = codes[site.branch]
    if _is_last(codes, site) or code[site.cell] & DOWN:
        return None
    going = [cell for cell in range(len(code) - 1) if code[cell] & DOWN]
    before = [cell for cell in going if cell < site.cell][-1:]
    after = [cell for cell in going if cell > site.cell][:1]
    choices = before + after
    if not choices:
        return None
    pair = (choices[below(rng, len(choices))], site.cell)
    return _replaced(codes, site, lambda own: _exchanged(own, *pair))


def insert_cell(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Put a cell, like this one or random, in front of the cell, unless a member is as long as the space allows."""
    if any(len(codes[member]) >= space.depth for member in site.members):
        return None
    own = codes[site.branch][site.cell]
    copied = not _is_last(codes, site) and rng.random() < 0.5
    new = bytes([own & ~DOWN if copied else random_cell(space, rng)])
    return _replaced(codes, site, lambda code: code[: site.cell] + new + code[site.cell :])


def remove_cell(space: SearchSpace, codes: Codes, site: Site, rng: np.random.Generator) -> Codes | None:
    """Take the cell out, unless it goes down, is a last one, or a member is as short as the space allows."""
    if _is_last(codes, site) or codes[site.branch][site.cell] & DOWN:
        return None
    if any(len(codes[member]) <= space.min_cells for member in site.members):
        return None
    return _replaced(codes, site, lambda code: code[: site.cell] + code[site.cell + 1 :])


CELL_EDITS: Final[Mapping[str, CellEdit]] = MappingProxyType(
    {
        "operator": change_operator,
        "width": change_width,
        "operators": change_operators,
        "exchange": exchange_operator,
        "widths": change_widths,
        "move_down": move_down,
        "insert": insert_cell,
        "remove": remove_cell,
    }
)
"""Edits by their name in :class:`search.evolution.mutation.MutationMix`."""


def _is_last(codes: Codes, site: Site) -> bool:
    return site.cell == len(codes[site.branch]) - 1


def _with_bits(codes: Codes, site: Site, mask: int, bits: int) -> Codes | None:
    own = codes[site.branch][site.cell]
    if own & mask == bits:
        return None
    new, cell = bytes([own & ~mask | bits]), site.cell
    return _replaced(codes, site, lambda code: code[:cell] + new + code[cell + 1 :])


def _with_bits_between(code: bytes, start: int, end: int, mask: int, bits: int) -> bytes:
    return code[:start] + bytes([cell & ~mask | bits for cell in code[start:end]]) + code[end:]


def _exchanged(code: bytes, going: int, level: int) -> bytes:
    """The branch that goes down at `level` rather than at `going`; itself where it does not do so the other way."""
    if max(going, level) >= len(code) - 1 or not code[going] & DOWN or code[level] & DOWN:
        return code
    changed = bytearray(code)
    changed[going] ^= DOWN
    changed[level] ^= DOWN
    return bytes(changed)


def _replaced(codes: Codes, site: Site, edit: Callable[[bytes], bytes]) -> Codes:
    return tuple([edit(code) if index in site.members else code for index, code in enumerate(codes)])
