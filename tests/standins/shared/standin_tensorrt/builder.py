"""The builder: network and configuration to a plan."""

from __future__ import annotations

from collections.abc import Iterator

from simulated_gpu import Misuse, gpu
from tensorrt._members import MAJOR, BuilderFlag, MemoryPoolType, Severity

from standin_tensorrt.config import IBuilderConfig
from standin_tensorrt.derived import IProgressMonitor
from standin_tensorrt.fusion import Fusion, Layer
from standin_tensorrt.logger import ILogger
from standin_tensorrt.model import Model
from standin_tensorrt.network import INetworkDefinition
from standin_tensorrt.plan import Plan, serialise
from standin_tensorrt.rules import flag_errors
from standin_tensorrt.strict import ContextManaged, strict
from standin_tensorrt.timing import BuildOptions, TacticTimer, layer_key
from standin_tensorrt.values import IHostMemory

_PRECISION_FLAGS = {"FP16": "HALF", "BF16": "BF16", "INT8": "INT8"} if MAJOR == 10 else {}
_PHASE = "Building Engine"


@strict
class Builder(ContextManaged):
    """Needs a driver, as the real one does."""

    __slots__ = ("_logger", "_max_threads")

    def __init__(self, logger: ILogger) -> None:
        if not gpu().scenario.device.count:
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger, self._max_threads = logger, 1

    @property
    def logger(self) -> ILogger:
        return self._logger

    @property
    def max_threads(self) -> int:
        return self._max_threads

    @max_threads.setter
    def max_threads(self, threads: int) -> None:
        self._max_threads = threads

    if MAJOR == 10:

        @property
        def platform_has_fast_fp16(self) -> bool:
            return True

        @property
        def platform_has_fast_int8(self) -> bool:
            return True

        @property
        def platform_has_tf32(self) -> bool:
            return gpu().scenario.device.compute_capability >= (8, 0)

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition._make(flags)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig._make()

    def is_network_supported(self, network: INetworkDefinition, config: IBuilderConfig) -> bool:
        return not list(self._errors(network, config))

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        gpu().not_while_capturing("build_serialized_network")
        fault = gpu().scenario.entered("build_serialized_network", network.name)
        errors = [fault.message] if fault else list(self._errors(network, config))
        if not errors:
            plan = self._build(network, config)
            if plan is not None:
                return IHostMemory(serialise(plan))
            errors = [
                "Error Code 10: Internal Error (the build was cancelled, or a tactic was not in the timing cache)"
            ]
        for error in errors:
            self._logger.log(Severity.ERROR, f"IBuilder::buildSerializedNetwork: {error}")
        return None

    def _errors(self, network: INetworkDefinition, config: IBuilderConfig) -> Iterator[str]:
        model = network._model
        if model is None:
            raise Misuse("an empty network is built")
        if any(-1 in model.types[name].shape for name in model.inputs):
            yield "Error Code 4: API Usage Error (Network has dynamic inputs, but no optimization profile is defined.)"
        flags = {name: config.get_flag(flag) for name, flag in BuilderFlag.__members__.items()}
        for text in flag_errors(model, flags, network._strongly_typed):
            yield f"Error Code 4: Internal Error ({text})"

    def _build(self, network: INetworkDefinition, config: IBuilderConfig) -> Plan | None:
        model = network._filled()
        self._logger.log(Severity.VERBOSE, f"Building {model.name}: {len(model.operators)} operators")
        layers = Fusion(model).layers()
        options = self._options(network, config)
        cached = config._cache is not None and not config.get_flag(BuilderFlag.DISABLE_TIMING_CACHE)
        factors = config._cache._factors if cached and config._cache is not None else None
        if config.get_flag(BuilderFlag.ERROR_ON_TIMING_CACHE_MISS):
            known = factors or {}
            if any(layer_key(model, layer, options) not in known for layer in layers):
                return None
        timer = TacticTimer(gpu().scenario, gpu().scenario.counts["build_serialized_network"] - 1, factors)
        times_s = _timed(model, layers, options, timer, config.progress_monitor)
        if times_s is None:
            return None
        return Plan(
            name=model.name,
            device=gpu().scenario.device.name,
            layers=layers,
            times_s=times_s,
            verbosity=config.profiling_verbosity.name,
            aux_streams=_aux_streams(model, config.max_aux_streams),
            scratch_bytes=_scratch_bytes(model),
            tf32=options.tf32,
            tactic_sources=config.get_tactic_sources(),
            strongly_typed=network._strongly_typed,
            model=model.data,
        )

    def _options(self, network: INetworkDefinition, config: IBuilderConfig) -> BuildOptions:
        allowed = (
            ()
            if network._strongly_typed
            else tuple(
                element for flag, element in _PRECISION_FLAGS.items() if config.get_flag(BuilderFlag.__members__[flag])
            )
        )
        return BuildOptions(
            config.builder_optimization_level,
            config.avg_timing_iterations,
            config.get_memory_pool_limit(MemoryPoolType.WORKSPACE),
            config.get_flag(BuilderFlag.TF32),
            allowed,
        )


def _timed(
    model: Model,
    layers: tuple[Layer, ...],
    options: BuildOptions,
    timer: TacticTimer,
    monitor: IProgressMonitor | None,
) -> tuple[float, ...] | None:
    """Seconds of each layer, or None if the monitor ended the build."""
    times_s: list[float] = []
    if monitor is not None:
        monitor.phase_start(_PHASE, "", len(layers))
    cancelled = False
    for step, layer in enumerate(layers):
        times_s.append(timer.layer_s(model, layer, options))
        if monitor is not None and not monitor.step_complete(_PHASE, step):
            cancelled = True
            break
    if monitor is not None:
        monitor.phase_finish(_PHASE)
    return None if cancelled else tuple(times_s)


def _aux_streams(model: Model, limit: int) -> int:
    """How many branches could run beside the first one, within the limit (-1: the builder decides)."""
    widest = max((len(readers) for readers in model.consumers.values()), default=1)
    return min(widest - 1, limit if limit >= 0 else 1)


def _scratch_bytes(model: Model) -> int:
    """Memory for activations: the two largest values that no one outside sees."""
    border = {*model.inputs, *model.outputs, *model.constants}
    sizes = sorted(value.size_bytes for name, value in model.types.items() if name not in border)
    return sum(sizes[-2:])
