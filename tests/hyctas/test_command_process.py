from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hyctas.command_process import CommandRunner, end, own_command, shown
from hyctas.errors import CommandFailed


@pytest.fixture
def runner(tmp_path: Path) -> CommandRunner:
    return CommandRunner(tmp_path / "log", lambda elapsed_s: None)


def test_run_returns_the_document_and_logs_the_command(runner: CommandRunner) -> None:
    document = runner.run("arch", "sample", "--count", "2", "--seed", "5")
    assert document["seed"] == 5
    logged = runner.log.read_text().splitlines()
    assert logged[0] == "$ hyctas arch sample --count 2 --seed 5 --json"
    assert json.loads("".join(logged[1 : logged.index("}") + 1])) == document
    assert "# status 0" in logged[-2]


def test_run_of_a_failing_command_names_it(runner: CommandRunner, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandFailed, match=r"'hyctas arch show none.json --json' ended with status 1"):
        runner.run("arch", "show", "none.json")
    assert "none.json: No such file or directory" in capfd.readouterr().err


def test_run_gives_signs_of_life(tmp_path: Path) -> None:
    signs: list[float] = []
    CommandRunner(tmp_path / "log", signs.append, interval_s=0.02).run("arch", "sample")
    assert signs and signs == sorted(signs)


def test_commands_run_ours_among_foreign_packages(
    runner: CommandRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("hyctas", "db"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('foreign')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert runner.run("arch", "sample")["architectures"]


def test_interruption_ends_the_command(runner: CommandRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyctas.command_process.GRACE_S", 0.1)
    pipe = tmp_path / "architecture.json"
    os.mkfifo(pipe)
    opened: list[int] = []

    def interrupt_once_the_command_reads() -> None:
        opened.append(os.open(pipe, os.O_WRONLY))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt_once_the_command_reads)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        runner.run("arch", "show", str(pipe))
    interrupter.join()
    with pytest.raises(BrokenPipeError):
        os.write(opened[0], b"nobody reads")
    os.close(opened[0])


def test_server_that_cannot_start_is_reported(runner: CommandRunner, tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'none' / 'hyctas.db'}"
    with pytest.raises(CommandFailed, match="the server ended with status 1"), runner.serving("--db", missing):
        pytest.fail("it must not be served")
    assert "error:" in runner.log.read_text()


def test_end_kills_what_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyctas.command_process.END_LIMIT_S", 0.1)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end(process)
        assert process.returncode == -9


def test_shown_quotes_what_a_shell_would_split() -> None:
    assert shown(("serve", "--db", "sqlite:///my file.db")) == "hyctas serve --db 'sqlite:///my file.db'"
    assert own_command("x")[-1] == "x"
