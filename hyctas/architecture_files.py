"""Files of several architectures: a JSON array of them, or one on each line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from hyctas.architecture import Architecture, ArchitectureDefaults
from hyctas.architecture_json import decode_architecture, read_architecture
from hyctas.errors import InvalidArchitecture

_ALLOWED: Final = "an architecture, a JSON array of them, or one on each line"


def read_architectures(name: str, settings: ArchitectureDefaults) -> tuple[Architecture, ...]:
    """Read all architectures of a file, each in version 1 or the release format.

    Args:
        name: A path, or ``-`` for stdin.
        settings: What the release format does not carry.

    Raises:
        InvalidArchitecture: One is not an architecture, or there is none; names the file and the place in it.
        OSError: There is no such file, or it cannot be read.
    """
    if name == "-":
        return decode_architectures(sys.stdin.buffer.read(), settings, at="stdin")
    return decode_architectures(Path(name).read_bytes(), settings, at=name)


def decode_architectures(
    content: bytes, settings: ArchitectureDefaults | None = None, *, at: str
) -> tuple[Architecture, ...]:
    """Read one architecture, a JSON array of them, or JSON lines.

    Args:
        content: JSON text.
        settings: What the release format does not carry.
        at: How errors name the text.

    Raises:
        InvalidArchitecture: One is not an architecture, or there is none.
    """
    lines = [(number, line) for number, line in enumerate(content.splitlines(), start=1) if line.strip()]
    if len(lines) > 1 and _parsed(lines[0][1]) is not None:
        return tuple(decode_architecture(line, settings, at=f"{at}, line {number}: $") for number, line in lines)
    value = _parsed(content)
    if not lines or value == []:
        raise InvalidArchitecture(at, "nothing", _ALLOWED)
    if isinstance(value, list):
        return tuple(read_architecture(item, settings, at=f"{at}: $[{index}]") for index, item in enumerate(value))
    return (decode_architecture(content, settings, at=f"{at}: $"),)


def _parsed(text: bytes) -> object:
    """The value of JSON text; None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
