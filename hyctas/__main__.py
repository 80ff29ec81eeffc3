"""The ``hyctas`` command: mounts the commands of every package, each imported when it is first used."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from hyctas.commands import COMMANDS, EXTRAS
from hyctas.errors import HyctasError
from hyctas.location import LOCATION, put_own_location_first
from hyctas.secret_files import replace_secret_files

EXIT_FAILURE: Final = 1
EXIT_INTERRUPTED: Final = 130


class LazyCommands(TyperGroup):
    """A group that knows its commands by name and imports only the one that runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands, in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in with the name and summary of a command; :meth:`resolve_command` loads the real one."""
        source = COMMANDS.get(cmd_name)
        return source and TyperCommand(cmd_name, help=source.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that `args` names, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load_command(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; failures become one line on stderr and an exit code."""
        with _failures_as_exit_codes():
            return super().invoke(ctx)


app = typer.Typer(
    name="hyctas",
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def load_command(name: str) -> Any:
    """Import the module behind a command and build the command (a ``click.Command``)."""
    module = importlib.import_module(COMMANDS[name].module)
    registered = typer.Typer()
    module.register(registered)
    return typer.main.get_group(registered).commands[name]


def main() -> NoReturn:
    """Entry point of the ``hyctas`` script and of ``python -m hyctas``."""
    put_own_location_first()
    sys.exit(app(prog_name="hyctas"))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hyctas {version('hyctas')} ({LOCATION})")
        raise typer.Exit


@app.callback()
def _root(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, on stderr.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Tell how long a neural network takes on a device, without the device."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s")
    replace_secret_files(os.environ)


@contextmanager
def _failures_as_exit_codes() -> Iterator[None]:
    try:
        yield
    except HyctasError as error:
        _fail(str(error), cause=error)
    except KeyboardInterrupt as error:
        _fail("interrupted", code=EXIT_INTERRUPTED, cause=error)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in EXTRAS:
            raise
        module = error.name.split(".")[0]
        _fail(f"this needs {module}, which is not installed: pip install 'hyctas[{EXTRAS[module]}]'", cause=error)
    except OSError as error:
        if error.filename is None or isinstance(error, BrokenPipeError):
            raise
        _fail(f"{error.filename}: {error.strerror}", cause=error)


def _fail(message: str, *, cause: BaseException, code: int = EXIT_FAILURE) -> NoReturn:
    logging.getLogger("hyctas").info("failed", exc_info=cause)
    typer.echo(message if code == EXIT_INTERRUPTED else f"error: {message}", err=True)
    raise typer.Exit(code) from cause


if __name__ == "__main__":
    main()
