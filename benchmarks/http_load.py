"""A plain HTTP/1.1 client for loads: prepared bytes out, whole answers in, so that the server is what is timed."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Final

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class Connection:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        """Send a prepared request."""
        self._socket.sendall(request)

    def receive(self) -> bytes:
        """Receive an answer's body.

        Raises:
            RuntimeError: Its status is not 200, or the connection ended.
        """
        data = b""
        while _END not in data:
            data += self._more()
        head, _, body = data.partition(_END)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {data[:300]!r}")
        start = head.lower().index(_LENGTH) + len(_LENGTH)
        length = int(head[start:].partition(b"\r\n")[0])
        pieces, size = [body], len(body)
        while size < length:
            pieces.append(self._more())
            size += len(pieces[-1])
        return b"".join(pieces)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise RuntimeError("the server closed the connection")
        return data


def post(path: str, body: bytes) -> bytes:
    """The bytes of a request."""
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + _END + body


def rate(port: int, requests: Sequence[bytes], *, duration_s: float) -> float:
    """Answers a second over two connections of which one always waits, so that the server never does."""
    connections = [Connection(port) for _ in range(2)]
    for index, connection in enumerate(connections):
        connection.send(requests[index % len(requests)])
    start = time.perf_counter()
    answered = 0
    while (elapsed_s := time.perf_counter() - start) < duration_s:
        connection = connections[answered % 2]
        connection.receive()
        connection.send(requests[answered % len(requests)])
        answered += 1
    for connection in connections:
        connection.receive()
        connection.close()
    return answered / elapsed_s


def latencies_s(port: int, requests: Sequence[bytes], *, rounds: int) -> list[list[float]]:
    """Seconds of each request, sent in turn over one connection; one list a request."""
    connection = Connection(port)
    found: list[list[float]] = [[] for _ in requests]
    for _ in range(rounds):
        for times, request in zip(found, requests, strict=True):
            start = time.perf_counter()
            connection.send(request)
            connection.receive()
            times.append(time.perf_counter() - start)
    connection.close()
    return found
