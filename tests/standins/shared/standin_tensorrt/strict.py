"""Classes and enumerations as strict as those of NVIDIA's bindings.

Unknown attributes raise on reading and on writing, arguments of the wrong type or name raise ``TypeError``, and an
enumeration is no integer: ``1 << flag`` fails, ``1 << int(flag)`` works.
"""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints


class Buffer:
    """Annotation of a parameter that takes anything with a buffer."""


class Enumeration:
    """An enumeration: neither iterable nor subscriptable nor a number, but with an index."""

    __slots__ = ("name", "value")
    __members__: ClassVar[dict[str, Any]]
    _by_value: ClassVar[dict[int, Any]]
    name: str
    value: int

    def __new__(cls, value: int) -> Self:
        try:
            found: Self = cls._by_value[value]
        except KeyError:
            raise TypeError(f"{value} is no value of {cls.__name__}") from None
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"can't set attribute {name!r}")

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.value == self.value  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"<{type(self).__name__}.{self.name}: {self.value}>"

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class OrderedEnumeration(Enumeration):
    """An enumeration whose members compare with one another, and with nothing else."""

    __slots__ = ()

    def _compared(self, other: object) -> int:
        if type(other) is not type(self):
            raise TypeError("Expected an enumeration of matching type!")
        return self.value - other.value

    def __lt__(self, other: object) -> bool:
        return self._compared(other) < 0

    def __le__(self, other: object) -> bool:
        return self._compared(other) <= 0

    def __gt__(self, other: object) -> bool:
        return self._compared(other) > 0

    def __ge__(self, other: object) -> bool:
        return self._compared(other) >= 0


def enumeration(name: str, kind: type[Enumeration] = Enumeration, **members: int) -> Any:
    """An enumeration of these members; of two with one value, the first is what the value reads as."""
    made = type(name, (kind,), {"__slots__": (), "__module__": "tensorrt"})
    made.__members__, made._by_value = {}, {}
    for member, value in members.items():
        instance = object.__new__(made)
        object.__setattr__(instance, "name", member)
        object.__setattr__(instance, "value", value)
        made.__members__[member] = instance
        made._by_value.setdefault(value, instance)
        setattr(made, member, instance)
    return made


def strict(cls: type) -> type:
    """Check the arguments of every public method and property of `cls`; its methods know no other."""
    if "__slots__" not in vars(cls) and "__strict_dict__" not in vars(cls):
        raise TypeError(f"{cls.__name__} must list its attributes in __slots__")
    for name, member in list(vars(cls).items()):
        if isinstance(member, types.FunctionType) and (not name.startswith("_") or name == "__init__"):
            setattr(cls, name, checked(member))
        elif isinstance(member, property) and member.fset is not None and not name.startswith("_"):
            setattr(cls, name, property(member.fget, checked(member.fset), doc=member.__doc__))
    return cls


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Bind and check arguments as pybind11 does."""
    signature = inspect.signature(function)

    @functools.cache
    def hints() -> dict[str, Any]:
        return get_type_hints(function)

    @functools.wraps(function)
    def called(*positional: Any, **named: Any) -> Any:
        try:
            bound = signature.bind(*positional, **named)
        except TypeError as error:
            raise TypeError(f"{function.__name__}(): incompatible function arguments: {error}") from None
        for name, argument in bound.arguments.items():
            if name in hints():
                bound.arguments[name] = _converted(function.__name__, name, argument, hints()[name])
        return function(*bound.args, **bound.kwargs)

    return called


def _converted(function: str, name: str, argument: Any, wanted: Any) -> Any:
    """The argument as the type that was asked for, or TypeError."""
    if get_origin(wanted) in (Union, types.UnionType):
        options = get_args(wanted)
        if argument is None and type(None) in options:
            return None
        wanted = next(option for option in options if option is not type(None))
    refused = TypeError(
        f"{function}(): incompatible function arguments: {name}={argument!r} ({type(argument).__name__}) is no {wanted}"
    )
    if wanted is int:
        if isinstance(argument, float | str | bytes) or not hasattr(argument, "__int__"):
            raise refused
        return int(argument)
    if wanted is float:
        if isinstance(argument, bool) or not isinstance(argument, int | float):
            raise refused
        return float(argument)
    if wanted is Buffer:
        try:
            return memoryview(argument).tobytes()
        except TypeError:
            raise refused from None
    if isinstance(wanted, type) and not isinstance(argument, wanted):
        raise refused
    return argument


class NotConstructible:
    """Objects that only another object makes; see :meth:`_make`."""

    __slots__ = ()

    def __init__(self, *arguments: object) -> None:
        raise TypeError(f"{type(self).__name__}: No constructor defined!")

    @classmethod
    def _make(cls, *arguments: Any) -> Self:
        made = object.__new__(cls)
        made._set_up(*arguments)  # type: ignore[attr-defined]
        return made


class ContextManaged:
    """Entering warns, as in the real bindings: memory is freed when the last reference goes."""

    __slots__ = ()

    def __enter__(self) -> Self:
        warnings.warn("Context managers for TensorRT types are deprecated.", DeprecationWarning, stacklevel=2)
        return self

    def __exit__(self, exc_type: object, exc_value: object, traceback: object) -> None:
        pass
