"""`/v1/deployments/batch`: a module's image that runs a script to its end, kept apart from what is served."""

from base64 import b64decode
from typing import Any

import pytest
import yaml

import platforms
from herdsman.adapters.catalog import read_catalog
from herdsman.model.keys import Key, job_key
from platforms import World, etag_of, namespace_document, placement, spec_of

BATCH = "/v1/deployments/batch"
MODULES = "/v1/deployments/modules"
SCRIPT = '#!/bin/bash\necho "${HOME} {{ env `PATH` }} %{if}"\n'

USER = f"""{platforms.USER}
work:
  commands: {{name: Commands, value: "", batch: true, multiline: true, interpolate: true, max_length: 200}}
"""

HCL = (
    platforms.HCL.replace(
        'job "deployment" {',
        'variable "commands" { type = string }\njob "deployment" {\n  type = var.commands != "" ? "batch" : "service"',
    )
    .replace("count = var.count", "count = var.count\n    reschedule { attempts = 0 }")
    .replace(
        'task "main" {',
        'task "main" {\n      template {\n        destination = "local/run.sh"\n'
        '        data = "{{ base64Decode \\"${base64encode(var.commands)}\\" }}"\n      }\n',
    )
)


def make(**more: Any) -> World:
    """Three namespaces, and one module whose deployments may be batch jobs."""
    made = World(**more)
    about = b"title: Model\nsummary: S\ndescription: Long\nlicence: MIT\n"
    files = {"metadata.yaml": about, "user.yaml": USER.encode(), "nomad.hcl": HCL.encode()}
    found = read_catalog({f"modules/model/{name}": data for name, data in files.items()}, folder="catalog")
    made.harness.catalog = made.harness.catalog.over(found)
    made.harness.sync()
    return made


@pytest.fixture
def world() -> World:
    """Nobody's deployments."""
    return make()


def order(world: World, name: str = "ada", **body: Any) -> str:
    """The ID of a batch job that *name* ordered in the lab, carried out."""
    given = {"catalog": "model", "vo": "lab", "script": SCRIPT, **body}
    answer = world.as_(name).post(BATCH, json=given)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{BATCH}/{answer.json()['job_ID']}"
    world.settle()
    id_: str = answer.json()["job_ID"]
    return id_


def finish(world: World, key: Key, client: str = "complete") -> None:
    """It comes to its end, and the loop sees it."""
    world.harness.nomad.finish(key)
    world.allocations.told[key] = [placement(key, client)]
    world.harness.clock.advance(1)
    world.harness.relist()
    world.settle()


def refused(answer: Any) -> dict[str, str]:
    """The fields that are wrong, with words."""
    assert answer.status_code == 422, answer.text
    return {e["field"]: e["message"] for e in answer.json()["errors"]}


def test_a_script_is_a_batch_job(world: World) -> None:
    """It reaches Nomad and its owner as it was given, and the spec keeps it where the entry has it."""
    id_ = order(world, title="Train", conf={"hardware": {"ram": 700}})
    body = world.harness.nomad.jobs[job_key("lab", id_)].body
    (task,) = [t for t in body["TaskGroups"][0]["Tasks"] if t["Name"] == "main"]
    one = world.as_("ada").get(f"{BATCH}/{id_}").json()

    assert body["Type"] == "batch"
    assert b64decode(task["Templates"][0]["EmbeddedTmpl"].split('"')[1]).decode() == SCRIPT
    assert spec_of(world, id_)["spec"]["parameters"]["work"] == {"commands": SCRIPT}
    assert (one["script"], one["batch"], one["catalog"]) == (SCRIPT, True, "modules/model")
    assert (one["title"], one["status"], one["resources"]["memory_MB"]) == ("Train", "running", 700)


def test_batch_jobs_and_others_are_kept_apart(world: World) -> None:
    """No list shows the other's, no route finds them, and those who administer see both."""
    batch, served = order(world), world.order(catalog="model")["job_ID"]
    ada, head = world.as_("ada"), world.as_("head")

    for path, mine, other in ((BATCH, batch, served), (MODULES, served, batch)):
        listed = ada.get(path)
        assert ([d["job_ID"] for d in listed.json()], listed.headers["X-Total-Count"]) == ([mine], "1")
        assert "script" not in listed.json()[0]
        assert ada.get(f"{path}/{other}").status_code == 404
        assert ada.delete(f"{path}/{other}").status_code == 204  # it is not there
        assert ada.get(f"{path}?catalog=model").json() == listed.json()
    assert ada.get(f"{MODULES}/{served}").json()["batch"] is False
    assert [d["job_ID"] for d in head.get("/v1/admin/deployments?section=batch").json()] == [batch]
    assert len(head.get("/v1/admin/deployments").json()) == 2
    assert world.as_("bob").get(BATCH).json() == []
    assert world.as_("bob").get(f"{BATCH}/{batch}").status_code == 404


@pytest.mark.parametrize("name", ["model", "modules/model"])
def test_a_module_is_named_as_elsewhere(world: World, name: str) -> None:
    """With its section or without."""
    assert order(world, catalog=name)


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    (BATCH, {"catalog": "demo"}, "catalog", "modules/demo runs no scripts: none of its parameters is one"),
    (BATCH, {"catalog": "tools/bench"}, "catalog", "tools/bench runs no scripts: none of its parameters is one"),
    (BATCH, {"catalog": "nothing"}, "catalog", "there is no entry"),
    (BATCH, {"script": None}, "script", "missing"),
    (BATCH, {"script": ""}, "script", "missing"),
    (BATCH, {"script": "x" * 201}, "conf.work.commands", "longer than 200 characters"),
    (BATCH, {"script": "a\0b"}, "conf.work.commands", "the character U+0000 is not allowed"),
    (MODULES, {}, "script", "not expected here"),
    (MODULES, {"script": None, "conf": {"work": {"commands": "true"}}}, "conf.work.commands", "only a batch job has"),
]


@pytest.mark.parametrize(("path", "body", "field", "words"), WRONG)
def test_what_is_no_batch_job_is_refused(world: World, path: str, body: dict[str, Any], field: str, words: str) -> None:
    """By the field that is wrong, with words, and nothing is written."""
    answer = world.as_("ada").post(path, json={"catalog": "model", "vo": "lab", "script": SCRIPT, **body})

    assert words in refused(answer)[field]
    assert world.writer.requests == []


def test_what_ended_stays_in_the_list_and_is_not_run_again(world: World) -> None:
    """Complete is complete, though Nomad forgets the job; another script runs."""
    id_ = order(world)
    key, ada = job_key("lab", id_), world.as_("ada")
    finish(world, key)
    assert [d["status"] for d in ada.get(BATCH).json()] == ["complete"]

    world.harness.nomad.collect_garbage()
    world.allocations.told[key] = []
    for _ in range(3):
        world.harness.relist()
        world.harness.clock.advance(3600)
        world.settle()
    assert key not in world.harness.nomad.jobs
    one = ada.get(f"{BATCH}/{id_}").json()
    assert (one["status"], one["script"]) == ("complete", SCRIPT)

    changed = ada.put(f"{BATCH}/{id_}", json={"conf": {"work": {"commands": "true"}}})
    assert changed.status_code == 200, changed.text
    del world.allocations.told[key]
    world.settle()
    assert ada.get(f"{BATCH}/{id_}").json()["status"] == "running"


def test_a_script_that_fails_is_failed(world: World) -> None:
    """With what it said last, and nobody starts it again."""
    id_ = order(world)
    key = job_key("lab", id_)
    world.allocations.told[key] = [placement(key, "failed")]
    world.settle()

    one = world.as_("ada").get(f"{BATCH}/{id_}").json()
    assert (one["status"], "Exit Code: 1" in one["error_msg"]) == ("failed", True)


def test_a_batch_job_stays_one(world: World) -> None:
    """A change that leaves the script out is refused, and so is a script for what is served: Nomad could not do it."""
    batch, served = order(world), world.order(catalog="model")["job_ID"]
    ada = world.as_("ada")

    assert refused(ada.put(f"{BATCH}/{batch}", json={"conf": {}})) == {"conf.work.commands": "missing"}
    scripted = ada.put(f"{MODULES}/{served}", json={"conf": {"work": {"commands": "true"}}})
    assert refused(scripted) == {"conf.work.commands": "only a batch job has one"}
    assert ada.put(f"{BATCH}/{batch}", json={"title": "New"}).json()["script"] == SCRIPT


def test_it_is_stopped_and_removed(world: World) -> None:
    """Like any deployment."""
    id_ = order(world)
    ada = world.as_("ada")

    assert ada.post(f"{BATCH}/{id_}/stop", headers={"If-Match": f'"{etag_of(world, id_)}"'}).status_code == 200
    world.settle()
    assert ada.get(f"{BATCH}/{id_}").json()["status"] == "dead"
    assert [ada.delete(f"{BATCH}/{id_}").status_code for _ in range(2)] == [204, 204]
    world.settle()
    assert ada.get(BATCH).json() == []
    assert world.harness.nomad.jobs == {}


@pytest.mark.parametrize("quota", [{"deployments": 1}, {"cores": 1}, {"deployments": 1, "memory": 600}])
def test_what_ended_counts_against_no_quota(quota: dict[str, int]) -> None:
    """While it runs it does; then there is room for the next one, for the API and for the loop."""
    world = make(files={"lab.yaml": namespace_document("lab", **quota)})
    first = order(world)
    again = {"catalog": "model", "vo": "lab", "script": "true"}

    assert world.as_("ada").post(BATCH, json=again).status_code == 409
    finish(world, job_key("lab", first))
    second = order(world)
    world.settle()
    assert world.as_("ada").get(f"{BATCH}/{second}").json()["status"] == "running"
    assert world.as_("ada").post(BATCH, json=again).status_code == 409
    rerun = world.as_("ada").put(f"{BATCH}/{first}", json={"conf": {"work": {"commands": "true"}}})
    assert rerun.status_code == 409


def test_a_rerun_takes_its_turn() -> None:
    """A new script for what ended, written past the API, waits for room like any other."""
    world = make(files={"lab.yaml": namespace_document("lab", deployments=1)})
    first = order(world)
    finish(world, job_key("lab", first))
    second = order(world)
    path = f"deployments/lab/{first}.yaml"
    document = spec_of(world, first)
    document["spec"]["parameters"]["work"]["commands"] = "true"
    world.harness.files[path] = yaml.safe_dump(document)
    world.settle()

    assert world.harness.reason(job_key("lab", first)) == "QuotaExceeded"
    finish(world, job_key("lab", second))
    world.harness.resync()
    world.settle()
    assert world.harness.reason(job_key("lab", first)) != "QuotaExceeded"


def test_a_dry_run_shows_the_batch_job(world: World) -> None:
    """Nothing is written."""
    answer = world.as_("ada").post(f"{BATCH}?dry_run=true", json={"catalog": "model", "vo": "lab", "script": SCRIPT})

    assert (answer.status_code, answer.json()["job"]["Type"]) == (200, "batch")
    assert world.writer.requests == []


def test_one_request_is_one_script(world: World) -> None:
    """The same key with the same script is the same job; with another one it is refused."""
    ada, body = world.as_("ada"), {"catalog": "model", "vo": "lab", "script": SCRIPT}
    first, second = (ada.post(BATCH, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    other = ada.post(BATCH, json={**body, "script": "true"}, headers={"Idempotency-Key": "k"})

    assert first.json()["job_ID"] == second.json()["job_ID"]
    assert (other.status_code, "Idempotency-Key" in other.text) == (422, True)


def test_a_form_learns_which_parameter_is_the_script(world: World) -> None:
    """The catalog says so, as configuration and as a schema."""
    ada = world.as_("ada")

    assert ada.get("/v1/catalog/modules/model/config").json()["work"]["commands"]["batch"] is True
    schema = ada.get("/v1/catalog/modules/model/schema").json()
    assert schema["properties"]["work"]["properties"]["commands"]["x-herdsman"]["batch"] is True
