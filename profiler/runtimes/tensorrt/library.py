"""Which TensorRT this process has: TensorRT 10 or 11, or TensorRT-RTX.

They share one API as far as it is used here, and differ in how a precision is asked for (``building.py``) and in what
is kept between builds (``timing_cache.py``).
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from hyctas.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from profiler.runtimes.tensorrt.cuda import Cuda

KEPT_MESSAGES: Final = 50
KEPT_WARNINGS: Final = 3


@dataclass(frozen=True, slots=True)
class _Package:
    """The package behind a runtime's name, and the versions of it that are supported."""

    module: str
    oldest: tuple[int, ...]
    newest_major: int
    install: str


_PACKAGES: Final = {
    "tensorrt": _Package("tensorrt", (10,), 11, "pip install 'hyctas[tensorrt]'"),
    "tensorrt-rtx": _Package("tensorrt_rtx", (1, 7), 1, "pip install 'hyctas[tensorrt-rtx]'"),
}


class Messages:
    """What TensorRT said lately, warnings and errors only.

    Neither builder nor parser says in an exception why it failed: it returns nothing, and logs.
    """

    def __init__(self) -> None:
        self._kept: deque[tuple[bool, str]] = deque(maxlen=KEPT_MESSAGES)

    def add(self, text: str, *, error: bool) -> None:
        """Keep a message; the oldest makes room."""
        self._kept.append((error, text))

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def reasons(self) -> tuple[str, ...]:
        """Errors since the last :meth:`clear`, oldest first; the last warnings where a failure was logged as such."""
        errors = tuple(text for error, text in self._kept if error)
        return errors or tuple(text for _, text in self._kept)[-KEPT_WARNINGS:]


class Logger(Protocol):
    """TensorRT's logger, which keeps messages."""

    @property
    def messages(self) -> Messages:
        """What it was told."""


@dataclass(frozen=True, slots=True)
class Library:
    """A TensorRT that is imported.

    Attributes:
        runtime: ``tensorrt`` or ``tensorrt-rtx``.
        module: Its Python module.
        version: Such as ``10.13.3.9``.
        logger: The one logger of this process: TensorRT keeps the first that it meets and ignores all others.
    """

    runtime: str
    module: Any
    version: str
    logger: Logger

    @property
    def major(self) -> int:
        """Major version."""
        return _numbers(self.version)[0]

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT-RTX, which compiles kernels on the user's machine when an engine is loaded."""
        return self.runtime == "tensorrt-rtx"

    @property
    def strongly_typed(self) -> bool:
        """Whether types come from the model alone; TensorRT 10 also takes flags that allow narrower ones."""
        return self.is_rtx or self.major >= 11

    @property
    def times_tactics(self) -> bool:
        """Whether a build times tactics, so that builds differ and a timing cache exists.

        TensorRT-RTX does neither: its timing cache does nothing and warns that it will go.
        """
        return not self.is_rtx

    def create_builder(self) -> Any:
        """A builder.

        Raises:
            RuntimeUnavailable: There is no driver, or none that is new enough; the binding says so by a TypeError.
        """
        try:
            builder = self.module.Builder(self.logger)
        except TypeError as error:
            raise RuntimeUnavailable(self._needs_driver("builder")) from error
        if builder is None:
            raise RuntimeUnavailable(self._needs_driver("builder"))
        return builder

    def create_runtime(self, cuda: Cuda) -> Any:
        """What loads engines.

        Args:
            cuda: Proof that there is a driver and a device: without them some versions return an object that crashes
                the process when it is used.

        Raises:
            RuntimeUnavailable: TensorRT does not run on this device or driver.
        """
        try:
            runtime = self.module.Runtime(self.logger)
        except TypeError as error:
            raise RuntimeUnavailable(self._needs_driver(f"runtime on {cuda.properties().name}")) from error
        return runtime

    def _needs_driver(self, what: str) -> str:
        said = "; ".join(self.logger.messages.reasons()) or "it does not say why"
        return (
            f"{self.runtime} {self.version} cannot create a {what} ({said}); needed are an NVIDIA GPU and a driver "
            "for the CUDA version that this TensorRT was built with"
        )


@cache
def open_library(runtime: str) -> Library:
    """Import the TensorRT of a runtime's name.

    Raises:
        RuntimeUnavailable: It is not installed, cannot be loaded, or is of a version that is not supported.
    """
    package = _PACKAGES[runtime]
    try:
        module = import_module(package.module)
    except (ImportError, OSError) as error:
        raise RuntimeUnavailable(f"{package.module} cannot be imported ({error}); {package.install}") from error
    version = str(module.__version__)
    if not _is_supported(version, package):
        oldest = ".".join(map(str, package.oldest))
        raise RuntimeUnavailable(
            f"{runtime} {version} is installed; supported are {oldest} to {package.newest_major}.x: {package.install}"
        )
    return Library(runtime, module, version, _create_logger(module))


def _is_supported(version: str, package: _Package) -> bool:
    numbers = _numbers(version)
    return package.oldest <= numbers and numbers[0] <= package.newest_major


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: 10.13.3.9 or 11.4.0rc1."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])


def _create_logger(module: Any) -> Logger:
    class KeepingLogger(module.ILogger):  # type: ignore[misc]
        """Passes warnings and errors on."""

        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.messages = Messages()

        def log(self, severity: Any, text: str) -> None:
            """Called by TensorRT, from any thread."""
            if severity <= module.ILogger.Severity.WARNING:
                self.messages.add(text, error=severity <= module.ILogger.Severity.ERROR)

    return KeepingLogger()
