"""The platform on a real HTTP Nomad: from an order to a page that answers, and what becomes of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml
from fastapi.testclient import TestClient

from clusters import FLEET, Cluster, operating, until
from gitservers import HttpServer, Repository
from herdsman.bootstrap import Wired, served

WEB = "/v1/deployments/modules"


@contextmanager
def serving(specs: Path, cluster: Cluster) -> Iterator[tuple[Wired, TestClient]]:
    """An operator that has looked once, and a client of its API."""
    with operating(specs, cluster.address) as wired:
        until(lambda: wired.operator.overview().ready)
        with TestClient(wired.app, base_url="http://127.0.0.1:8080") as api:
            yield wired, api


def order(api: TestClient, **body: Any) -> dict[str, Any]:
    """A deployment of the web page."""
    answer = api.post(WEB, json={"catalog": "hello-web", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def one(api: TestClient, id_: str) -> dict[str, Any]:
    """A deployment as it is now."""
    found: dict[str, Any] = api.get(f"{WEB}/{id_}").json()
    return found


def until_it_does(api: TestClient, id_: str, word: str) -> dict[str, Any]:
    """Wait until its status is *word*; the deployment then."""
    until(lambda: one(api, id_)["status"] == word, 30.0)
    return one(api, id_)


def test_a_deployment_lives_from_its_order_to_its_end(cluster: Cluster, specs: Path) -> None:
    """Ordered, it runs and answers at its endpoint; it is changed, rests, runs again, and goes without a trace."""
    with serving(specs, cluster) as (wired, api):
        id_ = order(api, conf={"general": {"greeting": "Good day"}})["job_ID"]
        running = until_it_does(api, id_, "running")
        until(lambda: one(api, id_)["active_endpoints"] == ["ui"])
        with urlopen(one(api, id_)["endpoints"]["ui"], timeout=5) as page:
            assert "Good day" in page.read().decode()
        assert (running["datacenter"], running["resources"]["memory_MB"]) == ("dc1", 64)

        version = cluster.job(id_)["Version"]
        changed = api.put(f"{WEB}/{id_}", json={"title": "Mine"}, headers={"If-Match": f'"{running["etag"]}"'})
        assert changed.status_code == 200, changed.text
        until(lambda: cluster.job(id_)["Version"] > version)
        stale = api.put(f"{WEB}/{id_}", json={"title": "Late"}, headers={"If-Match": f'"{running["etag"]}"'})
        assert stale.status_code == 412

        assert api.post(f"{WEB}/{id_}/stop").status_code == 200
        until_it_does(api, id_, "dead")
        assert api.post(f"{WEB}/{id_}/start").status_code == 200
        until_it_does(api, id_, "running")
        assert [e["title"] for e in api.get(WEB).json()] == ["Mine"]

        assert api.delete(f"{WEB}/{id_}").status_code == 204
        assert api.delete(f"{WEB}/{id_}").status_code == 204
        assert api.get(f"{WEB}/{id_}").status_code == 404
        until(lambda: cluster.job(id_) is None)
        assert not list((specs / "deployments").rglob("*.yaml")) if (specs / "deployments").exists() else True
        assert wired.app.state.platform.deployments.reading.orders() == {}


def test_a_task_is_heard_and_started_anew(cluster: Cluster, specs: Path) -> None:
    """What it writes is read, and a restart is a new process in the same place."""
    with serving(specs, cluster) as (_, api):
        id_ = order(api)["job_ID"]
        before = until_it_does(api, id_, "running")
        until(lambda: "GET /health" in api.get(f"{WEB}/{id_}/logs?type=stderr").text, 30.0)

        def restarts() -> int:
            (alloc,) = cluster.call("GET", f"/v1/job/{id_}/allocations")
            return int(alloc["TaskStates"]["main"]["Restarts"])

        assert api.post(f"{WEB}/{id_}/restart").json() == {"restarted": 1}
        until(lambda: restarts() == 1)
        assert until_it_does(api, id_, "running")["alloc_ID"] == before["alloc_ID"]


def test_who_follows_hears_it_as_it_comes(cluster: Cluster, specs: Path) -> None:
    """Logs and events of a deployment stream over a real connection, and whoever leaves gives the place back."""
    with serving(specs, cluster) as (wired, api), served(wired.app, "127.0.0.1:0") as address:
        id_ = order(api)["job_ID"]
        until_it_does(api, id_, "running")
        streams = wired.app.state.platform.deployments._streams
        free = streams._value
        with urlopen(f"{address}{WEB}/{id_}/logs?type=stderr&follow=true", timeout=20) as log:
            assert b"GET /health" in log.readline() + log.readline()
            assert streams._value == free - 1
        until(lambda: streams._value == free, 30.0)

        listeners = wired.service.broadcast._listeners
        with urlopen(f"{address}{WEB}/{id_}/events", timeout=20) as events:
            assert events.readline() == b": connected\n"
            api.post(f"{WEB}/{id_}/stop")
            told = b""
            while b"its spec says that it does not run" not in told:
                told += events.readline()
        assert id_.encode() in told
        until(lambda: not listeners)


def test_what_cannot_run_says_why(cluster: Cluster, specs: Path) -> None:
    """A job that no node is large enough for waits, and names what is short; one that no node fits is an error."""
    (specs / "catalog" / "modules" / "huge").mkdir(parents=True)
    folder = specs / "catalog" / "modules" / "huge"
    (folder / "metadata.yaml").write_text("title: H\nsummary: S\n")
    (folder / "user.yaml").write_text(
        "general:\n  os: {name: OS, value: linux, options: [linux, plan9]}\n"
        "hardware:\n  ram: {name: RAM, value: 64, range: [1, 900000000], resource: memory}\n"
    )
    (folder / "nomad.hcl").write_text(
        'variable "deployment_id" { type = string }\nvariable "ram" { type = number }\n'
        'variable "os" { type = string }\n'
        'job "d" {\n  id = var.deployment_id\n  name = var.deployment_id\n'
        '  constraint {\n    attribute = "$${attr.kernel.name}"\n    value = var.os\n  }\n'
        '  group "g" {\n    task "main" {\n      driver = "mock_driver"\n      config { run_for = "1h" }\n'
        "      resources { memory = var.ram }\n    }\n  }\n}\n"
    )
    with serving(specs, cluster) as (_, api):
        until(lambda: "huge" in api.get("/v1/catalog/modules").json())
        large = api.post(WEB, json={"catalog": "huge", "conf": {"hardware": {"ram": 800_000_000}}}).json()["job_ID"]
        odd = api.post(WEB, json={"catalog": "huge", "conf": {"general": {"os": "plan9"}}}).json()["job_ID"]

        until(lambda: "memory" in str(one(api, large)["error_msg"]))
        assert one(api, large)["status"] == "queued"
        assert "constraint" in until_it_does(api, odd, "error")["error_msg"]


BATCH = "/v1/deployments/batch"
RUNNER = """
variable "deployment_id" { type = string }
variable "commands" { type = string }
job "d" {
  id   = var.deployment_id
  name = var.deployment_id
  type = var.commands != "" ? "batch" : "service"
  reschedule { attempts = 0 }
  group "g" {
    task "main" {
      driver = "raw_exec"
      config {
        command = "/bin/bash"
        args    = ["$${NOMAD_TASK_DIR}/run.sh"]
      }
      template {
        destination = "local/run.sh"
        data        = "{{ base64Decode \\"${base64encode(var.commands)}\\" }}"
      }
      restart {
        attempts = 0
        mode     = "fail"
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
"""


def test_a_script_runs_to_its_end_once(cluster: Cluster, specs: Path) -> None:
    """It is bash that reads it, and nobody before; what ended well is complete, what did not is failed."""
    folder = specs / "catalog" / "modules" / "runner"
    folder.mkdir(parents=True)
    (folder / "metadata.yaml").write_text("title: R\nsummary: S\n")
    (folder / "user.yaml").write_text(
        'work:\n  commands: {name: C, value: "", batch: true, multiline: true, interpolate: true}\n'
    )
    (folder / "nomad.hcl").write_text(RUNNER)
    script = "name='{{ env `PATH` }} %{if}'\necho \"${#NOMAD_JOB_ID} $name grün\"\n"
    with serving(specs, cluster) as (_, api):
        until(lambda: "runner" in api.get("/v1/catalog/modules").json())

        def run(script: str, word: str) -> str:
            made = api.post(BATCH, json={"catalog": "runner", "script": script})
            assert made.status_code == 201, made.text
            id_: str = made.json()["job_ID"]
            until(lambda: api.get(f"{BATCH}/{id_}").json()["status"] == word)
            return id_

        good, bad = run(script, "complete"), run("exit 3", "failed")
        assert api.get(f"{BATCH}/{good}/logs").text == "36 {{ env `PATH` }} %{if} grün\n"
        assert [d["status"] for d in api.get(BATCH).json()] == ["failed", "complete"]
        assert api.get(WEB).json() == []
        assert [cluster.job(id_)["Version"] for id_ in (good, bad)] == [0, 0]
        for id_ in (good, bad):
            assert api.delete(f"{BATCH}/{id_}").status_code == 204
            until(lambda id_=id_: cluster.job(id_) is None)  # type: ignore[misc]


def test_of_two_hundred_orders_at_once_as_many_run_as_the_quota_allows(cluster: Cluster, specs: Path) -> None:
    """Whatever their number, and whoever comes first: ten of ten, and no other was ever created."""
    quota = {"owner": {"deployments": 10}}
    (specs / "default.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "herdsman/v1",
                "kind": "Namespace",
                "metadata": {"name": "default"},
                "spec": {"quotas": quota, "policy": {"adopt": "always"}},
            }
        )
    )
    with serving(specs, cluster) as (wired, api):

        def ask(_: int) -> int:
            return api.post(WEB, json={"catalog": "hello-web"}).status_code

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(ask, range(200)))

        until(lambda: len(cluster.call("GET", "/v1/jobs")) >= 10)
        until(lambda: wired.operator.overview().ready_count >= 11, 60.0)
        assert sorted(set(answers)) == [201, 409]
        assert answers.count(201) == 10
        assert len(cluster.call("GET", "/v1/jobs")) == 10


def test_the_events_of_a_deployment_are_its_own(cluster: Cluster, specs: Path) -> None:
    """A stream tells what happened to one deployment, and nothing of another's."""
    with serving(specs, cluster) as (_, api):
        mine, other = order(api)["job_ID"], order(api)["job_ID"]
        until_it_does(api, mine, "running")
        until_it_does(api, other, "running")

        told = ""
        with api.stream("GET", f"{WEB}/{mine}/events?follow=false") as answer:
            told = "".join(answer.iter_text())
        assert f'"name":"{mine}"' in told
        assert other not in told


def test_in_git_an_order_is_a_commit(cluster: Cluster, tmp_path: Path) -> None:
    """Pushed to the branch that is followed, with the author in its log; a removal is one, too, and its job goes."""
    repository = Repository(tmp_path / "repos" / "fleet.git")
    repository.commit({"specs/fleet.yaml": FLEET})
    with HttpServer(tmp_path / "repos") as server:
        flags = {"git_allow_insecure": True, "branch": "main", "path": "specs", "git": server.url("fleet.git")}
        with operating(tmp_path / "none", cluster.address, **flags, git_interval=3600.0) as wired:
            until(lambda: wired.operator.overview().ready)
            with TestClient(wired.app, base_url="http://127.0.0.1:8080") as api:
                made = order(api, title="In Git")
                id_ = made["job_ID"]
                assert f"specs/deployments/default/{id_}.yaml" in repository.git("ls-tree", "-r", "--name-only", "main")
                assert repository.git("log", "-1", "--format=%an: %s", "main").strip() == (
                    f"local admin: Deploy modules/hello-web as {id_}"
                )
                running = until_it_does(api, id_, "running")
                assert (running["revision"], running["title"]) == (repository.head(), "In Git")

                assert api.delete(f"{WEB}/{id_}").status_code == 204
                assert "deployments" not in repository.git("ls-tree", "-r", "--name-only", "main")
                until(lambda: cluster.job(id_) is None)
