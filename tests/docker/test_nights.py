"""The schedule of the service ``nightly``, with a command that only says how it was called in place of hyctas."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hyctas.target import parse_target
from profiler.nightly.config_file import read_config

LIMIT_S = 60.0


@contextmanager
def nights(docker: Path, folder: Path, *, exit_code: int, at: str) -> Iterator[subprocess.Popen[str]]:
    """The script, whose ``hyctas`` writes down its arguments and ends with that exit code."""
    command = folder / "hyctas"
    command.write_text(f'#!/bin/sh\necho "$@" >>{folder}/called\nexit {exit_code}\n')
    command.chmod(0o755)
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HYCTAS_NIGHTLY_AT": at,
        "HYCTAS_NIGHT_FAILED": str(folder / "failed"),
    }
    line = [docker / "nights.sh", "--config", "nightly.toml", "--enqueue"]
    process = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=LIMIT_S)


def soon() -> str:
    """A time of the day in two to three seconds."""
    return f"{datetime.now(UTC) + timedelta(seconds=3):%H:%M:%S}"


def wait_for_a_night(process: subprocess.Popen[str]) -> None:
    """Wait until the script says when the second night begins, so that the first one is over."""
    assert process.stderr is not None
    said = [process.stderr.readline() for _ in range(2)]
    assert all(line.startswith("the next night begins in") for line in said), said
    assert int(said[1].split()[-2]) > 80_000


@pytest.mark.parametrize(("exit_code", "failed"), [(0, False), (3, False), (1, True), (130, True)])
def test_night_begins_when_it_is_time_and_its_failure_is_seen(
    exit_code: int, failed: bool, docker: Path, tmp_path: Path
) -> None:
    if not failed:
        (tmp_path / "failed").write_text("the night before failed")
    with nights(docker, tmp_path, exit_code=exit_code, at=soon()) as process:
        wait_for_a_night(process)
        assert (tmp_path / "called").read_text() == "nightly --config nightly.toml --enqueue\n"
        assert (tmp_path / "failed").exists() is failed


def test_sigterm_ends_it_at_once(docker: Path, tmp_path: Path) -> None:
    far = f"{datetime.now(UTC) + timedelta(hours=6):%H:%M}"
    with nights(docker, tmp_path, exit_code=0, at=far) as process:
        assert process.stderr is not None and process.stderr.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    assert not (tmp_path / "called").exists()


def test_time_that_is_none_is_refused(docker: Path, tmp_path: Path) -> None:
    with nights(docker, tmp_path, exit_code=0, at="late") as process:
        assert process.wait(LIMIT_S) == 2
        assert process.stderr is not None and "late" in process.stderr.read()


@pytest.mark.parametrize("script", ["lock.sh", "make-secrets.sh", "nights.sh"])
def test_shellcheck_has_nothing_to_say(script: str, docker: Path) -> None:
    command = [Path(sysconfig.get_path("scripts")) / "shellcheck", "--shell", "sh", docker / script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_configuration_is_one_and_asks_for_what_the_worker_serves(
    docker: Path, compose: Mapping[str, Any], stages: Mapping[str, Any]
) -> None:
    config = read_config(docker / "nightly.toml")
    assert str(config.reports).startswith("/data/") and str(config.training.models) == "/data/models"
    command = stages[compose["services"]["worker"]["build"]["target"]].last("CMD").words
    served = {parse_target(word, device="here").name for word in command if word.endswith("-t1")}
    assert {parse_target(target.name, device="here").name for target in config.targets} <= served
