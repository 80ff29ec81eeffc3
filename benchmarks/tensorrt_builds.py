"""Every operator workload of the space through the parser and the builder of TensorRT-RTX, which need no GPU.

    python -m benchmarks.tensorrt_builds
    python -m benchmarks.tensorrt_builds --networks ../shared/data/hyctas --base-channels 12

Builds all operators in fp32 and fp16 and a tenth of each kind in tf32, bf16 and int8; with ``--networks`` also the
networks of the JSON files in a folder, in every precision. Prints how many of how many were built, how long it took and
how large the engines are, and names what failed. Precisions are built side by side, in random order.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Final

import numpy as np

from hyctas.architecture import OUTPUTS, Architecture, ArchitectureDefaults
from hyctas.architecture_files import read_architectures
from hyctas.errors import HyctasError
from hyctas.graph import Graph
from hyctas.graph_json import decode_graph, encode_graph
from hyctas.space import SearchSpace
from hyctas.target import parse_target
from hyctas.workload import Workload
from profiler.parentage import die_with_parent
from profiler.plan import PlannedWorkload, plan_operators, planned_network
from profiler.runtimes.seeded_model import seeded_onnx
from profiler.runtimes.tensorrt.building import EngineBuilder
from profiler.runtimes.tensorrt.library import open_library
from profiler.runtimes.tensorrt.settings import read_settings

ONE_IN: Final[Mapping[str, int]] = MappingProxyType({"fp32": 1, "fp16": 1, "tf32": 10, "bf16": 10, "int8": 10})
"""By precision, one in how many operators of a kind is built."""
COMPUTE_CAPABILITY: Final = (8, 9)
DEFAULT_SIZE: Final = (512, 1024)
_PROCESSES: Final = 2
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Subject:
    """A graph to build.

    Attributes:
        label: For people.
        kind: Kind of operator, ``<kind> x3`` for a chain, ``<kind> (released)`` with that attention, or ``network``.
        graph: The graph as JSON, as a measuring process gets it.
    """

    label: str
    kind: str
    graph: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one subject in one precision; no plan where it failed.

    Attributes:
        subject: Its label.
        kind: Its kind.
        precision: A precision of targets.
        model_s: Seconds of writing the model, with the calibration pass of int8.
        build_s: Seconds of parsing and building.
        plan_bytes: Size of the engine.
        failure: Why there is none.
    """

    subject: str
    kind: str
    precision: str
    model_s: float = 0.0
    build_s: float = 0.0
    plan_bytes: int = 0
    failure: str | None = None


def main() -> None:
    """Build everything, print the table, and exit with 1 if anything failed."""
    options = _options()
    settings = ArchitectureDefaults(height=options.height, width=options.width, base_channels=options.base_channels)
    subjects = operator_subjects(settings)
    networks = network_subjects(Path(options.networks), settings) if options.networks else ()
    start_s = time.perf_counter()
    outcomes = tuple(build_all(chosen(subjects, networks), processes=options.processes))
    library = open_library("tensorrt-rtx")
    print(f"{library.runtime} {library.version}, {options.height}x{options.width}, for compute capability 8.9")
    print(f"{len(subjects)} operator workloads and {len(networks)} networks")
    print(table(outcomes))
    print(f"{time.perf_counter() - start_s:.0f} s on {options.processes} processes")
    failed = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failed:
        print(f"failed: {outcome.precision} {outcome.subject}: {outcome.failure}")
    sys.exit(1 if failed else 0)


def operator_subjects(settings: ArchitectureDefaults) -> tuple[Subject, ...]:
    """Every distinct operator workload: alone and in chains, under both forms of attention and every output."""
    forms = [replace(settings, attention="released"), *(replace(settings, output=output) for output in OUTPUTS)]
    found: dict[str, Subject] = {}
    for form in (settings, *forms):
        suffix = " (released)" if form.attention == "released" else ""
        for planned in plan_operators(SearchSpace(), form):
            for graph, repeated in ((planned.workload.graph, ""), (planned.chain, " x3")):
                if graph is not None:
                    subject = _subject(planned, graph, f"{repeated}{suffix}")
                    found.setdefault(Workload(graph).key, subject)
    return tuple(found.values())


def network_subjects(folder: Path, settings: ArchitectureDefaults) -> tuple[Subject, ...]:
    """The networks of all JSON files of a folder, under both forms of attention."""
    forms = (settings, replace(settings, attention="released"))
    return tuple(
        Subject(f"{path.stem} {form.attention}", "network", encode_graph(planned_network(network).workload.graph))
        for path in sorted(folder.glob("*.json"))
        for form in forms
        for network in read_architectures(str(path), form)
    )


def chosen(subjects: Sequence[Subject], networks: Sequence[Subject]) -> tuple[tuple[Subject, str], ...]:
    """What to build in which precision, in random order: one in so many operators of each kind, and all networks."""
    kinds: dict[str, list[Subject]] = {}
    for subject in subjects:
        kinds.setdefault(subject.kind, []).append(subject)
    pairs = [
        (subject, precision)
        for precision, one_in in ONE_IN.items()
        for subject in (*(s for of_kind in kinds.values() for s in of_kind[::one_in]), *networks)
    ]
    order = np.random.default_rng(0).permutation(len(pairs))
    return tuple(pairs[index] for index in order)


def build_all(pairs: Sequence[tuple[Subject, str]], *, processes: int) -> Iterator[Outcome]:
    """Build every pair of subject and precision; a failure is an outcome."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=die_with_parent, initargs=(os.getpid(),)) as pool:
        yield from pool.map(build_one, *zip(*pairs, strict=True), chunksize=8)


def build_one(subject: Subject, precision: str) -> Outcome:
    """Write the model of a subject as the TensorRT runtime does, parse it and build it."""
    builder = _builder(precision)
    start_s = time.perf_counter()
    try:
        model = seeded_onnx(decode_graph(subject.graph), precision=builder.model_precision, seed=0)
        written_s = time.perf_counter()
        engine = builder.build(model)
    except HyctasError as error:
        return Outcome(subject.label, subject.kind, precision, failure=f"{type(error).__name__}: {error}")
    build_s = engine.parse_s + engine.build_s
    return Outcome(subject.label, subject.kind, precision, written_s - start_s, build_s, engine.plan_bytes)


@cache
def _builder(precision: str) -> EngineBuilder:
    settings = read_settings(parse_target(f"tensorrt-rtx-{precision}", device="sm89"))
    return EngineBuilder(open_library("tensorrt-rtx"), settings, compute_capability=COMPUTE_CAPABILITY)


def _subject(planned: PlannedWorkload, graph: Graph, suffix: str) -> Subject:
    if isinstance(planned.source, Architecture):
        raise TypeError(f"{planned.source.key} is a network")
    return Subject(f"{planned.source.label}{suffix}", f"{planned.source.kind}{suffix}", encode_graph(graph))


def table(outcomes: Iterable[Outcome]) -> str:
    """A line for each precision and kind: built of tried, median seconds, sizes."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.precision, outcome.kind), []).append(outcome)
        groups.setdefault((outcome.precision, "ALL"), []).append(outcome)
    order = sorted(groups, key=lambda group: (list(ONE_IN).index(group[0]), group[1] == "ALL", group[1]))
    head = f"{'precision':9}  {'kind':30}  {'built':>11}  {'write ms':>8}  {'build ms':>8}  {'MiB each':>8}  {'MiB':>7}"
    return "\n".join([head, *(_line(*group, groups[group]) for group in order)])


def _line(precision: str, kind: str, outcomes: Sequence[Outcome]) -> str:
    built = [outcome for outcome in outcomes if outcome.failure is None]
    count = f"{len(built)} of {len(outcomes)}"
    if not built:
        return f"{precision:9}  {kind:30}  {count:>11}"
    model_ms, build_ms = (1e3 * median(times) for times in zip(*((b.model_s, b.build_s) for b in built), strict=True))
    sizes = [outcome.plan_bytes / _MIB for outcome in built]
    each = f"{model_ms:8.1f}  {build_ms:8.1f}  {median(sizes):8.2f}  {sum(sizes):7.0f}"
    return f"{precision:9}  {kind:30}  {count:>11}  {each}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build every operator workload with TensorRT-RTX.")
    parser.add_argument("--height", type=int, default=DEFAULT_SIZE[0])
    parser.add_argument("--width", type=int, default=DEFAULT_SIZE[1])
    parser.add_argument("--base-channels", type=int, default=12)
    parser.add_argument("--networks", metavar="FOLDER", help="also build the networks of the JSON files in it")
    parser.add_argument("--processes", type=int, default=_PROCESSES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
