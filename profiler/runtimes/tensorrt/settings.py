"""How a TensorRT target builds and runs, read from the name of the target.

One way of running has one name: options stand in one order, and a default is not written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from hyctas.target import METRIC_OPTIONS, Metric, Target
from profiler.runtimes.engine import Unsupported

DEFAULT_LEVEL: Final = 3
HIGHEST_LEVEL: Final = 5
TIMING_ITERATIONS: Final = 8
"""TensorRT's own default is 1. Tactics are chosen by time, so timing noise chooses tactics: average more."""
CHOICES: Final = (
    "enqueue (no CUDA graph)",
    "l2flush",
    f"o0 to o{HIGHEST_LEVEL} (optimisation level; {DEFAULT_LEVEL} without)",
    "aux<n> (auxiliary streams; 0 without)",
    "ws<MiB> (workspace; all of the device's memory without)",
    f"avg<n> (timing iterations; {TIMING_ITERATIONS} without)",
    "nocache (no timing cache)",
    "host (host time)",
    "copies (host time with copies)",
)
"""Every option, for messages, in the order of a name."""
_MIB: Final = 1 << 20
_NUMBERED: Final = re.compile(r"(o|aux|ws|avg)(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class TensorRtSettings:
    """Everything that a target's name says about building and running.

    Attributes:
        precision: ``fp32`` (TF32 off), ``tf32``, ``fp16``, ``bf16`` or ``int8``.
        level: Optimisation level of the builder: at 0 and 1 hardly a tactic is timed, 4 and 5 build long.
        aux_streams: Most auxiliary streams. Left to itself TensorRT decides by heuristics, branches overlap, and the
            sum over branches means nothing; so 0.
        workspace_bytes: Most scratch memory of a tactic; None is TensorRT's default, all of the device's memory.
        timing_iterations: Runs over which the builder averages when it times a tactic.
        timing_cache: Whether tactics timed in earlier builds on this device and version are taken as they are.
        cuda_graph: Replay a CUDA graph. Otherwise plain enqueue: where that is bound by launches, events time the host.
        flush_l2: Overwrite more than the L2 cache before each timed run.
        metric: What samples are times of.
    """

    precision: str
    level: int = DEFAULT_LEVEL
    aux_streams: int = 0
    workspace_bytes: int | None = None
    timing_iterations: int = TIMING_ITERATIONS
    timing_cache: bool = True
    cuda_graph: bool = True
    flush_l2: bool = False
    metric: Metric = "compute_time"

    @property
    def options(self) -> tuple[str, ...]:
        """The options of a target with these settings, in the order of its name."""
        words = (
            "" if self.cuda_graph else "enqueue",
            "l2flush" if self.flush_l2 else "",
            "" if self.level == DEFAULT_LEVEL else f"o{self.level}",
            f"aux{self.aux_streams}" if self.aux_streams else "",
            "" if self.workspace_bytes is None else f"ws{self.workspace_bytes // _MIB}",
            "" if self.timing_iterations == TIMING_ITERATIONS else f"avg{self.timing_iterations}",
            "" if self.timing_cache else "nocache",
            next((word for word, metric in METRIC_OPTIONS.items() if metric == self.metric), ""),
        )
        return tuple(word for word in words if word)


def read_settings(target: Target) -> TensorRtSettings:
    """The settings that `target` names.

    Raises:
        Unsupported: An option is not known, stands twice or is a default, or options stand in another order than that
            of :attr:`TensorRtSettings.options`.
    """
    settings = TensorRtSettings(target.precision)
    for option in target.options:
        changed = _plain(settings, option) or _numbered(settings, option)
        if changed is None:
            known = ", ".join(CHOICES)
            raise Unsupported(f"{target.local_name}: TensorRT has no option {option!r}; it has: {known}")
        settings = changed
    if settings.options != target.options:
        name = replace(target, options=settings.options).local_name
        raise Unsupported(f"{target.local_name}: one way of running has one name; this one is {name}")
    return settings


def _plain(settings: TensorRtSettings, option: str) -> TensorRtSettings | None:
    if option in METRIC_OPTIONS:
        return replace(settings, metric=METRIC_OPTIONS[option])
    if option == "enqueue":
        return replace(settings, cuda_graph=False)
    if option == "l2flush":
        return replace(settings, flush_l2=True)
    if option == "nocache":
        return replace(settings, timing_cache=False)
    return None


def _numbered(settings: TensorRtSettings, option: str) -> TensorRtSettings | None:
    match = _NUMBERED.fullmatch(option)
    if match is None:
        return None
    number = int(match[2])
    if match[1] == "o" and number <= HIGHEST_LEVEL:
        return replace(settings, level=number)
    if match[1] == "aux":
        return replace(settings, aux_streams=number)
    if match[1] == "ws" and number:
        return replace(settings, workspace_bytes=number * _MIB)
    if match[1] == "avg" and number:
        return replace(settings, timing_iterations=number)
    return None
