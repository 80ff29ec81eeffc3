"""The JSON of released networks: ``ops, paths, downs, widths, lasts``, as HyCTAS and FasterSeg write them.

For branch b of n layers: ``ops[b]`` holds n operator numbers, ``paths[b]`` the scale index of every layer,
``downs[b]`` a 1 at the layer *before* the scale index rises, ``widths[b]`` the n - 1 width ratios of all
layers but the last, as floats. ``lasts`` lists the scales at which the branches end.

What an operator number means differs between spaces; a file may list its operators as ``primitives``. Files of
FasterSeg (arXiv 1912.10917) carry some settings too (:data:`CARRIED`), which stand above what is given beside a file;
and facts that follow from the rest (:data:`UNREAD`), which are not read.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from hyctas.architecture import MAX_BRANCHES, SCALES, Architecture, ArchitectureDefaults
from hyctas.cell import MAX_CELLS, WIDTHS, Branch, Cell, Operator, Width
from hyctas.document import Document
from hyctas.errors import InvalidArchitecture
from hyctas.space_rules import SPACE_RULES, rules_of

RELEASE_OPERATORS: Final = SPACE_RULES["hyctas"].release_operators
"""Operators of HyCTAS by their number in its release; ``conv_2x`` has none."""
CARRIED: Final = ("Fch", "stem_head_width", "num_classes", "input")
"""Settings that a file may carry: base channels, two width ratios, classes, and 3, height, width."""
UNREAD: Final = ("layers", "lut_latency_ms", "table_keys")
"""Depth of the search, the latency that the release looked up, and the entries that it looked up."""

_FIELDS: Final = ("ops", "paths", "downs", "widths", "lasts")
_OPTIONAL: Final = ("primitives", *CARRIED, *UNREAD)
_IMAGE_CHANNELS: Final = 3
_WIDTH_OF_RATIO: Final[dict[float, Width]] = {width / 12: width for width in WIDTHS}
_TOLERANCE: Final = 1e-6


def read_release(document: Document, defaults: ArchitectureDefaults) -> Architecture:
    """Read the release format.

    Args:
        document: The parsed JSON.
        defaults: The settings that the file does not carry; their space says what operator numbers mean.

    Raises:
        InvalidArchitecture: The document breaks a rule of the format.
    """
    document.only((*_FIELDS, *_OPTIONAL))
    operators = _operators(document, defaults.space)
    count = document["ops"].count(MAX_BRANCHES, "branches")
    columns = [_lists(document[name], count) for name in _FIELDS[:-1]]
    lasts = _sized(document["lasts"], count, "one a branch")
    branches = []
    for last, ops, paths, downs, widths in zip(lasts, *columns, strict=True):
        branch = _read_branch(ops, operators, paths=paths, downs=downs, widths=widths)
        if last.choice(SCALES) != branch.last_scale:
            raise last.error(f"{branch.last_scale}, the scale at which {paths.path} ends")
        branches.append(branch)
    return replace(defaults, **_carried(document)).architecture(tuple(branches))


def to_release(architecture: Architecture) -> dict[str, Any]:
    """Write the release format, which drops every setting but the branches.

    Raises:
        InvalidArchitecture: An operator has no number in the release.
    """
    branches = architecture.branches
    numbered = rules_of(architecture.space).release_operators
    return {
        "ops": [
            [_operator_number(cell, numbered, f"$.branches[{b}].cells[{i}].op") for i, cell in enumerate(branch.cells)]
            for b, branch in enumerate(branches)
        ],
        "paths": [list(branch.scales) for branch in branches],
        "downs": [[int(cell.down) for cell in branch.cells] for branch in branches],
        "widths": [[cell.width / 12 for cell in branch.cells if cell.width is not None] for branch in branches],
        "lasts": [branch.last_scale for branch in branches],
    }


def _operators(document: Document, space: str) -> tuple[Operator, ...]:
    """Operators by number: those that the file lists, else those of the space's release."""
    rules = rules_of(space)
    if "primitives" not in document.mapping("an object"):
        return rules.release_operators
    listed = document["primitives"]
    listed.count(len(rules.operators), f"operators of the space {space}")
    return tuple(name.choice(rules.operators) for name in listed)


def _carried(document: Document) -> dict[str, Any]:
    """The settings that the file carries."""
    given = document.mapping("an object")
    found: dict[str, Any] = {}
    if "Fch" in given:
        found["base_channels"] = document["Fch"].integer()
    if "stem_head_width" in given:
        ratios = _sized(document["stem_head_width"], 2, "the ratios of stem and head")
        found["stem_width"], found["head_width"] = map(_width, ratios)
    if "num_classes" in given:
        found["classes"] = document["num_classes"].integer()
    if "input" in given:
        channels, height, width = _sized(document["input"], 3, "channels, height, width")
        channels.choice((_IMAGE_CHANNELS,))
        found["height"], found["width"] = height.integer(), width.integer()
    return found


def _lists(document: Document, count: int) -> list[Document]:
    return _sized(document, count, "one list a branch, as in ops")


def _sized(document: Document, count: int, why: str) -> list[Document]:
    items = list(document)
    if len(items) != count:
        raise document.error(f"{count} items: {why}")
    return items


def _read_branch(
    ops: Document, numbered: tuple[Operator, ...], *, paths: Document, downs: Document, widths: Document
) -> Branch:
    layers = ops.count(MAX_CELLS, "layers")
    operators = [numbered[op.choice(range(len(numbered)))] for op in ops]
    scales = [scale.choice(SCALES) for scale in _sized(paths, layers, "one a layer, as in ops")]
    flags = [flag.choice((0, 1)) for flag in _sized(downs, layers, "one a layer, as in ops")]
    ratios = [_width(ratio) for ratio in _sized(widths, layers - 1, "one a layer, without the last")]
    _check_path(paths, scales, downs=downs, flags=flags)
    inner = [Cell(op, width, bool(down)) for op, width, down in zip(operators[:-1], ratios, flags[:-1], strict=True)]
    return Branch((*inner, Cell(operators[-1], None, False)))


def _check_path(paths: Document, scales: list[int], *, downs: Document, flags: list[int]) -> None:
    """Raise unless the path starts at scale 0 and rises by one exactly after every layer that goes down."""
    if scales[0] != 0:
        raise InvalidArchitecture(f"{paths.path}[0]", scales[0], "0: every branch starts at stride 8")
    for layer, (scale, following) in enumerate(pairwise(scales)):
        if following - scale not in (0, 1):
            raise InvalidArchitecture(
                f"{paths.path}[{layer + 1}]", following, f"{scale} or {scale + 1}: a layer keeps its scale or goes down"
            )
        if flags[layer] != following - scale:
            raise InvalidArchitecture(
                f"{downs.path}[{layer}]", flags[layer], f"{following - scale}: 1 where {paths.path} rises next, else 0"
            )
    if flags[-1]:
        raise InvalidArchitecture(f"{downs.path}[{len(flags) - 1}]", 1, "0: the last layer never goes down")


def _width(document: Document) -> Width:
    """Read a ratio k/12, which files hold as a float of more or fewer digits, or as the integer 1."""
    ratio = document.value
    if ratio == 1 and type(ratio) is int:
        return _WIDTH_OF_RATIO[1.0]
    if isinstance(ratio, float):
        for exact, width in _WIDTH_OF_RATIO.items():
            if abs(ratio - exact) <= _TOLERANCE:
                return width
    raise document.error(f"one of {', '.join(f'{width}/12' for width in WIDTHS)}, as a number")


def _operator_number(cell: Cell, numbered: tuple[Operator, ...], path: str) -> int:
    if cell.op not in numbered:
        listed = ", ".join(numbered)
        raise InvalidArchitecture(path, cell.op, f"an operator with a number in the release format: {listed}")
    return numbered.index(cell.op)
