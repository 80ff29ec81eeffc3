"""Reads a Dockerfile: stages and their instructions, as far as ours go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KNOWN: Final = frozenset(
    ("FROM", "ARG", "ENV", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD")
)
_FLAG: Final = re.compile(r"--([a-z-]+)=(\S+)\s*")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class DockerfileError(Exception):
    """The file holds something that is not understood here."""


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        line: Where it begins, from 1.
        keyword: In capitals.
        flags: ``--name=value`` before its words, in order.
        text: The rest, on one line.
    """

    line: int
    keyword: str
    flags: tuple[tuple[str, str], ...]
    text: str

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a list in JSON, or of plain text."""
        return tuple(json.loads(self.text)) if self.text.startswith("[") else tuple(self.text.split())

    @property
    def is_list(self) -> bool:
        """Whether it is a list in JSON, which no shell interprets."""
        return self.text.startswith("[")

    def flag(self, name: str) -> str | None:
        """The value of a flag that may be given once."""
        return dict(self.flags).get(name)


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        name: After ``AS``.
        base: An image, or the name of a stage above.
        instructions: All but ``FROM``.
    """

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def last(self, keyword: str) -> Instruction | None:
        """The instruction of that kind that counts."""
        return next((each for each in reversed(self.instructions) if each.keyword == keyword), None)


def read_dockerfile(path: Path) -> Mapping[str, Stage]:
    """Stages by name, in their order.

    Raises:
        DockerfileError: An instruction is not one of :data:`KNOWN`, or a stage has no name.
    """
    stages: dict[str, Stage] = {}
    for instruction in _instructions(path.read_text(encoding="utf-8")):
        if instruction.keyword == "FROM":
            words = instruction.words
            if len(words) != 3 or words[1].upper() != "AS":
                raise DockerfileError(f"line {instruction.line}: expected FROM BASE AS NAME, not {instruction.text!r}")
            stages[words[2]] = Stage(words[2], words[0], ())
        elif not stages:
            raise DockerfileError(f"line {instruction.line}: {instruction.keyword} before the first FROM")
        else:
            name, stage = list(stages.items())[-1]
            stages[name] = Stage(name, stage.base, (*stage.instructions, instruction))
    return stages


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with ``$NAME`` and ``${NAME}`` replaced; an unknown one is empty, as in Docker."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def settings(text: str) -> dict[str, str]:
    """The ``NAME=VALUE`` pairs of an ``ENV``; our values hold no spaces."""
    return dict(pair.split("=", 1) for pair in text.split())


def _instructions(text: str) -> Iterator[Instruction]:
    for number, line in _logical_lines(text):
        keyword, _, rest = line.partition(" ")
        if keyword not in KNOWN:
            raise DockerfileError(f"line {number}: {keyword} is not one of {', '.join(sorted(KNOWN))}")
        flags, rest = [], rest.strip()
        while found := _FLAG.match(rest):
            flags.append((found[1], found[2]))
            rest = rest[found.end() :]
        yield Instruction(number, keyword, tuple(flags), rest)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        begun = begun if parts else number
        parts.append(bare.removesuffix("\\").strip())
        if not bare.endswith("\\"):
            yield begun, " ".join(parts)
            parts = []
    if parts:
        yield begun, " ".join(parts)
