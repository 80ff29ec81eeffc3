"""The top of the page: what was searched, the best networks, how to do it again."""

from __future__ import annotations

from collections.abc import Iterator

from search.report.blocks import code, commands, facts, paragraph
from search.report.markup import Markup, element
from search.report.reproduction import reproduction
from search.report.run_facts import RunFacts
from search.report.values import FrontNetwork, ReportData
from search.report.words import NONE, anchor, counted, interval, milliseconds, moment, short


def headline(data: ReportData) -> Markup:
    """The header of the page."""
    run = data.run
    title = element("h1", None, f"Search {run.id} ", element("span", {"class": f"status {run.status}"}, run.status))
    return element("header", None, title, *_remarks(data), facts(_facts(data)), *_best(data), *_again(data))


def _remarks(data: ReportData) -> Iterator[Markup]:
    """What a reader must know before the numbers."""
    run = data.run
    if run.status == "interrupted":
        why = f" ({run.ended_by})" if run.ended_by else ""
        yield paragraph(f"This search was interrupted{why}. What follows is what it had by then.")
    if run.status == "running":
        yield paragraph("This search was still running when this page was written.")
    if not data.networks:
        yield paragraph("There is no front yet: no candidate was evaluated within the limits.")


def _facts(data: ReportData) -> Iterator[tuple[str, str]]:
    run, counts = data.run, data.counts
    for target, limit_s in zip(run.targets, run.limits_s, strict=True):
        yield "target", target if limit_s is None else f"{target}, at most {milliseconds(limit_s)}"
    yield "data set", run.dataset or NONE
    budget = "" if run.evaluations is None else f" of {run.evaluations}"
    yield "candidates", f"{counts.scored}{budget}{''.join(f', {words}' for words in _losses(data))}"
    yield "front", f"{counted(sum(n.overall for n in data.networks), 'network')} overall{_by_branches(data)}"
    yield "algorithm", f"{run.algorithm or NONE}, seed {run.seed}"
    yield "began", moment(run.started_at)
    if run.finished_at is not None:
        yield "ended", f"{moment(run.finished_at)}, after {_duration(run)}"


def _losses(data: ReportData) -> Iterator[str]:
    if data.counts.over_limit:
        yield f"{data.counts.over_limit} over a limit (not evaluated)"
    if data.counts.failed:
        yield f"{data.counts.failed} failed"


def _by_branches(data: ReportData) -> str:
    """How many networks the front of each branch count has."""
    if not data.target_fronts or not data.networks:
        return ""
    sizes = {count: sum(n.branches == count for n in data.networks) for count in data.branch_counts}
    words = (f"{size} with {counted(count, 'branch', 'branches')}" for count, size in sizes.items())
    return f"; on the front of their branch count: {', '.join(words)}"


def _duration(run: RunFacts) -> str:
    seconds = int((run.finished_at - run.started_at).total_seconds()) if run.finished_at else 0
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"


def _best(data: ReportData) -> Iterator[Markup]:
    if not data.highlights:
        return
    labels: dict[str, list[str]] = {}
    for highlight in data.highlights:
        labels.setdefault(highlight.key, []).append(highlight.label)
    cards = (_card(data, data.by_key[key], ", ".join(names)) for key, names in labels.items())
    yield element("div", {"class": "cards"}, *cards)


def _card(data: ReportData, network: FrontNetwork, label: str) -> Markup:
    position = data.networks.index(network) + 1
    lines = [element("p", {"class": "figure"}, f"{network.miou:.3f}", element("small", None, " mIoU"))]
    for target, latency in zip(data.run.targets, network.latencies, strict=True):
        words = interval(latency)
        if latency.measured_s is not None and latency.tier != "measured":
            words += f", measured {milliseconds(latency.measured_s)}"
        where = f"{target}: " if len(data.run.targets) > 1 else ""
        lines.append(paragraph(f"{where}{words}"))
    link = element("a", {"href": f"#{anchor(network.key)}"}, f"network {position}")
    about = f", {counted(network.branches, 'branch', 'branches')}, {short(network.key)}"
    return element("div", {"class": "card"}, element("h3", None, label), *lines, paragraph(link, about, soft=True))


def _again(data: ReportData) -> Iterator[Markup]:
    run = data.run
    yield element("h3", None, "Go on with it" if run.status == "interrupted" else "Do it again")
    yield commands(*reproduction(run))
    digest = "supernet parameters (SHA-256)" + (", as they are now" if run.supernet_found else "")
    unnamed = "none: every network was measured" if data.counts.scored else NONE
    named: list[tuple[str, str]] = [(digest, code(run.supernet_sha256) if run.supernet_sha256 else "not stored")]
    for target, ids in run.model_ids.items():
        named.append((f"models of {target}", code(", ".join(ids)) if ids else unnamed))
    yield facts(named)
