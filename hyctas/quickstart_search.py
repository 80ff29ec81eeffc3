"""The second half of the quick start: a supernet, a search over HTTP, a measured front, a page that shows it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from hyctas.command_process import CommandRunner
from hyctas.quickstart_values import QuickstartSettings, SearchSize

NEEDED: Final = ("torch", "pymoo", "PIL", "matplotlib")
"""Modules of the extra ``search``."""


@dataclass(frozen=True, slots=True)
class QuickstartSearch:
    """Runs ``hyctas search`` and ``hyctas report``.

    Attributes:
        settings: What the quick start does.
        commands: Runs them.
        say: Told what happens, in one line each time.
    """

    settings: QuickstartSettings
    commands: CommandRunner
    say: Callable[[str], None]

    def run(self, target: str) -> Mapping[str, Any] | None:
        """Search on a target that the database has a model for; the command's JSON, or None where it is left out.

        Raises:
            CommandFailed: A command ended with an error.
        """
        size = self.settings.search
        if size is None:
            self.say("no search was asked for")
            return None
        if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
            self.say(f"leaving out the search, which needs {', '.join(missing)}: pip install 'hyctas[search]'")
            return None
        self.say(
            f"training a supernet for {size.steps} steps on drawn street scenes, then searching {size.evaluations} "
            "networks with latencies over HTTP"
        )
        database = ("--db", self.settings.database_url)
        with self.commands.serving(*database) as url:
            done = self.commands.run("search", "--target", target, "--url", url, *self._options(size), *database)
        self.say("writing the report of the search")
        page = ("--out", str(self.settings.search_report))
        self.commands.run("report", str(done["search_run"]), *page, *database)
        return done

    def _options(self, size: SearchSize) -> tuple[str, ...]:
        networks = self.settings.networks
        sizes = ("--height", str(networks.height), "--width", str(networks.width))
        form = ("--base-channels", str(networks.base_channels), "--head", networks.head)
        folders = ("--supernet", str(self.settings.out / "supernet"), "--out", str(self.settings.out / "searches"))
        chosen = tuple(
            word for name, value in asdict(size).items() for word in (f"--{name.replace('_', '-')}", str(value))
        )
        return (*sizes, *form, *folders, *chosen, "--measure", "--epochs", "0")
