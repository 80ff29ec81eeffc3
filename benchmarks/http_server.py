"""The server under test of :mod:`benchmarks.http`: the real application, and beside it a route that does nothing.

    python -m benchmarks.http_server DATABASE_URL CORE

Listens on a free port of the loopback, pinned to one core, and prints the port.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

import msgspec
import uvicorn

from api.app import create_app
from api.asgi import JSON, App, Receive, Scope, Send, send_body
from api.settings import Settings

NO_OP: Final = "/no-op"
_ANSWER: Final = b'{"latency_ms":12.345678901234,"low_ms":12.01,"high_ms":12.89,"coverage":0.9,"tier":"learned"}'


async def no_op(scope: Scope, receive: Receive, send: Send) -> None:
    """Read a body, parse it as JSON, answer a constant: the least that any JSON endpoint on this server can do."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    msgspec.json.decode(body)
    await send_body(send, 200, _ANSWER, JSON)


def beside(app: App) -> App:
    """The application with the no-op route in front."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = no_op if scope.get("path") == NO_OP else app
        await wanted(scope, receive, send)

    return routed


def main() -> None:
    """Serve until terminated."""
    url, core = sys.argv[1], int(sys.argv[2])
    os.sched_setaffinity(0, {core})
    app = beside(create_app(Settings(database_url=url, refresh_s=3600.0)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(app, lifespan="on", log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
