"""A network between workers and the database that can be cut or go silent: a TCP proxy on the loopback interface."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

LOOK_S: Final = 0.02
CHUNK: Final = 1 << 16


class Proxy:
    """Passes bytes on, until it is told otherwise.

    Args:
        port: Where the server listens.

    Attributes:
        port: Where the proxy listens.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._silent = self._refusing = self._ended = False
        self._thread = threading.Thread(target=self._pass_on, daemon=True, name="proxy")

    def __enter__(self) -> Self:
        """Begin to pass bytes on."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it and all connections."""
        self._ended = True
        self._thread.join()
        self._close_all()
        self._listener.close()

    def go_silent(self) -> None:
        """Keep all connections, but pass nothing on: neither side learns anything."""
        self._silent = True

    def cut(self) -> None:
        """Close all connections, and every new one at once."""
        self._refusing = True

    def mend(self) -> None:
        """Pass everything on again."""
        self._silent = self._refusing = False

    def _pass_on(self) -> None:
        while not self._ended:
            if self._refusing:
                self._close_all()
            if self._silent:
                time.sleep(LOOK_S)
                continue
            with selectors.DefaultSelector() as selector:
                for each in (self._listener, *self._pairs):
                    selector.register(each, selectors.EVENT_READ)
                for key, _ in selector.select(LOOK_S):
                    assert isinstance(key.fileobj, socket.socket)
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._pairs and not self._silent:
                        self._copy(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._refusing:
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        self._pairs |= {client: server, server: client}

    def _copy(self, source: socket.socket) -> None:
        try:
            data = source.recv(CHUNK)
            if data:
                self._pairs[source].sendall(data)
                return
        except OSError:
            pass
        self._close(source)

    def _close(self, one: socket.socket) -> None:
        other = self._pairs.pop(one)
        self._pairs.pop(other, None)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.close()

    def _close_all(self) -> None:
        while self._pairs:
            self._close(next(iter(self._pairs)))
