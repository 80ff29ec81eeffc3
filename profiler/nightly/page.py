"""A night as one HTML page that needs nothing beside it, from the report's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final

from profiler.nightly.history_chart import history_chart

_ORDER: Final = ("slower", "faster", "quiet", "new")
_HEADER: Final = (
    '<tr><th>What</th><th>State</th><th class="number">Change</th><th class="number">Detectable</th>'
    '<th class="number">p, family</th><th>Earlier nights, and tonight</th></tr>'
)


def night_page(report: Mapping[str, Any]) -> str:
    """Write a report as HTML; equal reports give equal pages."""
    body = "\n".join((_head(report), *map(_target, report["targets"]), _foot(report)))
    template = Template(files("profiler.nightly").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(f"hyctas night {report['night']}: {report['state']}"), body=body)


def _head(report: Mapping[str, Any]) -> str:
    state, webhook = report["state"], report.get("webhook", "told")
    lines = [
        f'<header><h1>Night {escape(report["night"])} <span class="state {state}">{state}</span></h1>',
        _paragraph(_headline(report)),
        _paragraph(
            f"Begun {report['began_at']}, took {report['took_s']:.0f} s. On a quiet night the probability that "
            f"anything at all is called slower is held under {report['false_alarms']:.2%}, over this whole page.",
            "soft",
        ),
        *(_paragraph(f"Failed: {error}", "slower") for error in report["errors"]),
        *([_paragraph(f"Nobody was told: {webhook}", "slower")] if webhook != "told" else []),
    ]
    return "\n".join((*lines, "</header>"))


def _headline(report: Mapping[str, Any]) -> str:
    slower = sum(len(target["slower"]) for target in report["targets"])
    broken = sum(len(target["broken"]) for target in report["targets"])
    failed = sum(bool(target["error"]) for target in report["targets"])
    parts = [
        f"{slower} got slower" if slower else "Nothing got slower",
        *([f"{_many(broken, 'canary does', 'canaries do')} not run any more"] if broken else []),
        *([f"{_many(failed, 'target', 'targets')} could not be measured"] if failed else []),
        *([f"{_many(report['waiting'], 'job is', 'jobs are')} not done yet"] if report["waiting"] else []),
    ]
    return "; ".join(parts) + "."


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _target(target: Mapping[str, Any]) -> str:
    return "\n".join((f"<section><h2>{escape(target['target'])}</h2>", *_facts(target), _table(target), "</section>"))


def _facts(target: Mapping[str, Any]) -> Iterator[str]:
    if target["error"]:
        yield _paragraph(f"Failed: {target['error']}", "slower")
    yield from (_paragraph(f"Broken: {name}: {why}", "slower") for name, why in target["broken"].items())
    first, second = target["processes"]["first_look"], target["processes"]["second_look"]
    again = f", and {second} more for a second look" if second else ""
    yield _paragraph(f"Measured in {first} processes{again}; compared with {target['nights']} earlier nights.", "soft")
    for name, values in target["changed"].items():
        yield _paragraph(f"Changed since the night before: {name} {values['before']} to {values['now']}.")
    filled = target["filled"]
    if any(filled["wanted"].values()):
        wanted = ", ".join(f"{count} {reason}" for reason, count in filled["wanted"].items() if count)
        yield _paragraph(
            f"To measure besides: {wanted}. Measured {sum(filled['measured'].values())}, "
            f"unstable {filled['unstable']}, failed {filled['failed']}, left {filled['remaining']}.",
            "soft",
        )
    if trained := target["trained"]:
        model = f"Model {trained['model_id']} was registered" if trained["registered"] else "No model was registered"
        yield _paragraph(f"{model}: {trained['reason']}.", "soft")
    yield from (_paragraph(f"Note: {note}.", "soft") for note in target["notes"])


def _table(target: Mapping[str, Any]) -> str:
    verdicts: Sequence[Mapping[str, Any]] = target["verdicts"]
    if not verdicts:
        return ""
    ordered = sorted(verdicts, key=lambda verdict: (_ORDER.index(verdict["state"]), verdict["adjusted"]))
    return f'<div class="scroll"><table>{_HEADER}{"".join(map(_row, ordered))}</table></div>'


def _row(verdict: Mapping[str, Any]) -> str:
    state = verdict["state"]
    known = state != "new"
    looked = " (looked at again)" if verdict["looked_again"] else ""
    cells = (
        f"<td>{escape(verdict['name'])}</td>",
        f'<td class="{state}">{"too little history" if not known else state}{looked}</td>',
        f'<td class="number">{format(verdict["change"], "+.2%") if known else ""}</td>',
        f'<td class="number">{format(verdict["detectable"], "+.1%") if known else ""}</td>',
        f'<td class="number">{format(verdict["adjusted"], ".2g") if known else ""}</td>',
        f"<td>{history_chart(verdict)}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _foot(report: Mapping[str, Any]) -> str:
    forgotten = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in report["retention"].items())
    told = f" Forgotten: {forgotten}." if forgotten else ""
    return (
        f"<footer><p>hyctas {escape(report['version'])}.{escape(told)} Dots are earlier nights, rings the processes of "
        "tonight; the band is what a quiet night stays in. Changes are to the mean of earlier nights.</p></footer>"
    )


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"
