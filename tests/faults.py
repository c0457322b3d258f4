"""A proxy that misbehaves on command: what the network, a proxy or a dying server does to one request out of many.

    with FaultProxy("http://127.0.0.1:4646") as proxy:
        proxy.on("POST", "/v1/jobs", Status(500, "No cluster leader"))          # the next one
        proxy.on("POST", "/v1/jobs", CutAfter(), nth=2)                         # the one after: written, answer lost
        proxy.on("GET", "/v1/job/*", Silence(), times=None)                     # all of them from now on
        cluster = NomadCluster(NomadConfig(address=proxy.address))
        ...
        assert [call.fault for call in proxy.calls if call.method == "POST"] == ["Status", "CutAfter"]

Paths are globs without the query; a method of `*` is any. Rules count from when they are set, each for itself; of
several that strike one call, the first set wins. Without a rule a call is passed on as it is, streams included. Every
call is in `calls` before its client hears of it.
"""

import fnmatch
import select
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Status:
    """Answer this instead of passing the call on."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Silence:
    """Never answer: hold the call until the client gives up or the proxy is closed."""

    forward: bool = False  # whether the call is done all the same


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Cut the connection; Nomad never hears of the call."""


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Pass the call on, then cut the connection: it happened, but the answer is lost."""


@dataclass(frozen=True, slots=True)
class CutMidway:
    """Pass the call on, and cut the connection after so many bytes of the answer's body."""

    after: int = 1


@dataclass(frozen=True, slots=True)
class Replay:
    """Answer as the same request was answered last, old index and all. Passed on where there was none."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Wait, then pass the call on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Pass the call on, and put these headers into the answer (`{"X-Nomad-Index": "1"}`)."""

    headers: Mapping[str, str]


Fault = Status | Silence | CutBefore | CutAfter | CutMidway | Replay | Slow | Rewrite


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came, and what became of it. *status* is 0 where the client got none."""

    method: str
    path: str
    query: str
    body: bytes
    fault: str = ""
    status: int = 0


@dataclass(slots=True)
class _Rule:
    method: str
    path: str
    fault: Fault
    nth: int
    times: int | None
    count: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Count a call, and say whether it is one of those meant."""
        if self.method not in {"*", method} or not fnmatch.fnmatchcase(path, self.path):
            return False
        self.count += 1
        return self.count >= self.nth and (self.times is None or self.count < self.nth + self.times)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class FaultProxy:
    """A proxy before *upstream* (`http://HOST:PORT`), on a free port of the loopback interface."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = parts.hostname or "127.0.0.1", parts.port or 80
        self._rules: list[_Rule] = []
        self._calls: list[Call] = []
        self._answers: dict[tuple[str, str], _Answer] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where to find it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls so far, as they came."""
        with self._lock:
            return tuple(self._calls)

    def on(self, method: str, path: str, fault: Fault, *, nth: int = 1, times: int | None = 1) -> None:
        """Let *fault* strike the *nth* call that fits from now on, and as many as *times* says (None: all)."""
        with self._lock:
            self._rules.append(_Rule(method, path, fault, nth, times))

    def clear(self) -> None:
        """Forget all rules: behave."""
        with self._lock:
            self._rules.clear()

    def cut(self) -> None:
        """Cut every connection that is open now, streams first of all."""
        with self._lock:
            for opened in self._open:
                _shut(opened)

    def close(self) -> None:
        """Cut everything and stop."""
        self._closing.set()
        self._server.shutdown()
        self.cut()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    # For the handler

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Count a call with every rule; the first that strikes gives the fault."""
        with self._lock:
            struck = [rule.fault for rule in self._rules if rule.strikes(method, path)]
        return struck[0] if struck else None

    def log(self, call: Call) -> int:
        """Keep a call; the number it is kept under."""
        with self._lock:
            self._calls.append(call)
            return len(self._calls) - 1

    def settle(self, number: int, status: int) -> None:
        """Keep what a call is about to be answered."""
        with self._lock:
            self._calls[number] = replace(self._calls[number], status=status)

    def opened(self, sock: socket.socket, *, gone: bool = False) -> None:
        """Keep account of the sockets that `cut` cuts."""
        with self._lock:
            (self._open.discard if gone else self._open.add)(sock)

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        self._closing.wait(seconds)

    def hold(self, client: socket.socket) -> None:
        """Wait until the client goes away, or the end."""
        while not self._closing.wait(0.02):
            readable, _, _ = select.select([client], [], [], 0)
            if readable and not client.recv(1, socket.MSG_PEEK):
                return

    def connect(self) -> HTTPConnection:
        """A connection to the real thing."""
        connection = HTTPConnection(*self._upstream, timeout=120)
        connection.connect()
        return connection

    def remember(self, target: tuple[str, str], answer: _Answer) -> None:
        """Keep an answer for `Replay`."""
        with self._lock:
            self._answers[target] = answer

    def remembered(self, target: tuple[str, str]) -> _Answer | None:
        """The last answer to the same request."""
        with self._lock:
            return self._answers.get(target)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Calls are logged in `FaultProxy.calls`."""

    def setup(self) -> None:
        super().setup()
        self.server.proxy.opened(self.connection)

    def finish(self) -> None:
        self.server.proxy.opened(self.connection, gone=True)
        super().finish()

    def handle_call(self) -> None:
        """Do to a call what its rule says."""
        proxy = self.server.proxy
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = proxy.fault_for(self.command, parts.path)
        name = type(fault).__name__ if fault else ""
        self._number = proxy.log(Call(self.command, parts.path, parts.query, body, name))
        try:
            self._strike(fault, body)
        except (OSError, HTTPException):
            self._cut()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_call  # noqa: N815

    def _strike(self, fault: Fault | None, body: bytes) -> None:
        proxy = self.server.proxy
        match fault:
            case Status():
                self._answer(_Answer(fault.status, tuple(fault.headers.items()), fault.text.encode()))
            case Silence():
                if fault.forward:
                    self._forward(body, answer=False)
                proxy.hold(self.connection)
                self._cut()
            case CutBefore():
                self._cut()
            case CutAfter():
                self._forward(body, answer=False)
                self._cut()
            case Replay() if (answer := proxy.remembered((self.command, self.path))) is not None:
                self._answer(answer)
            case Slow():
                proxy.pause(fault.seconds)
                self._forward(body)
            case CutMidway():
                self._forward(body, limit=fault.after)
            case Rewrite():
                self._forward(body, headers=fault.headers)
            case _:
                self._forward(body)

    def _cut(self) -> None:
        self.close_connection = True
        _shut(self.connection)

    def _forward(
        self, body: bytes, *, answer: bool = True, headers: Mapping[str, str] | None = None, limit: int | None = None
    ) -> None:
        proxy = self.server.proxy
        upstream = proxy.connect()
        sock = upstream.sock
        proxy.opened(sock)
        try:
            sent = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            upstream.request(self.command, self.path, body=body or None, headers=sent)
            response = upstream.getresponse()
            if response.length is None and answer:
                whole = self._pass_stream(response, _headers(response, headers or {}), limit)
            else:
                whole = _Answer(response.status, _headers(response, headers or {}), response.read())
                if answer:
                    self._answer(whole, limit)
            proxy.remember((self.command, self.path), whole)
        finally:
            proxy.opened(sock, gone=True)
            upstream.close()

    def _answer(self, answer: _Answer, limit: int | None = None) -> None:
        self.server.proxy.settle(self._number, answer.status)
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[:limit])
        if limit is not None and limit < len(answer.body):
            self._cut()

    def _pass_stream(self, response: HTTPResponse, headers: tuple[tuple[str, str], ...], limit: int | None) -> _Answer:
        """Pass on an answer of unknown length piece by piece, as it comes."""
        self.server.proxy.settle(self._number, response.status)
        self.send_response_only(response.status)
        for name, value in (*headers, ("Transfer-Encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        body = b""
        while chunk := response.read1(1 << 16):
            body += chunk
            if limit is not None and len(body) > limit:
                self._piece(chunk[: len(chunk) - (len(body) - limit)])
                raise ConnectionAbortedError  # as if the network had done it
            self._piece(chunk)
        self.wfile.write(b"0\r\n\r\n")
        return _Answer(response.status, headers, body)

    def _piece(self, data: bytes) -> None:
        if data:  # an empty piece would be the end
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


_HOP = frozenset({"host", "connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"})


def _headers(response: HTTPResponse, instead: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    named = {name.lower() for name in instead} | _HOP
    return (*((name, value) for name, value in response.getheaders() if name.lower() not in named), *instead.items())


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
