"""A night in words, from its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def described(report: Mapping[str, Any]) -> str:
    """The report for a terminal or a message: what got slower first."""
    lines = [f"night {report['night']}: {report['state']}"]
    for target in report["targets"]:
        lines.extend(_target(target))
    lines.extend(f"failed: {error}" for error in report["errors"])
    if report.get("webhook", "told") != "told":
        lines.append(f"nobody was told: {report['webhook']}")
    if report["waiting"]:
        lines.append(f"{report['waiting']} jobs are not done yet: run the same command again later")
    lines.append(f"anything is called slower by mistake on {report['false_alarms']:.2%} of quiet nights at most")
    return "\n".join(lines)


def _target(target: Mapping[str, Any]) -> Iterator[str]:
    first, second = target["processes"]["first_look"], target["processes"]["second_look"]
    again = f", {second} more looked again" if second else ""
    yield f"{target['target']}: {first} processes{again}; compared with {target['nights']} nights"
    if target["error"]:
        yield f"  failed: {target['error']}"
    for verdict in target["verdicts"]:
        if verdict["state"] in ("slower", "faster"):
            yield f"  {verdict['state']}: {verdict['name']} {verdict['change']:+.1%} (p {verdict['adjusted']:.1g})"
    yield from (f"  broken: {name}: {why}" for name, why in target["broken"].items())
    yield from (f"  changed: {name} {c['before']} -> {c['now']}" for name, c in target["changed"].items())
    new = sum(verdict["state"] == "new" for verdict in target["verdicts"])
    if new:
        yield f"  {new} of {len(target['verdicts'])} series have too little history to be judged"
    filled = target["filled"]
    wanted = ", ".join(f"{count} {reason}" for reason, count in filled["wanted"].items() if count)
    if wanted:
        yield (
            f"  to measure besides: {wanted}; {sum(filled['measured'].values())} measured, "
            f"{filled['unstable']} unstable, {filled['failed']} failed, {filled['remaining']} remain"
        )
    if target["trained"]:
        trained = target["trained"]
        model = f"model {trained['model_id']} registered" if trained["registered"] else "no model registered"
        yield f"  {model}: {trained['reason']}"
    yield from (f"  note: {note}" for note in target["notes"])
