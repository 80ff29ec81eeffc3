"""Times of single layers under ONNX Runtime's profiler, and which nodes of the graph each computes.

The profiler writes a file with the time of every node of the optimised model in every run. It has a resolution of one
microsecond and costs some itself, so the sum is not the latency.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import onnx

from hyctas.errors import MeasuringError
from hyctas.graph import Graph
from profiler.runtimes.engine import LayerTime
from profiler.runtimes.node_index import NodeIndex
from profiler.runtimes.onnxruntime_fusion import fused_nodes

if TYPE_CHECKING:
    import onnxruntime as ort

WARM_UP_RUNS: Final = 3
PROFILED_RUNS: Final = 20
"""Most runs whose median is the time of a layer."""
MIN_RUNS: Final = 3
LONGEST_S: Final = 10.0
"""Seconds after which a slow network is run no more than it must be."""
_SUFFIX: Final = "_kernel_time"
_MICRO: Final = 1e-6

Bind = Callable[["ort.InferenceSession"], Callable[[], None]]
"""Gives a session its inputs; returns what runs it once."""


def layer_times(
    graph: Graph, model: bytes, options: ort.SessionOptions, providers: Sequence[str], bind: Bind
) -> tuple[LayerTime, ...]:
    """Run `model` under the profiler.

    Args:
        graph: What the model computes.
        model: The ONNX model of `graph`, whose nodes have the names of those of the graph.
        options: As those of the session that is measured; its profiling options are set here.
        providers: Execution providers.
        bind: Gives the session its inputs.

    Returns:
        The layers in the order in which they ran; the time of each is a median over runs.

    Raises:
        MeasuringError: The profile holds no layer.
    """
    import onnxruntime as ort

    with tempfile.TemporaryDirectory(prefix="hyctas-layers-") as folder:
        optimised = Path(folder, "optimised.onnx")
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        options.optimized_model_filepath = str(optimised)
        session = ort.InferenceSession(model, options, providers=list(providers))
        runs = _run(bind(session))
        events = json.loads(Path(session.end_profiling()).read_bytes())
        written = onnx.load_from_string(model).graph
        fused = fused_nodes(written, onnx.load(optimised, load_external_data=False).graph)
    times = read_profile(events, skip=WARM_UP_RUNS)
    if not times:
        raise MeasuringError(f"the profile of {runs} runs of {graph.name} holds no layer")
    index = NodeIndex(graph, (node.name for node in written.node))
    return tuple(
        LayerTime(name, median(samples_s), _nodes(index, fused.get(name, ()))) for name, samples_s in times.items()
    )


def read_profile(events: Sequence[Mapping[str, Any]], *, skip: int) -> Mapping[str, Sequence[float]]:
    """Seconds of each layer in each run, without the first `skip` runs.

    Args:
        events: The profile, in the format of Chrome's tracing.
        skip: Runs that were for warming up.
    """
    times: dict[str, list[float]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith(_SUFFIX):
            times.setdefault(name.removesuffix(_SUFFIX), []).append(float(event["dur"]) * _MICRO)
    return {name: samples_s[skip:] for name, samples_s in times.items() if len(samples_s) > skip}


def _run(run: Callable[[], None]) -> int:
    """Run until there are enough samples, or it has taken long enough; returns how often."""
    begun_s = time.perf_counter()
    for count in range(1, WARM_UP_RUNS + PROFILED_RUNS + 1):
        run()
        if count >= WARM_UP_RUNS + MIN_RUNS and time.perf_counter() - begun_s > LONGEST_S:
            break
    return count


def _nodes(index: NodeIndex, written: Sequence[str]) -> tuple[str, ...]:
    """Nodes of the graph that nodes of the written model belong to."""
    found = (index.find(name) for name in written)
    return index.in_order(name for name in found if name is not None)
