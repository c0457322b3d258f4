"""An event stream that a test plays by hand: what is sent, when it breaks, and where each reader asked to begin."""

import json
import queue
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from herdsman.adapters.events import NomadEvents
from herdsman.model.observed import Hint


class Stream:
    """One connection of one reader."""

    def __init__(self, handler: "_Handler", number: int) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        self.number = number  # 0 is the first connection
        self.index = int(query.get("index", ["0"])[0])
        self.query = query
        self.headers: Mapping[str, str] = dict(handler.headers.items())
        self._handler = handler

    def answer(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        """A whole answer, not a stream."""
        self._handler.send_response_only(status)
        for name, value in {"Content-Length": str(len(body.encode())), **(headers or {})}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        self._write(body.encode())

    def open(self) -> None:
        """Begin a stream."""
        self._handler.send_response_only(200)
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.end_headers()

    def send(self, frame: Any) -> None:
        """One line of JSON."""
        self.raw(json.dumps(frame).encode() + b"\n")

    def raw(self, data: bytes) -> None:
        """Bytes, as one chunk."""
        self._write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def cut_within(self, data: bytes, at: int) -> None:
        """Announce a chunk, and break the connection in the middle of it."""
        self._write(f"{len(data):x}\r\n".encode() + data[:at])
        self._handler.connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """End the stream properly."""
        self._write(b"0\r\n\r\n")

    def hold(self) -> None:
        """Say nothing more until the reader leaves."""
        stopping = self._handler.server.stopping
        while not stopping.wait(0.01):
            readable, _, _ = select.select([self._handler.connection], [], [], 0)
            if readable and not self._handler.connection.recv(1):
                return

    def _write(self, data: bytes) -> None:
        self._handler.wfile.write(data)


Play = Callable[[Stream], None]


class StreamServer:
    """Plays *play* for each connection to the event stream; *head* is the index that its job list is at."""

    def __init__(self, play: Play, *, head: int = 0) -> None:
        self.play = play
        self.head = head
        self.connections: list[Stream] = []
        self._server = _Server(self)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: StreamServer) -> None:
        self.owner = owner
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that leaves is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Connections are kept in `StreamServer.connections`."""

    def do_GET(self) -> None:
        self.close_connection = True
        owner = self.server.owner
        if urlsplit(self.path).path == "/v1/jobs":
            Stream(self, -1).answer(200, "[]", {"X-Nomad-Index": str(owner.head)})
            return
        stream = Stream(self, len(owner.connections))
        owner.connections.append(stream)
        owner.play(stream)


@contextmanager
def following(events: NomadEvents) -> Iterator["Follower"]:
    """Read *events* in a thread while the block runs."""
    follower = Follower(events)
    try:
        yield follower
    finally:
        events.close()
        follower.thread.join(timeout=10)
        assert not follower.thread.is_alive(), "close() must end follow()"


class Follower:
    """Keeps what a stream says."""

    def __init__(self, events: NomadEvents) -> None:
        self._hints: queue.Queue[Hint] = queue.Queue()
        self.thread = threading.Thread(target=self._run, args=(events,), daemon=True)
        self.thread.start()

    def next(self) -> Hint:
        """The next hint."""
        return self._hints.get(timeout=10)

    def until(self, enough: Callable[[Hint], bool]) -> list[Hint]:
        """All hints up to one that is *enough*."""
        hints = [self.next()]
        while not enough(hints[-1]):
            hints.append(self.next())
        return hints

    def silent(self) -> bool:
        """Whether nothing is waiting to be read."""
        return self._hints.empty()

    def _run(self, events: NomadEvents) -> None:
        for hint in events.follow():
            self._hints.put(hint)


def job_event(index: int, name: str, *, kind: str = "JobRegistered", parent: str = "") -> dict[str, Any]:
    """A job event as Nomad sends it."""
    job = {"ID": name, "Namespace": "default", "ParentID": parent}
    return {
        "Topic": "Job", "Type": kind, "Key": name, "Namespace": "default", "FilterKeys": None,
        "Index": index, "Payload": {"Job": job},
    }  # fmt: skip


def event_of(index: int, topic: str, key: str, job: str) -> dict[str, Any]:
    """An event of another topic, about something of a job."""
    return {
        "Topic": topic, "Type": f"{topic}Updated", "Key": key, "Namespace": "default", "FilterKeys": [job],
        "Index": index, "Payload": {topic: {"ID": key, "JobID": job, "Namespace": "default"}},
    }  # fmt: skip


def frame(index: int, *events: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the stream."""
    return {"Index": index, "Events": list(events)}
