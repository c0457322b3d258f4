"""The HTTP API over a whole operator: shapes, statuses, and who may talk to it."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from harness import Harness, fleet_document, group, job_document
from herdsman.api.app import create_app
from herdsman.errors import Unavailable
from herdsman.model.keys import job_key

BASE = "http://127.0.0.1:8080"


@pytest.fixture
def harness() -> Harness:
    """Two jobs in sync, one that is held, and one file that nobody understands."""
    files: dict[str, str | bytes] = {
        "fleet.yaml": fleet_document(),
        "web.yaml": job_document("web"),
        "deep.yaml": job_document("a/b?c#d%e"),
        "held.yaml": job_document("held", policy={"destructive": "approve"}),
        "broken.yaml": "kind: }\n",
    }
    harness = Harness(files)
    harness.sync()
    harness.files["held.yaml"] = job_document("held", policy={"destructive": "approve"}, Meta={"a": "b"})
    harness.sync()
    return harness


@pytest.fixture
def api(harness: Harness) -> Iterator[TestClient]:
    """A client of the API on loopback."""
    with TestClient(create_app(harness.operator, metrics=harness.metrics.text), base_url=BASE) as client:
        yield client


def test_specs_are_listed_with_what_was_not_understood(api: TestClient) -> None:
    """One answer holds every spec by key, and every rejection with its place."""
    answer = api.get("/v1/specs").json()

    assert [s["name"] for s in answer["specs"]] == ["a/b?c#d%e", "held", "web"]
    assert answer["fleet"] == "f"
    (rejection,) = answer["rejections"]
    assert (rejection["path"], rejection["line"]) == ("broken.yaml", 1)
    assert rejection["message"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=w*", ["web"]),
        ("ready=false", ["held"]),
        ("ready=true", ["a/b?c#d%e", "web"]),
        ("namespace=other", []),
        ("kind=Namespace", []),
    ],
)
def test_specs_are_filtered(api: TestClient, query: str, names: list[str]) -> None:
    """Filters narrow the list; a glob is a glob."""
    assert [s["name"] for s in api.get(f"/v1/specs?{query}").json()["specs"]] == names


def test_one_spec_is_described_whole(api: TestClient) -> None:
    """Conditions, history, events, deployments and allocations come in one answer."""
    answer = api.get("/v1/specs/Job/default/web").json()

    assert answer["spec"]["ready"] == "True"
    assert {c["type"] for c in answer["spec"]["conditions"]} == {"Ready", "Synced", "Healthy", "Stalled", "Suspended"}
    assert answer["history"][0]["action"] == "create"
    assert answer["deployments"][0]["status"] == "successful"
    assert answer["trouble"] == ""


def test_a_name_with_any_character_is_found(api: TestClient) -> None:
    """Names are quoted in addresses and come back as they were."""
    answer = api.get("/v1/specs/Job/default/a/b%3Fc%23d%25e")

    assert answer.json()["spec"]["name"] == "a/b?c#d%e"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/specs/Job/default/nobody", None, 404),
        ("GET", "/v1/specs/Nonsense/default/web", None, 422),
        ("GET", "/v1/resync/99", None, 404),
        ("POST", "/v1/approve", {"keys": []}, 409),
        ("POST", "/v1/approve", {"keys": [{"name": "web"}]}, 409),
        ("POST", "/v1/suspend", {"keys": [{"name": "nobody"}]}, 404),
        ("POST", "/v1/suspend", {"nonsense": 1}, 422),
        ("GET", "/v1/nothing", None, 404),
        ("DELETE", "/v1/specs", None, 405),
    ],
)
def test_errors_are_problems_in_words(api: TestClient, method: str, path: str, body: Any, status: int) -> None:
    """Every error is problem+json with a title and, where it helps, a detail and a hint; none is a traceback."""
    answer = api.request(method, path, json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]
    assert "Traceback" not in answer.text


def test_the_plan_shows_what_would_be_done(api: TestClient, harness: Harness) -> None:
    """A plan names action, reason, fields and blast radius, and writes nothing."""
    harness.nomad.foreign_edit(job_key("default", "web"), lambda b: b.update(Priority=77))
    harness.view.relist()

    wrote = len(harness.nomad.writes)
    plans = {p["name"]: p for p in api.get("/v1/plan").json()}

    assert (plans["web"]["action"], plans["web"]["reason"]) == ("update", "Drifted")
    assert plans["web"]["changes"] == ["Priority: 77 → 50"]
    assert (plans["held"]["action"], plans["held"]["blastRadius"]) == ("hold", "g: 1 replaced")
    assert plans["a/b?c#d%e"]["action"] == "nothing"
    assert len(harness.nomad.writes) == wrote


def test_a_held_change_is_approved(api: TestClient, harness: Harness) -> None:
    """What waits is listed, and an approval lets it through."""
    assert [s["name"] for s in api.get("/v1/held").json()] == ["held"]

    answer = api.post("/v1/approve", json={"keys": [{"name": "held"}]})

    assert answer.status_code == 202
    assert harness.nomad.jobs[job_key("default", "held")].body["Meta"]["a"] == "b"
    assert api.get("/v1/held").json() == []


def test_specs_and_the_fleet_are_suspended_and_resumed(api: TestClient, harness: Harness) -> None:
    """A suspended spec is left alone; so is everything, where no keys are given."""
    web = job_key("default", "web")
    api.post("/v1/suspend", json={"keys": [{"name": "web"}]})
    assert harness.store.is_suspended(web)
    api.post("/v1/resume", json={"keys": [{"name": "web"}]})
    assert not harness.store.is_suspended(web)

    api.post("/v1/suspend")
    assert (
        harness.writes_during(
            lambda: (harness.files.update({"web.yaml": job_document("web", Priority=61)}), harness.sync())
        )
        == []
    )
    api.post("/v1/resume")
    assert harness.nomad.jobs[web].body["Priority"] == 61


def test_events_come_oldest_first_and_after_an_id(api: TestClient) -> None:
    """The list is in order, and a client that knows an id gets only what is newer."""
    events = api.get("/v1/events").json()

    assert [e["id"] for e in events] == sorted(e["id"] for e in events)
    assert any(e["key"] and e["key"]["name"] == "web" for e in events)
    assert api.get(f"/v1/events?after={events[-1]['id']}").json() == []
    assert {e["key"]["name"] for e in api.get("/v1/events?name=web").json()} == {"web"}


def test_health_and_readiness(api: TestClient, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/healthz` says that the process runs, `/readyz` says what is missing."""
    assert api.get("/healthz").text == "ok\n"
    assert api.get("/readyz").status_code == 200

    monkeypatch.setattr(Harness, "ready", False)
    monkeypatch.setattr(harness, "trouble", lambda: {"nomad": "connection refused"})
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["trouble"]) == (503, {"nomad": "connection refused"})


def test_metrics_are_prometheus_text(api: TestClient) -> None:
    """`/metrics` answers the exposition format."""
    answer = api.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'herdsman_reconcile_total{result="success"}' in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8080"}, 200),
        ({"host": "[::1]:8080"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8080"}, 403),
        ({"host": ""}, 403),
        ({"origin": BASE}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_only_this_machine_and_its_pages_are_answered(api: TestClient, headers: dict[str, str], status: int) -> None:
    """A foreign `Host` is DNS rebinding, a foreign `Origin` somebody else's page."""
    assert api.get("/v1/specs", headers=headers).status_code == status


def test_the_shapes_do_not_change_by_accident(api: TestClient) -> None:
    """Clients rely on these names."""
    document = api.get("/openapi.json").json()

    assert sorted(document["paths"]) == [
        "/healthz",
        "/metrics",
        "/readyz",
        "/v1/admin/deployments",
        "/v1/approve",
        "/v1/catalog/refresh",
        "/v1/catalog/{section}",
        "/v1/catalog/{section}/detail",
        "/v1/catalog/{section}/tags",
        "/v1/catalog/{section}/{name}",
        "/v1/catalog/{section}/{name}/config",
        "/v1/catalog/{section}/{name}/metadata",
        "/v1/catalog/{section}/{name}/schema",
        "/v1/deployments/{section}",
        "/v1/deployments/{section}/{id}",
        "/v1/deployments/{section}/{id}/events",
        "/v1/deployments/{section}/{id}/logs",
        "/v1/deployments/{section}/{id}/restart",
        "/v1/deployments/{section}/{id}/start",
        "/v1/deployments/{section}/{id}/stop",
        "/v1/events",
        "/v1/events/stream",
        "/v1/export",
        "/v1/held",
        "/v1/history/{kind}/{namespace}/{name}",
        "/v1/overview",
        "/v1/plan",
        "/v1/resume",
        "/v1/resync",
        "/v1/resync/{number}",
        "/v1/rollback",
        "/v1/specs",
        "/v1/specs/{kind}/{namespace}/{name}",
        "/v1/stats/cluster",
        "/v1/stats/deployments",
        "/v1/stats/usage",
        "/v1/suspend",
        "/v1/trace/{namespace}/{name}",
        "/v1/try_me",
        "/v1/try_me/{id}",
        "/v1/version",
        "/v1/versions/{namespace}/{name}",
        "/v1/webhooks/{provider}",
        "/v1/whoami",
    ]
    assert sorted(document["components"]["schemas"]["SpecOut"]["properties"]) == [
        "action", "author", "changedAt", "changes", "checkedAt", "conditions", "digest", "failures", "kind", "labels",
        "line", "message", "name", "namespace", "path", "ready", "reason", "revision", "version",
    ]  # fmt: skip


def test_a_plan_in_a_world_that_fails_says_so(api: TestClient, harness: Harness) -> None:
    """What could not be judged is told as such, for that spec alone."""
    harness.files["new.yaml"] = job_document("new", TaskGroups=[group()])
    harness.load()
    harness.nomad.fault = lambda name, key: Unavailable("HTTP 500") if name == "plan" else None

    plans = {p["name"]: p for p in api.get("/v1/plan").json()}

    assert plans["new"]["reason"] == "Unavailable"
    assert plans["web"]["action"] == "nothing"
