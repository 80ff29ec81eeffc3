"""The latency table of FasterSeg's release: what its keys name, and how the release looks a network up in it.

A key names an operator by the class that measured it, its *input* map, channels and stride, such as
``BasicResidual2x_H128_W256_Cin32_Cout48_stride1_dilation1``; :func:`table_part` gives the part. Channels in keys come
from ``int()`` of channels times ratio, those of modules from ``round()``: of the table's base channels (12) every ratio
gives a whole number, so they agree, and a key is read as it stands.

Three things about it are no mistakes of ours:

* Two keys can name the same graph: a refinement's ``ConvNorm`` with kernel 3 and a ``BasicResidual1x``. They are parts
  of two kinds (``conv_norm_3x3`` and ``conv``), so that each keeps the entry that was measured for its role.
* A skip that keeps its scale is an identity, whatever output channels its key names: all keys of one input are the same
  part, and its cost is their median.
* The release looks ``conv_2x_downup`` up under the key of ``conv_2x``. :func:`release_lookup_part` repeats that, to
  reproduce the latencies that it stores.

A network's latency is the sum of its parts' entries; parts of :data:`FREE_KINDS` have none and count nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hyctas.architecture import Architecture
from hyctas.errors import InvalidArchitecture
from hyctas.parts import Part

FASTERSEG_TABLE: Final = "fasterseg"
"""Name of the table in the environment of measurements that come from it."""
FREE_KINDS: Final = frozenset({"join", "concat"})
"""Kinds that the sum leaves out: upsampling and concatenation between two operators."""

_KIND_OF_CLASS: Final[Mapping[str, str]] = {
    "BasicResidual1x": "conv",
    "BasicResidual2x": "conv_2x",
    "BasicResidual_downup_1x": "downup",
    "BasicResidual_downup_2x": "downup_2x",
}
_SIZE: Final = r"_H(?P<height>[1-9]\d{0,4})_W(?P<width>[1-9]\d{0,4})"
_CHANNELS: Final = r"_Cin(?P<c_in>[1-9]\d{0,4})_Cout(?P<c_out>[1-9]\d{0,4})"
_STRIDE: Final = r"_stride(?P<stride>[12])"
_RESIDUAL: Final = re.compile(
    rf"(?P<name>BasicResidual(?:_downup_)?[12]x){_SIZE}{_CHANNELS}{_STRIDE}_dilation1", re.ASCII
)
_CONV_NORM: Final = re.compile(rf"ConvNorm{_SIZE}{_CHANNELS}_kernel(?P<kernel>[13]){_STRIDE}", re.ASCII)
_REDUCE: Final = re.compile(rf"FactorizedReduce{_SIZE}{_CHANNELS}{_STRIDE}", re.ASCII)
_FUSION: Final = re.compile(rf"ff{_SIZE}_C(?P<c_in>[1-9]\d{{0,4}})", re.ASCII)
_HEAD: Final = re.compile(rf"head{_SIZE}{_CHANNELS}", re.ASCII)


def table_part(key: str) -> Part | None:
    """The part that a key of the table names; None if it names none that is known."""
    for pattern, build in _READERS:
        if (match := pattern.fullmatch(key)) is not None:
            return build(match)
    return None


def release_lookup_part(part: Part) -> Part:
    """The part whose entry the release takes for `part`: ``conv_2x`` in place of ``conv_2x_downup``."""
    return replace(part, kind="conv_2x") if part.kind == "downup_2x" else part


def check_release_lookup(architecture: Architecture) -> None:
    """Raise unless the release could have looked `architecture` up.

    Raises:
        InvalidArchitecture: It is of another space.
    """
    if architecture.space != FASTERSEG_TABLE:
        allowed = "fasterseg: only its release looks networks up (release_lookup)"
        raise InvalidArchitecture("$.space", architecture.space, allowed)


def _part(match: re.Match[str], kind: str, *, out: int | None = None, stride: int | None = None) -> Part:
    """A part at the sizes of a key, with the key's output channels and stride unless others are given."""
    named = match.groupdict()
    return Part(
        kind,
        int(named["height"]),
        int(named["width"]),
        (int(named["c_in"]),),
        int(named["c_out"]) if out is None else out,
        int(named["stride"]) if stride is None else stride,
    )


def _residual(match: re.Match[str]) -> Part:
    return _part(match, _KIND_OF_CLASS[match["name"]])


def _conv_norm(match: re.Match[str]) -> Part | None:
    if match["kernel"] == "1":
        return _part(match, "conv_norm_1x1") if match["stride"] == "1" else None
    return _part(match, "conv_norm_3x3")


def _reduce(match: re.Match[str]) -> Part:
    return _part(match, "identity", out=int(match["c_in"])) if match["stride"] == "1" else _part(match, "reduce")


def _fusion(match: re.Match[str]) -> Part:
    return _part(match, "ff", out=int(match["c_in"]), stride=1)


def _head(match: re.Match[str]) -> Part:
    return _part(match, "plain_head", stride=1)


_READERS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Part | None]], ...]] = (
    (_RESIDUAL, _residual),
    (_CONV_NORM, _conv_norm),
    (_REDUCE, _reduce),
    (_FUSION, _fusion),
    (_HEAD, _head),
)
