"""The part of the page that says where everything comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from search.report.blocks import paragraph, section, table
from search.report.markup import Markup
from search.report.run_facts import RunFacts
from search.report.words import NONE, moment

LONGEST = 200
"""Letters of a value before it is cut."""
ON_THE_PAGE = ("front", "fronts")
"""Parts of a summary that the page shows as networks."""


def provenance_section(run: RunFacts, *, written_by: str) -> Markup:
    """Every setting of the search, as stored.

    Args:
        run: The search.
        written_by: Program and version that wrote the page.
    """
    rows = [*_rows(run), ("page written by", written_by)]
    note = paragraph("As the database holds it; latencies in seconds there.", soft=True)
    return section("Provenance", table(("what", "value"), rows, text=(0, 1)), note, name="provenance")


def _rows(run: RunFacts) -> Iterator[tuple[str, str]]:
    yield "search", f"{run.id} ({run.status})"
    yield "began", moment(run.started_at)
    yield "ended", moment(run.finished_at)
    yield "seed", str(run.seed)
    for target, ids in run.model_ids.items():
        yield f"models of {target}", ", ".join(ids) or NONE
    yield "supernet parameters (SHA-256)", run.supernet_sha256 or NONE
    yield "reference point", NONE if run.reference_point is None else ", ".join(map(repr, run.reference_point))
    for name, document in (("space", run.space), ("settings", run.settings), ("summary", run.summary)):
        for path, value in _flattened(document):
            yield f"{name}.{path}", value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"


def _flattened(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of a JSON object by their path."""
    for name, value in document.items():
        if prefix or name not in ON_THE_PAGE:
            yield from _leaves(f"{prefix}{name}", value)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from _flattened(value, f"{path}.")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield path, ", ".join(NONE if item is None else str(item) for item in value) or NONE
    else:
        yield path, NONE if value is None else str(value)
