"""A table of numbers by name out of a NumPy file, without executing anything that the file says.

Such a file (``numpy.save`` of a dict) is a header and a pickle, and reading a pickle runs what it names. Here each name
that a table needs stands for an inert value of ours, so neither NumPy nor any other code runs on the file's word; any
other name is refused.
"""

from __future__ import annotations

import ast
import io
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NoReturn

from hyctas.errors import InvalidInput

MAGIC: Final = b"\x93NUMPY"
MAX_BYTES: Final = 2**24
"""No table is larger; keeps a hostile file from filling the memory."""

_LENGTHS: Final[Mapping[int, str]] = {1: "<H", 2: "<I", 3: "<I"}
"""How the length of the header is written, by major version of the format."""
_OBJECTS: Final = "a single object: numpy.save of a dict from names to numbers"


def read_npy(content: bytes, *, at: str) -> Mapping[object, object]:
    """The dict that ``numpy.save`` wrote.

    Args:
        content: The file.
        at: How errors name it.

    Raises:
        InvalidInput: It is no such file, is cut short, or names something that no table needs.
    """
    if len(content) > MAX_BYTES:
        raise InvalidInput(at, f"{len(content)} bytes", f"at most {MAX_BYTES}")
    body = _body(content, at)
    try:
        found = _Reader(io.BytesIO(body), at).load()
    except InvalidInput:
        raise
    except (pickle.UnpicklingError, EOFError, MemoryError, RecursionError, struct.error) as error:
        raise InvalidInput(at, str(error) or type(error).__name__, "a whole file; is it cut short?") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidInput(at, f"a malformed table ({error})", _OBJECTS) from error
    table = found.item if isinstance(found, _Array) else found
    if not isinstance(table, dict):
        raise InvalidInput(at, f"a {type(table).__name__.strip('_')}", _OBJECTS)
    return MappingProxyType(table)


def _body(content: bytes, at: str) -> bytes:
    """What follows the header, which must say that the file is one object."""
    if not content.startswith(MAGIC):
        raise InvalidInput(at, content[:6], "a NumPy file")
    try:
        length_form = _LENGTHS[content[len(MAGIC)]]
        start = len(MAGIC) + 2 + struct.calcsize(length_form)
        (length,) = struct.unpack(length_form, content[len(MAGIC) + 2 : start])
        header = ast.literal_eval(content[start : start + length].decode("latin1"))
        kind, shape = header["descr"], header["shape"]
    except (LookupError, struct.error, SyntaxError, TypeError, ValueError, MemoryError, RecursionError) as error:
        raise InvalidInput(at, "a broken header", "a NumPy file; is it cut short?") from error
    if kind != "|O" or shape != ():
        raise InvalidInput(at, f"an array of type {kind} and shape {shape}", _OBJECTS)
    return content[start + length :]


class _Reader(pickle.Unpickler):
    """Reads a pickle in which nothing but :data:`_ALLOWED` may be named."""

    def __init__(self, stream: io.BytesIO, at: str) -> None:
        super().__init__(stream)
        self._at = at

    def find_class(self, module: str, name: str) -> Any:
        """The inert stand-in of a name."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            allowed = "nothing but numbers by name; a file that names this would run it when it is read"
            raise InvalidInput(self._at, f"{module}.{name}", allowed) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        """Refuse a reference to something outside of the file."""
        raise InvalidInput(self._at, "a reference to something else", _OBJECTS)


class _Array:
    """Stands for an array that holds one object."""

    __slots__ = ("item",)

    def __init__(self) -> None:
        self.item: object = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        """Take the one item of version, shape, type, order and items."""
        _, shape, _, _, items = state
        if shape != () or not isinstance(items, list) or len(items) != 1:
            raise ValueError(f"an array of shape {shape}")
        self.item = items[0]


class _Type:
    """Stands for the type of an array's elements."""

    __slots__ = ("name",)

    def __init__(self, name: object) -> None:
        self.name = name

    def __setstate__(self, state: tuple[object, ...]) -> None:
        """Let byte order and the like pass, little-endian."""
        if state[1] == ">":
            raise ValueError("big-endian numbers")


@dataclass(frozen=True, slots=True)
class _Name:
    """Stands for something that a pickle names, and calls."""

    meaning: str

    def __call__(self, *arguments: Any) -> object:
        """What the call would give, as an inert value."""
        return _MEANINGS[self.meaning](*arguments)


def _scalar(kind: _Type, content: bytes | str) -> float:
    """A NumPy number of 8 bytes; protocol 2 writes them as text."""
    if not isinstance(kind, _Type) or kind.name not in ("f8", "<f8"):
        raise ValueError("numbers of another type than float64")
    found: tuple[float] = struct.unpack("<d", content if isinstance(content, bytes) else content.encode("latin1"))
    return found[0]


def _encoded(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes in {encoding}")
    return text.encode("latin1")


_MEANINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "array": lambda *arguments: _Array(),
        "type": lambda name, *arguments: _Type(name),
        "scalar": _scalar,
        "bytes": _encoded,
    }
)
_ALLOWED: Final[Mapping[tuple[str, str], _Name]] = MappingProxyType(
    {
        **{(f"numpy.{core}.multiarray", "_reconstruct"): _Name("array") for core in ("core", "_core")},
        **{(f"numpy.{core}.multiarray", "scalar"): _Name("scalar") for core in ("core", "_core")},
        ("numpy", "ndarray"): _Name("array"),
        ("numpy", "dtype"): _Name("type"),
        ("_codecs", "encode"): _Name("bytes"),
    }
)
