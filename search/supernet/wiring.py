"""Where the channels of a part's inputs stand when some of the widest network's inputs are missing.

Fusion concatenates the branches that a network has. Each keeps the channels that it has in a network with all of
them, so that the weights which read a scale read that scale in every network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hyctas.architecture import Architecture
from hyctas.decomposition import PlacedPart
from search.supernet.slicing import Channels

FUSION: Final = "fusion"
AUXILIARY: Final = "auxiliary16"
_READERS: Final = {FUSION: ("ffm", "concat", "ff"), AUXILIARY: ("ffm", "concat", "plain_head")}
"""By region, the parts that may read branches; one behind a part that joined them reads only that."""


def input_channels(
    architecture: Architecture, placed: PlacedPart, given: Sequence[Channels], widest: Mapping[str, tuple[int, ...]]
) -> tuple[Channels, ...]:
    """Channels of the inputs of a placed part.

    Args:
        architecture: The network.
        placed: The part.
        given: Channels of its inputs, each by itself.
        widest: For each region that concatenates branches, the channels of each in the widest network.
    """
    region, _, name = placed.place.rpartition(".")
    if name not in _READERS.get(region, ()):
        return tuple(given)
    places = _places(architecture, region)
    return _in_their_places(given, places, widest[region]) if len(given) == len(places) else tuple(given)


def _places(architecture: Architecture, region: str) -> Sequence[int]:
    """Which inputs of the widest network the network has: branches by last scale, coarsest first for auxiliaries."""
    scales = [branch.last_scale for branch in architecture.branches]
    return scales if region == FUSION else [2 - scale for scale in reversed(scales) if scale > 0]


def _in_their_places(given: Sequence[Channels], places: Sequence[int], totals: Sequence[int]) -> tuple[Channels, ...]:
    """Give each input the room that it has there, and the room of missing ones to the next one behind them."""
    following, moved = 0, []
    for channels, place in zip(given, places, strict=True):
        moved.append(Channels(totals[place], channels.chunks).behind(sum(totals[following:place])))
        following = place + 1
    return tuple(moved)
