"""A server in a thread, and a client that speaks to it as any HTTP client does."""

import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from herdsman.devnomad.server import Config, Server

SECOND = 1_000_000_000
PATIENCE = 20.0
QUICK_UPDATE = {"MinHealthyTime": 50_000_000, "HealthyDeadline": 10 * SECOND, "ProgressDeadline": 20 * SECOND}
NEVER_RESCHEDULE = {
    "Attempts": 0,
    "Unlimited": False,
    "Interval": 60 * SECOND,
    "Delay": 5 * SECOND,
    "DelayFunction": "constant",
}
NEVER_RESTART = {"Attempts": 0, "Interval": 60 * SECOND, "Delay": 100_000_000, "Mode": "fail"}


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def index(self) -> int:
        """The index in the answer's header."""
        return int(self.headers["x-nomad-index"])


class Api:
    """Speaks to one server."""

    def __init__(self, port: int, *, token: str = "") -> None:
        self.port, self.token = port, token

    def call(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None, timeout: float = 60
    ) -> Answer:
        """Send a request; a body that is no bytes goes as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("X-Nomad-Token", self.token)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        found = {key.lower(): value for key, value in response.getheaders()}
        return Answer(response.status, found, _decoded(raw, found))

    def get(self, path: str) -> Any:
        """The body of a GET that must succeed."""
        return self._good("GET", path)

    def put(self, path: str, body: object = None) -> Any:
        """The body of a PUT that must succeed."""
        return self._good("PUT", path, body)

    def delete(self, path: str) -> Any:
        """The body of a DELETE that must succeed."""
        return self._good("DELETE", path)

    def _good(self, method: str, path: str, body: object = None) -> Any:
        answer = self.call(method, path, body)
        assert answer.status in {200, 204}, (method, path, answer.status, answer.body)
        return answer.body

    def register(self, job: dict[str, Any], **more: Any) -> Any:
        """Register a job that must be taken."""
        return self.put("/v1/jobs", {"Job": job} | more)

    def job_path(self, job_id: str, rest: str = "") -> str:
        """The path of a job."""
        return f"/v1/job/{quote(job_id, safe='')}{rest}"

    def allocs(self, job_id: str) -> list[dict[str, Any]]:
        """The allocations of a job."""
        found: list[dict[str, Any]] = self.get(self.job_path(job_id, "/allocations"))
        return found

    def running(self, job_id: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many allocations of a job run, and answer them."""

        def check() -> list[dict[str, Any]] | None:
            found = [alloc for alloc in self.allocs(job_id) if alloc["ClientStatus"] == "running"]
            return found if len(found) == count else None

        return self.wait(check)

    def wait(self, check: Callable[[], Any]) -> Any:
        """Wait until a condition holds; answers what it gave."""
        end = time.monotonic() + PATIENCE
        while True:
            found = check()
            if found:
                return found
            assert time.monotonic() < end, f"waited in vain for {check}"
            time.sleep(0.02)

    def wait_for(self, path: str, check: Callable[[Any], object]) -> Any:
        """Wait until what a path answers fulfils a condition; answers the body."""

        def look() -> list[Any] | None:
            answer = self.call("GET", path)
            return [answer.body] if answer.status == 200 and check(answer.body) else None

        return self.wait(look)[0]

    def purge(self, job_id: str) -> None:
        """Stop and forget a job."""
        self.delete(self.job_path(job_id, "?purge=true"))

    def lines(self, path: str, *, until: Callable[[list[Any]], bool], timeout: float = 10) -> list[Any]:
        """The JSON lines of a stream, until they suffice."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request("GET", path, headers={"X-Nomad-Token": self.token} if self.token else {})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        found: list[Any] = []
        try:
            while not until(found):
                line = response.readline()
                if not line:
                    break
                if line.strip():
                    found.append(json.loads(line))
        finally:
            connection.close()
        return found


def _decoded(raw: bytes, headers: dict[str, str]) -> Any:
    if headers.get("content-encoding") == "gzip":
        raw = gzip.decompress(raw)
    if headers.get("content-type", "").startswith("application/json"):
        return json.loads(raw or b"null")
    return raw.decode()


@contextmanager
def serving(**options: Any) -> Iterator[Api]:
    """A server in a thread while the block runs."""
    server = Server(Config(port=0, **options))
    ready = threading.Event()
    thread = threading.Thread(target=server.run, kwargs={"ready": ready.set}, daemon=True)
    thread.start()
    assert ready.wait(10), "the server did not begin"
    try:
        yield Api(server.port)
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive(), "the server did not end"


def task(name: str = "t", **more: Any) -> dict[str, Any]:
    """A task of the mock driver."""
    resources = {"CPU": 20, "MemoryMB": 16}
    return {"Name": name, "Driver": "mock_driver", "Config": {"run_for": "1h"}, "Resources": resources} | more


def shell(script: str, name: str = "t", **more: Any) -> dict[str, Any]:
    """A task that runs a script for real."""
    return task(name, Driver="raw_exec", Config={"command": "/bin/sh", "args": ["-c", script]}) | more


def group(name: str = "g", count: int = 1, **more: Any) -> dict[str, Any]:
    """A group of one task."""
    return {"Name": name, "Count": count, "Tasks": [task()]} | more


def job(job_id: str, *groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A service job."""
    kind = {"ID": job_id, "Name": job_id, "Type": "service", "Datacenters": ["dc1"]}
    return kind | {"TaskGroups": list(groups) or [group()]} | more
