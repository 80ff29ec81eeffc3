"""The whole report: one HTML page that needs nothing beside it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from string import Template

from search.report.comparison_section import comparison_section
from search.report.fronts_section import convergence_section, fronts_section
from search.report.headline import headline
from search.report.markup import joined
from search.report.network_drawing import STYLE
from search.report.networks_section import networks_section
from search.report.provenance import provenance_section
from search.report.samples import SampleSet, samples_section
from search.report.values import ReportData


def report_page(data: ReportData, samples: SampleSet) -> str:
    """Write a report as HTML; equal arguments give equal pages.

    Args:
        data: The search.
        samples: Images with what networks say, or why there are none.
    """
    parts = (
        headline(data),
        fronts_section(data),
        convergence_section(data),
        comparison_section(data),
        networks_section(data),
        samples_section(data, samples),
        provenance_section(data.run, written_by=_program()),
    )
    template = Template(files("search.report").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=f"hyctas search {data.run.id}", drawing_style=STYLE, body=joined(parts, separator="\n")
    )


def _program() -> str:
    try:
        return f"hyctas {version('hyctas')}"
    except PackageNotFoundError:
        return "hyctas"
