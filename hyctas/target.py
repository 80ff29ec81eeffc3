"""A target: the device, runtime, precision and threads that a latency belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from hyctas.errors import InvalidTarget

Metric = Literal["host_time", "host_time_with_copies", "compute_time"]
"""What a latency is the time of; see :attr:`Target.metric`."""

PRECISIONS: Final = ("fp32", "tf32", "fp16", "bf16", "int8")
RUNTIMES: Final = ("onnxruntime", "torch", "openvino", "tensorrt", "tensorrt-rtx")
METRIC_OPTIONS: Final[Mapping[str, Metric]] = MappingProxyType({"host": "host_time", "copies": "host_time_with_copies"})
"""Options of GPU targets that choose another metric than compute time."""
_GPU_RUNTIMES: Final = frozenset({"tensorrt", "tensorrt-rtx"})
_GPU_OPTIONS: Final = frozenset({"cuda", "tensorrt"})
"""Options by which a runtime that also runs on CPUs runs on a GPU."""

_SLUG: Final = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
_THREADS: Final = re.compile(r"t([1-9][0-9]{0,3})")
_FORM: Final = "<device>/<runtime>-<precision>[-<option>...][-t<threads>], such as epyc-7b12/onnxruntime-fp32-t1"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Where a latency is measured, and how: ``<device>/<runtime>-<precision>[-<option>...][-t<threads>]``.

    Versions of the runtime and of the driver belong to a measurement's environment, not to the name.

    Attributes:
        device: Slug of the hardware.
        runtime: One of :data:`RUNTIMES`.
        precision: One of :data:`PRECISIONS`; ``fp32`` means that TF32 is off.
        options: Ways of running, such as ``compiled``, in the order of the name.
        threads: Threads of the runtime, or None where that means nothing (a GPU).
    """

    device: str
    runtime: str
    precision: str
    options: tuple[str, ...] = ()
    threads: int | None = None

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.device}/{self.local_name}"

    @property
    def local_name(self) -> str:
        """The name without the device, enough on the machine itself."""
        threads = () if self.threads is None else (f"t{self.threads}",)
        return "-".join((self.runtime, self.precision, *self.options, *threads))

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU; the name alone tells."""
        return self.runtime in _GPU_RUNTIMES or not _GPU_OPTIONS.isdisjoint(self.options)

    @property
    def metric(self) -> Metric:
        """What latencies of this target are times of: exactly one metric a target, so that none are ever mixed.

        On a CPU it is the host's time of a call. On a GPU it is the time between events on the device, unless the
        option ``host`` (the host's time, inputs and outputs on the device) or ``copies`` (copies included) is given.
        """
        if not self.on_gpu:
            return "host_time"
        return next((METRIC_OPTIONS[option] for option in self.options if option in METRIC_OPTIONS), "compute_time")

    @property
    def needs_whole_cpu(self) -> bool:
        """Whether a run that had to share its CPU does not count: the host's time of one thread is what is measured.

        The host thread of a GPU target waits most of the time, and several threads have no share to hold it against.
        """
        return self.threads == 1 and not self.on_gpu

    def __str__(self) -> str:
        """Return the full name."""
        return self.name


def parse_target(name: str, *, device: str | None = None) -> Target:
    """Parse a target name.

    Args:
        name: A full name, or one without the device if `device` is given.
        device: The slug to use where the name holds none.

    Raises:
        InvalidTarget: The name does not have the form of a target.
    """
    slug, slash, local = name.rpartition("/")
    if not slash:
        if device is None:
            raise InvalidTarget("target", name, _FORM)
        slug = device
    if not _SLUG.fullmatch(slug):
        raise InvalidTarget("target", name, _FORM)
    runtime = _leading_runtime(local)
    words = local[len(runtime) + 1 :].split("-") if runtime else []
    if not words or words[0] not in PRECISIONS:
        raise InvalidTarget(
            "target", name, f"{_FORM}; runtimes: {', '.join(RUNTIMES)}; precisions: {', '.join(PRECISIONS)}"
        )
    precision, *options = words
    threads = None
    if options and (match := _THREADS.fullmatch(options[-1])):
        threads = int(match[1])
        options.pop()
    if not all(_SLUG.fullmatch(option) for option in options):
        raise InvalidTarget("target", name, _FORM)
    target = Target(slug, runtime, precision, tuple(options), threads)
    _check_options(name, target)
    return target


def _check_options(name: str, target: Target) -> None:
    """Refuse a metric that a target cannot have, and threads of a GPU."""
    metrics = [option for option in target.options if option in METRIC_OPTIONS]
    if metrics and not target.on_gpu:
        raise InvalidTarget("target", name, f"{' and '.join(METRIC_OPTIONS)} on a GPU only; a CPU has host time")
    if len(metrics) > 1:
        raise InvalidTarget(
            "target", name, f"one metric: either {' or '.join(METRIC_OPTIONS)}, or compute time (neither)"
        )
    if target.on_gpu and target.threads is not None:
        raise InvalidTarget("target", name, f"no -t{target.threads}: a GPU has no thread count")


def _leading_runtime(local: str) -> str:
    """The longest runtime name that `local` starts with, or an empty string."""
    matching = [runtime for runtime in RUNTIMES if local.startswith(f"{runtime}-")]
    return max(matching, key=len, default="")
