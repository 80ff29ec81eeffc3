"""The runtime of targets ``tensorrt-...`` and ``tensorrt-rtx-...``: builds an engine for a graph, and runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hyctas.graph import Graph
from hyctas.measurement import DeviceConditions
from hyctas.target import Metric, Target
from profiler.nvml import GpuMonitor
from profiler.runtimes.seeded_model import seeded_onnx
from profiler.runtimes.tensorrt.building import EngineBuilder, engine_builder
from profiler.runtimes.tensorrt.cuda import open_cuda
from profiler.runtimes.tensorrt.engine import TensorRtEngine
from profiler.runtimes.tensorrt.library import open_library
from profiler.runtimes.tensorrt.loading import Loader
from profiler.runtimes.tensorrt.settings import read_settings
from profiler.runtimes.tensorrt.timing_cache import default_folder


class TensorRtRuntime:
    """Engines of one target.

    The device is opened before TensorRT is touched: without a driver some versions hand out objects that crash the
    process when they are used.

    Args:
        target: What to measure.
        cache_folder: Where timing caches are kept; the user's cache folder if None.

    Raises:
        Unsupported: The target asks for a precision or an option that is not offered, or that the device lacks.
        RuntimeUnavailable: There is no GPU, driver, TensorRT or CUDA binding; says what to install.
    """

    def __init__(self, target: Target, *, cache_folder: Path | None = None) -> None:
        settings = read_settings(target)
        library = open_library(target.runtime)
        cuda = open_cuda()
        self._loader = Loader(library, library.create_runtime(cuda), cuda, settings)
        self._builder: EngineBuilder = engine_builder(
            library, settings, cuda.properties(), cache_folder=cache_folder or default_folder()
        )
        self._monitor = GpuMonitor(os.environ)  # the variables that choose CUDA's devices, as CUDA itself reads them

    @property
    def metric(self) -> Metric:
        """What samples are times of: what the target's name says."""
        return self._loader.settings.metric

    def prepare(self, graph: Graph, *, seed: int) -> TensorRtEngine:
        """Write `graph` as ONNX, build an engine, load it and warm it up.

        Raises:
            Unsupported: TensorRT cannot run it, or cannot capture it.
            BuildFailed: TensorRT gave up building.
            EngineFailed: TensorRT cannot run what it built.
            MemoryError: Memory ran out, in building or in running.
        """
        model = seeded_onnx(graph, precision=self._builder.model_precision, seed=seed)
        return TensorRtEngine(self._loader, self._builder.build(model).plan, graph, seed=seed)

    def environment(self) -> Mapping[str, str]:
        """Versions and settings that the name of the target does not say, and the state of the GPU."""
        loader = self._loader
        return {
            **self._builder.environment(),
            **loader.cuda.versions(),
            "cuda_binding": loader.cuda.name,
            "launch": "CUDA graph" if loader.settings.cuda_graph else "enqueue",
            "l2": "flushed before each run" if loader.settings.flush_l2 else "as the run before left it",
            **self._monitor.environment(),
        }

    def conditions(self) -> DeviceConditions:
        """Clocks, temperature, power and throttle reasons, the latter since the call before."""
        return self._monitor.conditions()
