"""What the names and the metadata of TensorRT's layers say about the ONNX nodes that they compute.

TensorRT joins the names of the nodes that it fuses. Forms that engines of versions 8 to 11 are known to hold::

    a + b + c                                   fused in a chain
    a || b                                      one kernel for siblings
    PWN(PWN(a), b)                              point-wise nodes in one kernel
    {ForeignNode[a...b]}, {ForeignNode[a + b...c]}, {ForeignNode[a]}   a region for the graph compiler (Myelin)
    Reformatting CopyNode for Input Tensor 0 to a + b                  a change of layout: computes no node
    t copy                                      a copy of the tensor t, into a concatenation
    squeeze_after_a, reshape_before_a, shuffle_between_a_and_b, a_clone_1
    /a/b/MatMul_myl0_3                          a kernel of Myelin, named for a node, with punctuation replaced
    __myl_MulAddRelu_myl0_7, (Unnamed Layer* 4) [Shuffle]              nothing

An engine that was built with detailed profiling verbosity also carries metadata, ``[ONNX Layer: a]`` for each node, set
apart by unit and record separators. They are what counts wherever they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MARK: Final = "[ONNX Layer: "
_END_OF_ENTRY: Final = re.compile(r"\]\s*(?:[\x1e\x1f\n\[]|$)")
_REGION: Final = re.compile(r"\{ForeignNode\[(.*)\]\}", re.DOTALL)
_LAYOUT: Final = re.compile(r"Reformatting CopyNode for |Reformatted (?:In|Out)put Tensor |NoOp$|entry\^|signal\^")
_NAMELESS: Final = re.compile(r"__my[el]|\(Unnamed Layer\*|\[trainStation\d+\]$")
_PREFIX: Final = re.compile(
    r"(?:copied_)?(?:un)?squeeze_(?:node_)?(?:after|before)_|(?:reshape|shuffle)_(?:after|before)_"
)
_BETWEEN: Final = re.compile(r"shuffle_between_(.+)_and_(.+)")
_SUFFIX: Final = re.compile(r"(?: copy|_clone_\d+|_myl\d+_\d+)$")
_OPENING: Final = "({"
_CLOSING: Final = ")}"


@dataclass(frozen=True, slots=True)
class Mentioned:
    """What a name mentions.

    Attributes:
        names: Names of nodes or tensors.
        regions: First and last nodes of regions: each a pair of tuples of names.
        layout: Whether it is a change of layout, which computes no node.
    """

    names: tuple[str, ...] = ()
    regions: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    layout: bool = False


def parse_metadata(metadata: str) -> tuple[str, ...]:
    """The ONNX nodes in the metadata of a layer, each once, in their order.

    Names may hold brackets: an entry ends at a bracket that a separator, another entry or the end follows.
    """
    entries = (_END_OF_ENTRY.split(part, maxsplit=1)[0] for part in metadata.split(_MARK)[1:])
    return tuple(dict.fromkeys(entries))


def parse_name(name: str) -> Mentioned:
    """What the name of a layer mentions."""
    if _LAYOUT.match(name.strip()):
        return Mentioned(layout=True)
    parts = list(_parts(name))
    names = dict.fromkeys(part for part in parts if isinstance(part, str))
    return Mentioned(tuple(names), tuple(part for part in parts if not isinstance(part, str)))


def _parts(text: str) -> Iterator[str | tuple[tuple[str, ...], tuple[str, ...]]]:
    """Names and regions in `text`, outermost first."""
    text = text.strip()
    pieces = _split(text)
    if len(pieces) > 1:
        for piece in pieces:
            yield from _parts(piece)
    elif match := _REGION.fullmatch(text):
        first, dots, last = match[1].partition("...")
        ends = [
            tuple(part for part in _parts(end) if isinstance(part, str)) for end in (first, last if dots else first)
        ]
        yield ends[0], ends[1]
    elif text.startswith("PWN(") and text.endswith(")"):
        yield from _parts(text[4:-1])
    elif match := _BETWEEN.fullmatch(text):
        yield from match.groups()
    elif text and not _NAMELESS.match(text):
        yield _SUFFIX.sub("", _PREFIX.sub("", text, count=1))


def _split(text: str) -> list[str]:
    """Split at ``+``, ``||`` and ``,`` that stand outside of parentheses and braces."""
    pieces, depth, start, position = [], 0, 0, 0
    while position < len(text):
        depth += (text[position] in _OPENING) - (text[position] in _CLOSING)
        separator = next((s for s in (" + ", " || ", ", ") if depth == 0 and text.startswith(s, position)), "")
        if separator:
            pieces.append(text[start:position])
            start = position + len(separator)
        position += max(len(separator), 1)
    return [*pieces, text[start:]]
