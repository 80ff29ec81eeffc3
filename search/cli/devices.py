"""Measuring and learning for a search, with the commands that a reader would type."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from db.option import same_database, without_password
from db.repository import Repository
from hyctas.architecture import Architecture
from hyctas.architecture_json import to_json
from hyctas.client import Client
from hyctas.command_process import CommandRunner
from hyctas.errors import InvalidTarget
from hyctas.measurement import Status
from hyctas.target import parse_target
from profiler.device import LocalMachine
from search.atomic import write_atomically
from search.measuring import Devices

SERVED_WITHIN_S: Final = 60.0
POLL_S: Final = 0.2
SETTLING: Final[tuple[Status, ...]] = ("unstable", "ok")
"""Measurements with a latency, the better ones last."""


@dataclass(frozen=True)
class LocalDevice:
    """This machine, as the target that a search measures on.

    Attributes:
        repository: Where measurements land; the same database that the server reads.
        db: Its URL.
        models: Folder of model artifacts.
        folder: Folder for lists of networks and for the log.
        client: Asks the server.
        say: Told in a line what matters.
    """

    repository: Repository
    db: str
    models: Path
    folder: Path
    client: Client
    say: Callable[[str], None]

    def devices(self, targets: Sequence[str]) -> Devices:
        """What it can do.

        Raises:
            InvalidTarget: A target is another machine's.
        """
        machine = LocalMachine(os.environ)
        for name in targets:
            if not machine.is_here(parse_target(name)):
                own = " or ".join(filter(None, (machine.cpu, machine.gpu)))
                raise InvalidTarget("--measure", name, f"a target of this machine, {own}")
        return Devices(self.measure, self.refit)

    def measure(self, target: str, networks: Sequence[Architecture]) -> Mapping[str, float]:
        """Latency of networks by architecture key (seconds); those that failed are left out, and named."""
        path = self.folder / "chosen.jsonl"
        write_atomically(path, "".join(json.dumps(to_json(network)) + "\n" for network in networks).encode())
        where = ("--target", target, "--from", str(path), *same_database(self.db, os.environ))
        self._commands().run("profile", "networks", *where, "--chosen", "--repeats", "0")
        keys = [network.key for network in networks]
        found: dict[str, float] = {}
        for status in SETTLING:
            rows = self.repository.architecture_latencies(parse_target(target), keys, status=status)
            found |= {key: row.latency_s for key, row in rows.items() if row.latency_s is not None}
        if missing := [key[:12] for key in keys if key not in found]:
            self.say(f"{len(missing)} of {len(keys)} networks gave no latency on {target}: {', '.join(missing)}")
        return found

    def refit(self, target: str) -> None:
        """Learn a target again, and wait until the server answers with the new model."""
        where = same_database(self.db, os.environ)
        trained = self._commands().run("train", "--target", target, "--out", str(self.models), *where)
        deadline_s = time.monotonic() + SERVED_WITHIN_S
        while time.monotonic() < deadline_s:
            if any(m.model_id == trained["model_id"] and m.newest for m in self.client.models(target)):
                self.say(f"refitted {target}: the server answers with model {trained['model_id']}")
                return
            time.sleep(POLL_S)
        self.say(
            f"warning: the server does not offer model {trained['model_id']}, which was just trained into "
            f"{without_password(self.db)}; "
            "does it read another database? The search goes on with the model that it has"
        )

    def _commands(self) -> CommandRunner:
        return CommandRunner(self.folder / "commands.log", lambda elapsed_s: self.say(f"  ... {elapsed_s:.0f} s"))
