"""Secrets that are handed over as files, as container platforms do, so that no container's settings hold them."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from hyctas.errors import InvalidInput

KEYS: Final = "HYCTAS_API_KEYS"
SECRETS: Final = ("HYCTAS_DB", "HYCTAS_API_KEY", KEYS)
"""Variables that may be given as ``NAME_FILE``, the path of a file, instead."""


def replace_secret_files(environment: MutableMapping[str, str]) -> None:
    """Replace each ``NAME_FILE`` of :data:`SECRETS` by ``NAME``, which is what the file holds.

    So processes that are started later find the secret as if it had been given itself. The lines of
    ``HYCTAS_API_KEYS_FILE`` are keys; the other files hold one line.

    Raises:
        InvalidInput: A file cannot be read or does not hold that, or ``NAME`` is set too.
    """
    for name in SECRETS:
        variable = f"{name}_FILE"
        path = environment.get(variable)
        if not path:
            continue
        if environment.get(name):
            raise InvalidInput(variable, path, f"to be left out where {name} is set")
        environment[name] = ",".join(_lines(variable, Path(path), several=name == KEYS))
        del environment[variable]


def _lines(variable: str, path: Path, *, several: bool) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(variable, str(path), f"a file that can be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(variable, str(path), "a file of text in UTF-8") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or (len(lines) > 1 and not several):
        held = f"a file that holds {'lines' if several else 'one line'}, not {len(lines)}"
        raise InvalidInput(variable, str(path), held)
    return lines
