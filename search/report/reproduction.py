"""The commands that repeat a search, from what the database holds of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from search.report.run_facts import RunFacts

OPTIONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "--url": ("", "url"),
        "--dataset": ("", "dataset"),
        "--supernet": ("", "supernet"),
        "--algorithm": ("search", "algorithm"),
        "--population": ("search", "population"),
        "--evaluations": ("search", "evaluations"),
        "--images": ("search", "images"),
        "--depth": ("space", "depth"),
        "--height": ("networks", "height"),
        "--width": ("networks", "width"),
        "--base-channels": ("networks", "base_channels"),
        "--head": ("networks", "head"),
        "--attention": ("networks", "attention"),
        "--output": ("networks", "output"),
        "--steps": ("training", "steps"),
        "--batch-size": ("training", "batch_size"),
        "--image-height": ("training", "height"),
        "--image-width": ("training", "width"),
        "--optimiser": ("training", "optimiser"),
        "--learning-rate": ("training", "learning_rate"),
        "--passes": ("training", "passes"),
    }
)
"""Options of ``hyctas search``, with the part of the stored settings (itself where empty) and the name in there."""


def reproduction(run: RunFacts) -> tuple[str, ...]:
    """Commands that search again as this search was told to, or that end it where it was interrupted."""
    if run.status == "interrupted":
        return (f"hyctas search --resume {run.id}",)
    return (shlex.join(_words(run)),)


def _words(run: RunFacts) -> Iterator[str]:
    yield from ("hyctas", "search", "--seed", str(run.seed))
    for target, limit_s in zip(run.targets, run.limits_s, strict=True):
        yield from ("--target", target)
        if limit_s is not None:
            yield from ("--max-latency-ms", f"{target}={limit_s * 1e3:.10g}")
    for option, (part, name) in OPTIONS.items():
        value = _setting(run.settings, part, name)
        if value is not None:
            yield from (option, str(value))
    if run.settings.get("measure"):
        yield from ("--measure", "--epochs", str(run.settings.get("epochs", 0)))


def _setting(settings: Mapping[str, Any], part: str, name: str) -> Any:
    return (settings.get(part, {}) if part else settings).get(name)
