"""A serialised engine: which version and device it is for, its layers with their times, and the model to compute."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from tensorrt._members import VERSION

from standin_tensorrt.fusion import Layer

_MAGIC = b"standin-engine\n"


@dataclass(frozen=True)
class Plan:
    """What a build results in."""

    name: str
    device: str
    layers: tuple[Layer, ...]
    times_s: tuple[float, ...]
    verbosity: str
    aux_streams: int
    scratch_bytes: int
    tf32: bool
    tactic_sources: int
    strongly_typed: bool
    model: bytes
    version: str = VERSION


class NotAPlan(Exception):
    """These bytes are no engine of this version."""


def serialise(plan: Plan) -> bytes:
    """The bytes of a plan."""
    header = asdict(plan)
    model = header.pop("model")
    return _MAGIC + json.dumps(header).encode() + b"\n" + model


def deserialise(data: bytes) -> Plan:
    """The plan of these bytes.

    Raises:
        NotAPlan: They are none, or of another version.
    """
    if not data.startswith(_MAGIC):
        raise NotAPlan("Serialization assertion stdVersionRead == kSERIALIZATION_VERSION failed: magic tag mismatch")
    header, _, model = data[len(_MAGIC) :].partition(b"\n")
    fields = json.loads(header)
    if fields["version"] != VERSION:
        raise NotAPlan(f"The engine plan file is not compatible with this version: {fields['version']}, not {VERSION}")
    layers = tuple(
        Layer(one["name"], one["kind"], tuple(one["operators"]), one["metadata"]) for one in fields.pop("layers")
    )
    return Plan(layers=layers, times_s=tuple(fields.pop("times_s")), model=model, **fields)
