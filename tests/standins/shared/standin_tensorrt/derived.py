"""Interfaces that a program derives from: each of them must have its ``__init__`` called."""

from __future__ import annotations

from typing import Any


class _Derived(type):
    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        made = super().__call__(*arguments, **named)
        if not getattr(made, "_initialised", False):
            base = next(b.__name__ for b in cls.__mro__ if b.__dict__.get("_interface"))
            raise TypeError(f"{base}.__init__() must be called when overriding __init__")
        return made


class Derivable(metaclass=_Derived):
    """See the module."""

    __slots__ = ("_initialised",)

    def __init__(self) -> None:
        self._initialised = True


class IProfiler(Derivable):
    """Is told how long layers took."""

    __slots__ = ()
    _interface = True

    def __init__(self) -> None:
        super().__init__()

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        """To be overridden."""
        raise RuntimeError('Tried to call pure virtual function "IProfiler::reportLayerTime"')


class IProgressMonitor(Derivable):
    """Is told how a build goes on, and may end it."""

    __slots__ = ()
    _interface = True

    def __init__(self) -> None:
        super().__init__()

    def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
        """To be overridden."""
        raise RuntimeError('Tried to call pure virtual function "IProgressMonitor::phaseStart"')

    def step_complete(self, phase_name: str, step: int) -> bool:
        """To be overridden; False ends the build."""
        raise RuntimeError('Tried to call pure virtual function "IProgressMonitor::stepComplete"')

    def phase_finish(self, phase_name: str) -> None:
        """To be overridden."""
        raise RuntimeError('Tried to call pure virtual function "IProgressMonitor::phaseFinish"')
