"""The JSON form of jobs, as it travels through the queue.

::

    {"version": 1, "kind": "networks", "target": "epyc-7b12/onnxruntime-fp32-t1", "label": "2026-01-31",
     "options": {"seed": 0, "budget_s": null, "repeats": 0, "retry_failed": false, "recalibrate": false},
     "parts": [{"kind": "conv", "height": 48, "width": 96, "in_channels": [12], "out_channels": 24, "stride": 2,
                "batch": 1, "attention": ""}],
     "networks": [{"version": 1, ...}]}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hyctas.architecture_json import decode_architecture, to_json
from hyctas.errors import GraphError, InvalidArchitecture, InvalidInput, SchemaMismatch
from hyctas.job import CANARIES, Job, JobOptions, JobTicket, job_id
from hyctas.lowering import lower_part
from hyctas.parts import Part
from hyctas.target import parse_target

VERSION: Final = 2
"""Raised when a worker of an older version would misread a job; one that it would not is still written as version 1."""


class _Wire(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: int
    kind: str
    target: str
    label: str = ""
    options: JobOptions = msgspec.field(default_factory=JobOptions)
    parts: tuple[Part, ...] = ()
    networks: tuple[dict[str, Any], ...] = ()


def job_to_json(job: Job) -> dict[str, Any]:
    """Write a job; :func:`read_job` reads back an equal one."""
    newer = job.kind == CANARIES or job.options.supersede
    options = dataclasses.asdict(job.options)
    if not job.options.supersede:
        del options["supersede"]
    return {
        "version": 2 if newer else 1,
        "kind": job.kind,
        "target": job.target.name,
        "label": job.label,
        "options": options,
        "parts": [{**dataclasses.asdict(part), "in_channels": list(part.in_channels)} for part in job.parts],
        "networks": [to_json(network) for network in job.networks],
    }


def ticket(job: Job) -> JobTicket:
    """What names the job in the database."""
    return JobTicket(job_id(job_to_json(job)), job.target, job.kind, job.label)


def read_job(document: Mapping[str, Any]) -> Job:
    """Read a job.

    Raises:
        SchemaMismatch: A newer version of hyctas wrote it.
        InvalidInput: It is not a job, or names work that does not exist; the path says where.
    """
    version = document.get("version")
    if type(version) is int and version > VERSION:
        raise SchemaMismatch(
            f"the job has format {version}, this hyctas knows up to {VERSION}: "
            "a newer version enqueued it; upgrade hyctas"
        )
    if type(version) is not int or version < 1:
        raise InvalidInput("$.version", version, f"an integer from 1 to {VERSION}")
    try:
        wire = msgspec.convert(document, _Wire)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise InvalidInput(path.strip("`") or "$", message, f"a job of version {version}") from None
    if not wire.parts and not wire.networks:
        raise InvalidInput("$.parts", [], "at least one part or network")
    return Job(
        kind=wire.kind,
        target=parse_target(wire.target),
        parts=tuple(_checked(part, f"$.parts[{number}]") for number, part in enumerate(wire.parts)),
        networks=tuple(
            decode_architecture(network, at=f"$.networks[{number}]") for number, network in enumerate(wire.networks)
        ),
        label=wire.label,
        options=wire.options,
    )


def _checked(part: Part, path: str) -> Part:
    """The part, if it can be built."""
    try:
        lower_part(part)
    except (GraphError, InvalidArchitecture, ValueError) as error:
        raise InvalidInput(path, part.label, f"a part that can be built ({error})") from error
    return part
