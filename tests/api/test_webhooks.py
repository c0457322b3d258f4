"""`/v1/webhooks`: a look for who knows the secret, nothing for anybody else."""

import hmac
from collections.abc import Iterator
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from harness import Harness
from herdsman.api.app import create_app
from herdsman.api.routes import webhooks
from herdsman.errors import SettingsError
from herdsman.usecases import Webhooks

SECRET = "known to both"


class World:
    """An API with a secret, and what came of it."""

    def __init__(self) -> None:
        self.secret, self.looks, self.counted = SECRET, 0, list[tuple[str, str]]()
        hooks = Webhooks(lambda: self.secret, self.look, lambda *what: self.counted.append(what))
        harness = Harness({})
        self.client = TestClient(create_app(harness.operator, metrics=harness.metrics.text, hooks=hooks))

    def look(self) -> None:
        """Somebody goes and sees."""
        self.looks += 1

    def post(self, provider: str = "github", body: bytes = b"{}", *, mac: str | None = None, host: str = "") -> int:
        """The status of a webhook, signed where *mac* is none."""
        mac = hmac.new(SECRET.encode(), body, sha256).hexdigest() if mac is None else mac
        headers = {"X-Hub-Signature-256": f"sha256={mac}", "Host": host or "herdsman.example.org"}
        return self.client.post(f"/v1/webhooks/{provider}", content=body, headers=headers).status_code


@pytest.fixture
def world() -> Iterator[World]:
    """A world."""
    found = World()
    with found.client:
        yield found


def test_a_webhook_causes_a_look(world: World) -> None:
    """From any host: it proves itself, whatever its payload says."""
    assert world.post(body=b"no JSON \xff") == 202
    assert world.looks == 1
    assert world.counted == [("github", "accepted")]


def test_who_does_not_know_the_secret_causes_nothing(world: World) -> None:
    """It is refused and counted, and told which header counts."""
    assert world.post(mac="0" * 64) == 401
    assert world.looks == 0
    assert world.counted == [("github", "refused")]
    answer = world.client.post("/v1/webhooks/gitlab", content=b"{}").json()
    assert "X-Gitlab-Token" in answer["detail"]
    assert SECRET not in str(answer)


def test_a_provider_that_nobody_knows(world: World) -> None:
    """The answer names those that there are."""
    answer = world.client.post("/v1/webhooks/svn", content=b"{}")

    assert answer.status_code == 404
    assert "github, gitlab" in answer.json()["detail"]
    assert world.counted == []


def test_a_payload_that_is_too_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to its end."""
    monkeypatch.setattr(webhooks, "LARGEST", 10)

    assert world.post(body=b"x" * 11) == 413
    assert world.looks == 0


def test_a_secret_that_is_rotated(world: World) -> None:
    """The new one counts from the next webhook on, and a file that cannot be read is said without what it held."""
    assert world.post() == 202
    world.secret = "another"
    assert world.post() == 401

    def unreadable() -> str:
        raise SettingsError("the webhook's secret cannot be read: no such file")

    harness = Harness({})
    hooks = Webhooks(unreadable, world.look)
    with TestClient(create_app(harness.operator, metrics=harness.metrics.text, hooks=hooks)) as client:
        answer = client.post("/v1/webhooks/github", content=b"{}")
    assert answer.status_code == 500
    assert "cannot be read" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/webhooks/../specs", "/v1/webhooks/..%2fspecs", "/v1/webhooks/", "/v1/specs"])
def test_the_open_door_leads_nowhere_else(world: World, path: str) -> None:
    """A foreign host is let through to webhooks alone."""
    answer = world.client.get(path, headers={"Host": "evil.example"})

    assert answer.status_code in (403, 404, 405)
    assert "specs" not in answer.json()
