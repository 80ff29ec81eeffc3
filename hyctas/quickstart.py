"""The quick start: profile this CPU on a small budget, train, serve, ask, compare with measurements, and search.

It runs the commands that a reader would type, each in a process of its own. So the held-out networks come from
another process by construction, and every step can be repeated by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.command_process import CommandRunner, shown
from hyctas.prediction import Prediction
from hyctas.quickstart_search import QuickstartSearch
from hyctas.quickstart_values import Comparison, QuickstartResult, QuickstartSettings

NEVER_MEASURED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""A time before all measurements: predictions pinned to it are learned, also when the demo is run again."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A set of networks to measure.

    Attributes:
        seed: Draws them.
        count: Most of them.
        share: Their share of the budget.
        repeats: Networks measured again in another process, for the noise floor.
    """

    seed: int
    count: int
    share: float
    repeats: int = 0


class Quickstart:
    """Runs the steps.

    Args:
        settings: What to do.
        say: Told what happens, in one line each time.
        sign_of_life: Told every few seconds how long a command has been running.
    """

    OPERATORS_SHARE: Final = 0.25
    FEWEST_TRAINING_NETWORKS: Final = 30
    ATTEMPTS: Final = 3

    def __init__(
        self, settings: QuickstartSettings, *, say: Callable[[str], None], sign_of_life: Callable[[float], None]
    ) -> None:
        self._settings = settings
        self._say = say
        self._commands = CommandRunner(settings.log, sign_of_life)
        self._common = ("--db", settings.database_url)
        self._samples = {
            "training": Sample(1, settings.training_networks, 0.4),
            "held-out": Sample(2, settings.held_out_networks, 0.2, repeats=12),
            "asked": Sample(3, settings.asked_networks, 0.1),
        }

    def run(self) -> QuickstartResult:
        """Run all steps.

        Raises:
            CommandFailed: A step ended with an error.
        """
        self._settings.out.mkdir(parents=True, exist_ok=True)
        operators = self._profile_operators()
        target = str(operators["target"])
        training = self._profile_training_networks()
        held_out = self._profile_networks("held-out", "networks to score on, in other processes")
        model = self._train(target)
        asked = self._sampled("asked")
        predictions = self._ask(target, asked)
        self._profile_networks("asked", "of the networks just asked about")
        comparisons = self._compared(target, asked, predictions)
        search = QuickstartSearch(self._settings, self._commands.without_sign_of_life(), self._say).run(target)
        return QuickstartResult(
            target, operators, training, held_out, model, comparisons, search, self._serve_command()
        )

    def _profile_operators(self) -> Mapping[str, Any]:
        budget_s = self.OPERATORS_SHARE * self._settings.budget_s
        self._say(f"measuring operators of the space, alone and in chains, for at most {budget_s:.0f} s")
        done = self._commands.run("profile", "operators", *self._measuring(budget_s, repeats=0))
        self._say(_counted(done))
        return done

    def _profile_training_networks(self) -> Mapping[str, Any]:
        """Measure the training networks; on a busy machine, where few results settle, more than once."""
        for attempt in range(1, self.ATTEMPTS + 1):
            done = self._profile_networks("training", "networks to learn from")
            settled = done["measured"] + done["already_measured"]
            if settled >= self.FEWEST_TRAINING_NETWORKS or settled >= self._settings.training_networks:
                break
            if attempt < self.ATTEMPTS:
                self._say(f"  only {settled} settled: is this machine busy with something else? Measuring once more")
        return done

    def _profile_networks(self, name: str, what: str) -> Mapping[str, Any]:
        sample = self._samples[name]
        budget_s = sample.share * self._settings.budget_s
        self._say(f"measuring up to {sample.count} {what}, for at most {budget_s:.0f} s")
        chosen = ("--count", str(sample.count), "--seed", str(sample.seed))
        done = self._commands.run("profile", "networks", *chosen, *self._measuring(budget_s, repeats=sample.repeats))
        self._say(_counted(done))
        return done

    def _measuring(self, budget_s: float, *, repeats: int) -> tuple[str, ...]:
        target = ("--target", self._settings.target)
        limits = ("--budget-s", f"{max(budget_s, 1.0):.0f}", "--repeats", str(repeats))
        depth = ("--depth", str(self._settings.depth))
        return (*target, *limits, *depth, *_settings_options(self._settings.networks), *self._common)

    def _sampled(self, name: str) -> tuple[Architecture, ...]:
        """The networks of a sample: those that ``profile networks`` draws from the same seed."""
        import numpy as np

        from hyctas.sampling import sample_structured
        from hyctas.space import SearchSpace

        sample = self._samples[name]
        rng = np.random.default_rng(sample.seed)
        return tuple(
            sample_structured(SearchSpace(depth=self._settings.depth), rng, sample.count, self._settings.networks)
        )

    def _measured(self, target: str) -> Sequence[Mapping[str, Any]]:
        """All network measurements of the demo that gave a latency, of this and earlier runs; newest first."""
        listed = self._commands.run("measurements", "--kind", "network", "--target", target, *self._common)
        return [row for row in listed["measurements"] if row["status"] != "failed"]

    def _train(self, target: str) -> Mapping[str, Any]:
        self._say("learning, and scoring on the held-out networks")
        rows = self._measured(target)
        runs: list[str] = []
        for option, name in (("--train-run", "training"), ("--held-out-run", "held-out")):
            keys = {architecture.key for architecture in self._sampled(name)}
            found = sorted({row["run_id"] for row in rows if row["architecture_key"] in keys})
            runs += [word for run in found for word in (option, str(run))]
        where = ("--target", target, "--out", str(self._settings.models))
        return self._commands.run("train", *where, *runs, *self._common)

    def _ask(self, target: str, architectures: Sequence[Architecture]) -> tuple[Prediction, ...]:
        from hyctas.client import Client

        self._say(f"serving the model, and asking it about {len(architectures)} networks that it has never seen")
        with self._commands.serving(*self._common) as url, Client(url) as client:
            return tuple(client.predict_all(target, architectures, measured_until=NEVER_MEASURED))

    def _compared(
        self, target: str, asked: Sequence[Architecture], predictions: Sequence[Prediction]
    ) -> tuple[Comparison, ...]:
        rows = sorted(self._measured(target), key=lambda row: (row["status"] == "ok", row["id"]))
        last = {row["architecture_key"]: row for row in rows}
        return tuple(
            _comparison(architecture, predicted, last.get(architecture.key))
            for architecture, predicted in zip(asked, predictions, strict=True)
        )

    def _serve_command(self) -> str:
        return shown(("serve", *self._common))


def _settings_options(networks: ArchitectureDefaults) -> tuple[str, ...]:
    sizes = ("--height", str(networks.height), "--width", str(networks.width))
    form = ("--base-channels", str(networks.base_channels), "--head", networks.head)
    return (*sizes, *form, "--classes", str(networks.classes))


def _comparison(architecture: Architecture, predicted: Prediction, row: Mapping[str, Any] | None) -> Comparison:
    branches = len(architecture.branches)
    if row is None:
        return Comparison(architecture.key, branches, predicted, None, stable=False)
    return Comparison(architecture.key, branches, predicted, row["latency_ms"] / 1e3, stable=row["status"] == "ok")


def _counted(done: Mapping[str, Any]) -> str:
    counts = {
        "measured": done["measured"],
        "unstable": done["unstable"],
        "failed": sum(done["failed"].values()),
        "known from before": done["already_measured"],
        "left out within this budget": done["remaining"],
    }
    return "  " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)
