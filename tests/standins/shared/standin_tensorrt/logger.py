"""Loggers: the built-in one writes to stderr, a program's own overrides ``log``."""

from __future__ import annotations

import sys

from tensorrt._members import Severity

from standin_tensorrt.derived import Derivable
from standin_tensorrt.strict import strict


class ILogger(Derivable):
    """What a program derives its own logger from."""

    __slots__ = ()
    _interface = True
    Severity = Severity
    INTERNAL_ERROR = Severity.INTERNAL_ERROR
    ERROR = Severity.ERROR
    WARNING = Severity.WARNING
    INFO = Severity.INFO
    VERBOSE = Severity.VERBOSE

    def __init__(self) -> None:
        super().__init__()

    def log(self, severity: Severity, msg: str) -> None:  # type: ignore[valid-type]
        """To be overridden."""
        raise RuntimeError('Tried to call pure virtual function "ILogger::log"')


@strict
class Logger(ILogger):
    """Writes what is at least as severe as `min_severity` to stderr."""

    __slots__ = ("_min_severity",)

    def __init__(self, min_severity: Severity = Severity.WARNING) -> None:  # type: ignore[valid-type]
        ILogger.__init__(self)
        self._min_severity = min_severity

    @property
    def min_severity(self) -> Severity:  # type: ignore[valid-type]
        return self._min_severity

    @min_severity.setter
    def min_severity(self, severity: Severity) -> None:  # type: ignore[valid-type]
        self._min_severity = severity

    def log(self, severity: Severity, msg: str) -> None:  # type: ignore[valid-type]
        if severity.value <= self._min_severity.value:
            sys.stderr.write(f"[TRT] [{severity.name[0]}] {msg}\n")
