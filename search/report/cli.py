"""The command that reports on a search: ``hyctas report``."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from db.engine import DEFAULT_URL
from db.option import Db
from db.records import SearchRunRecord
from db.repository import Repository
from hyctas.errors import HyctasError, StorageError

if TYPE_CHECKING:
    from search.report.sample_predictions import SampleSource
    from search.report.samples import SampleSet
    from search.report.values import ReportData

SAMPLE_NETWORKS: Final = 3
RECALIBRATION_BATCHES: Final = 20
"""Batches for the batch norms of sample networks where the search does not say how many it took in the end."""


def register(app: typer.Typer) -> None:
    """Add this package's command to `app`."""
    app.command("report")(report)


def report(
    run: Annotated[int, typer.Argument(metavar="RUN", help="Number of a search.")],
    out: Annotated[Path | None, typer.Option(help="The page; report-RUN.html unless given.")] = None,
    samples: Annotated[int, typer.Option(min=0, help="Validation images to segment with the best networks.")] = 3,
    db: Db = DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report's data as one JSON document.")] = False,
) -> None:
    """Write a search as one HTML page: fronts, convergence, drift, and its networks drawn.

    The page needs no other file. Samples need the supernet's folder and the data set where the search had them.
    """
    from search.report.data import report_data
    from search.report.page import report_page
    from search.report.report_json import report_json

    with Repository.open(db, create=False) as repository:
        with contextlib.suppress(StorageError):  # a database that cannot be written to can be reported on
            repository.mark_interrupted()
        record, candidates = repository.search_run(run), repository.candidates(run)
    source, reason = _source(record) if samples else (None, "none were asked for")
    found_sha256 = None if source is None else source.trained.sha256
    data = report_data(record, candidates, found_sha256=found_sha256)
    page = report_page(data, _samples(data, source, reason, images=samples))
    path = out or Path(f"report-{run}.html")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({"report": str(path), **report_json(data)}, allow_nan=False))
        return
    typer.echo(_described(data, path))


def _source(record: SearchRunRecord) -> tuple[SampleSource | None, str]:
    """What sample segmentations come from, or why there is none."""
    from search.report.run_facts import supernet_sha256

    supernet, dataset = record.settings.get("supernet"), record.settings.get("dataset")
    if supernet is None or dataset is None:
        return None, "the search did not store which supernet and data set it used"
    try:
        from search.report.sample_predictions import open_source

        return open_source(supernet, dataset, sha256=supernet_sha256(record)), ""
    except (HyctasError, OSError) as error:
        return None, str(error)
    except ModuleNotFoundError as error:
        return None, f"{error.name} is not installed here"


def _samples(data: ReportData, source: SampleSource | None, reason: str, *, images: int) -> SampleSet:
    from search.report.samples import SampleSet

    if source is None:
        return SampleSet(absent=reason)
    if not data.networks:
        return SampleSet(absent="there is no network of a front yet")
    from search.report.sample_predictions import sample_set

    best = dict.fromkeys(highlight.key for highlight in data.highlights)
    networks = [data.by_key[key].architecture for key in best][:SAMPLE_NETWORKS]
    batches = data.run.settings.get("search", {}).get("final_batches", RECALIBRATION_BATCHES)
    try:
        return sample_set(source, networks, images=images, recalibration_batches=batches, said=_say)
    except HyctasError as error:
        return SampleSet(absent=str(error))


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _described(data: ReportData, path: Path) -> str:
    overall = sum(network.overall for network in data.networks)
    return (
        f"search {data.run.id} ({data.run.status}): {data.counts.scored} candidates, {overall} on the front of all, "
        f"{len(data.networks)} on the front of their branch count\nreport: {path}"
    )
