"""The command ``hyctas serve``."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from typing import Annotated, Any, Final

import typer
import uvicorn

from api.app import create_app
from api.settings import Settings, settings_from
from db.option import without_password
from db.repository import Repository
from hyctas.errors import InvalidInput

GRACE_S: Final = 10
"""Seconds that running requests get when the server is told to end."""


def register(app: typer.Typer) -> None:
    """Add this package's command to `app`."""
    app.command("serve")(serve)


def serve(
    db: Annotated[str | None, typer.Option(help="Database URL; HYCTAS_DB or sqlite:///hyctas.db if left out.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one, which is printed.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that answer.")] = 1,
) -> None:
    """Answer POST /predict over HTTP until interrupted. HYCTAS_API_KEYS=KEY,... lets only their holders ask."""
    settings = settings_from(os.environ)
    if db is not None:
        settings = replace(settings, database_url=db)
    Repository.open(settings.database_url, create=False).close()
    with _listening(host, port) as listener:
        typer.echo(f"serving {without_password(settings.database_url)} at {_address(listener)}", err=True)
        _end_quietly()
        _run(settings, listener, workers)


def _run(settings: Settings, listener: socket.socket, workers: int) -> None:
    options: dict[str, Any] = {
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "log_level": "warning",
        "timeout_graceful_shutdown": GRACE_S,
    }
    if workers == 1:
        config = uvicorn.Config(create_app(settings), **options)
        uvicorn.Server(config).run(sockets=[listener])
        return
    os.environ["HYCTAS_DB"] = settings.database_url
    uvicorn.run("api.app:app_from_environment", factory=True, workers=workers, fd=listener.fileno(), **options)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InvalidInput: The address is not this machine's, or the port is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        allowed = f"an address of this machine and a free port ({error.strerror})"
        raise InvalidInput("--host, --port", f"{host}:{port}", allowed) from error
    listener.set_inheritable(True)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"http://{host}:{port}"


def _end_quietly() -> None:
    """Make an ordered end a success: uvicorn raises the signal that ended it once more when it is done."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
