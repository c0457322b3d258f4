"""The API in front of an operator: what is passed on, and to whom an operator without users is not shown."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from anyio import to_thread

from api.test_gates import Tokens
from clocks import FakeClock
from clusters import until
from harness import Harness, fleet_document, group, job_document
from herdsman.api.app import create_app
from herdsman.api.front import Front, create_front
from herdsman.bootstrap import served
from herdsman.dashboard.pages import add_dashboard
from herdsman.errors import SettingsError


class World:
    """An operator with users, and a front before it that is open to all."""

    def __init__(self, *, users: bool = True) -> None:
        self.harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web", TaskGroups=[group()])})
        self.harness.sync()
        auth = Tokens() if users else None
        self.app = create_app(self.harness.operator, metrics=self.harness.metrics.text, auth=auth)
        add_dashboard(self.app, self.harness.operator, auth=auth)


def ask(
    address: str, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.fixture
def front() -> Iterator[str]:
    """The address of a front that listens everywhere."""
    world = World()
    with served(world.app, "127.0.0.1:0") as operator:
        made = Front(operator, host="0.0.0.0", clock=FakeClock())
        made.check()
        with served(create_front(made), "127.0.0.1:0") as address:
            yield address


def test_a_question_goes_on_as_it_came(front: str) -> None:
    """With its token, its query and its path; the answer comes back with its headers."""
    status, headers, body = ask(front, "/v1/specs?name=w*", Authorization="Bearer root", Host="herdsman.example.org")
    assert status == 200
    assert [s["name"] for s in json.loads(body)["specs"]] == ["web"]
    assert headers["content-type"] == "application/json"
    assert ask(front, "/v1/specs/Job/default/a%2Fb%3Fc", Authorization="Bearer root")[0] == 404
    assert (
        ask(
            front, "/v1/resync", method="POST", body=b"{}", Authorization="Bearer root", Content_Type="application/json"
        )[0]
        == 202
    )


def test_who_is_nobody_gets_nothing(front: str) -> None:
    """A loopback name in the `Host` makes nobody local; the dashboard leads to its login."""
    for host in ("herdsman.example.org", "127.0.0.1", "localhost:8080"):
        status, headers, _ = ask(front, "/v1/specs", Host=host)
        assert (status, "Bearer" in headers["www-authenticate"]) == (401, True)
    assert ask(front, "/", Host="herdsman.example.org")[1]["location"] == "/login?next=/"
    assert ask(front, "/v1/specs", Origin="http://evil.example", Authorization="Bearer root")[0] == 403


def test_events_come_as_they_happen() -> None:
    """A stream is passed on part by part."""
    stream, seen = threading.Event(), list[bytes]()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/v1/whoami":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await to_thread.run_sync(stream.wait, 10)
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    with ExitStack() as stack:
        operator = stack.enter_context(served(slow, "127.0.0.1:0"))  # type: ignore[arg-type]
        front = Front(operator, host="::", clock=FakeClock())
        address = stack.enter_context(served(create_front(front), "127.0.0.1:0"))
        parts = urlsplit(address)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        connection.request("GET", "/v1/events/stream")
        answer = connection.getresponse()
        reader = threading.Thread(target=lambda: seen.append(answer.readline()))
        reader.start()
        until(lambda: seen == [b"data: 1\n"])
        assert not stream.is_set(), "the first part came before the second was made"
        stream.set()
        assert b"data: 2" in answer.read()
        connection.close()


def test_an_operator_without_users_is_shown_to_nobody_else() -> None:
    """Neither at the start nor when it comes to be one later; on loopback it may be."""
    world = World(users=False)
    with served(world.app, "127.0.0.1:0") as operator:
        open_ = Front(operator, host="0.0.0.0", clock=FakeClock())
        with pytest.raises(SettingsError, match="knows no users"):
            open_.check()
        with served(create_front(open_), "127.0.0.1:0") as address:
            assert ask(address, "/v1/specs")[0] == 503
        local = Front(operator, host="127.0.0.1", clock=FakeClock())
        local.check()
        with served(create_front(local), "127.0.0.1:0") as address:
            assert ask(address, "/v1/specs")[0] == 200
            assert ask(address, "/v1/specs", Host="evil.example")[0] == 403


def test_an_operator_that_is_away_is_said() -> None:
    """As a problem, without a trace."""
    front = Front("http://127.0.0.1:1", host="127.0.0.1", clock=FakeClock())
    with served(create_front(front), "127.0.0.1:0") as address:
        status, headers, body = ask(address, "/v1/specs")
    assert (status, headers["content-type"]) == (502, "application/problem+json")
    assert "does not answer" in json.loads(body)["detail"]


def test_a_request_that_is_too_large(front: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not passed on."""
    monkeypatch.setattr("herdsman.api.front.LARGEST", 10)
    assert ask(front, "/v1/resync", method="POST", body=b"x" * 11, Authorization="Bearer root")[0] == 413
