"""From an ONNX model to a TensorRT engine.

How a precision is asked for differs by version. TensorRT 10 is given a float32 model and flags that allow narrower
types (``int8``: a model with quantise and dequantise nodes, and the flag). TensorRT 11 and TensorRT-RTX
take types from the model alone, so the model that they are given is typed already. TF32 is on by default in all
of them, and is switched off for everything but ``tf32``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from profiler.runtimes.engine import Unsupported
from profiler.runtimes.tensorrt.cuda import DeviceProperties
from profiler.runtimes.tensorrt.faults import BuildFailed, BuildOutOfMemory, build_failure, parser_failure
from profiler.runtimes.tensorrt.library import Library
from profiler.runtimes.tensorrt.settings import TIMING_ITERATIONS, TensorRtSettings
from profiler.runtimes.tensorrt.timing_cache import TimingCacheFile

_FLAGS_OF_10: Final[Mapping[str, str]] = MappingProxyType({"fp16": "FP16", "bf16": "BF16", "int8": "INT8"})
_OLDEST_CAPABILITY: Final[Mapping[str, tuple[int, int]]] = MappingProxyType({"tf32": (8, 0), "bf16": (8, 0)})
"""Below it TensorRT quietly computes in another precision."""


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """A serialised engine, and how it came about.

    Attributes:
        plan: What TensorRT's runtime loads.
        parse_s: Seconds of parsing the model.
        build_s: Seconds of building.
        layers: Layers of the network before TensorRT fused them.
        timings_bytes: Size of the timing cache that the build began with; 0 without one.
    """

    plan: bytes
    parse_s: float
    build_s: float
    layers: int
    timings_bytes: int

    @property
    def plan_bytes(self) -> int:
        """Size of the plan."""
        return len(self.plan)


@dataclass(frozen=True, slots=True)
class EngineBuilder:
    """Builds engines of one target.

    Attributes:
        library: Which TensorRT.
        settings: How.
        timings: The timing cache, or None to time every tactic anew.
        compute_capability: The GPU to build for if it is not the one at hand; TensorRT-RTX only, which then needs no
            GPU at all.
    """

    library: Library
    settings: TensorRtSettings
    timings: TimingCacheFile | None = None
    compute_capability: tuple[int, int] | None = None

    @property
    def model_precision(self) -> str:
        """The precision in which the ONNX model is to be written."""
        if self.library.strongly_typed or self.settings.precision == "int8":
            return self.settings.precision
        return "fp32"

    def build(self, model: bytes) -> BuiltEngine:
        """Build an engine for a serialised ONNX model of :attr:`model_precision`.

        Raises:
            Unsupported: A node is not supported; its name is in the message.
            BuildOutOfMemory: Memory ran out.
            BuildFailed: TensorRT gave up for another reason.
            RuntimeUnavailable: There is no GPU or driver to build with.
        """
        self.library.logger.messages.clear()
        builder = self.library.create_builder()
        network = builder.create_network(self._network_flags())
        start_ns = time.perf_counter_ns()
        parser = self._parse(network, model)
        parsed_ns = time.perf_counter_ns()
        config = builder.create_builder_config()
        timings_bytes = self._configure(config)
        plan = self._serialised(builder, network, config)
        build_s = (time.perf_counter_ns() - parsed_ns) * 1e-9
        if self.timings is not None:
            self.timings.keep(config)
        del parser  # it owns weights that the network reads until the engine is built
        return BuiltEngine(plan, (parsed_ns - start_ns) * 1e-9, build_s, network.num_layers, timings_bytes)

    def environment(self) -> Mapping[str, str]:
        """How engines are built, as far as the name of the target does not say it."""
        s = self.settings
        return {
            self.library.runtime: self.library.version,
            "typing": "strong" if self.library.strongly_typed else "flags",
            "model_precision": self.model_precision,
            "border": "float32 inputs and outputs, casts inside",
            "optimisation_level": str(s.level),
            "auxiliary_streams": str(s.aux_streams),
            "workspace": "all memory" if s.workspace_bytes is None else f"{s.workspace_bytes >> 20} MiB",
            "timing_iterations": str(s.timing_iterations),
            "timing_cache": "none" if self.timings is None else self.timings.path.name,
            "tactic_sources": ", ".join(self._tactic_sources()),
        }

    def _network_flags(self) -> int:
        """Strong typing where there is a choice; TensorRT 10 has explicit batch without asking."""
        flag = self.library.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return 1 << int(flag) if self.library.strongly_typed else 0

    def _parse(self, network: Any, model: bytes) -> Any:
        parser = self.library.module.OnnxParser(network, self.library.logger)
        if not parser.parse(model):
            raise parser_failure(parser, self._version)
        if network.num_outputs == 0:
            raise BuildFailed(
                f"{self._version} found no output in the model; bytes that are no ONNX read as an empty one"
            )
        return parser

    def _configure(self, config: Any) -> int:
        """Apply the settings; returns the size of the timing cache that is used."""
        trt, s = self.library.module, self.settings
        set_or_clear = config.set_flag if s.precision == "tf32" else config.clear_flag
        set_or_clear(trt.BuilderFlag.TF32)
        if not self.library.strongly_typed and s.precision in _FLAGS_OF_10:
            config.set_flag(getattr(trt.BuilderFlag, _FLAGS_OF_10[s.precision]))
        config.builder_optimization_level = s.level
        config.max_aux_streams = s.aux_streams
        config.avg_timing_iterations = s.timing_iterations
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if s.workspace_bytes is not None:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, s.workspace_bytes)
        if self.compute_capability is not None:
            self._build_for(config, self.compute_capability)
        return self.timings.attach(config) if self.timings is not None else 0

    def _build_for(self, config: Any, compute_capability: tuple[int, int]) -> None:
        """Build for a GPU that is not here."""
        capabilities = self.library.module.ComputeCapability
        name = "SM{}{}".format(*compute_capability)
        if not hasattr(capabilities, name):
            known = ", ".join(sorted(n for n in dir(capabilities) if n.startswith("SM")))
            raise Unsupported(f"{self._version} does not build for {name}; it builds for {known}")
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(capabilities, name), 0)

    def _serialised(self, builder: Any, network: Any, config: Any) -> bytes:
        messages = self.library.logger.messages
        try:
            plan = builder.build_serialized_network(network, config)
        except MemoryError as error:
            raise BuildOutOfMemory(f"{self._version} ran out of memory: {error}") from error
        except RuntimeError as error:
            raise build_failure(
                (*messages.reasons(), str(error)), self._version, workspace_bytes=self.settings.workspace_bytes
            ) from error
        if plan is None:
            raise build_failure(messages.reasons(), self._version, workspace_bytes=self.settings.workspace_bytes)
        return bytes(plan)

    def _tactic_sources(self) -> tuple[str, ...]:
        """Libraries that tactics come from, as TensorRT has them by default."""
        bits = int(self.library.create_builder().create_builder_config().get_tactic_sources())
        sources = self.library.module.TacticSource.__members__
        return tuple(name for name, source in sources.items() if bits >> int(source) & 1)

    @property
    def _version(self) -> str:
        return f"{self.library.runtime} {self.library.version}"


def engine_builder(
    library: Library, settings: TensorRtSettings, device: DeviceProperties, *, cache_folder: Path
) -> EngineBuilder:
    """A builder for the device at hand, with its timing cache.

    Raises:
        Unsupported: The device lacks the precision, or settings mean nothing to this TensorRT.
    """
    oldest = _OLDEST_CAPABILITY.get(settings.precision, (0, 0))
    if device.compute_capability < oldest:
        has, needs = (".".join(map(str, pair)) for pair in (device.compute_capability, oldest))
        raise Unsupported(f"{settings.precision} needs compute capability {needs}; {device.name} has {has}")
    if not library.times_tactics:
        if not settings.timing_cache or settings.timing_iterations != TIMING_ITERATIONS:
            raise Unsupported(
                f"{library.runtime} times no tactics when it builds: avg<n> and nocache mean nothing to it"
            )
        return EngineBuilder(library, settings)
    if not settings.timing_cache:
        return EngineBuilder(library, settings)
    timings = TimingCacheFile.of(library, device.name, device.compute_capability, cache_folder)
    return EngineBuilder(library, settings, timings)
