"""What the database keeps of operators and networks: records of parts and architectures."""

from __future__ import annotations

import dataclasses

from db.records import ArchitectureRecord, WorkloadRecord
from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.costs import Costs
from hyctas.parts import IMAGE_CHANNELS, Part


def operator_record(part: Part, key: str, costs: Costs) -> WorkloadRecord:
    """The workload of an operator alone; `key` and `costs` are those of its graph."""
    return WorkloadRecord(
        key=key,
        kind="operator",
        operator=part.kind,
        description=dataclasses.asdict(part),
        height=part.height,
        width=part.width,
        c_in=sum(part.in_channels),
        c_out=part.out_channels,
        stride=part.stride,
        **dataclasses.asdict(costs),
    )


def network_record(architecture: Architecture, key: str, costs: Costs) -> WorkloadRecord:
    """The workload of a whole network; `key` and `costs` are those of its graph."""
    return WorkloadRecord(
        key=key,
        kind="network",
        operator="network",
        description={"architecture": architecture.key},
        height=architecture.input.height,
        width=architecture.input.width,
        c_in=IMAGE_CHANNELS,
        c_out=architecture.classes,
        stride=None,
        **dataclasses.asdict(costs),
    )


def architecture_record(architecture: Architecture, workload_key: str) -> ArchitectureRecord:
    """An architecture that lowers to the workload of that key."""
    return ArchitectureRecord(architecture.key, workload_key, to_json(architecture))
