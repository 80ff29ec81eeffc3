"""A table of numbers by name out of a NumPy file, without executing anything that the file says."""

from __future__ import annotations

import ast
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from db.importing.inert_pickle import InertArray, Refused, read_pickle
from hyctas.errors import InvalidInput

MAGIC: Final = b"\x93NUMPY"
MAX_BYTES: Final = 2**24
"""No table is larger; bounds what a hostile file can cost."""

_LENGTHS: Final[Mapping[int, str]] = {1: "<H", 2: "<I", 3: "<I"}
"""How the length of the header is written, by major version of the format."""
_TABLE: Final = "a single object: numpy.save of a dict from names to numbers"


def read_npy(content: bytes, *, at: str) -> Mapping[str, object]:
    """The dict that ``numpy.save`` wrote.

    Args:
        content: The file.
        at: How errors name it.

    Raises:
        InvalidInput: It is no such file, is cut short, or names something that no table needs.
    """
    if len(content) > MAX_BYTES:
        raise InvalidInput(at, f"{len(content)} bytes", f"at most {MAX_BYTES}")
    try:
        found = read_pickle(_body(content, at))
    except Refused as error:
        allowed = "nothing but numbers by name; reading this the plain way would execute what the file says"
        raise InvalidInput(at, str(error), allowed) from error
    except ValueError as error:
        raise InvalidInput(at, f"a malformed table ({error})", f"{_TABLE}; is it cut short?") from error
    items = found.items if isinstance(found, InertArray) else []
    if len(items) != 1 or not isinstance(items[0], dict):
        raise InvalidInput(at, "another object", _TABLE)
    return MappingProxyType(items[0])


def _body(content: bytes, at: str) -> bytes:
    """What follows the header, which must say that the file is one object."""
    if not content.startswith(MAGIC):
        raise InvalidInput(at, content[: len(MAGIC)], "a NumPy file")
    try:
        length_form = _LENGTHS[content[len(MAGIC)]]
        start = len(MAGIC) + 2 + struct.calcsize(length_form)
        (length,) = struct.unpack(length_form, content[len(MAGIC) + 2 : start])
        header = ast.literal_eval(content[start : start + length].decode("latin1"))
        kind, shape = header["descr"], header["shape"]
    except (LookupError, struct.error, SyntaxError, TypeError, ValueError, MemoryError, RecursionError) as error:
        raise InvalidInput(at, "a broken header", "a NumPy file; is it cut short?") from error
    if kind != "|O" or shape != ():
        raise InvalidInput(at, f"an array of type {kind} and shape {shape}", _TABLE)
    return content[start + length :]
