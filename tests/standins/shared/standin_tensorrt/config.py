"""How a builder is to build."""

from __future__ import annotations

from simulated_gpu import Misuse, gpu
from tensorrt._members import BuilderFlag, MemoryPoolType, ProfilingVerbosity, TacticSource

from standin_tensorrt.derived import IProgressMonitor
from standin_tensorrt.strict import Buffer, ContextManaged, NotConstructible, strict
from standin_tensorrt.timing_cache import ITimingCache, NotACache

_HIGHEST_LEVEL = 5


@strict
class IBuilderConfig(NotConstructible, ContextManaged):
    """Starts with the defaults of the real builder; TF32 is one of them."""

    __slots__ = (
        "_avg_timing_iterations",
        "_cache",
        "_flags",
        "_level",
        "_max_aux_streams",
        "_monitor",
        "_pools",
        "_tactic_sources",
        "_verbosity",
    )

    def _set_up(self) -> None:
        self._flags = 1 << int(BuilderFlag.TF32)
        self._avg_timing_iterations, self._level, self._max_aux_streams = 1, 3, -1
        self._verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        self._pools = {MemoryPoolType.WORKSPACE: gpu().scenario.device.memory_bytes}
        self._tactic_sources = sum(1 << int(source) for source in TacticSource.__members__.values())
        self._cache: ITimingCache | None = None
        self._monitor: IProgressMonitor | None = None

    @property
    def flags(self) -> int:
        return self._flags

    @flags.setter
    def flags(self, flags: int) -> None:
        self._flags = flags

    def set_flag(self, flag: BuilderFlag) -> None:  # type: ignore[valid-type]
        self._flags |= 1 << int(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:  # type: ignore[valid-type]
        self._flags &= ~(1 << int(flag))

    def get_flag(self, flag: BuilderFlag) -> bool:  # type: ignore[valid-type]
        return bool(self._flags & 1 << int(flag))

    @property
    def avg_timing_iterations(self) -> int:
        return self._avg_timing_iterations

    @avg_timing_iterations.setter
    def avg_timing_iterations(self, iterations: int) -> None:
        self._avg_timing_iterations = max(iterations, 1)

    @property
    def builder_optimization_level(self) -> int:
        return self._level

    @builder_optimization_level.setter
    def builder_optimization_level(self, level: int) -> None:
        if level < 0:
            raise Misuse(f"optimisation level {level}")
        self._level = min(level, _HIGHEST_LEVEL)

    @property
    def max_aux_streams(self) -> int:
        return self._max_aux_streams

    @max_aux_streams.setter
    def max_aux_streams(self, streams: int) -> None:
        if streams < 0:
            raise Misuse(f"{streams} auxiliary streams")
        self._max_aux_streams = streams

    @property
    def profiling_verbosity(self) -> ProfilingVerbosity:  # type: ignore[valid-type]
        return self._verbosity

    @profiling_verbosity.setter
    def profiling_verbosity(self, verbosity: ProfilingVerbosity) -> None:  # type: ignore[valid-type]
        self._verbosity = verbosity

    @property
    def progress_monitor(self) -> IProgressMonitor | None:
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor: IProgressMonitor | None) -> None:
        self._monitor = monitor

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:  # type: ignore[valid-type]
        if pool_size < 0:
            raise Misuse(f"a memory pool of {pool_size} bytes")
        self._pools[pool] = pool_size

    def get_memory_pool_limit(self, pool: MemoryPoolType) -> int:  # type: ignore[valid-type]
        return self._pools.get(pool, 0)

    def set_tactic_sources(self, tactic_sources: int) -> bool:
        self._tactic_sources = tactic_sources
        return True

    def get_tactic_sources(self) -> int:
        return self._tactic_sources

    def create_timing_cache(self, serialized_timing_cache: Buffer) -> ITimingCache | None:
        try:
            return ITimingCache._make(serialized_timing_cache)
        except NotACache:
            return None

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        if not cache._matches(ignore_mismatch):
            return False
        self._cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        return self._cache

    def reset(self) -> None:
        self._set_up()
