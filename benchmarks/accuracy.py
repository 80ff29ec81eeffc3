"""Accuracy on this machine: networks measured in one process, held-out networks in another, operators in between.

    python -m benchmarks.accuracy --out benchmarks/results/accuracy

Profiles, trains and scores through the command line, on ``onnxruntime-fp32-t1`` at 192x384 with 12 base channels:
200 training networks (seed 1), every operator of the space, and 200 held-out networks (seed 2). Prints the
held-out table with baselines, noise floor, interval coverage and ten random splits over all 400. Interrupted, it
goes on where it stopped. Takes 15 to 25 minutes; nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

TARGET: Final = "onnxruntime-fp32-t1"
SETTINGS: Final = ("--height", "192", "--width", "384", "--base-channels", "12")


def main() -> None:
    """Run every step and print what came of it."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    db = f"sqlite:///{(options.out / 'accuracy.db').resolve()}"
    known, operators, unseen = (
        _profile(db, "networks", "--count", str(options.count), "--seed", "1"),
        _profile(db, "operators"),
        _profile(db, "networks", "--count", str(options.count), "--seed", "2"),
    )
    for name, summary in (("training networks", known), ("operators", operators), ("held-out networks", unseen)):
        print(_described(name, summary))
    runs = _runs(db)
    split = ["--train-run", runs["1"], "--held-out-run", runs["2"], "--splits", str(options.splits)]
    sys.stdout.write(_hyctas("train", "--target", TARGET, *split, "--db", db, "--out", str(options.out / "models")))


def _profile(db: str, kind: str, *arguments: str) -> dict[str, Any]:
    output = _hyctas("profile", kind, "--target", TARGET, *SETTINGS, *arguments, "--db", db, "--json")
    summary: dict[str, Any] = json.loads(output)
    return summary


def _runs(db: str) -> dict[str, str]:
    """By seed, the run that measured its networks first."""
    from db.repository import Repository

    with Repository.open(db, create=False) as repository:
        networks = [run for run in repository.runs() if run.kind == "networks"]
    return {str(run.arguments["seed"]): str(run.id) for run in reversed(networks)}


def _described(name: str, s: dict[str, Any]) -> str:
    floors = [f"{s[key]:.2%}" if s[key] is not None else "unknown" for key in ("noise_between", "noise_within")]
    return (
        f"{name}: {s['measured']} measured, {s['unstable']} unstable, {s['already_measured']} known; noise floor "
        f"{floors[0]} between processes, {floors[1]} within; {s['per_hour']:,.0f} an hour; "
        f"{s['timed_share']:.0%} of the time in timed runs, {s['prepare_share']:.0%} in preparing"
    )


def _hyctas(*arguments: str) -> str:
    command: Sequence[str] = [sys.executable, "-m", "hyctas", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/accuracy"))
    parser.add_argument("--count", type=int, default=200, help="networks to train on, and as many to hold out")
    parser.add_argument("--splits", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
