"""Command-line options for what a release file does not carry, and the reading of architecture files."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer

from hyctas.architecture import Architecture, ArchitectureDefaults, Attention, Head, Output, default_settings
from hyctas.architecture_json import decode_architecture

ArchitectureFile = Annotated[str, typer.Argument(metavar="FILE|-", help="Architecture JSON; - reads stdin.")]

_PANEL: Final = "Settings of release files (version 1 carries its own)"
_OPTIONS: Final[Mapping[str, tuple[Any, str]]] = MappingProxyType(
    {
        "height": (int, "Rows of the input, a multiple of 32."),
        "width": (int, "Columns of the input, a multiple of 32."),
        "base_channels": (int, "Channels at stride 1 and full width."),
        "head": (Head | None, "Form of the segmentation head; the space's own default unless given."),
        "attention": (Attention | None, "Form of attention, in cells and head; likewise."),
        "output": (Output, "Where the network ends."),
        "classes": (int, "Classes of the output."),
        "space": (str, "Search space, which says what the operators mean."),
    }
)

_OF_SPACE: Final = ("head", "attention")
"""Options whose default follows from the space."""


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a command's parameter ``settings: ArchitectureDefaults`` into one option for each setting.

    Typer reads signatures, so the returned function carries one with the options in place of `settings`.
    """

    @functools.wraps(command)
    def with_options(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in _OPTIONS}
        chosen = {name: value for name, value in given.items() if value is not None}
        command(settings=replace(default_settings(given["space"]), **chosen), **arguments)

    given = inspect.signature(command, eval_str=True).parameters.values()
    kept = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in given if parameter.name != "settings"]
    signature = inspect.Signature([*kept, *map(_parameter, _OPTIONS)])
    with_options.__signature__ = signature  # type: ignore[attr-defined]
    with_options.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return with_options


def read_architecture_file(name: str, settings: ArchitectureDefaults) -> Architecture:
    """Read one architecture, in version 1 or the release format.

    Args:
        name: A path, or ``-`` for stdin.
        settings: What a release file does not carry.

    Raises:
        InvalidArchitecture: The content is not an architecture.
        OSError: There is no such file, or it cannot be read.
    """
    content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    return decode_architecture(content, settings)


def _parameter(name: str) -> inspect.Parameter:
    kind, description = _OPTIONS[name]
    option = typer.Option(f"--{name.replace('_', '-')}", help=description, rich_help_panel=_PANEL)
    default = None if name in _OF_SPACE else getattr(ArchitectureDefaults(), name)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
