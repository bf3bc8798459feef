"""A load generator lean enough not to be the limit: keep-alive sockets, one request in flight on each."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass

MAX_WAIT_SECONDS = 60


@dataclass(frozen=True)
class Measured:
    """What one round saw.

    Parameters:
        per_second: answers a second.
        median_ms: median latency, milliseconds.
        answer_bytes: size of one answer's body.
    """

    per_second: float
    median_ms: float
    answer_bytes: int


class _Connection:
    """One keep-alive connection that sends the same request again and again."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = request
        self.buffer = bytearray()
        self.wanted = -1
        self.body_bytes = 0
        self.sent_at = 0.0

    def send(self) -> None:
        self.buffer.clear()
        self.wanted = -1
        self.sent_at = time.perf_counter()
        self.socket.sendall(self.request)

    def receive(self) -> bool:
        """Read what is there; whether the answer is complete."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self.buffer += chunk
        if self.wanted < 0:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self.buffer[:end]).lower()
            if b" 200" not in head.split(b"\r\n", 1)[0]:
                raise ConnectionError(bytes(self.buffer[:1000]).decode(errors="replace"))
            at = head.index(b"content-length:") + len(b"content-length:")
            self.body_bytes = int(head[at:].split(b"\r\n", 1)[0])
            self.wanted = end + 4 + self.body_bytes
        return len(self.buffer) >= self.wanted


def run(port: int, body: bytes, headers: dict[str, str], *, seconds: float, connections: int = 8) -> Measured:
    """Post ``body`` to ``/graphql`` for ``seconds`` over ``connections`` connections.

    Raises:
        ConnectionError: an answer other than 200.
    """
    lines = [
        "POST /graphql HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        "Accept: application/graphql-response+json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
    selector = selectors.DefaultSelector()
    opened = [_Connection(("127.0.0.1", port), request) for _ in range(connections)]
    for connection in opened:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    latencies: list[float] = []
    started = time.perf_counter()
    stop_at = started + seconds
    # A slow server is given longer: at least one answer on each connection.
    while (now := time.perf_counter()) < stop_at or (len(latencies) < connections and now < stop_at + MAX_WAIT_SECONDS):
        for key, _ in selector.select(timeout=1):
            connection = key.data
            if connection.receive():
                now = time.perf_counter()
                latencies.append(now - connection.sent_at)
                connection.send()
    elapsed = now - started
    # What is still in flight would burden the server that is measured next on the same core.
    for connection in opened:
        connection.socket.settimeout(MAX_WAIT_SECONDS)
        while not connection.receive():
            pass
        connection.socket.close()
    if not latencies:
        raise ConnectionError(f"no answer within {seconds} s")
    latencies.sort()
    return Measured(len(latencies) / elapsed, latencies[len(latencies) // 2] * 1000, opened[0].body_bytes)
