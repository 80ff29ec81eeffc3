"""What the commands that measure a plan let one choose about the measuring."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Annotated, Any, Final

import numpy as np
import typer

from hyctas.measurement import Calibration, Protocol
from profiler.blocks import BlockSettings
from profiler.profile import ProfileSettings

_PANEL: Final = "Measuring"
_OPTIONS: Final[Mapping[str, tuple[Any, Any]]] = MappingProxyType(
    {
        "seed": (int, typer.Option(min=0, help="Equal seeds measure the same workloads.", rich_help_panel=_PANEL)),
        "budget_s": (
            float | None,
            typer.Option(
                min=1.0, help="Seconds of measuring after which nothing new is begun.", rich_help_panel=_PANEL
            ),
        ),
        "repeats": (
            int | None,
            typer.Option(min=0, help="Workloads measured again for the noise floor.", rich_help_panel=_PANEL),
        ),
        "recalibrate": (
            bool,
            typer.Option("--recalibrate", help="Measure the reference latencies anew first.", rich_help_panel=_PANEL),
        ),
        "retry_failed": (
            bool,
            typer.Option("--retry-failed", help="Try again what failed in an earlier run.", rich_help_panel=_PANEL),
        ),
        "build_limit_s": (
            float | None,
            typer.Option(
                "--build-limit",
                min=1.0,
                help="Seconds that the build of one engine may take; by default 120 on a CPU, 1200 on a GPU.",
                rich_help_panel=_PANEL,
            ),
        ),
        "accept_power_cap": (
            bool,
            typer.Option(
                "--accept-power-cap",
                help="Count rounds in which the GPU ran into its power limit too.",
                rich_help_panel=_PANEL,
            ),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure.

    Attributes:
        seed: For the plan and its order.
        budget_s: Seconds after which nothing new is begun.
        repeats: Workloads measured again for the noise floor.
        recalibrate: Whether the reference latencies are measured anew.
        retry_failed: Whether what failed in an earlier run is tried again.
        build_limit_s: Seconds that the build of one engine may take.
        accept_power_cap: Whether rounds count in which the GPU ran into its power limit.
        supersede: Whether what is known is measured again and replaced; jobs say so, no option of a command does.
    """

    seed: int = 0
    budget_s: float | None = None
    repeats: int | None = None
    recalibrate: bool = False
    retry_failed: bool = False
    build_limit_s: float | None = None
    accept_power_cap: bool = False
    supersede: bool = False

    @property
    def protocol(self) -> Protocol:
        """What counts."""
        return Protocol(reject_power_cap=not self.accept_power_cap)

    def settings(self, calibration: Calibration, run_id: int) -> ProfileSettings:
        """How to measure. Each run has an order of its own, so that two at once do not meet all the time."""
        return ProfileSettings(
            calibration,
            self.protocol,
            seed=int(np.random.SeedSequence([self.seed, run_id]).generate_state(1)[0]),
            budget_s=self.budget_s,
            repeats=self.repeats,
            retry_failed=self.retry_failed,
            blocks=BlockSettings(build_limit_s=self.build_limit_s),
        )


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a command's parameter ``options: Options`` into one option of the command line for each of its fields.

    Typer reads signatures, so the returned function carries one with the options in place of `options`.
    """

    @functools.wraps(command)
    def with_each(**arguments: Any) -> None:
        command(options=Options(**{name: arguments.pop(name) for name in _OPTIONS}), **arguments)

    given = inspect.signature(command, eval_str=True).parameters.values()
    kept = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in given if parameter.name != "options"]
    defaults = {field.name: field.default for field in fields(Options)}
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=Annotated[kind, option]
        )
        for name, (kind, option) in _OPTIONS.items()
    ]
    signature = inspect.Signature([*kept, *added])
    with_each.__signature__ = signature  # type: ignore[attr-defined]
    with_each.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return with_each
