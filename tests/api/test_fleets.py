"""Several fleets behind one address: what is of one, and what is of all."""

import hmac
import re
from collections.abc import Iterator
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from harness import Harness, group, job_document
from herdsman.adapters.metrics import merged
from herdsman.api.app import create_app
from herdsman.api.fleets import Hooks, create_fleets_app
from herdsman.dashboard.pages import add_dashboard
from herdsman.usecases import Webhooks

BASE = "http://127.0.0.1:8080"


class World:
    """Two fleets, each with a job, and a client of both."""

    def __init__(self) -> None:
        self.fleets = {name: Harness({f"{name}.yaml": job_document(name, TaskGroups=[group()])}) for name in ("a", "b")}
        self.news: list[str] = []
        hooks = {n: Webhooks(lambda n=n: f"secret of {n}", lambda n=n: self.news.append(n)) for n in self.fleets}  # type: ignore[misc]
        apps = {}
        for name, fleet in self.fleets.items():
            fleet.sync()
            app = create_app(fleet.operator, metrics=fleet.metrics.text, hooks=hooks[name])
            add_dashboard(app, fleet.operator, root=f"/fleets/{name}")
            apps[name] = (app, fleet.operator)
        metrics = {name: fleet.metrics for name, fleet in self.fleets.items()}
        app = create_fleets_app(apps, metrics=lambda: merged(metrics), hooks=Hooks(hooks))
        self.client = TestClient(app, base_url=BASE)


@pytest.fixture
def world() -> Iterator[World]:
    """A world."""
    found = World()
    with found.client:
        yield found


def test_each_fleet_has_an_api_of_its_own(world: World) -> None:
    """Below its name; what it shows is of that fleet alone."""
    for name in ("a", "b"):
        specs = world.client.get(f"/fleets/{name}/v1/specs").json()["specs"]
        assert [s["name"] for s in specs] == [name]
    assert [f["name"] for f in world.client.get("/v1/fleets").json()] == ["a", "b"]


def test_links_of_a_dashboard_stay_in_its_fleet(world: World) -> None:
    """Pages, forms, assets and the way back from a form."""
    page = world.client.get("/fleets/b/").text

    assert 'href="/fleets/b/specs/Job/default/b"' in page
    assert 'action="/fleets/b/actions/resync"' in page
    assert 'href="/"' not in page
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert world.client.get(style).status_code == 200
    answer = world.client.post("/fleets/b/actions/resync", headers={"Origin": BASE}, follow_redirects=False)
    assert answer.headers["location"] == "/fleets/b/?done=resync"
    assert '<a href="/fleets/a/">a</a>' in world.client.get("/").text


def test_metrics_of_all_fleets_in_one_exposition(world: World) -> None:
    """Each series says whose it is; those of the process stand once."""
    text = world.client.get("/metrics").text

    for name in ("a", "b"):
        assert re.search(rf'herdsman_reconcile_total\{{fleet="{name}",result="success"\}} [1-9]', text)
    assert text.count("# TYPE herdsman_reconcile_total") == 1
    assert text.count("\nprocess_start_time_seconds") == 1


def test_ready_is_who_has_every_fleet_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is missing is said by fleet."""
    assert world.client.get("/readyz").json() == {"ready": True}
    monkeypatch.setattr(Harness, "ready", False)
    monkeypatch.setattr(world.fleets["b"], "trouble", lambda: {"nomad": "away"})
    answer = world.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["trouble"]["b"] == {"nomad": "away"}


def test_what_is_of_one_fleet_asks_which(world: World) -> None:
    """A client that knows of no fleets is told where they are."""
    answer = world.client.get("/v1/specs")

    assert answer.status_code == 404
    assert f"{BASE}/fleets/a" in answer.json()["detail"]
    assert world.client.get("/v1/specs", headers={"Host": "evil.example"}).status_code == 403
    assert world.client.get("/fleets/a/v1/specs", headers={"Host": "evil.example"}).status_code == 403


def test_a_webhook_is_for_whose_secret_it_bears(world: World) -> None:
    """At the one address, and at that of the fleet."""
    mac = hmac.new(b"secret of b", b"{}", sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={mac}", "Host": "herdsman.example.org"}

    assert world.client.post("/v1/webhooks/github", content=b"{}", headers=headers).status_code == 202
    assert world.news == ["b"]
    assert world.client.post("/fleets/b/v1/webhooks/github", content=b"{}", headers=headers).status_code == 202
    assert world.client.post("/fleets/a/v1/webhooks/github", content=b"{}", headers=headers).status_code == 401
    assert world.news == ["b", "b"]
