"""A target: the device, runtime, precision and threads that a latency belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hyctas.errors import InvalidTarget

PRECISIONS: Final = ("fp32", "tf32", "fp16", "bf16", "int8")
RUNTIMES: Final = ("onnxruntime", "torch", "openvino", "tensorrt", "tensorrt-rtx")

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
    return Target(slug, runtime, precision, tuple(options), threads)


def _leading_runtime(local: str) -> str:
    """The longest runtime name that `local` starts with, or an empty string."""
    matching = [runtime for runtime in RUNTIMES if local.startswith(f"{runtime}-")]
    return max(matching, key=len, default="")
