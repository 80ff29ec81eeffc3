"""One call of ``hyctas nightly``: the locks, the night, its reports, who is told, and what is forgotten."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console

from db.records import RunStatus
from db.repository import Repository
from hyctas.errors import InvalidInput, InvalidTarget, MeasuringError
from hyctas.job import CANARIES
from hyctas.target import Target
from profiler.cli.nightly_bench import LocalBench
from profiler.cli.nightly_records import NIGHT, NightRecords
from profiler.device import LocalMachine
from profiler.fleet.address import fleet_url
from profiler.fleet.host_lock import lock_folder
from profiler.fleet.presence import device_locks
from profiler.nightly.canaries import choose_canaries
from profiler.nightly.config import NightConfig, TargetConfig
from profiler.nightly.night import Bench, NightRun, NightTarget
from profiler.nightly.page import night_page
from profiler.nightly.report import NightReport, report_json
from profiler.nightly.webhook import post, webhook_url
from profiler.nightly.words import described
from profiler.versions import own_version

POLL_S: Final = 5.0
"""Pause between two looks at what workers have done."""
LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class NightCall:
    """One call.

    Attributes:
        repository: The database.
        machine: This machine.
        config: What a night does.
        label: Label of the night.
        enqueue: Whether workers of a fleet measure, and not this machine.
        wait_s: How long to wait for them, in seconds.
    """

    repository: Repository
    machine: LocalMachine
    config: NightConfig
    label: str
    enqueue: bool = False
    wait_s: float = 0.0

    def report(self) -> Mapping[str, Any]:
        """The report of the night as JSON: measured now, or as it was if the night is done already.

        Raises:
            InvalidInput: The label, a target, the webhook or the database is not allowed.
            MeasuringError: Somebody else measures on one of the devices.
        """
        if not LABEL.fullmatch(self.label):
            raise InvalidInput("--night", self.label, "up to 64 letters, digits, dots, dashes and underscores")
        if self.enqueue:
            fleet_url(self.config.database)
        url = webhook_url(self.config.webhook, os.environ)
        targets = [self._target(each) for each in self.config.targets]
        records = NightRecords(self.repository, self.label, self.config.judging.window)
        if (finished := records.finished_report([target.target.name for target in targets])) is not None:
            return finished
        with nullcontext() if self.enqueue else self._alone(targets):
            return self._night(targets, records, url)

    def _night(self, targets: Sequence[NightTarget], records: NightRecords, url: str) -> Mapping[str, Any]:
        began_at, began_s = datetime.now(UTC), time.monotonic()
        arguments = {"night": self.label, "targets": [target.target.name for target in targets]}
        run_id = self.repository.start_run(NIGHT, None, arguments)
        document: dict[str, Any] = {}
        status: RunStatus = "interrupted"
        try:
            run = NightRun(self.label, targets, self.config, self._bench(records), records)
            found = run.run()
            while run.waiting and time.monotonic() - began_s < self.wait_s:
                time.sleep(POLL_S)
                found = run.run()
            report = NightReport(
                night=self.label,
                began_at=began_at.isoformat(timespec="seconds"),
                took_s=0.0,
                false_alarms=self.config.judging.false_alarms,
                targets=found,
                waiting=run.waiting,
                retention=self._forget(began_at),
                version=own_version().get("hyctas", ""),
            )
            document = self._told(replace(report, took_s=round(time.monotonic() - began_s, 1)), url)
            self._write(document)
            status = "finished"
        finally:
            self.repository.finish_run(run_id, document, status=status)
        return document

    def _bench(self, records: NightRecords) -> Bench:
        if self.enqueue:
            from profiler.cli.nightly_fleet import FleetBench

            return FleetBench(self.repository, self.config, self.label)
        return LocalBench(self.repository, records, self.machine, self.config, Console(stderr=True))

    def _told(self, report: NightReport, url: str) -> dict[str, Any]:
        """The report as JSON, after somebody was told; that this failed is part of it, and fails nothing else."""
        document = report_json(report)
        if not url or report.state not in self.config.webhook.on:
            return document
        problem = post(url, document, described(document), timeout_s=self.config.webhook.timeout_s)
        return {**document, "webhook": problem or "told"}

    def _write(self, document: Mapping[str, Any]) -> None:
        folder = self.config.reports
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, text in (("json", json.dumps(document, indent=1) + "\n"), ("html", night_page(document))):
            unfinished = folder / f".{self.label}.{suffix}"
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(folder / f"{self.label}.{suffix}")

    def _forget(self, now: datetime) -> Mapping[str, int]:
        """Drop what retention does not keep; says how much."""
        kept, done = self.config.retention, {}
        if kept.rounds_days is not None:
            before = now - timedelta(days=kept.rounds_days)
            done["measurements_without_rounds"] = self.repository.prune_rounds(CANARIES, before)
        if kept.reports_days is not None:
            done["reports"] = self._remove_reports((now - timedelta(days=kept.reports_days)).timestamp())
        return done

    def _remove_reports(self, before_s: float) -> int:
        """Delete reports of nights that were written before, and no other file; returns of how many nights."""
        nights = {run.arguments["night"] for run in self.repository.runs() if run.kind == NIGHT} - {self.label}
        found = [path for path in sorted(self.config.reports.glob("*.json")) if path.stem in nights]
        old = [path for path in found if path.stat().st_mtime < before_s]
        for path in old:
            path.with_suffix(".html").unlink(missing_ok=True)
            path.unlink()
        return len(old)

    def _target(self, config: TargetConfig) -> NightTarget:
        """A target with its canaries.

        Raises:
            InvalidTarget: This machine is to measure, and it is another one's.
        """
        target = self.machine.target(config.name)
        if not self.enqueue and not self.machine.is_here(target):
            own = " or ".join(filter(None, (self.machine.cpu, self.machine.gpu)))
            raise InvalidTarget(
                "targets",
                config.name,
                f"a target of this machine, {own}; --enqueue lets the workers of a fleet measure on others",
            )
        return night_target(target, config)

    @contextmanager
    def _alone(self, targets: Sequence[NightTarget]) -> Iterator[None]:
        """Hold every device of the night, so that neither another night nor a worker measures there."""
        with device_locks([target.target for target in targets], lock_folder(os.environ)) as locks:
            for device, lock in locks.items():
                if not lock.take():
                    raise MeasuringError(
                        f"somebody measures on {device} already (pid {lock.holder()}): another night, or a worker; "
                        f"wait until it is done (lock: {lock.file})"
                    )
            yield


def night_target(target: Target, config: TargetConfig) -> NightTarget:
    """A target with what is measured on it every night."""
    canaries = choose_canaries(
        config.settings,
        operators=config.canaries.operators,
        networks=config.canaries.networks,
        depth=config.depth,
        seed=config.seed,
    )
    return NightTarget(target, config, canaries)
