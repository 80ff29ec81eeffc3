"""The data set of :mod:`benchmarks.onboarding`: networks and operators measured once on several targets.

Wall time on a machine that others use tells what the others do, so this data set holds CPU time: all targets run on
one thread, and a run that waits for the CPU costs none. Engines are cycled in random order within a block, one run
thrown away after each switch, as in the protocol of the profiler. Each target is measured in processes of its own, and
results are appended to ``<target>.jsonl`` block by block: collecting goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.enumeration import operator_parts
from hyctas.graph import Graph
from hyctas.lowering import lower, lower_part
from hyctas.parts import Part
from hyctas.sampling import sample_structured
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from predictor.samples import NetworkSample, OperatorSample

TARGETS: Final = ("onnxruntime-fp32-t1", "openvino-fp32-t1", "torch-fp32-t1")
SETTINGS: Final = ArchitectureDefaults(height=128, width=160, base_channels=8)
SPACE: Final = SearchSpace()
NETWORKS: Final = 150
OPERATORS: Final = 200
REPEATED: Final = 12
"""Networks that a second process measures, for the noise of the data set."""
SEED: Final = 11
ROUNDS: Final = 12
BLOCK: Final = 10
BLOCKS_PER_PROCESS: Final = 4


@dataclass(frozen=True, slots=True)
class Timed:
    """A latency, and the seconds of wall time that measuring it took, preparation included."""

    latency_s: float
    measuring_s: float


@dataclass(frozen=True, eq=False)
class TargetData:
    """What was measured on one target.

    Attributes:
        target: Its name.
        networks: By architecture key, those that ran.
        operators: By part.
        repeats: Pairs of latencies of equal networks from two processes.
    """

    target: str
    networks: Mapping[str, Timed]
    operators: Mapping[Part, Timed]
    repeats: Sequence[tuple[float, float]]

    def network_samples(self, networks: Iterable[Architecture]) -> list[NetworkSample]:
        """Those of `networks` that were measured."""
        found = ((network, self.networks.get(network.key)) for network in networks)
        return [NetworkSample(network, timed.latency_s) for network, timed in found if timed is not None]

    @property
    def operator_samples(self) -> list[OperatorSample]:
        """All operators, alone."""
        return [OperatorSample(part, timed.latency_s) for part, timed in self.operators.items()]

    @property
    def noise(self) -> float | None:
        """Mean of |A - B| / mean(A, B) / 2 between processes."""
        return float(np.mean([abs(a - b) / (a + b) for a, b in self.repeats])) if self.repeats else None


def sampled_networks() -> tuple[Architecture, ...]:
    """The networks of the data set, the same on every target, in random order."""
    return sample_structured(SPACE, np.random.default_rng(SEED), NETWORKS, SETTINGS)


def sampled_parts() -> tuple[Part, ...]:
    """The operators of the data set, in random order."""
    parts = operator_parts(SPACE, SETTINGS)
    chosen = np.random.default_rng(SEED).permutation(len(parts))[:OPERATORS]
    return tuple(parts[position] for position in chosen)


def collect(folder: Path, targets: Iterable[str] = TARGETS) -> None:
    """Measure what is missing on each target, in one process after another."""
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets:
        while names := _missing(folder / f"{target}.jsonl"):
            command = [sys.executable, "-m", __name__, str(folder / f"{target}.jsonl"), target]
            subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            left = len(_missing(folder / f"{target}.jsonl"))
            sys.stderr.write(f"{target}: {left} left\n")
            if left == len(names):
                raise SystemExit(f"{target}: a process measured nothing")


def read_target(folder: Path, target: str) -> TargetData:
    """What the data set holds of a target."""
    networks = {network.key: network for network in sampled_networks()}
    parts = {_part_name(part): part for part in sampled_parts()}
    timed: dict[str, Timed] = {}
    for row in _rows(folder / f"{target}.jsonl"):
        if row["cpu_s"]:
            timed[row["name"]] = Timed(median(row["cpu_s"]), row["measuring_s"])
    return TargetData(
        target,
        {key: timed[key] for key in networks if key in timed},
        {part: timed[name] for name, part in parts.items() if name in timed},
        [(timed[key].latency_s, timed[_again(key)].latency_s) for key in networks if _again(key) in timed],
    )


def _work() -> dict[str, Any]:
    """Everything to measure, by name."""
    networks = sampled_networks()
    named: dict[str, Any] = {network.key: network for network in networks}
    named |= {_part_name(part): part for part in sampled_parts()}
    return named | {_again(network.key): network for network in networks[:REPEATED]}


def _missing(path: Path) -> list[str]:
    done = {row["name"] for row in _rows(path)}
    return [name for name in _work() if name not in done]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())


def _again(key: str) -> str:
    return f"again/{key}"


def _part_name(part: Part) -> str:
    return f"part/{part.label}/{part.height}x{part.width}"


def _measure_here(path: Path, target: str) -> None:
    """Measure some blocks in this process; networks that are measured again are never in the process of the first."""
    from profiler.runtimes import open_runtime

    runtime = open_runtime(parse_target(target, device="local"))
    work, missing = _work(), _missing(path)
    names = missing[: BLOCK * BLOCKS_PER_PROCESS]
    if not names[0].startswith("again/"):
        names = [name for name in names if not name.startswith("again/")]
    for start in range(0, len(names), BLOCK):
        rows = _measured_block(runtime, {name: _graph(work[name]) for name in names[start : start + BLOCK]})
        with path.open("a") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))


def _graph(work: Architecture | Part) -> Graph:
    return lower_part(work) if isinstance(work, Part) else lower(work)


def _measured_block(runtime: Any, graphs: Mapping[str, Graph]) -> list[dict[str, Any]]:
    engines: dict[str, Any] = {}
    spent_s = dict.fromkeys(graphs, 0.0)
    cpu_s: dict[str, list[float]] = {name: [] for name in graphs}
    for name, graph in graphs.items():
        begun_s = time.perf_counter()
        engines[name] = runtime.prepare(graph, seed=0)
        for _ in range(3):
            engines[name].run()
        spent_s[name] += time.perf_counter() - begun_s
    rng = np.random.default_rng(len(graphs))
    for _ in range(ROUNDS):
        for name in rng.permutation(list(graphs)).tolist():
            begun_s = time.perf_counter()
            engines[name].run()
            cpu_s[name].append(_cpu_time_s(engines[name]))
            spent_s[name] += time.perf_counter() - begun_s
    return [{"name": name, "cpu_s": cpu_s[name], "measuring_s": spent_s[name]} for name in graphs]


def _cpu_time_s(engine: Any) -> float:
    """CPU seconds of a run: the mean of enough runs for the clock not to matter."""
    runs, begun_ns = 0, time.process_time_ns()
    while runs == 0 or (time.process_time_ns() - begun_ns < 2_000_000 and runs < 50):
        engine.run()
        runs += 1
    return (time.process_time_ns() - begun_ns) * 1e-9 / runs


if __name__ == "__main__":
    _measure_here(Path(sys.argv[1]), sys.argv[2])
