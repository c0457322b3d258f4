"""Checks of services: knocked for real, and what follows for health, restarts and what is told."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from devnomad.support import SECOND, Api, group, job, shell

UPDATE = {"MinHealthyTime": 50_000_000, "HealthyDeadline": 8 * SECOND, "ProgressDeadline": 9 * SECOND}


class Target:
    """Something to knock at: a server that answers with the status it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.seen: list[tuple[str, str, str]] = []
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                target.seen.append((self.command, self.path, self.headers.get("X-Mark", "")))
                self.send_response(target.status)
                self.end_headers()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        """Be gone."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def target() -> Iterator[Target]:
    """A server to knock at."""
    made = Target()
    yield made
    made.close()


def _check(kind: str, **more: Any) -> dict[str, Any]:
    return {"Name": "c", "Type": kind, "Interval": SECOND, "Timeout": SECOND, "Path": "/health"} | more


def _job(job_id: str, port: int, check: dict[str, Any]) -> dict[str, Any]:
    service = {"Name": job_id, "Provider": "nomad", "PortLabel": str(port), "Checks": [check]}
    stay = [shell("exec sleep 1000", KillTimeout=SECOND // 10)]
    return job(job_id, group(Tasks=stay, Services=[service], Update=UPDATE))


@pytest.mark.parametrize(
    ("check", "seen"),
    [
        (_check("http"), ("GET", "/health", "")),
        (_check("http", Method="POST", Header={"X-Mark": ["me"]}, Body="x"), ("POST", "/health", "me")),
        (_check("tcp", Path=""), None),
    ],
    ids=["get", "post", "tcp"],
)
def test_a_passing_check_makes_healthy(
    nomad: Api, target: Target, check: dict[str, Any], seen: tuple[str, str, str] | None
) -> None:
    """An allocation becomes healthy when its check passes; the check's last result is told."""
    nomad.register(_job("check-good", target.port, check))
    nomad.wait_for("/v1/job/check-good/deployment", lambda found: found and found["Status"] == "successful")
    (alloc,) = nomad.running("check-good")
    (result,) = nomad.get(f"/v1/allocation/{alloc['ID']}/checks").values()

    assert (result["Status"], result["Check"], result["Service"]) == ("success", "c", "check-good")
    assert result["Mode"] == "healthiness"
    assert nomad.get(f"/v1/client/allocation/{alloc['ID']}/checks")[result["ID"]]["Status"] == "success"
    if seen is not None:
        assert result["StatusCode"] == 200
        assert target.seen[0] == seen
    nomad.purge("check-good")


@pytest.mark.parametrize(
    ("check", "status", "output"),
    [
        (_check("http"), 503, "nomad: http status 503"),
        (_check("tcp", Path=""), 0, "nomad: "),
    ],
    ids=["status", "nobody listens"],
)
def test_a_failing_check_keeps_unhealthy(
    nomad: Api, target: Target, check: dict[str, Any], status: int, output: str
) -> None:
    """While its check fails an allocation runs but is not healthy; when it passes, it is."""
    target.status = status
    port = target.port if status else _free_port()
    nomad.register(_job("check-bad", port, check))
    (alloc,) = nomad.running("check-bad")
    path = f"/v1/allocation/{alloc['ID']}/checks"
    results = nomad.wait_for(path, lambda found: [each["Status"] for each in found.values()] == ["failure"])
    assert next(iter(results.values()))["Output"].startswith(output)
    assert nomad.get("/v1/job/check-bad/deployment")["Status"] == "running"
    if status:
        target.status = 200
        nomad.wait_for("/v1/job/check-bad/deployment", lambda found: found["Status"] == "successful")
    nomad.purge("check-bad")


def _free_port() -> int:
    other = Target()
    other.close()
    return int(other.port)


def test_a_check_may_not_matter_for_health(nomad: Api, target: Target) -> None:
    """With `on_update = ignore` a failing check does not hold a deployment up."""
    target.status = 500
    nomad.register(_job("check-ignored", target.port, _check("http", OnUpdate="ignore")))
    nomad.wait_for("/v1/job/check-ignored/deployment", lambda found: found and found["Status"] == "successful")
    (alloc,) = nomad.running("check-ignored")
    (result,) = nomad.get(f"/v1/allocation/{alloc['ID']}/checks").values()
    assert result["Mode"] == "readiness"
    nomad.purge("check-ignored")


def test_a_check_that_fails_too_often_restarts_its_task(nomad: Api, target: Target) -> None:
    """`check_restart` starts the task anew after so many failures."""
    target.status = 500
    restart = {"Limit": 1, "Grace": 1, "IgnoreWarnings": False}
    nomad.register(_job("check-restart", target.port, _check("http", CheckRestart=restart)))
    (alloc,) = nomad.running("check-restart")
    state = nomad.wait_for(f"/v1/allocation/{alloc['ID']}", lambda a: a["TaskStates"]["t"]["Restarts"] >= 1)
    events = [event["DisplayMessage"] for event in state["TaskStates"]["t"]["Events"]]
    assert 'healthcheck: check "c" unhealthy' in events
    nomad.purge("check-restart")


def test_a_change_of_services_is_followed_in_place(nomad: Api, target: Target) -> None:
    """A service added to a running job is registered without a restart, one taken away is gone."""
    first = _job("svc-change", target.port, _check("tcp", Path=""))
    nomad.register(first)
    (before,) = nomad.running("svc-change")
    nomad.wait_for("/v1/service/svc-change", len)
    first["TaskGroups"][0]["Services"].append({"Name": "svc-added", "Provider": "nomad", "Tags": ["new"]})
    nomad.register(first)
    (added,) = nomad.wait_for("/v1/service/svc-added", len)
    assert added["Tags"] == ["new"]
    del first["TaskGroups"][0]["Services"][0]
    nomad.register(first)
    nomad.wait_for("/v1/service/svc-change", lambda found: not found)
    (after,) = nomad.running("svc-change")
    assert (after["ID"], after["JobVersion"]) == (before["ID"], 2)
    nomad.purge("svc-change")


def test_services_are_chosen_and_deleted(nomad: Api) -> None:
    """`choose` picks the same few for the same key; one registration can be taken away by hand."""
    nomad.register(job("svc-many", group(count=3, Services=[{"Name": "svc-many", "Provider": "nomad"}])))
    rows = nomad.wait_for("/v1/service/svc-many", lambda found: len(found) == 3)
    one = nomad.get("/v1/service/svc-many?choose=1%7Cme")
    assert one == nomad.get("/v1/service/svc-many?choose=1%7Cme")
    assert one[0] in rows
    assert len(nomad.get("/v1/service/svc-many?choose=2%7Cme")) == 2
    refused = nomad.call("GET", "/v1/service/svc-many?choose=me")
    assert refused.status == 400
    nomad.delete(f"/v1/service/svc-many/{rows[0]['ID']}")
    assert len(nomad.get("/v1/service/svc-many")) == 2
    assert nomad.call("DELETE", f"/v1/service/svc-many/{rows[0]['ID']}").status == 404
    assert {"ServiceName": "svc-many", "Tags": []} in nomad.get("/v1/services")[0]["Services"]
    assert len(nomad.get("/v1/job/svc-many/services")) == 2
    nomad.purge("svc-many")
