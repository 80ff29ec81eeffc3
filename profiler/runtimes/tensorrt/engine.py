"""Running one TensorRT engine: loaded, warmed up, captured into a CUDA graph, timed, profiled, and freed."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from hyctas.folding import fold
from hyctas.graph import Graph
from hyctas.weights import seeded_inputs, seeded_weights
from profiler.runtimes.engine import LayerTime, Unsupported
from profiler.runtimes.node_index import NodeIndex
from profiler.runtimes.outputs import Output, all_finite
from profiler.runtimes.tensorrt.cuda import CudaError, CudaOutOfMemory, GraphExec
from profiler.runtimes.tensorrt.l2_flush import L2Flush
from profiler.runtimes.tensorrt.layers import PROFILED_RUNS, LayerClock, layer_times, read_inspection
from profiler.runtimes.tensorrt.loading import Loader, scratch_bytes
from profiler.runtimes.tensorrt.tensors import Tensors
from profiler.runtimes.tensorrt.timing import EventTimer, FlushedEventTimer, HostTimer, Sample, Timer

_KEPT_SAMPLES: Final = 100


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """Where an engine's memory goes, in bytes.

    Attributes:
        plan_bytes: Size of the serialised engine, on the host.
        scratch_bytes: What its execution context needs for activations and scratch.
        tensors_bytes: Its inputs and outputs.
        device_bytes: By how much the device's used memory rose while it was loaded; weights, code and graph included,
            and whatever other processes took meanwhile.
    """

    plan_bytes: int
    scratch_bytes: int
    tensors_bytes: int
    device_bytes: int


class TensorRtEngine:
    """An engine with its tensors in device memory.

    Device memory, streams, events and graphs are freed by :meth:`close`, or with the object.

    Args:
        loader: What loads and runs it.
        plan: A serialised engine of `graph`.
        graph: What it computes; names its tensors and its layers' nodes.
        seed: Of its inputs, which are random: zeros draw less power and let clocks rise.

    Raises:
        EngineFailed: TensorRT refuses it.
        EngineOutOfMemory: It does not fit; so does :class:`CudaOutOfMemory`.
        Unsupported: It cannot be captured into a CUDA graph, or its tensors are not those of `graph`.
    """

    def __init__(self, loader: Loader, plan: bytes, graph: Graph, *, seed: int) -> None:
        self._loader = loader
        self._graph = graph
        self._seed = seed
        self._samples: deque[Sample] = deque(maxlen=_KEPT_SAMPLES)
        self._engine: Any = None
        self._context: Any = None
        self._graph_exec: GraphExec | None = None
        self._resources = ExitStack()
        self._closing = weakref.finalize(self, self._resources.close)
        self._closing.atexit = False  # the driver frees everything then, and is itself on its way out
        try:
            self._load(plan)
        except BaseException:
            self.close()
            raise

    def _load(self, plan: bytes) -> None:
        """Everything from the plan to a run that can be repeated."""
        cuda, resources = self._loader.cuda, self._resources
        used_bytes = cuda.memory().used_bytes
        self._stream = cuda.create_stream()
        resources.callback(cuda.destroy_stream, self._stream)
        self._tensors, self._engine, self._context = self._bound(plan)
        self._warm_up()
        if self._loader.settings.cuda_graph:
            self._graph_exec = self._capture()
            resources.callback(cuda.destroy_graph, self._graph_exec)
        self._timer = self._create_timer()
        resources.callback(cuda.synchronise, self._stream)  # runs first: nothing is freed that is still in use
        self.run()
        self.memory = EngineMemory(
            plan_bytes=len(plan),
            scratch_bytes=scratch_bytes(self._engine),
            tensors_bytes=self._tensors.size_bytes,
            device_bytes=cuda.memory().used_bytes - used_bytes,
        )

    def close(self) -> None:
        """Free everything; nothing can be run afterwards."""
        self._closing()
        self._context = self._engine = None

    def run(self) -> None:
        """Run once as the metric has it (with or without copies), and wait for the result."""
        self._call()
        self._loader.cuda.synchronise(self._stream)

    def time_s(self, repeats: int) -> float:
        """Seconds of one run by the target's metric: the mean of `repeats` back to back."""
        sample = self._timer.time(self._call, repeats)
        self._samples.append(sample)
        return sample.run_s

    def outputs(self) -> list[Output]:
        """Run once, and copy every output."""
        self._enqueue()
        self._tensors.download(self._stream)
        self._loader.cuda.synchronise(self._stream)
        return self._tensors.downloaded(self._graph.outputs)

    def finite(self) -> bool:
        """Run once and check every output."""
        return all_finite(self.outputs())

    def facts(self) -> Mapping[str, str]:
        """Memory, and whether the host's launching was what was timed, over the last samples."""
        memory = self.memory
        found = {
            "plan_bytes": str(memory.plan_bytes),
            "scratch_bytes": str(memory.scratch_bytes),
            "tensors_bytes": str(memory.tensors_bytes),
            "device_bytes": str(memory.device_bytes),
        }
        if self._samples:
            found["enqueue_s"] = f"{median(sample.enqueue_s for sample in self._samples):.3g}"
            bound = sum(sample.launch_bound for sample in self._samples)
            found["launch_bound"] = f"{bound} of {len(self._samples)} samples"
        return found

    def layers(self) -> Sequence[LayerTime]:
        """Run under TensorRT's profiler, in a context of its own, and tell the time and the nodes of each layer.

        Profiling serialises layers, so these times are never the latency.
        """
        trt = self._loader.library.module
        context = self._loader.create_context(self._engine)
        self._tensors.bind(context)
        clock = LayerClock(trt)
        self._execute_in(context)  # warm, before anything is reported
        self._loader.cuda.synchronise(self._stream)
        context.profiler = clock.profiler
        for _ in range(PROFILED_RUNS):
            clock.begin()
            self._execute_in(context)
            self._loader.cuda.synchronise(self._stream)
        inspector = self._engine.create_engine_inspector()
        inspected = read_inspection(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
        return layer_times(clock.runs, inspected, self._index())

    def _index(self) -> NodeIndex:
        folded, _ = fold(self._graph, seeded_weights(self._graph, self._seed))
        return NodeIndex(self._graph, [node.name for node in folded.nodes])

    @property
    def _metric(self) -> str:
        return self._loader.settings.metric

    def _bound(self, plan: bytes) -> tuple[Tensors, Any, Any]:
        """The engine, its tensors with inputs on the device, and a context that knows where they are."""
        engine = self._loader.load(plan)
        tensors = Tensors(self._loader.cuda, engine, self._resources)
        missing = {*self._graph.outputs} - {tensor.name for tensor in tensors.outputs}
        if missing:
            raise Unsupported(f"the engine has no outputs {', '.join(sorted(missing))}")
        tensors.fill(seeded_inputs(self._graph, self._seed))
        tensors.upload(self._stream)
        context = self._loader.create_context(engine)
        tensors.bind(context)
        return tensors, engine, context

    def _warm_up(self) -> None:
        """Run once outside of any capture: TensorRT puts off work until the first run after a shape is set."""
        self._execute_in(self._context)
        self._loader.cuda.synchronise(self._stream)

    def _execute_in(self, context: Any) -> None:
        """Plain enqueue."""
        if not context.execute_async_v3(self._stream):
            self._loader.cuda.synchronise(self._stream)  # raises if the device is lost
            raise self._loader.failure("execute_async_v3")

    def _capture(self) -> GraphExec:
        cuda = self._loader.cuda
        try:
            cuda.begin_capture(self._stream)
            if self._context.execute_async_v3(self._stream):
                return cuda.end_capture(self._stream)
        except CudaOutOfMemory:
            raise
        except CudaError as error:
            raise self._not_captured(str(error)) from error
        cuda.abandon_capture(self._stream)
        raise self._not_captured(self._loader.said)

    def _not_captured(self, reason: str) -> Unsupported:
        return Unsupported(
            f"a run of {self._graph.name} cannot be captured into a CUDA graph ({reason}); measure it with the option "
            "enqueue of the target, and mind that its times are the host's where it is launch-bound"
        )

    def _enqueue(self) -> None:
        """One run, as the settings have it: replay of the graph, or plain enqueue."""
        if self._graph_exec is None:
            self._execute_in(self._context)
        else:
            self._loader.cuda.launch(self._graph_exec, self._stream)

    def _call(self) -> None:
        """What the metric is the time of: one run, with copies of inputs and outputs if it has them."""
        if self._metric != "host_time_with_copies":
            self._enqueue()
            return
        self._tensors.upload(self._stream)
        self._enqueue()
        self._tensors.download(self._stream)

    def _create_timer(self) -> Timer:
        cuda, stream, resources = self._loader.cuda, self._stream, self._resources
        flush = L2Flush(cuda, stream, resources) if self._loader.settings.flush_l2 else None
        if self._metric != "compute_time":
            return HostTimer(cuda, stream, flush)
        return (
            EventTimer(cuda, stream, resources) if flush is None else FlushedEventTimer(cuda, stream, flush, resources)
        )
