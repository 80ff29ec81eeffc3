"""The commands that repeat a search, from what the database holds of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from search.report.run_facts import RunFacts


def reproduction(run: RunFacts) -> tuple[str, ...]:
    """Commands that search again with the same seed, supernet and budget; one line each."""
    return (shlex.join(_words(run)),)


def _words(run: RunFacts) -> Iterator[str]:
    yield from ("hyctas", "search")
    for target, limit_s in zip(run.targets, run.limits_s, strict=True):
        yield from ("--target", target)
        if limit_s is not None:
            yield from ("--limit-ms", f"{limit_s * 1e3:g}")
    search = run.settings.get("search", {})
    options = {
        "--dataset": run.dataset,
        "--supernet": run.supernet,
        "--algorithm": run.algorithm,
        "--population": search.get("population"),
        "--evaluations": run.evaluations,
        "--seed": run.seed,
    }
    for option, value in options.items():
        if value is not None:
            yield from (option, str(value))
