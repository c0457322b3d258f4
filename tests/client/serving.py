"""Servers for clients to talk to: the platform as it is, and one that says whatever a test wants."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from api.test_stats import Figures
from herdsman.bootstrap import served
from herdsman.model.statuses import Event
from herdsman.runtime.broadcast import Broadcast
from platforms import World

Answer = bytes | Callable[[socket.socket], None]


class Live(World):
    """The platform, whose events reach those who listen, and which has figures to show."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.broadcast = Broadcast[Event]()
        self.harness.listen = self.broadcast.listen  # type: ignore[method-assign]
        self.app.state.stats = Figures()

    def settle(self) -> None:
        """The same, a moment after whatever was looked at last."""
        self.harness.clock.advance(0.1)
        super().settle()

    @contextmanager
    def at_an_address(self) -> Iterator[str]:
        """A real server, while the block runs."""
        with served(self.app, "127.0.0.1:0") as address:
            try:
                yield address
            finally:
                self.broadcast.close()


def told(body: bytes | str, status: str = "200 OK", *headers: str, kind: str = "application/json") -> bytes:
    """An answer that is well-formed."""
    data = body.encode() if isinstance(body, str) else body
    head = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(data)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + data


class Hostile:
    """Says *answers* one after the other, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answers: Sequence[Answer] = answers
        self._tls = tls
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self.port: int = self._socket.getsockname()[1]
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        self._socket.close()
        self._thread.join(5)

    def header(self, number: int, name: str) -> str | None:
        """A header of the request of that number."""
        for line in self.requests[number].split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
            if line.lower().startswith(f"{name.lower()}: "):
                return line.partition(": ")[2]
        return None

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            if self._ended.is_set():
                plain.close()
                return
            plain.settimeout(5)
            with suppress(OSError), plain:
                self._answer(self._tls.wrap_socket(plain, server_side=True) if self._tls else plain)

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            while len(body) < length:
                body += connection.recv(65536)
            self.requests.append(head + b"\r\n\r\n" + body)
            answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)
