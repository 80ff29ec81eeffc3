"""What a measuring process and its parent tell each other: one line of JSON a message."""

from __future__ import annotations

from typing import Final

import msgspec

from hyctas.measurement import FailureKind, Metric, Normaliser, Protocol, Round
from profiler.runtimes.engine import LayerTime


class Open(msgspec.Struct, tag="open", frozen=True):
    """Open a runtime: the first message to a process.

    Attributes:
        target: Full name of the target.
        protocol: How to measure.
        normaliser: The reference of the stopping rule.
        seed: For the order of rounds, weights and inputs.
        runtimes: Where runtimes are defined, by name.
    """

    target: str
    protocol: Protocol
    normaliser: Normaliser
    seed: int
    runtimes: dict[str, str]


class Item(msgspec.Struct, frozen=True):
    """A graph to measure, as JSON, under a name that the answers carry."""

    name: str
    graph: msgspec.Raw


class Measure(msgspec.Struct, tag="measure", frozen=True):
    """Measure a block of graphs together."""

    items: tuple[Item, ...]


class MeasureLayers(msgspec.Struct, tag="measure_layers", frozen=True):
    """Measure one graph, and then the time of each of its layers."""

    item: Item


class Opened(msgspec.Struct, tag="opened", frozen=True):
    """The runtime is ready.

    Attributes:
        metric: What the samples are times of.
        environment: Versions and settings.
        reference_id: Name of the reference code.
        call_floor_s: Seconds of an almost empty call of the runtime.
    """

    metric: Metric
    environment: dict[str, str]
    reference_id: str
    call_floor_s: float


class Refused(msgspec.Struct, tag="refused", frozen=True):
    """The runtime cannot be opened, and why."""

    reason: str


class Turn(msgspec.Struct, tag="turn", frozen=True):
    """Work on this item begins; if the process dies or hangs now, the item is to blame.

    Attributes:
        name: Name of the item.
        building: Whether its engine is built now, which may take long without a sign of life.
    """

    name: str
    building: bool = False


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """An item has no latency."""

    name: str
    kind: FailureKind
    message: str


class Measured(msgspec.Struct, tag="measured", frozen=True):
    """The rounds of an item, and what its engine says about itself."""

    name: str
    rounds: tuple[Round, ...]
    facts: dict[str, str] = {}


class LayersTimed(msgspec.Struct, tag="layers_timed", frozen=True):
    """The time of each layer of an item, in the order in which they run."""

    name: str
    layers: tuple[LayerTime, ...]


class Done(msgspec.Struct, tag="done", frozen=True):
    """A block is finished; where its time went.

    Attributes:
        wall_s: All of it.
        timed_s: Warm-up, references and samples.
        prepare_s: Writing models and opening sessions.
    """

    wall_s: float
    timed_s: float
    prepare_s: float


Request = Open | Measure | MeasureLayers
Answer = Opened | Refused | Turn | Failed | Measured | LayersTimed | Done

ENCODER: Final = msgspec.json.Encoder()
REQUESTS: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
ANSWERS: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)
