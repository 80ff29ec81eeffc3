"""Pickles of plain values, read without executing them.

A pickle is a program for a stack machine that may call whatever it names, and Python's own machine can be made to fill
the memory by a file of a few bytes. This is another machine, for the few instructions that a table of numbers needs: it
makes dicts from names, lists, tuples, text, bytes and numbers, and the names that NumPy writes for a float64 and for
an array of objects stand for inert values. Any other instruction and any other name is refused.
"""

from __future__ import annotations

import io
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

_OPCODES: Final = {opcode.code: opcode for opcode in pickletools.opcodes}


class Refused(Exception):
    """A pickle that holds something else than plain values; says what."""


@dataclass
class InertArray:
    """An array of objects; the items that it holds, in order."""

    items: list[object] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Type:
    """The type of an array's elements."""

    code: object


@dataclass(frozen=True, slots=True)
class _Name:
    """Something that the pickle names."""

    module: str
    name: str


def read_pickle(content: bytes) -> object:
    """The value that a pickle stands for, made of plain values and :class:`InertArray`.

    Raises:
        Refused: It names or does something that no plain value needs.
        ValueError: It is malformed, or cut short.
    """
    machine, stream = _Machine(), io.BytesIO(content)
    while (opcode := _next_opcode(stream)).name != "STOP":
        step = _STEPS.get(opcode.name)
        if step is None:
            raise Refused(f"the instruction {opcode.name}")
        argument = _argument(opcode, stream)
        try:
            step(machine, argument)
        except (AttributeError, LookupError, TypeError, struct.error) as error:
            raise ValueError(f"instruction {opcode.name} does not fit what is before it") from error
    if not machine.stack:
        raise ValueError("there is no value")
    return machine.pop()


def _next_opcode(stream: io.BytesIO) -> pickletools.OpcodeInfo:
    code = stream.read(1).decode("latin1")
    if not code:
        raise ValueError("there is no end")
    if code not in _OPCODES:
        raise ValueError(f"there is no instruction {code!r}")
    return _OPCODES[code]


def _argument(opcode: pickletools.OpcodeInfo, stream: io.BytesIO) -> object:
    """What follows an instruction; the two lines of a name are taken as they stand, without escapes."""
    if opcode.name == "GLOBAL":
        return _line(stream), _line(stream)
    return None if opcode.arg is None else opcode.arg.reader(stream)


def _line(stream: io.BytesIO) -> str:
    text, end, _ = stream.readline().decode("latin1").partition("\n")
    if not end:
        raise ValueError("there is no end of a name")
    return text


class _Mark:
    """Where a run of items begins on the stack."""


class _Machine:
    """The stack and what was noted for later; both hold no more than the pickle has bytes."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.notes: dict[int, Any] = {}

    def pop(self) -> Any:
        return self.stack.pop()

    def push(self, value: object) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        """Take what lies above the last mark, and the mark."""
        items: list[Any] = []
        while not isinstance(item := self.pop(), _Mark):
            items.append(item)
        return items[::-1]

    def put_in(self, pairs: list[Any]) -> None:
        """Put keys and values, one after the other, into the dict on the stack."""
        table = self.stack[-1]
        if not isinstance(table, dict) or len(pairs) % 2:
            raise TypeError("no dict")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str):
                raise Refused(f"a key that is no text but of type {type(key).__name__.strip('_')}")
            table[key] = value

    def add(self, items: list[Any]) -> None:
        """Add items to the list on the stack."""
        if not isinstance(self.stack[-1], list):
            raise TypeError("no list")
        self.stack[-1].extend(items)

    def take(self, count: int) -> list[Any]:
        """Take the last `count` values."""
        return [self.pop() for _ in range(count)][::-1]

    def name(self, module: object, name: object) -> None:
        named = _Name(str(module), str(name))
        if named not in _CALLS:
            raise Refused(f"{named.module}.{named.name}")
        self.push(named)

    def call(self) -> None:
        arguments, called = self.pop(), self.pop()
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise TypeError("no call")
        self.push(_CALLS[called](*arguments))

    def build(self) -> None:
        state, built = self.pop(), self.stack[-1]
        if isinstance(built, InertArray):
            _, _, _, _, items = state
            if not isinstance(items, list):
                raise Refused("an array of something else than objects")
            built.items = items
        elif not isinstance(built, _Type):
            raise Refused(f"a state of a value of type {type(built).__name__.strip('_')}")


def _float64(kind: object, content: object) -> float:
    """A NumPy number; protocol 2 writes its bytes as text."""
    if kind not in (_Type("f8"), _Type("<f8")):
        raise Refused("a number of another type than float64")
    if isinstance(content, str):
        content = content.encode("latin1")
    found: tuple[float] = struct.unpack("<d", content)  # type: ignore[arg-type]
    return found[0]


def _latin1(text: str, encoding: object) -> bytes:
    if encoding != "latin1":
        raise Refused(f"bytes in {encoding}")
    return text.encode("latin1")


_CALLS: Final[Mapping[_Name, Callable[..., object]]] = MappingProxyType(
    {
        _Name("numpy.core.multiarray", "_reconstruct"): lambda kind, shape, code: InertArray(),
        _Name("numpy._core.multiarray", "_reconstruct"): lambda kind, shape, code: InertArray(),
        _Name("numpy.core.multiarray", "scalar"): _float64,
        _Name("numpy._core.multiarray", "scalar"): _float64,
        _Name("numpy", "ndarray"): lambda: InertArray(),
        _Name("numpy", "dtype"): lambda code, align, copy: _Type(code),
        _Name("_codecs", "encode"): _latin1,
    }
)
"""What may be named, and what a call of it stands for."""


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


def _value(machine: _Machine, argument: Any) -> None:
    machine.push(argument)


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, argument: machine.push(tuple(machine.take(count)))


_STEPS: Final[Mapping[str, Callable[[_Machine, Any], None]]] = MappingProxyType(
    {
        "PROTO": _nothing,
        "FRAME": _nothing,
        "MARK": lambda machine, argument: machine.push(_Mark()),
        "NONE": lambda machine, argument: machine.push(None),
        "NEWTRUE": lambda machine, argument: machine.push(True),
        "NEWFALSE": lambda machine, argument: machine.push(False),
        **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _value),
        **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"), _value),
        "EMPTY_DICT": lambda machine, argument: machine.push({}),
        "EMPTY_LIST": lambda machine, argument: machine.push([]),
        "EMPTY_TUPLE": _tuple(0),
        "TUPLE1": _tuple(1),
        "TUPLE2": _tuple(2),
        "TUPLE3": _tuple(3),
        "TUPLE": lambda machine, argument: machine.push(tuple(machine.since_mark())),
        "APPEND": lambda machine, argument: machine.add(machine.take(1)),
        "APPENDS": lambda machine, argument: machine.add(machine.since_mark()),
        "SETITEM": lambda machine, argument: machine.put_in(machine.take(2)),
        "SETITEMS": lambda machine, argument: machine.put_in(machine.since_mark()),
        **dict.fromkeys(
            ("BINPUT", "LONG_BINPUT"),
            lambda machine, argument: machine.notes.__setitem__(argument, machine.stack[-1]),
        ),
        "MEMOIZE": lambda machine, argument: machine.notes.__setitem__(len(machine.notes), machine.stack[-1]),
        **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, argument: machine.push(machine.notes[argument])),
        "GLOBAL": lambda machine, argument: machine.name(*argument),
        "STACK_GLOBAL": lambda machine, argument: machine.name(*machine.take(2)),
        "REDUCE": lambda machine, argument: machine.call(),
        "BUILD": lambda machine, argument: machine.build(),
    }
)
"""What each instruction does, by its name in :mod:`pickletools`."""
