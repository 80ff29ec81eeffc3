"""A search from the command line: database, client, progress and the way back after an interruption."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from db.option import shown_database
from db.repository import Repository
from hyctas.client import Client
from hyctas.client_options import API_KEY_VARIABLE
from hyctas.errors import CheckpointMismatch, HyctasError
from search.cli.devices import LocalDevice
from search.cli.progress import SearchBars, search_bars
from search.latency import Patience
from search.launch import Launch
from search.outcome import Outcome
from search.plan import SearchPlan, plan_from_json
from search.supernet_evaluation import Workers


@dataclass(frozen=True)
class SearchSession:
    """What a search of the command line works with.

    Attributes:
        db: URL of the database.
        models: Folder for models that are refitted.
        workers: Where candidates are evaluated, and on how many GPUs the supernet is trained.
        patience: How long to wait for a server that is away.
    """

    db: str
    models: Path
    workers: Workers
    patience: Patience

    def begin(self, plan: SearchPlan) -> Outcome:
        """Begin a search."""
        with Repository.open(self.db) as repository:
            return self._run(plan, repository, lambda launch: launch.begin())

    def resume(self, search_run_id: int, *, url: str | None, take_over: bool) -> Outcome:
        """Go on with a search; its server may have moved.

        Raises:
            StorageError: There is no such search, or it still runs.
            CheckpointMismatch: It is finished.
        """
        with Repository.open(self.db, create=False) as repository:
            repository.mark_interrupted()
            record = repository.search_run(search_run_id)
            if record.status == "finished":
                raise CheckpointMismatch(f"search {search_run_id} is finished; see 'hyctas report {search_run_id}'")
            plan = plan_from_json(record.settings)
            plan = plan if url is None else dataclasses.replace(plan, url=url)
            return self._run(plan, repository, lambda launch: launch.resume(search_run_id, take_over=take_over))

    def _run(self, plan: SearchPlan, repository: Repository, start: Callable[[Launch], Outcome]) -> Outcome:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with search_bars() as bars, Client(plan.url, api_key=os.environ.get(API_KEY_VARIABLE)) as client:
            device = LocalDevice(repository, self.db, self.models, Path(plan.folder), client, bars.say)
            launch = Launch(
                plan,
                repository,
                client,
                workers=self.workers,
                devices=device.devices(plan.search.targets) if plan.measure else None,
                progress=bars,
                say=bars.say,
                patience=self.patience,
            )
            try:
                return start(launch)
            except CheckpointMismatch:
                raise
            except (KeyboardInterrupt, HyctasError):
                self._say_how_to_resume(launch, bars)
                raise

    def _say_how_to_resume(self, launch: Launch, bars: SearchBars) -> None:
        if launch.search_run_id is not None:
            where = shown_database(self.db, os.environ)
            command = shlex.join(("hyctas", "search", "--resume", str(launch.search_run_id), *where))
            bars.say(f"interrupted; go on with: {command}")
