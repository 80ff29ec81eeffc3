"""The command root: its list of commands, its exit codes, and what it says when something fails."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from hyctas import __main__ as root_command
from hyctas.commands import COMMANDS, EXTRAS
from hyctas.errors import UnknownTarget

MODULES = sorted({source.module for source in COMMANDS.values()})


@pytest.fixture
def run_failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], Result]:
    """Run a command that raises what it is given."""

    def run(error: BaseException) -> Result:
        failing = typer.Typer()

        @failing.command("targets")
        def targets() -> None:
            raise error

        @failing.command("other")
        def other() -> None: ...

        loaded = typer.main.get_group(failing).commands["targets"]
        monkeypatch.setattr(root_command, "load_command", lambda name: loaded)
        return CliRunner().invoke(root_command.app, ["targets"])

    return run


@pytest.mark.parametrize("module", MODULES)
def test_every_registered_command_is_listed_and_every_listed_one_registered(module: str) -> None:
    app = typer.Typer()
    importlib.import_module(module).register(app)
    listed = {name for name, source in COMMANDS.items() if source.module == module}
    assert set(typer.main.get_group(app).commands) == listed


ENDLESS = ("serve", "worker")
"""Commands that print no result, since they go on until they are stopped."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_help(name: str) -> None:
    result = CliRunner().invoke(root_command.app, [name, "--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "--json" in result.stdout or "COMMAND" in result.stdout or name in ENDLESS


def test_help_lists_every_command_with_its_summary() -> None:
    result = CliRunner().invoke(root_command.app, ["--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    for name, source in COMMANDS.items():
        assert name in result.stdout
        assert source.summary in result.stdout


def test_version_names_the_version_and_where_it_runs_from(root: Path) -> None:
    result = CliRunner().invoke(root_command.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"hyctas 0.1.0 ({root})\n")


@pytest.mark.parametrize("arguments", [["no-such-command"], ["arch", "show"], ["arch", "sample", "--count", "none"]])
def test_bad_usage_exits_with_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(root_command.app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: hyctas" in result.stderr or "Usage: root" in result.stderr


def test_own_error_is_one_line_on_stderr(run_failing: Callable[[BaseException], Result]) -> None:
    result = run_failing(UnknownTarget("a/b", ["c/d"]))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: unknown target 'a/b'; known: c/d\n"


def test_interruption_exits_with_130(run_failing: Callable[[BaseException], Result]) -> None:
    result = run_failing(KeyboardInterrupt())
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(("module", "extra"), EXTRAS.items())
def test_missing_optional_module_names_its_extra(
    run_failing: Callable[[BaseException], Result], module: str, extra: str
) -> None:
    result = run_failing(ModuleNotFoundError("no", name=f"{module}.inner"))
    assert result.exit_code == 1
    assert result.stderr == f"error: this needs {module}, which is not installed: pip install 'hyctas[{extra}]'\n"


def test_every_extra_named_for_a_missing_module_exists(root: Path) -> None:
    import tomllib

    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS.values()) <= set(project["optional-dependencies"])


def test_missing_file_is_named(run_failing: Callable[[BaseException], Result], tmp_path: Path) -> None:
    result = run_failing(FileNotFoundError(2, "No such file or directory", str(tmp_path / "none.json")))
    assert (result.exit_code, result.stderr) == (1, f"error: {tmp_path / 'none.json'}: No such file or directory\n")


def test_unexpected_error_is_not_swallowed(run_failing: Callable[[BaseException], Result]) -> None:
    result = run_failing(ZeroDivisionError("a bug"))
    assert isinstance(result.exception, ZeroDivisionError)


def test_reader_that_goes_away_leaves_no_traceback() -> None:
    command = f"{sys.executable} -m hyctas arch sample --count 2000 | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["version"] == 1
    assert done.stderr == ""


def test_ctrl_c_leaves_no_traceback(tmp_path: Path) -> None:
    pipe = tmp_path / "architecture.json"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "hyctas", "arch", "show", str(pipe)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with started as process, pipe.open("w"):  # the pipe opens once the command is reading
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=60)
    assert (process.returncode, *printed) == (130, "", "interrupted\n")


def test_database_and_keys_may_be_given_as_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "database-url"
    file.write_text(f"sqlite:///{tmp_path}/nowhere.db\n")
    monkeypatch.delenv("HYCTAS_DB", raising=False)
    monkeypatch.setenv("HYCTAS_DB_FILE", str(file))
    for command in (["measurements"], ["train"], ["serve", "--port", "0"], ["report", "1"]):
        done = subprocess.run([sys.executable, "-m", "hyctas", *command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert "nowhere.db: there is no such file" in done.stderr
