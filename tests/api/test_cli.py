"""``hyctas serve`` as a process: where it listens, how it ends, what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from hyctas.architecture_json import to_json
from hyctas.client import Client
from tests.api.world import TARGET, World, a_request

KEY = "secret"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hyctas", "serve", *arguments]


@contextmanager
def served(world: World, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process on a free port, and its address, which it printed."""
    environment = {**os.environ, "HYCTAS_API_KEYS": KEY}
    line = command("--db", world.url, "--port", "0", *arguments)
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            yield process, process.stderr.readline().split()[-1]
        finally:
            process.terminate()


@pytest.mark.parametrize(("workers", "number"), [("1", signal.SIGTERM), ("1", signal.SIGINT), ("2", signal.SIGTERM)])
def test_server_answers_on_the_printed_address_and_ends_cleanly(
    world: World, workers: str, number: signal.Signals
) -> None:
    with served(world, "--workers", workers) as (process, url):
        with Client(url, api_key=KEY) as client:
            assert client.predict(TARGET.name, world.unseen[0]).model_id == world.model
        assert httpx.post(f"{url}/predict", json=a_request(to_json(world.unseen[0]))).status_code == 401
        process.send_signal(number)
        assert process.stderr is not None
        assert (process.wait(), process.stderr.read()) == (0, "")


def refused(*arguments: str) -> str:
    done = subprocess.run(command(*arguments), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_missing_database_is_one_line(world: World) -> None:
    assert "nowhere.db" in refused("--db", "sqlite:///nowhere.db")


def test_port_that_is_taken_is_one_line(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "in use" in refused("--db", world.url, "--port", port)
    assert "--host" in refused("--db", world.url, "--host", "no-such-host.invalid")
