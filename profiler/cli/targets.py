"""``hyctas targets``: what this machine can measure."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from profiler.device import LocalMachine
from profiler.probe import missing_by_reason, probe_targets


def targets(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """List what this machine can measure, and for what it cannot, why and what to install."""
    machine = LocalMachine(os.environ)
    probed = probe_targets(machine.cpu, machine.gpu)
    if as_json:
        rows = [{"target": p.target.name, "available": p.reason is None, "reason": p.reason} for p in probed]
        typer.echo(json.dumps({"targets": rows}))
        return
    for found in probed:
        if found.reason is None:
            typer.echo(found.target.name)
    for reason, missing in missing_by_reason(probed).items():
        typer.echo(f"not available: {', '.join(target.local_name for target in missing)}: {reason}")
