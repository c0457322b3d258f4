"""`/v1/deployments` over a whole operator: what is told, what is written, and what nobody else gets to see."""

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import yaml

import platforms
from harness import sealed
from herdsman.adapters.treewriter import TreeWriter
from herdsman.errors import Conflict, Forbidden, Refused, Unavailable
from herdsman.model.identity import Role
from herdsman.model.keys import job_key
from herdsman.model.writes import Written
from herdsman.platform import PlatformConfig
from platforms import World, at_most_calls, etag_of, namespace_document, placement, refuse, spec_of

MODULES = "/v1/deployments/modules"
SECRET = "correct-horse-battery"
FIELDS = {
    "job_ID", "name", "status", "owner", "title", "description", "namespace", "catalog", "tool_name", "docker_image",
    "docker_command", "submit_time", "resources", "endpoints", "active_endpoints", "main_endpoint", "alloc_ID",
    "datacenter", "error_msg", "expires", "revision", "etag", "batch",
}  # fmt: skip


@pytest.fixture
def world() -> World:
    """Three namespaces and nobody's deployments."""
    return World()


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_deployment_is_told_as_its_users_know_it(world: World) -> None:
    """Every field of the platform, with what Nomad made of the order."""
    id_ = world.order(title="Mine", conf={"hardware": {"cpu_num": 2, "ram": 700}})["job_ID"]

    (listed,) = world.as_("ada").get(MODULES).json()
    one = world.as_("ada").get(f"{MODULES}/{id_}").json()

    assert listed.keys() == FIELDS
    assert one.keys() == FIELDS | {"conf", "upgrade", "outdated"}
    assert uuid.UUID(id_).version == 4
    assert (
        listed
        | {
            "job_ID": id_,
            "status": "running",
            "owner": "ada@https://login.example.org",
            "title": "Mine",
            "submit_time": "2026-01-01T12:00:00Z",
            "resources": {"cpu_num": 2, "cpu_MHz": 2500, "gpu_num": 0, "memory_MB": 700, "disk_MB": 300},
            "main_endpoint": "api",
            "docker_image": "org/demo:latest",
            "docker_command": "deep-start --deepaas",
            "alloc_ID": f"alloc-{id_}",
            "datacenter": "dc1",
            "active_endpoints": None,
            "error_msg": None,
        }
        == listed
    )
    assert one["endpoints"] == {
        "api": f"https://api-{id_}.apps.example.org/ui",
        "ide": f"https://ide-{id_}.site-apps.example.org",
    }
    assert (one["active_endpoints"], one["etag"]) == (["api", "ide"], etag_of(world, id_))


def test_what_was_written_is_told_before_the_loop_has_read_it(world: World) -> None:
    """An order, a change and a removal are seen at once by whoever made them."""
    ada, news = world.as_("ada"), world.harness.news
    world.harness.news = lambda: None  # type: ignore[method-assign]  # the source is slow today
    id_ = ada.post(MODULES, json={"catalog": "demo", "vo": "lab"}).json()["job_ID"]
    assert ada.get(f"{MODULES}/{id_}").json()["status"] == "queued"
    assert [d["job_ID"] for d in ada.get(MODULES).json()] == [id_]

    assert ada.put(f"{MODULES}/{id_}", json={"title": "New"}).json()["title"] == "New"
    assert ada.get(MODULES).json()[0]["title"] == "New"

    assert ada.delete(f"{MODULES}/{id_}").status_code == 204
    assert ada.get(MODULES).json() == []
    assert ada.get(f"{MODULES}/{id_}").status_code == 404
    world.harness.news = news  # type: ignore[method-assign]
    world.settle()
    assert ada.get(MODULES).json() == []


def test_a_list_asks_nomad_nothing_and_a_detail_at_most_twice(world: World) -> None:
    """However many there are; and of readers that come within a second, only the first one asks."""
    ids = [world.order()["job_ID"] for _ in range(12)]
    ada = world.as_("ada")

    with at_most_calls(world, 0):
        assert len(ada.get(f"{MODULES}?full_info=true").json()) == 12
    world.platform.placements._nodes.clear()
    world.harness.clock.advance(2)
    with at_most_calls(world, 2):
        ada.get(f"{MODULES}/{ids[0]}")
        ada.get(f"{MODULES}/{ids[0]}")
    world.platform.placements.tick()
    with at_most_calls(world, 0):
        world.platform.placements.tick()
    assert ada.get(f"{MODULES}/{ids[0]}").json()["datacenter"] == "dc1"


def test_many_are_read_with_one_list(world: World) -> None:
    """When the loop looked at all of them, their allocations come in one answer, not one by one."""
    for _ in range(20):
        world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab"})
    world.harness.sync()
    world.harness.clock.advance(1)
    before = world.allocations.calls
    world.platform.placements.tick()

    assert world.allocations.calls - before <= 3
    assert {d["status"] for d in world.as_("ada").get(MODULES).json()} == {"running"}


def test_lists_are_filtered_sorted_and_paged(world: World) -> None:
    """Filters narrow, orders order, and pages add up to the list, whatever is deleted in between."""
    titles = ["b", "a", "c", "e", "d"]
    for title in titles:
        world.order(title=title)
        world.harness.clock.advance(1)
    world.order(catalog="other", vo="team", title="t")
    ada = world.as_("ada")

    def listed(query: str) -> list[str]:
        return [d["title"] for d in ada.get(f"{MODULES}?{query}").json()]

    assert listed("") == ["t", "d", "e", "c", "a", "b"]
    assert listed("vos=lab&sort=title") == ["a", "b", "c", "d", "e"]
    assert listed("vos=team") == listed("catalog=other") == listed("catalog=modules/other") == ["t"]
    assert listed("vos=lab&vos=team&status=running&status=queued&sort=submit_time") == [*titles, "t"]
    assert listed("status=failed") == listed("vos=nowhere") == []

    seen: list[str] = []
    path = f"{MODULES}?sort=-title&limit=2"
    while path:
        page = ada.get(path)
        assert page.headers["X-Total-Count"] in ("6", "5")
        seen += [d["title"] for d in page.json()]
        link = re.match(r'<(.*)>; rel="next"', page.headers.get("Link", ""))
        if len(seen) == 2:
            ada.delete(f"{MODULES}/{page.json()[0]['job_ID']}")
        path = link[1] if link else ""
    assert seen == ["t", "e", "d", "c", "b", "a"]


@pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=WzEsMV0", "limit=0", "limit=1001", "sort=x", "status=x"])
def test_a_question_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    """With 422 and words, not with a list of something else."""
    answer = world.as_("ada").get(f"{MODULES}?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


# -- whose they are ----------------------------------------------------------------------------------------------------


def test_two_owners_cannot_see_change_guess_or_count_each_others(world: World) -> None:
    """A foreign ID is answered byte for byte like one that never was, by every route."""
    id_ = world.order("ada", title="Hers")["job_ID"]
    etag = etag_of(world, id_)
    missing, bob = str(uuid.uuid4()), world.as_("bob")
    writes = len(world.writer.requests)

    def every_route(name: str) -> list[tuple[int, str]]:
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", "", {}),
            ("GET", "?namespace=lab", {}),
            ("GET", "?vo=lab", {}),
            ("PUT", "", {"json": {"title": "His"}}),
            ("PUT", "", {"json": {"title": "His"}, "headers": {"If-Match": etag}}),
            ("PUT", "?dry_run=true", {"json": {}}),
            ("POST", "/stop", {}),
            ("POST", "/start", {}),
            ("POST", "/restart", {}),
            ("GET", "/logs", {}),
            ("GET", "/events?follow=false", {}),
            ("DELETE", "", {}),
            ("DELETE", "", {"headers": {"If-Match": etag}}),
        ]
        found = []
        for section in ("modules", "tools"):
            for method, rest, more in calls:
                answer = bob.request(method, f"/v1/deployments/{section}/{name}{rest}", **more)
                found.append((answer.status_code, answer.text.replace(name, "ID")))
        return [*found, *((bob.request(m, f"/v1/try_me/{name}").status_code, "") for m in ("GET", "DELETE"))]

    theirs = every_route(id_)

    assert theirs == every_route(missing)
    assert {status for status, _ in theirs} == {404, 204, 403}
    assert bob.get(MODULES).json() == []
    assert bob.get(MODULES).headers["X-Total-Count"] == "0"
    assert len(world.writer.requests) == writes
    assert world.as_("ada").get(f"{MODULES}/{id_}").json()["title"] == "Hers"


@pytest.mark.parametrize(
    "path",
    [
        "..%2fmodules%2f{id}",
        "%2e%2e/modules/{id}",
        "../modules/{id}",
        "{id}%3fnamespace=lab",
        "{id}%00",
        "{id}%2f",
        "{id};x",
        "{id}%20",
        "x%2f..%2f{id}",
        "%2e",
        "..",
        "{upper}",
        "lab%2f{id}",
    ],
)
def test_no_path_reaches_another_job(world: World, path: str) -> None:
    """Neither dots nor encoded ones, nor a query in disguise: an ID is one or it is not there."""
    id_ = world.order("ada")["job_ID"]
    bob, asked = world.as_("bob"), len(world.harness.nomad.calls)
    target = f"{MODULES}/{path.format(id=id_, upper=id_.upper())}"

    for method in ("GET", "PUT", "DELETE"):
        body = {"title": "x"} if method == "PUT" else None
        answer = bob.request(method, target, follow_redirects=False, json=body)
        assert answer.status_code in (204, 307, 404, 405)
    assert len(world.harness.nomad.calls) == asked
    assert world.as_("ada").get(f"{MODULES}/{id_}").status_code == 200


def test_whoever_administers_a_namespace_sees_all_that_is_in_it(world: World) -> None:
    """And nothing of another; a list of one's own stays one's own."""
    lab, team = world.order("ada")["job_ID"], world.order("ada", vo="team")["job_ID"]
    theirs = world.order("bob")["job_ID"]
    head, root = world.as_("head"), world.as_("root")

    assert {d["job_ID"] for d in head.get("/v1/admin/deployments").json()} == {lab, theirs}
    assert {d["job_ID"] for d in root.get("/v1/admin/deployments").json()} == {lab, theirs, team}
    assert {d["job_ID"] for d in root.get("/v1/admin/deployments?vos=team").json()} == {team}
    owner = "bob@https://login.example.org"
    assert {d["job_ID"] for d in root.get("/v1/admin/deployments", params={"owner": owner}).json()} == {theirs}
    assert head.get("/v1/admin/deployments?vos=team").json() == head.get(MODULES).json() == []
    assert head.get(f"{MODULES}/{team}").status_code == 404
    assert head.post(f"{MODULES}/{theirs}/stop").status_code == 200
    assert world.as_("ada").get("/v1/admin/deployments").status_code == 403


@pytest.mark.parametrize(
    ("name", "vo", "status"),
    [
        (None, "lab", 401),
        ("nobody", "lab", 403),
        ("viewer", "lab", 403),
        ("trier", "default", 403),
        ("bob", "team", 403),
        ("bob", "no/such", 403),
        ("ada", None, 422),
        ("bob", None, 201),
        ("head", "lab", 201),
        ("root", "team", 201),
        ("root", "../lab", 422),
    ],
)
def test_who_may_order_where(world: World, name: str | None, vo: str | None, status: int) -> None:
    """Users and administrators, in their namespaces; who has one alone need not say which."""
    answer = world.as_(name).post(MODULES, json={"catalog": "demo"} | ({"vo": vo} if vo else {}))

    assert answer.status_code == status, answer.text


def test_who_loses_a_role_loses_sight_of_what_was_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs goes on, and whoever administers the namespace still sees it."""
    id_ = world.order("bob")["job_ID"]
    monkeypatch.setitem(platforms.PEOPLE, "bob", replace(platforms.PEOPLE["bob"], grants={}))

    assert world.as_("bob").get(f"{MODULES}/{id_}").status_code == 404
    assert world.as_("bob").get(MODULES).json() == []
    assert world.as_("head").get(f"{MODULES}/{id_}").status_code == 200


def test_who_may_only_look_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner whose role became that of a viewer still sees what is theirs, and is told what is missing."""
    id_ = world.order("bob")["job_ID"]
    monkeypatch.setitem(platforms.PEOPLE, "bob", platforms.person("bob", lab=Role.VIEWER))
    bob = world.as_("bob")

    assert (bob.get(f"{MODULES}/{id_}").status_code, bob.get(f"{MODULES}/{id_}/logs").status_code) == (200, 200)
    for answer in (
        bob.put(f"{MODULES}/{id_}", json={"title": "x"}),
        bob.post(f"{MODULES}/{id_}/stop"),
        bob.post(f"{MODULES}/{id_}/restart"),
        bob.delete(f"{MODULES}/{id_}"),
    ):
        assert (answer.status_code, "role user" in answer.json()["detail"]) == (403, True)


def test_somebody_elses_edit_is_told_though_ours_was_the_last_here(world: World) -> None:
    """What was written here counts until the source shows it, or anything else that came after it."""
    id_ = world.order(title="One")["job_ID"]
    ada, path = world.as_("ada"), f"deployments/lab/{id_}.yaml"
    load, world.harness.news = world.harness.load, lambda: None  # type: ignore[method-assign]
    ada.put(f"{MODULES}/{id_}", json={"title": "Two"})
    ada.put(f"{MODULES}/{id_}", json={"title": "Three"})
    assert ada.get(MODULES).json()[0]["title"] == "Three"

    content = world.harness.files[path]
    text = content.decode() if isinstance(content, bytes) else content
    world.harness.files[path] = text.replace("Three", "Two")
    load()
    assert ada.get(MODULES).json()[0]["title"] == "Three"
    world.harness.files[path] = text.replace("Three", "Four")
    load()
    assert ada.get(MODULES).json()[0]["title"] == "Four"


# -- ordering ----------------------------------------------------------------------------------------------------------


def test_an_order_is_a_commit_by_its_author(world: World) -> None:
    """One file, in the folder of its namespace, named for an ID that nobody chose."""
    answer = world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab", "expires_after": "2h"})
    id_, (request,) = answer.json()["job_ID"], world.writer.requests

    assert (answer.status_code, answer.headers["Location"]) == (201, f"{MODULES}/{id_}")
    assert answer.headers["ETag"] == f'"{etag_of(world, id_)}"'
    assert [e.path for e in request.edits] == [f"deployments/lab/{id_}.yaml"]
    assert (request.author.name, request.author.email) == ("Ada", "ada@x.org")
    assert spec_of(world, id_) == {
        "apiVersion": "herdsman/v1",
        "kind": "Deployment",
        "metadata": {"name": id_, "namespace": "lab"},
        "spec": {
            "catalog": "modules/demo",
            "owner": "ada@https://login.example.org",
            "createdAt": "2026-01-01T12:00:00.000Z",
            "expiresAfter": 7200.0,
        },
    }
    assert answer.json()["expires"] == "2026-01-01T14:00:00Z"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"catalog": "nothing"}, {"catalog"}),
        ({"catalog": "tools/bench"}, {"catalog"}),
        ({"catalog": "../tools/bench"}, {"catalog"}),
        ({"conf": {"general": {"title": "x" * 46}}}, {"conf.general.title"}),
        ({"title": "x" * 46}, {"conf.general.title"}),
        ({"conf": {"general": {"title": "${env.NOMAD_TOKEN}"}}}, {"conf.general.title"}),
        ({"conf": {"general": {"title": "a\nb"}}}, {"conf.general.title"}),
        ({"conf": {"general": {"title": 7}}}, {"conf.general.title"}),
        ({"conf": {"hardware": {"cpu_num": 99, "ram": "much"}}}, {"conf.hardware.cpu_num", "conf.hardware.ram"}),
        ({"conf": {"hardware": {"cpu_num": 1.5}}}, {"conf.hardware.cpu_num"}),
        ({"conf": {"nothing": {}}}, {"conf.nothing"}),
        ({"conf": {"general": {"job_id": "mine"}}}, {"conf.general.job_id"}),
        ({"conf": {"general": {"password": "x"}}}, {"conf.general.password"}),
    ],
)
@pytest.mark.parametrize("dry", ["", "?dry_run=true"])
def test_every_mistake_is_named_by_its_field(world: World, body: dict[str, Any], fields: set[str], dry: str) -> None:
    """All of them at once, with 422, and nothing is written."""
    answer = world.as_("ada").post(f"{MODULES}{dry}", json={"catalog": "demo", "vo": "lab", **body})

    assert answer.status_code == 422, answer.text
    assert {e["field"] for e in answer.json()["errors"]} == fields
    assert world.writer.requests == []


@pytest.mark.parametrize("name", ["id", "job_ID", "name", "owner", "metadata", "nodeType", "labels"])
def test_nobody_chooses_what_is_not_theirs_to_choose(world: World, name: str) -> None:
    """An ID, an owner, a label: unknown fields are refused."""
    assert world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab", name: "x"}).status_code == 422


HOSTILE = ["a: b", "1e3", "0o17", "yes", "null", "~", "- x", "#c", "'", '"', "{a: b}", "é\u00e9", "`x`", "=1", " lead"]


@pytest.mark.parametrize("title", HOSTILE)
def test_a_text_is_what_it_was_whatever_yaml_thinks_of_it(world: World, title: str) -> None:
    """It comes back from the spec file, through the loop, as it was sent."""
    world.order(title=title)

    assert world.as_("ada").get(MODULES).json()[0]["title"] == title


def test_one_request_orders_once(world: World) -> None:
    """However often it is sent, at once or later; with another body it is refused, and another's key is another key."""
    body, key = {"catalog": "demo", "vo": "lab", "title": "Once"}, {"Idempotency-Key": "k1"}

    def send(_: int) -> tuple[int, str]:
        answer = world.as_("ada").post(MODULES, json=body, headers=key)
        return answer.status_code, answer.json()["job_ID"]

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(send, range(16)))
    world.settle()

    assert answers == {(201, world.as_("ada").get(MODULES).json()[0]["job_ID"])}
    assert send(0) in answers
    assert len(world.writer.requests) == 1
    other = world.as_("ada").post(MODULES, json={**body, "title": "Other"}, headers=key)
    assert (other.status_code, "another request" in other.json()["detail"]) == (422, True)
    assert world.as_("bob").post(MODULES, json=body, headers=key).status_code == 201

    world.as_("ada").delete(f"{MODULES}/{next(iter(answers))[1]}")
    gone = world.as_("ada").post(MODULES, json=body, headers=key)
    assert (gone.status_code, "gone" in gone.json()["detail"]) == (409, True)


def test_a_dry_run_writes_nothing_and_tells_everything(world: World) -> None:
    """The plan, the job as it would be registered, and the spec that would be committed."""
    with_secret = {"conf": {"general": {"password": SECRET}}}
    answer = world.as_("ada").post(
        f"{MODULES}?dry_run=true", json={"catalog": "demo", "vo": "lab", "title": "T", **with_secret}
    )
    told = answer.json()

    assert (answer.status_code, told["plan"]["action"], told["over_quota"]) == (200, "create", "")
    assert told["plan"]["blast_radius"] == "usergroup: 1 placed"
    assert told["job"]["UI"]["Description"] == "T"
    assert yaml.safe_load(told["spec"])["spec"]["catalog"] == "modules/demo"
    assert SECRET not in answer.text
    assert (world.writer.requests, world.as_("ada").get(MODULES).json()) == ([], [])


def test_a_write_that_waits_is_accepted_and_not_done(world: World) -> None:
    """202 where a remote is away or a person has to agree; its page is linked."""
    world.writer.answer = lambda w: replace(w, pushed=False)
    assert world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab"}).status_code == 202
    world.writer.answer = lambda w: Written(w.revision, branch="b", url="https://git.example.org/pr/1")
    answer = world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab"})

    assert answer.status_code == 202
    assert answer.headers["Link"] == '<https://git.example.org/pr/1>; rel="monitor"'
    assert world.as_("ada").delete(f"{MODULES}/{answer.json()['job_ID']}").status_code == 202


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (Unavailable("the remote is away"), 503),
        (Forbidden("the token may not push"), 503),
        (Refused("a hook says no"), 409),
        (Conflict("somebody was faster"), 409),
    ],
)
def test_a_write_that_fails_leaves_nothing(world: World, trouble: Exception, status: int) -> None:
    """Whoever asked is told, and nothing is shown that is not there."""
    world.writer.trouble = trouble
    answer = world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab"})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert ("Retry-After" in answer.headers) is (isinstance(trouble, Unavailable))
    assert world.as_("ada").get(MODULES).json() == []


def test_an_order_without_nomad_is_still_an_order(world: World) -> None:
    """What Git can take is taken while Nomad is away; a dry run says that it cannot be told."""
    world.harness.nomad.fault = lambda name, key: Unavailable("away")
    dry = world.as_("ada").post(f"{MODULES}?dry_run=true", json={"catalog": "demo", "vo": "lab"})
    answer = world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab"})

    assert (dry.status_code, dry.json()["plan"], "away" in dry.json()["trouble"]) == (200, None, True)
    assert answer.status_code == 201


def test_too_many_writes_are_slowed_down() -> None:
    """429 says when to come again, and then it goes on."""
    world = World(config=PlatformConfig(writes=2))
    ada = world.as_("ada")
    codes = [ada.post(MODULES, json={"catalog": "demo", "vo": "lab"}).status_code for _ in range(3)]
    last = ada.post(MODULES, json={"catalog": "demo", "vo": "lab"})

    assert codes == [201, 201, 429]
    assert int(last.headers["Retry-After"]) == 30
    assert world.as_("bob").post(MODULES, json={"catalog": "demo"}).status_code == 201
    world.harness.clock.advance(30)
    assert ada.post(MODULES, json={"catalog": "demo", "vo": "lab"}).status_code == 201


# -- quotas ------------------------------------------------------------------------------------------------------------


def test_of_many_orders_at_once_as_many_are_taken_as_the_quota_allows(tmp_path: Any) -> None:
    """Two hundred at once, through a real directory: ten specs, ten jobs, and words with the numbers for the rest."""
    world = World({"lab.yaml": namespace_document("lab", deployments=10)})
    writer = TreeWriter(tmp_path, clock=world.harness.clock, state=tmp_path.parent / "state")
    world.platform.deployments._writer = writer

    def ask(_: int) -> int:
        return world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab"}).status_code

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(ask, range(200)))
    files = list(tmp_path.rglob("*.yaml"))
    world.harness.files |= {str(f.relative_to(tmp_path)): f.read_bytes() for f in files}
    world.settle()
    answer = world.as_("ada").post(MODULES, json={"catalog": "demo", "vo": "lab"})

    assert (codes.count(201), codes.count(409), len(files)) == (10, 190, 10)
    assert len(world.harness.nomad.jobs) == 10
    assert (answer.status_code, answer.json()["title"]) == (409, "Quota exceeded")
    assert "has 10 of 10 deployments" in answer.json()["detail"]


def test_what_the_loop_holds_is_queued_with_the_numbers(world: World) -> None:
    """A spec that came another way is held by the loop; a user reads what of which quota is missing."""
    world.order(conf={"hardware": {"ram": 800}})
    second = world.order(conf={"hardware": {"ram": 700}})["job_ID"]
    world.harness.files["lab.yaml"] = namespace_document("lab", memory=1200)
    del world.harness.nomad.jobs[job_key("lab", second)]
    world.harness.store.forget(job_key("lab", second))
    world.harness.restart()
    world.harness.loader._site = world.site
    world = rewired(world)
    world.settle()

    told = world.as_("ada").get(f"{MODULES}/{second}").json()
    assert told["status"] == "queued"
    assert "1,200 MB of memory" in told["error_msg"]


def rewired(world: World) -> World:
    """The same files and Nomad, with a process that was started anew."""
    again = World({k: v for k, v in world.harness.files.items() if isinstance(v, str)})
    again.harness.files.update(world.harness.files)
    again.harness.nomad.jobs = world.harness.nomad.jobs
    return again


def test_a_change_that_grows_beyond_a_quota_is_refused() -> None:
    """With 409, the numbers, and the deployment as it was; less is always possible."""
    world = World({"lab.yaml": namespace_document("lab", memory=1500)})
    id_ = world.order(conf={"hardware": {"ram": 800}})["job_ID"]
    more = world.as_("ada").put(f"{MODULES}/{id_}", json={"conf": {"hardware": {"ram": 3000}}})
    less = world.as_("ada").put(f"{MODULES}/{id_}", json={"conf": {"hardware": {"ram": 200}}})

    assert (more.status_code, more.json()["title"]) == (409, "Quota exceeded")
    assert less.status_code == 200


# -- changing ----------------------------------------------------------------------------------------------------------


def test_a_change_replaces_parameters_and_keeps_the_rest(world: World) -> None:
    """What is not said of it stays: owner, age, labels, and what somebody added to the file by hand."""
    id_ = world.order(title="One", conf={"hardware": {"ram": 700}})["job_ID"]
    path = f"deployments/lab/{id_}.yaml"
    by_hand = spec_of(world, id_)
    by_hand["spec"]["policy"] = {"drift": "warn"}
    world.harness.files[path] = yaml.safe_dump(by_hand)
    world.settle()

    answer = world.as_("ada").put(f"{MODULES}/{id_}", json={"conf": {"general": {"title": "Two"}}, "expires_after": 60})
    assert answer.status_code == 200, answer.text
    after = spec_of(world, id_)["spec"]

    assert after["parameters"] == {"general": {"title": "Two"}}
    assert (after["policy"], after["expiresAfter"]) == ({"drift": "warn"}, 60.0)
    assert {k: after[k] for k in ("owner", "createdAt")} == {k: by_hand["spec"][k] for k in ("owner", "createdAt")}
    world.settle()
    assert world.as_("ada").get(f"{MODULES}/{id_}").json()["resources"]["memory_MB"] == 500


def test_a_title_changes_alone(world: World) -> None:
    """Without a word about parameters, those stay."""
    id_ = world.order(title="One", conf={"hardware": {"ram": 700}})["job_ID"]
    world.as_("ada").put(f"{MODULES}/{id_}", json={"title": "Two", "description": "Words"})

    assert spec_of(world, id_)["spec"]["parameters"] == {
        "general": {"title": "Two", "desc": "Words"},
        "hardware": {"ram": 700},
    }
    assert world.as_("ada").get(f"{MODULES}/{id_}").json()["description"] == "Words"


def test_nobody_undoes_what_they_have_not_seen(world: World) -> None:
    """An ETag of before is refused by every write, whichever way it is spelled."""
    id_ = world.order()["job_ID"]
    ada, old = world.as_("ada"), etag_of(world, id_)
    assert ada.put(f"{MODULES}/{id_}", json={"title": "A"}, headers={"If-Match": f'"{old}"'}).status_code == 200

    stale = {"If-Match": f'"{old}"'}
    assert ada.put(f"{MODULES}/{id_}", json={"title": "B"}, headers=stale).status_code == 412
    assert ada.put(f"{MODULES}/{id_}?dry_run=true", json={"title": "B"}, headers=stale).status_code == 412
    assert ada.post(f"{MODULES}/{id_}/stop", headers=stale).status_code == 412
    assert ada.delete(f"{MODULES}/{id_}", headers=stale).status_code == 412
    assert ada.put(f"{MODULES}/{id_}", json={"title": "B"}, headers={"If-Match": 'W/"x"'}).status_code == 412
    now = f'"{etag_of(world, id_)}"'
    assert ada.put(f"{MODULES}/{id_}", json={"title": "C"}, headers={"If-Match": now}).status_code == 200
    assert ada.put(f"{MODULES}/{id_}", json={"title": "D"}, headers={"If-Match": "*"}).status_code == 200


def test_a_change_that_changes_nothing_writes_nothing(world: World) -> None:
    """An equal file is no commit."""
    id_ = world.order(title="Same")["job_ID"]
    writes = len(world.writer.requests)

    for _ in range(2):
        assert world.as_("ada").put(f"{MODULES}/{id_}", json={"title": "Same"}).status_code == 200
        assert world.as_("ada").post(f"{MODULES}/{id_}/start").status_code == 200
    assert len(world.writer.requests) == writes


def test_a_deployment_rests_and_runs_again(world: World) -> None:
    """Stopped it is dead and keeps its place; started it is what it was. Done twice is done once."""
    id_ = world.order()["job_ID"]
    ada = world.as_("ada")
    for verb, word in (("stop", "dead"), ("stop", "dead"), ("start", "running")):
        assert ada.post(f"{MODULES}/{id_}/{verb}").status_code == 200
        world.settle()
        assert ada.get(f"{MODULES}/{id_}").json()["status"] == word
    assert [r.message.split()[0] for r in world.writer.requests] == ["Deploy", "Stop", "Start"]


def test_what_is_removed_goes_and_is_gone_twice(world: World) -> None:
    """204, however often; its job goes with it, though it was the last of the fleet."""
    id_ = world.order()["job_ID"]
    ada = world.as_("ada")
    assert [ada.delete(f"{MODULES}/{id_}").status_code for _ in range(3)] == [204] * 3
    world.settle()

    assert world.harness.nomad.jobs == {}
    assert ada.get(f"{MODULES}/{id_}").status_code == 404
    assert ada.delete(f"{MODULES}/{uuid.uuid4()}").status_code == 204


def test_a_spec_among_others_is_not_ours_to_rewrite(world: World) -> None:
    """What a person put into a file of their own is read here, and changed there."""
    id_ = world.order()["job_ID"]
    document = spec_of(world, id_)
    del world.harness.files[f"deployments/lab/{id_}.yaml"]
    both = [document, {**document, "metadata": {**document["metadata"], "name": "two"}}]
    world.harness.files["mine.yaml"] = yaml.safe_dump_all(both)
    world.settle()
    ada, before = world.as_("ada"), world.harness.files["mine.yaml"]

    assert ada.get(f"{MODULES}/two").json()["status"] == "running"
    for answer in (
        ada.put(f"{MODULES}/two", json={"title": "x"}),
        ada.post(f"{MODULES}/two/stop"),
        ada.delete(f"{MODULES}/two"),
    ):
        assert (answer.status_code, "mine.yaml" in answer.json()["hint"]) == (409, True)
    assert world.harness.files["mine.yaml"] == before


def test_a_fleet_that_nobody_writes_to_says_so(world: World) -> None:
    """Reading works, and every write is refused with 409 and where to go instead."""
    id_ = world.order()["job_ID"]
    world.platform.deployments._writer = None
    ada = world.as_("ada")

    assert ada.get(f"{MODULES}/{id_}").status_code == 200
    assert ada.post(MODULES, json={"catalog": "demo", "vo": "lab"}).status_code == 409
    assert ada.put(f"{MODULES}/{id_}", json={"title": "x"}).status_code == 409
    assert ada.delete(f"{MODULES}/{id_}").status_code == 409


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_is_never_told_and_never_in_clear(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Not in Git, not in the job, not in an answer, an error or a log; a reader learns that there is one."""
    id_ = world.order(conf={"general": {"password": SECRET}})["job_ID"]
    ada = world.as_("ada")
    told = [
        ada.get(f"{MODULES}/{id_}").text,
        ada.get(f"{MODULES}?full_info=true").text,
        ada.put(f"{MODULES}/{id_}?dry_run=true", json={"title": "x"}).text,
        ada.put(f"{MODULES}/{id_}", json={"conf": {"general": {"password": SECRET, "title": 7}}}).text,
        ada.post(MODULES, json={"catalog": "demo", "vo": "lab", "conf": {"general": {"password": SECRET + "\0"}}}).text,
        ada.post(MODULES, json={"catalog": "demo", "vo": "lab", "conf": {"general": {"password": [SECRET]}}}).text,
        json.dumps(world.harness.nomad.jobs[job_key("lab", id_)].body),
        "".join(map(str, world.writer.requests)),
        caplog.text,
    ]

    assert not [text for text in told if SECRET in text]
    assert spec_of(world, id_)["spec"]["parameters"]["general"]["password"].strip() == sealed(SECRET).strip()
    assert ada.get(f"{MODULES}/{id_}").json()["conf"]["general"]["password"] == "(sensitive)"
    assert world.harness.nomad.kept["lab", f"nomad/jobs/{id_}"].items["password"] == SECRET


def test_what_was_read_may_be_sent_back(world: World) -> None:
    """The mask leaves a secret as it is; another text replaces it, and leaving it out removes it."""
    id_ = world.order(conf={"general": {"password": SECRET}})["job_ID"]
    ada = world.as_("ada")

    def after(conf: dict[str, Any]) -> Any:
        assert ada.put(f"{MODULES}/{id_}", json={"conf": conf}).status_code == 200
        world.settle()
        return (spec_of(world, id_)["spec"].get("parameters") or {}).get("general", {}).get("password", "").strip()

    conf = ada.get(f"{MODULES}/{id_}").json()["conf"]
    conf["general"]["title"] = "Changed"
    assert after(conf) == sealed(SECRET).strip()
    assert after({"general": {"password": "another"}}) == sealed("another").strip()
    assert after({"general": {"password": sealed("by-hand")}}) == sealed("by-hand").strip()
    assert after({"general": {"title": "x"}}) == ""


def test_without_a_key_no_secret_is_kept() -> None:
    """It is refused by its field, instead of standing in Git for ever."""
    world = World(encrypt=None)
    answer = world.as_("ada").post(
        MODULES, json={"catalog": "demo", "vo": "lab", "conf": {"general": {"password": SECRET}}}
    )

    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["conf.general.password"]
    assert SECRET not in answer.text


# -- single tasks ------------------------------------------------------------------------------------------------------


def test_logs_are_those_of_the_main_task(world: World) -> None:
    """Of the allocation that counts; another task is named, and one that is not there is refused."""
    id_ = world.order()["job_ID"]
    ada = world.as_("ada")

    answer = ada.get(f"{MODULES}/{id_}/logs")
    assert (answer.text, answer.headers["content-type"]) == ("hello from main", "text/plain; charset=utf-8")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ada.get(f"{MODULES}/{id_}/logs?task=helper&type=stderr&tail=10").text == "hello from helper"
    assert world.said.asked[-1] == (f"alloc-{id_}", "helper", "stderr", False, 10)
    wrong = ada.get(f"{MODULES}/{id_}/logs?task=other")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "task")


def test_logs_that_cannot_be_read_say_why(world: World) -> None:
    """Nothing was started, Nomad refuses, Nomad is away, too many read: each has its status."""
    id_ = world.order()["job_ID"]
    ada, key = world.as_("ada"), job_key("lab", id_)
    world.said.trouble = refuse("not started yet")
    assert ada.get(f"{MODULES}/{id_}/logs").status_code == 409
    world.said.trouble = Unavailable("away")
    assert ada.get(f"{MODULES}/{id_}/logs").status_code == 503
    world.said.trouble = None
    world.allocations.told[key] = []
    world.harness.clock.advance(2)
    assert ada.get(f"{MODULES}/{id_}/logs").status_code == 409
    del world.allocations.told[key]
    world.harness.clock.advance(2)
    for _ in range(world.config.log_streams + 5):  # each of them gives its place back
        assert ada.get(f"{MODULES}/{id_}/logs").status_code == 200


def test_a_restart_is_of_what_runs(world: World) -> None:
    """Every allocation that runs, and no commit; where nothing does, it is not possible."""
    id_ = world.order()["job_ID"]
    key, writes = job_key("lab", id_), len(world.writer.requests)
    world.allocations.told[key] = [placement(key, id="a"), placement(key, id="b"), placement(key, "failed", id="c")]
    world.harness.clock.advance(2)

    answer = world.as_("ada").post(f"{MODULES}/{id_}/restart")
    assert (answer.status_code, answer.json()) == (202, {"restarted": 2})
    assert (sorted(world.said.restarted), len(world.writer.requests)) == (["a", "b"], writes)
    world.allocations.told[key] = []
    world.harness.clock.advance(2)
    assert world.as_("ada").post(f"{MODULES}/{id_}/restart").status_code == 409


def test_events_are_those_of_one_deployment(world: World) -> None:
    """What happened to it so far, and nothing of another's; a client that comes back misses nothing."""
    mine, other = world.order("ada")["job_ID"], world.order("bob")["job_ID"]
    path = f"{MODULES}/{mine}/events?follow=false"
    told = world.as_("ada").get(path)
    ids = [int(n) for n in re.findall(r"^id: (\d+)$", told.text, re.MULTILINE)]

    assert told.headers["content-type"].startswith("text/event-stream")
    assert len(ids) >= 2
    assert (f'"name":"{mine}"' in told.text, other in told.text) == (True, False)
    rest = world.as_("ada").get(path, headers={"Last-Event-ID": str(ids[0])}).text
    assert [int(n) for n in re.findall(r"^id: (\d+)$", rest, re.MULTILINE)] == ids[1:]


# -- time --------------------------------------------------------------------------------------------------------------


def test_what_has_an_end_ends(world: World) -> None:
    """When its time is over it is gone from Nomad, and says so until its spec goes too."""
    id_ = world.order(expires_after="1h")["job_ID"]
    world.harness.clock.advance(3700)
    world.settle()

    told = world.as_("ada").get(f"{MODULES}/{id_}").json()
    assert (told["status"], "its time ended" in told["error_msg"]) == ("dead", True)
    assert job_key("lab", id_) not in world.harness.nomad.jobs


def test_an_application_without_a_platform_says_so() -> None:
    """503 in words, on every route."""
    world = World()
    del world.app.state.platform

    for path in (MODULES, "/v1/catalog/modules", "/v1/admin/deployments"):
        answer = world.as_("root").get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
