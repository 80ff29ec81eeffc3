"""Running ``hyctas`` commands in processes of their own, for the quick start."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx

from hyctas.errors import CommandFailed
from hyctas.location import LOCATION

LOOPBACK: Final = "127.0.0.1"
START_LIMIT_S: Final = 60.0
END_LIMIT_S: Final = 10.0
GRACE_S: Final = 3.0
_POLL_S: Final = 0.1


@dataclass(frozen=True)
class CommandRunner:
    """Runs commands, one after another, and logs each with its result.

    Attributes:
        log: The file to append to.
        sign_of_life: Called every `interval_s` seconds while a command runs, with the seconds it has run.
        interval_s: How often.
    """

    log: Path
    sign_of_life: Callable[[float], None]
    interval_s: float = 15.0

    def without_sign_of_life(self) -> CommandRunner:
        """The same runner for commands that tell themselves how they go on."""
        return dataclasses.replace(self, sign_of_life=lambda elapsed_s: None)

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run ``hyctas ARGUMENTS --json`` and return its JSON document; its stderr is this process's.

        Raises:
            CommandFailed: It ended with another status than 0.
            KeyboardInterrupt: Ctrl-C was pressed; the command has ended by then.
        """
        command = (*arguments, "--json")
        started_s = time.monotonic()
        with self.log.open("a") as log:
            log.write(f"$ {shown(command)}\n")
            log.flush()
            process = subprocess.Popen(
                own_command(*command), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
            )
            with process, _ended_with_us(process):
                printed = self._output(process, started_s)
            log.write(f"{printed.strip()}\n# status {process.returncode}, {time.monotonic() - started_s:.1f} s\n\n")
        if process.returncode:
            raise CommandFailed(f"'{shown(command)}' ended with status {process.returncode}; its message is above")
        document: dict[str, Any] = json.loads(printed)
        return document

    def _output(self, process: subprocess.Popen[str], started_s: float) -> str:
        while True:
            try:
                return process.communicate(timeout=self.interval_s)[0]
            except subprocess.TimeoutExpired:
                self.sign_of_life(time.monotonic() - started_s)

    @contextlib.contextmanager
    def serving(self, *arguments: str) -> Iterator[str]:
        """Run ``hyctas serve ARGUMENTS`` on a free port of this machine while the block runs; yields its URL.

        Raises:
            CommandFailed: It ended, or did not answer in time.
        """
        port = free_port()
        url = f"http://{LOOPBACK}:{port}"
        command = ("serve", "--host", LOOPBACK, "--port", str(port), *arguments)
        with self.log.open("a") as log:
            log.write(f"$ {shown(command)}\n")
            log.flush()
            process = _started_server(command, log)
            with process, _ended_with_us(process):
                try:
                    self._wait_until_ready(process, url)
                    yield url
                finally:
                    end(process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], url: str) -> None:
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s:
            if process.poll() is not None:
                raise CommandFailed(f"the server ended with status {process.returncode}; {self.log} says why")
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/readyz", timeout=1.0).is_success:
                    return
            time.sleep(_POLL_S)
        raise CommandFailed(f"the server was not ready within {START_LIMIT_S:g} s; {self.log} says why")


def own_command(*arguments: str) -> list[str]:
    """The command line that runs this very installation, whatever folder or path it is started from."""
    start = f"import sys; sys.path.insert(0, {str(LOCATION)!r}); from hyctas.__main__ import main; main()"
    return [sys.executable, "-P", "-c", start, *arguments]


def shown(command: Sequence[str]) -> str:
    """The command as a reader would type it."""
    return shlex.join(("hyctas", *command))


def free_port() -> int:
    """A port on which nothing listened a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def end(process: subprocess.Popen[Any]) -> None:
    """Ask a process to end, and make it if it does not."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(own_command(*command), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def _started_server(command: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
    """The server in a session of its own (Ctrl-C ends it through its parent), open to us whatever keys others need."""
    environment = {name: value for name, value in os.environ.items() if name != "HYCTAS_API_KEYS"}
    return subprocess.Popen(
        own_command(*command),
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[Any]) -> Iterator[None]:
    """On Ctrl-C give the process time to finish what it commits, since it got the signal too; then end it."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_LIMIT_S)
        end(process)
        raise
