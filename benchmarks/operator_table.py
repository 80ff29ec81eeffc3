"""The operator table: how much of the time goes into writing models and opening sessions, and how much into timing.

    python -m benchmarks.operator_table [--all]

Profiles operators of the space at 192x384 into a temporary database, through the command line; without ``--all`` for
half a minute only. Preparing is to stay under 30 % of the wall time, timed runs above 60 %.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

SETTINGS: Final = ("--height", "192", "--width", "384", "--base-channels", "12")
SHORT_BUDGET_S: Final = 30


def main() -> None:
    """Profile, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="measure every operator (a few minutes)")
    budget = () if parser.parse_args().all else ("--budget-s", str(SHORT_BUDGET_S))
    with tempfile.TemporaryDirectory() as folder:
        db = f"sqlite:///{Path(folder) / 'operators.db'}"
        command = [sys.executable, "-m", "hyctas", "profile", "operators", *SETTINGS, *budget, "--db", db, "--json"]
        s = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    print(f"{s['planned']} distinct operator workloads at 192x384; {s['measured']} stable, {s['unstable']} unstable")
    print(f"writing models and opening sessions: {s['prepare_share']:.1%} of {s['wall_s']:.0f} s (goal: under 30 %)")
    print(f"samples, references and warm-up:     {s['timed_share']:.1%} (goal: above 60 %)")
    print(f"stable workloads an hour:            {s['per_hour']:,.0f}")


if __name__ == "__main__":
    main()
