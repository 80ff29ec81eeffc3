"""Parsed JSON read with its path, so that an error can say where, what, and what is allowed."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hyctas.errors import InvalidArchitecture

Choice = TypeVar("Choice", bound=str | int)


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value and where it stands.

    Attributes:
        value: The parsed value.
        path: Its JSON path, such as ``$.branches[0]``.
    """

    value: object
    path: str

    def __getitem__(self, name: str) -> Document:
        """Return a field of an object.

        Raises:
            InvalidArchitecture: This is no object, or the field is missing.
        """
        fields = self.mapping(f"an object with {name!r}")
        if name not in fields:
            raise InvalidArchitecture(f"{self.path}.{name}", "nothing", f"the field {name!r}")
        return Document(fields[name], f"{self.path}.{name}")

    def __iter__(self) -> Iterator[Document]:
        """Iterate over the items of an array.

        Raises:
            InvalidArchitecture: This is no array.
        """
        if not isinstance(self.value, list | tuple):
            raise self.error("an array")
        return (Document(item, f"{self.path}[{index}]") for index, item in enumerate(self.value))

    def error(self, allowed: str) -> InvalidArchitecture:
        """Make the error that this value is not what is `allowed`."""
        return InvalidArchitecture(self.path, summary(self.value), allowed)

    def mapping(self, allowed: str) -> Mapping[str, Any]:
        """Return an object's fields, or raise that `allowed` was expected."""
        if not isinstance(self.value, Mapping):
            raise self.error(allowed)
        return self.value

    def only(self, names: Collection[str]) -> None:
        """Raise unless this is an object whose fields are all in `names`."""
        listed = ", ".join(names)
        for name, value in self.mapping(f"an object with {listed}").items():
            if name not in names:
                raise InvalidArchitecture(self.path + _step(name), summary(value), f"no fields but {listed}")

    def count(self, most: int, what: str) -> int:
        """Return the length of an array of 1 to `most` items."""
        length = len(list(iter(self)))
        if not 1 <= length <= most:
            raise self.error(f"1 to {most} {what}")
        return length

    def integer(self) -> int:
        """Return an integer; a boolean or a float is none."""
        if type(self.value) is not int:
            raise self.error("an integer")
        return self.value

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str):
            raise self.error("a string")
        return self.value

    def flag(self) -> bool:
        """Return a boolean."""
        if not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def choice(self, choices: Sequence[Choice]) -> Choice:
        """Return the one of `choices` that this value equals, of the same type."""
        for choice in choices:
            if type(choice) is type(self.value) and choice == self.value:
                return choice
        raise self.error(f"one of {', '.join(map(str, choices))}")


def relocated(error: InvalidArchitecture, at: str) -> InvalidArchitecture:
    """Return `error` with its path, which starts at ``$``, under the path `at`."""
    return InvalidArchitecture(at + error.path.removeprefix("$"), error.value, error.allowed)


def summary(value: object) -> object:
    """Return `value` if it is small and JSON can hold it, else what it is in words.

    Errors keep what this returns: a repr of deep nesting or of a huge integer would itself fail.
    """
    if isinstance(value, Mapping):
        return f"an object of {len(value)} fields"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)} items"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, bool | int | float):
        return value
    return _bounded(value) if isinstance(value, str) else f"a Python {type(value).__name__}"


def _step(name: object) -> str:
    """Return the step of a JSON path to a field, quoted where its name is no plain word."""
    text = _bounded(name)
    return f".{text}" if text.isidentifier() else f"[{json.dumps(text)}]"


def _bounded(text: object, limit: int = 80) -> str:
    """Shorten, and escape what UTF-8 cannot hold (lone surrogates)."""
    shown = str(text)
    shown = shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
    return shown.encode("utf-8", "backslashreplace").decode()
