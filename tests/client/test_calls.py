"""The client against the platform as it is: each call of the API is a line, and does what it says."""

from collections.abc import Iterator
from typing import Any

import pytest

import herdsman.client as errors
from client.serving import Live
from herdsman.client import Client, key
from herdsman.client.shapes import Deployment
from platforms import spec_of


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Live, str]]:
    """The platform, and where it is."""
    world = Live()
    with world.at_an_address() as address:
        yield world, address


@pytest.fixture
def world(served: tuple[Live, str]) -> Live:
    """The platform, with nothing running on it."""
    world, address = served
    with Client(address, "root") as root:
        for one in root.deployments.everybody():
            root.deployments.delete(one)
    world.settle()
    return world


@pytest.fixture
def address(served: tuple[Live, str]) -> str:
    """Where it is."""
    return served[1]


@pytest.fixture
def ada(world: Live, address: str) -> Iterator[Client]:
    """A user of the lab."""
    with Client(address, "ada") as client:
        yield client


@pytest.fixture
def root(world: Live, address: str) -> Iterator[Client]:
    """Who may do everything."""
    with Client(address, lambda: "root") as client:
        yield client


def order(client: Client, world: Live, title: str = "Mine", entry: str = "modules/demo") -> Deployment:
    """A deployment that was carried out, as it is read."""
    made = client.deployments.create(entry, vo="lab", conf={"general": {"title": title}})
    world.settle()
    return client.deployments.get(made)


# -- the catalog -------------------------------------------------------------------------------------------------------


def test_the_catalog(ada: Client, root: Client) -> None:
    """Names, tags that filter, details, parameters, their schema, and reading it anew."""
    assert ada.modules.list() == ["demo", "other"]
    assert ada.modules.list(tags=["web"], not_tags_any=["gpu"]) == ["demo"]
    assert [one["title"] for one in ada.tools.detail()] == ["The tools/bench"]
    assert ada.modules.tags()["web"] == 2
    assert ada.modules.metadata("demo").get("description") == "Long"
    assert ada.modules.config("demo", vo="lab")["hardware"]["ram"].get("range") == [100, 4000]
    assert ada.modules.schema("demo")["type"] == "object"
    assert root.modules.refresh()["broken"] == {}
    with pytest.raises(errors.NotAllowed):
        ada.tools.refresh()


# -- deployments -------------------------------------------------------------------------------------------------------


def test_a_deployment_from_order_to_removal(ada: Client, world: Live) -> None:
    """Ordered, read, changed, stopped, started, started anew, removed; removed again is no error."""
    made = order(ada, world)
    assert (made["status"], made["title"], made["namespace"]) == ("running", "Mine", "lab")
    assert [one["job_ID"] for one in ada.deployments.list()] == [made["job_ID"]]

    changed = ada.deployments.update(made, title="Other")
    assert changed["title"] == "Other"
    ada.deployments.stop(made)
    world.settle()
    assert ada.deployments.get(made)["status"] == "dead"
    ada.deployments.start(made["job_ID"])
    world.settle()
    assert ada.deployments.restart(made) == 1

    ada.deployments.delete(made)
    ada.deployments.delete(made)
    world.settle()
    with pytest.raises(errors.NotFound, match="there is no deployment"):
        ada.deployments.get(made["job_ID"])


def test_dry_runs_write_nothing(ada: Client, world: Live) -> None:
    """What a write would come to, of an order and of a change."""
    before = len(world.writer.requests)
    preview = ada.deployments.preview("modules/demo", vo="lab")
    assert preview["plan"] is not None
    assert preview["plan"]["action"] == "create"
    assert len(world.writer.requests) == before

    made = order(ada, world)
    preview = ada.deployments.preview_update(made, conf={"hardware": {"ram": 600}})
    assert preview["plan"] is not None
    assert preview["plan"]["action"] == "update"
    assert len(world.writer.requests) == before + 1


def test_what_was_changed_meanwhile_is_not_overwritten(ada: Client, world: Live) -> None:
    """A change is one of what was read: who read something older is told so, and changes nothing."""
    made = order(ada, world)
    ada.deployments.update(made, title="First")

    with pytest.raises(errors.Changed) as caught:
        ada.deployments.update(made, title="Second")
    assert caught.value.status == 412
    assert ada.deployments.get(made)["title"] == "First"
    assert ada.deployments.update(made["job_ID"], title="Whatever it is")["title"] == "Whatever it is"


def test_some_parameters_are_changed_and_the_others_left(
    ada: Client, world: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets stay, defaults stay the entry's to change, and a race with another writer is run again."""
    made = ada.deployments.create("modules/demo", vo="lab", conf={"general": {"title": "T", "password": "sesam"}})
    sealed = spec_of(world, made["job_ID"])["spec"]["parameters"]["general"]["password"]
    update, raced = ada.deployments.update, list[str]()

    def race(ref: Any, **change: Any) -> Deployment:
        if not raced:
            raced.append("once")
            update(made["job_ID"], conf={"general": {"title": "T2", "password": "(sensitive)"}})
        return update(ref, **change)

    monkeypatch.setattr(ada.deployments, "update", race)
    ada.deployments.amend(made, {"hardware": {"ram": 700}})

    found = spec_of(world, made["job_ID"])["spec"]["parameters"]
    assert found == {"general": {"title": "T2", "password": sealed}, "hardware": {"ram": 700}}


def test_an_order_is_made_once_by_its_key(ada: Client, world: Live) -> None:
    """The same key is the same deployment; without one, each order is another."""
    first, again = (ada.deployments.create("modules/demo", vo="lab", key="k1") for _ in range(2))
    other = ada.deployments.create("modules/demo", vo="lab")

    assert first["job_ID"] == again["job_ID"] != other["job_ID"]


def test_a_tool_is_found_by_its_bare_id(ada: Client, world: Live) -> None:
    """Whoever has only an ID need not know what it is of; and it is that one which is acted on."""
    made = order(ada, world, entry="tools/bench")

    assert ada.deployments.get(made["job_ID"])["tool_name"] == "bench"
    assert ada.deployments.get(f"tools/{made['job_ID']}")["job_ID"] == made["job_ID"]
    ada.deployments.delete(made["job_ID"])
    world.settle()
    assert ada.deployments.list("tools") == []


def test_lists_come_in_pages_and_in_order(ada: Client, world: Live) -> None:
    """A page says how many there are and where it goes on; all of them come by themselves, sorted as asked."""
    for title in "cabed":
        order(ada, world, title)
    order(ada, world, "aa", "tools/bench")

    first = ada.deployments.page("modules", limit=2, sort="title")
    second = ada.deployments.page("modules", limit=2, sort="title", cursor=first.next)
    assert [one["title"] for one in (*first.items, *second.items)] == ["a", "b", "c", "d"]
    assert first.total == 5
    assert [one["title"] for one in ada.deployments.list(sort="title")] == ["a", "aa", "b", "c", "d", "e"]
    assert [one["title"] for one in ada.deployments.iterate("tools")] == ["aa"]
    assert ada.deployments.list(status=["failed"]) == []
    assert len(ada.deployments.list("modules", catalog="demo", vos=["lab"])) == 5


def test_owners_see_their_own(ada: Client, root: Client, world: Live, address: str) -> None:
    """Another's is not there, whatever is done with its ID; who administers sees all."""
    made = order(ada, world)
    with Client(address, "bob") as bob:
        assert bob.deployments.list() == []
        for act in (bob.deployments.get, bob.deployments.stop, bob.deployments.restart, bob.deployments.logs):
            with pytest.raises(errors.NotFound):
                act(made)
        bob.deployments.delete(made)
        with pytest.raises(errors.NotAllowed):
            list(bob.deployments.everybody())
    assert [one["owner"] for one in root.deployments.everybody(owner=made["owner"])] == [made["owner"]]
    assert list(root.deployments.everybody("tools")) == []


def test_waiting_tells_the_words_on_the_way(ada: Client, world: Live) -> None:
    """Each change of the status is told once, and the end of it is a deployment that runs and answers."""
    made = ada.deployments.create("modules/demo", vo="lab")
    words: list[str] = []

    def heard(now: Deployment) -> None:
        words.append(now["status"])
        world.settle()

    done = ada.deployments.wait(made, timeout=20, told=heard)

    assert done["status"] == words[-1] == "running"
    assert words[0] in ("queued", "starting")
    assert done["endpoints"]


def test_waiting_ends(ada: Client, world: Live) -> None:
    """What is stopped does not come, and what takes too long is given up; both say how it stands."""
    made = ada.deployments.create("modules/demo", vo="lab", title="Mine")
    with pytest.raises(errors.Unfinished, match=r"after 0\.01 s Mine is (queued|starting)"):
        ada.deployments.wait(made, timeout=0.01)

    ada.deployments.stop(made)
    world.settle()
    with pytest.raises(errors.Unfinished, match="Mine is dead: stopped by its owner") as caught:
        ada.deployments.wait(made)
    assert caught.value.last["job_ID"] == made["job_ID"]


def test_logs_are_lines_or_all_of_it(ada: Client, world: Live) -> None:
    """Of the main task unless another is named, from the end where that is asked for."""
    made = order(ada, world)

    assert ada.deployments.logs(made).read() == "hello from main"
    with ada.deployments.logs(made, task="helper", stderr=True, follow=True, tail=10) as stream:
        assert list(stream) == ["hello from helper"]
    assert world.said.asked[-1][1:] == ("helper", "stderr", True, 10)


def test_events_are_told_and_followed(ada: Client, world: Live) -> None:
    """What happened so far, then what happens, each once; closing ends it."""
    made = order(ada, world)
    before = list(ada.deployments.events(made))
    assert before
    assert {event["key"]["name"] for event in before if event["key"]} == {made["job_ID"]}

    with ada.deployments.events(made, follow=True, after=before[0]["id"]) as coming:
        known = [next(iter_) for iter_ in [iter(coming)] for _ in before[1:]]
    assert known == before[1:]


# -- try me, statistics ------------------------------------------------------------------------------------------------


def test_a_module_is_tried(world: Live, address: str) -> None:
    """It has an end from the beginning, is listed, and ended before that."""
    with Client(address, "trier") as client:
        made = client.try_me.create("modules/demo", title="Try", expires_after="5m")
        world.settle()
        assert made["expires"]
        assert [one["job_ID"] for one in client.try_me.list()] == [made["job_ID"]]
        assert client.try_me.wait(made, timeout=5)["status"] == "running"
        client.try_me.delete(made)
        client.try_me.delete(made["job_ID"])
        world.settle()
        assert client.try_me.list() == []


def test_statistics(root: Client) -> None:
    """Usage, summaries and the cluster, in the shapes that they have."""
    used = root.stats.usage(granularity="total", by=["namespace"], namespaces=["team"], since="2020-01-01")
    assert {row["namespace"] for row in used["rows"]} == {"team"}
    assert root.stats.summary("team")["full-agg"]["cpu_num"] == 5
    assert set(root.stats.cluster()["datacenters"]) == {"dc1", "dc2"}
    with pytest.raises(errors.NotFound):
        root.stats.summary("none")


# -- the operator ------------------------------------------------------------------------------------------------------


def test_the_operators_own_calls(root: Client, world: Live) -> None:
    """Specs, plans, holds, history and the rest of it."""
    lab = key("lab", kind="Namespace")
    assert lab["namespace"] == ""
    assert {one["name"] for one in root.specs(kind="Namespace")["specs"]} == {"lab", "team", "default"}
    assert root.describe(lab)["spec"]["ready"] == "True"
    assert root.plan("lab", kind="Namespace")[0]["action"] == "nothing"
    assert root.resync([lab], wait=1)["done"]
    assert [one["name"] for one in root.suspend(lab)] == ["lab"]
    assert [one["name"] for one in root.resume(lab)] == ["lab"]
    root.suspend_all()
    root.resume_all()
    assert root.held() == []
    assert root.history(lab)[0]["action"]
    assert root.events(lab, limit=1)[0]["key"] == lab
    assert root.overview()["total"] >= 3
    assert root.version()["version"]
    assert root.whoami()["admin"] is True
    with root.follow(after=0) as coming:
        assert next(iter(coming))["id"] > 0


def test_a_job_is_traced_and_rolled_back(root: Client, ada: Client, world: Live) -> None:
    """From a live job to its file, and back to what it was."""
    made = order(ada, world)
    assert root.versions(made["job_ID"], "lab")[0]["current"]
    assert root.trace(made["job_ID"], "lab")["live"]["ours"]
    with pytest.raises(errors.ApiError):
        root.rollback(key(made["job_ID"], "lab"), "no-such-commit")


def test_nothing_is_meant_by_no_names(root: Client) -> None:
    """A hold on nothing is not one on everything."""
    for act in (root.suspend, root.resume, root.approve):
        with pytest.raises(errors.ClientError, match="say which"):
            act()


# -- errors ------------------------------------------------------------------------------------------------------------


def test_errors_are_a_tree(ada: Client, world: Live, address: str) -> None:
    """By status, with the fields that are wrong, in words that can be shown."""
    with pytest.raises(errors.Invalid, match=r"conf\.hardware\.ram: expected 100 to 4,?000") as invalid:
        ada.deployments.create("modules/demo", vo="lab", conf={"hardware": {"ram": 1}})
    assert [problem.field for problem in invalid.value.problems] == ["conf.hardware.ram"]
    assert (invalid.value.status, invalid.value.title) == (422, "Not valid")
    with pytest.raises(errors.NotAllowed):
        ada.deployments.create("modules/demo", vo="elsewhere")
    with Client(address, "wrong") as nobody, pytest.raises(errors.NotAuthenticated) as caught:
        nobody.whoami()
    assert "herdsman login" in caught.value.hint
    with Client(address) as nobody, pytest.raises(errors.NotAuthenticated):
        nobody.deployments.list()
    with pytest.raises(errors.ClientError, match="cannot be written as JSON"):
        ada.deployments.create("modules/demo", conf={"hardware": {"ram": float("nan")}})
    with pytest.raises(errors.ClientError, match="names no entry"):
        ada.deployments.create("demo")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_no_name_leads_elsewhere(ada: Client, name: str) -> None:
    """What a path would swallow is refused before it is sent."""
    for act in (ada.deployments.get, ada.deployments.delete, ada.try_me.get, ada.modules.metadata):
        with pytest.raises(errors.ClientError, match="is no name"):
            act(name)


@pytest.mark.parametrize("name", ["a/../b", "../../specs", "%2e%2e", "a?namespace=b", "a#b", "a b", "ü\t", "\ud800"])
def test_hard_names_are_names(ada: Client, name: str) -> None:
    """Whatever is in one, it is looked for as it is, and is not there."""
    with pytest.raises(errors.ApiError) as caught:
        ada.deployments.get(name)
    assert caught.value.status in (404, 422)
