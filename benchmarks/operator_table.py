"""Where the time goes when a table of operators is measured: writing ONNX and opening sessions against timed runs.

    python -m benchmarks.operator_table --height 192 --width 384 --base-channels 12 --count 120

Measures a random sample of the operator workloads under the full protocol, alone and in chains, keeps nothing, and
prints the share of wall time that went into preparing (aim: under 30 %) and into timed runs (aim: above 60 %).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hyctas.architecture import ArchitectureDefaults
from hyctas.measurement import Calibration, Status
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from profiler.calibration import calibrate
from profiler.device import device_facts, device_slug
from profiler.plan import plan_operators
from profiler.profile import ProfileSettings, run_plan
from profiler.store import Result
from profiler.summary import ProfileSummary, summary_text

CALIBRATION_PROCESSES: Final = 3


def main() -> None:
    """Measure the sample and print where the time went."""
    options = _options()
    settings = ArchitectureDefaults(height=options.height, width=options.width, base_channels=options.base_channels)
    plan = plan_operators(SearchSpace(), settings)
    chosen = np.random.default_rng(options.seed).permutation(len(plan))[: options.count]
    target = parse_target(options.target, device=device_slug(device_facts()))
    calibration = calibrate(target, version=1, processes=CALIBRATION_PROCESSES)
    summary = run_plan(
        [plan[position] for position in chosen],
        Discarding(calibration),
        ProfileSettings(calibration, seed=options.seed, repeats=0),
        Silent(),
    )
    print(f"{len(chosen)} of {len(plan)} operator workloads of {options.height}x{options.width} on {target}")
    print(summary_text(summary, calibration, ProfileSettings(calibration).protocol.relative_half_width))
    print(_shares(summary, len(chosen), len(plan)))


@dataclass
class Discarding:
    """A store that remembers statuses only."""

    calibration: Calibration
    known: dict[str, Status] = field(default_factory=dict)

    def statuses(self) -> Mapping[str, Status]:
        """Statuses of this run's results."""
        return self.known

    def pairs(self) -> Mapping[str, tuple[float, float]]:
        """No repeats are kept."""
        return {}

    def save(self, result: Result) -> None:
        """Note the status."""
        self.known[result.planned.key] = result.measurement.status(self.calibration.normaliser)


class Silent:
    """A progress that nobody sees."""

    def begin(self, phase: str, total: int) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Do nothing."""


def _shares(summary: ProfileSummary, measured: int, planned: int) -> str:
    rest = 1.0 - summary.prepare_share - summary.timed_share
    whole_s = summary.wall_s / max(measured, 1) * planned
    return (
        f"ONNX writing + session creation / wall time: {summary.prepare_share:.3f}\n"
        f"timed runs / wall time: {summary.timed_share:.3f} (the rest, {rest:.3f}: processes and messages)\n"
        f"wall time per workload: {summary.wall_s / max(measured, 1):.3f} s, so {whole_s / 60:.1f} min for all"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--base-channels", type=int, default=12)
    parser.add_argument("--count", type=int, default=120, help="workloads to measure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", default="onnxruntime-fp32-t1")
    return parser.parse_args()


if __name__ == "__main__":
    main()
