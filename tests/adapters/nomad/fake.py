"""A tiny HTTP server that answers what a test tells it to, and keeps what it was asked."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    peer: Any = None  # the connection that it came over

    @property
    def path(self) -> str:
        """The path as it was sent, still quoted."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The last value of each parameter."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: *data* is sent as JSON unless it is bytes or text."""

    data: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """What goes over the wire."""
        if isinstance(self.data, bytes):
            return self.data
        return self.data.encode() if isinstance(self.data, str) else json.dumps(self.data).encode()


Answers = Callable[[Asked], Reply]


class FakeNomad:
    """Listens on a free port or a Unix socket until it is closed; *answers* decides, by default 404 without words."""

    def __init__(
        self, answers: Answers | None = None, *, tls: ssl.SSLContext | None = None, socket_path: Path | None = None
    ) -> None:
        self.answers = answers or (lambda _: Reply(b"", 404))
        self.asked: list[Asked] = []
        self._server = _UnixServer(str(socket_path), self) if socket_path else _Server(("127.0.0.1", 0), self)
        self.address = f"unix://{socket_path}" if socket_path else f"http://127.0.0.1:{self._server.server_port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            self.address = self.address.replace("http:", "https:")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def always(self, data: Any = None, status: int = 200, **headers: str) -> None:
        """Answer everything with this."""
        self.answers = lambda _: Reply(data, status, {name.replace("_", "-"): text for name, text in headers.items()})

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False  # a Unix socket has none; see `setup`
    timeout = 20

    def setup(self) -> None:
        if self.request.family == socket.AF_INET:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are kept in `FakeNomad.asked`."""

    def address_string(self) -> str:
        return "client"

    def answer(self) -> None:
        """Keep the request, answer as told."""
        fake: FakeNomad = self.server.fake  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.requestline.split()[1]  # `path` has lost a slash if there were two
        asked = Asked(self.command, target, dict(self.headers.items()), body, self.client_address)
        fake.asked.append(asked)
        reply = fake.answers(asked)
        data = reply.body()
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815


class _Quiet:
    """What both servers share: they know whose they are, and say nothing of clients that hang up."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A refused handshake is what some tests are about."""


class _Server(_Quiet, ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], fake: FakeNomad) -> None:
        self.fake = fake
        super().__init__(address, _Handler)


class _UnixServer(_Quiet, ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def __init__(self, path: str, fake: FakeNomad) -> None:
        self.fake = fake
        super().__init__(path, _Handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own wants a host and a port

    def get_request(self) -> tuple[Any, Any]:
        request, _ = super().get_request()
        return request, ("client", 0)


def routed(routes: Mapping[str, Any]) -> Answers:
    """Answer by `METHOD /path` (unquoted); what is a `Reply` as it is, all else as JSON. Unknown routes: 404."""

    def answers(asked: Asked) -> Reply:
        found = routes.get(f"{asked.method} {unquote(asked.path)}", Reply("", 404))
        return found if isinstance(found, Reply) else Reply(found)

    return answers
