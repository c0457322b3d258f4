"""What is known of a fleet as a whole: wanted, listed, stale, and what forbids a change."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from clocks import FakeClock
from harness import fleet_document, group, job_document
from herdsman.adapters.store import SqliteStore
from herdsman.core import prune
from herdsman.errors import NomadError, Unavailable
from herdsman.load import Loader
from herdsman.model.desired import Desired, Prune, UnreadFile
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.memory import Memory
from herdsman.model.observed import STAMP, JobStub, Listing
from herdsman.model.plans import Reason
from herdsman.model.sources import Snapshot, SourceFile
from herdsman.model.statuses import Condition, ConditionType, Status, Truth
from herdsman.runtime.view import UNCLAIMED, UNSETTLED, FleetView
from twin import NomadTwin

WEB, DB, TEAM = job_key("default", "web"), job_key("default", "db"), namespace_key("team")
NAMESPACE = "apiVersion: herdsman/v1\nkind: Namespace\nmetadata: {name: team}\n"


class World:
    """A view with both of its sides, and ways to change them."""

    def __init__(self) -> None:
        self.nomad, self.store, self.clock = NomadTwin(), SqliteStore(":memory:"), FakeClock()
        self.loader = Loader(fleet="default", store=self.store)
        self.view = FleetView(
            desired=self.loader.nothing(), nomad=self.nomad, store=self.store, clock=self.clock
        )  # fmt: skip

    def desired(self, files: Mapping[str, str], *, settled: bool = True) -> Desired:
        data = {p: SourceFile(p, t.encode(), t) for p, t in {"fleet.yaml": fleet_document(), **files}.items()}
        return self.loader.load(Snapshot("r", data, settled=settled))

    def want(self, *names: str, settled: bool = True) -> set[Key]:
        files = {f"{n}.yaml": job_document(n) for n in names}
        return self.view.replace(self.desired(files, settled=settled))

    def run(self, *names: str, stamp: str | None = "f", **more: Any) -> None:
        for name in names:
            meta = {STAMP: stamp} if stamp else None
            self.nomad.foreign_register({"ID": name, "Name": name, "Meta": meta, "TaskGroups": [group()], **more})

    def calls(self) -> list[str]:
        found = [name for name, _ in self.nomad.calls]
        self.nomad.calls.clear()
        return found


@pytest.fixture
def world() -> World:
    """Nothing wanted, nothing live."""
    return World()


# -- the wanted side ---------------------------------------------------------------------------------------------------


def test_before_anything_is_known_nothing_is_loaded_or_listed(world: World) -> None:
    """An empty view is not an empty fleet."""
    assert (world.view.loaded, world.view.listed, world.view.claimed) == (False, False, None)


def test_the_first_snapshot_concerns_every_key(world: World) -> None:
    """All that is wanted, and all that is live and ours."""
    world.run("old")
    world.view.relist()

    assert world.want("web", "db") == {WEB, DB, job_key("default", "old")}


def test_a_snapshot_tells_which_wishes_changed(world: World) -> None:
    """Added, removed and edited; what stayed is not looked at again."""
    world.want("web", "db")

    assert world.want("web", "db") == set()
    assert world.want("web", "new") == {DB, job_key("default", "new")}


@pytest.mark.parametrize(
    "edit",
    [
        {"web.yaml": job_document("web", Priority=60)},
        {"web.yaml": job_document("web", policy={"prune": "keep"})},
        {"elsewhere.yaml": job_document("web")},
        {"web.yaml": job_document("web", policy={"dependsOn": ["db"]})},
        {"web.yaml": job_document("web", Prioritty=60)},
    ],
    ids=["body", "policy", "place", "needs", "rejected"],
)
def test_what_makes_a_difference_to_a_wish(world: World, edit: dict[str, str]) -> None:
    """Its job, how it is kept, what it needs, where it stands, and whether it is understood."""
    world.view.replace(world.desired({"web.yaml": job_document("web"), "db.yaml": job_document("db")}))

    assert world.view.replace(world.desired({"db.yaml": job_document("db"), **edit})) == {WEB}


def test_a_snapshot_that_settles_concerns_what_is_to_be_removed(world: World) -> None:
    """Removals waited for that."""
    world.run("web", "db")
    world.view.relist()
    world.want("web", "db")
    world.want("web", settled=False)

    assert world.want("web") == {DB}


def test_another_fleet_concerns_every_key(world: World) -> None:
    """Its policy is that of all."""
    world.want("web", "db")
    desired = world.desired({"web.yaml": job_document("web"), "db.yaml": job_document("db")})

    assert world.view.replace(replace(desired, fleet=replace(desired.fleet, namespaces=("d*",)))) == {WEB, DB}


def test_who_waits_for_a_key_is_known(world: World) -> None:
    """By the dependencies of the newest snapshot."""
    files = {"web.yaml": job_document("web", policy={"dependsOn": ["db"]}), "db.yaml": job_document("db")}
    world.view.replace(world.desired(files))
    assert (world.view.dependents(DB), world.view.dependents(WEB)) == ([WEB], [])

    world.want("web", "db")
    assert world.view.dependents(DB) == []


# -- the listed side ---------------------------------------------------------------------------------------------------


def test_a_listed_job_costs_no_call(world: World) -> None:
    """A resync is one list."""
    world.run("web")
    world.view.relist()
    world.calls()

    stub = world.view.stub(WEB)

    assert stub is not None
    assert stub.key == WEB
    assert world.view.stub(DB) is None
    assert world.calls() == []


def test_a_touched_job_is_read_anew_once(world: World) -> None:
    """What an event named may be old in the list; one read makes it fresh, for those who come later too."""
    world.run("web")
    world.view.relist()
    world.nomad.foreign_edit(WEB, lambda b: b.update(Priority=70))
    before = world.view.stub(WEB)
    world.view.touch([WEB])
    world.calls()

    fresh, again = world.view.stub(WEB), world.view.stub(WEB)

    assert before is not None
    assert fresh is not None
    assert fresh.index > before.index
    assert again == fresh
    assert world.calls() == ["stub"]


def test_a_job_that_vanished_is_known_after_a_touch(world: World) -> None:
    """None is an answer, too."""
    world.run("web")
    world.view.relist()
    world.nomad.foreign_purge(WEB)
    world.view.touch([WEB])

    assert world.view.stub(WEB) is None
    world.calls()
    assert world.view.stub(WEB) is None
    assert world.calls() == []


def test_a_touch_outlives_a_failed_read(world: World) -> None:
    """What could not be read is still to be read."""
    world.run("web")
    world.view.relist()
    world.view.touch([WEB])
    world.nomad.fault = lambda name, key: Unavailable("away")
    with pytest.raises(NomadError):
        world.view.stub(WEB)
    world.nomad.fault = None
    world.calls()

    world.view.stub(WEB)

    assert world.calls() == ["stub"]


def test_a_touch_before_a_list_is_settled_by_it(world: World) -> None:
    """The list is younger than what the event told of."""
    world.run("web")
    world.view.touch([WEB])
    world.clock.advance(1)
    world.view.relist()
    world.calls()

    world.view.stub(WEB)

    assert world.calls() == []


def test_a_touch_during_a_list_outlives_it(world: World) -> None:
    """The list may be older than what the event told of."""
    world.run("web")
    listing = world.nomad.listing

    def slow() -> Listing:
        found = listing()
        world.clock.advance(1)
        world.view.touch([WEB])
        return found

    world.nomad.listing = slow  # type: ignore[method-assign]
    world.view.relist()
    world.calls()

    world.view.stub(WEB)

    assert world.calls() == ["stub"]


def test_a_touch_during_a_read_outlives_it(world: World) -> None:
    """Two events in a row: the read that the first one caused may be older than the second."""
    world.run("web")
    world.view.relist()
    world.view.touch([WEB])
    read = world.nomad.stub

    def slow(key: Key) -> JobStub | None:
        found = read(key)
        world.clock.advance(1)
        world.view.touch([WEB])
        return found

    world.nomad.stub = slow  # type: ignore[method-assign]
    world.view.stub(WEB)
    world.nomad.stub = read  # type: ignore[method-assign]
    world.calls()

    world.view.stub(WEB)

    assert world.calls() == ["stub"]


def test_a_failed_list_changes_nothing(world: World) -> None:
    """An error is no empty cluster."""
    world.run("web")
    world.view.relist()
    world.nomad.fault = lambda name, key: Unavailable("away")
    with pytest.raises(NomadError):
        world.view.relist()

    assert world.view.stub(WEB) is not None


def test_what_was_removed_needs_no_list_to_be_known(world: World) -> None:
    """Those who wait for its going can go on at once."""
    world.run("web")
    world.view.relist()

    world.view.gone(WEB)

    assert world.view.stub(WEB) is None


def test_namespaces_are_listed_where_somebody_cares(world: World) -> None:
    """A token that may not list them does no harm to a fleet without any."""
    world.want("web")
    world.view.relist()
    assert world.calls() == ["listing"]

    world.view.replace(world.desired({"n.yaml": NAMESPACE}))
    world.view.relist()
    assert world.calls() == ["listing", "namespaces"]


def test_a_touched_namespace_is_read_anew(world: World) -> None:
    """As a job is."""
    world.view.replace(world.desired({"n.yaml": NAMESPACE}))
    world.view.relist()
    world.nomad.spaces["team"] = {"Name": "team", "Description": "", "Meta": {STAMP: "f"}}
    assert world.view.namespace(TEAM) is None

    world.view.touch([TEAM])

    assert world.view.namespace(TEAM) is not None


# -- which keys are ours to look at ------------------------------------------------------------------------------------


def test_every_key_that_may_call_for_work(world: World) -> None:
    """Wanted, rejected, remembered, or live and ours; nobody else's jobs and no children."""
    world.run("stamped", "web")
    world.run("stranger", stamp=None)
    world.run("other", stamp="another")
    world.run("web/periodic-1", ParentID="web", Type="batch")
    world.store.remember(job_key("default", "remembered"), Memory(digest="d"))
    world.view.replace(world.desired({"web.yaml": job_document("web"), "bad.yaml": job_document("bad", Prioritty=1)}))
    world.view.relist()

    assert {k.name for k in world.view.all_keys()} == {"web", "bad", "remembered", "stamped"}
    named = {
        name
        for name in ("web", "bad", "stamped", "stranger", "other", "nobody")
        if world.view.concerns(job_key("default", name))
    }
    assert named == {"web", "bad", "stamped"}


def test_an_adopted_job_is_ours_by_our_record(world: World) -> None:
    """As long as it is that very job."""
    world.run("web", stamp=None)
    world.view.relist()
    stub = world.view.stub(WEB)
    assert stub is not None
    world.store.remember(WEB, Memory(digest="d", owned=True, create_index=stub.create_index))
    assert WEB in world.view.all_keys()
    assert world.view.concerns(WEB)


# -- what forbids a change ---------------------------------------------------------------------------------------------


def ready(world: World, key: Key, *, digest: str | None = None) -> None:
    """*key* is Ready, with the digest that is wanted."""
    wanted = world.view.desired.wanted.get(key)
    digest = digest if digest is not None else wanted.digest if wanted is not None else ""
    fine = {ConditionType.READY: Condition(Truth.TRUE, Reason.HEALTHY)}
    world.store.put_status(Status(key, fine, digest=digest))


def test_nothing_may_be_written_before_the_claim_is_known(world: World) -> None:
    """Nor where it is another's, nor where the Fleet cannot be understood."""
    world.want("web")
    assert world.view.scene(WEB).claimed == UNCLAIMED

    world.view.claimed = "another's"
    assert world.view.scene(WEB).claimed == "another's"
    world.view.claimed = ""
    assert world.view.scene(WEB).claimed == ""
    world.view.replace(replace(world.view.desired, blocked="no Fleet"))
    assert world.view.scene(WEB).claimed == "no Fleet"


def test_a_wish_waits_until_what_it_needs_is_ready_with_the_digest_that_is_wanted(world: World) -> None:
    """Ready with an older spec is not Ready."""
    files = {"web.yaml": job_document("web", policy={"dependsOn": ["db"]}), "db.yaml": job_document("db")}
    world.view.replace(world.desired(files))
    assert "Job/default/db to be Ready" in world.view.scene(WEB).dependency

    ready(world, DB, digest="older")
    assert world.view.scene(WEB).dependency
    ready(world, DB)
    assert world.view.scene(WEB).dependency == ""


def test_a_wish_waits_for_a_spec_that_was_rejected(world: World) -> None:
    """However Ready its job is."""
    files = {"web.yaml": job_document("web", policy={"dependsOn": ["db"]}), "db.yaml": job_document("db", Prioritty=1)}
    world.view.replace(world.desired(files))
    ready(world, DB)

    assert "no valid spec declares" in world.view.scene(WEB).dependency


def test_a_removal_waits_while_something_needs_it(world: World) -> None:
    """Until that is stopped or gone, or is wanted and so is not on its way out."""
    world.run("web", "db")
    world.view.relist()
    world.store.remember(WEB, Memory(digest="d", needs=(DB,)))
    world.want("other")
    assert "Job/default/web" in world.view.scene(DB).dependents

    world.nomad.foreign_stop(WEB)
    world.view.relist()
    assert world.view.scene(DB).dependents == ""


def test_a_namespace_waits_until_nothing_lives_in_it(world: World) -> None:
    """Whoever's job that is; dead ones do not count."""
    world.nomad.spaces["team"] = {"Name": "team", "Meta": {STAMP: "f"}}
    world.run("x", stamp=None, Namespace="team")
    world.want("web")
    world.view.relist()
    assert "Job/team/x" in world.view.scene(TEAM).dependents

    world.nomad.foreign_stop(job_key("team", "x"))
    world.view.relist()
    assert world.view.scene(TEAM).dependents == ""


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("name: [web", True),
        ("name: [ewbb", False),
        ("name: [a-web-b", True),
        ("name: [web".encode("utf-16"), True),
    ],
    ids=["names it", "does not", "may", "utf-16"],
)
def test_a_removal_waits_for_a_file_that_may_declare_it(world: World, text: str | bytes, held: bool) -> None:
    """A file that nobody understands may declare every job that it names."""
    world.run("web", "db")
    world.view.relist()
    data = text if isinstance(text, bytes) else text.encode()
    desired = world.desired({"db.yaml": job_document("db")})
    world.view.replace(replace(desired, unread=(UnreadFile("x.yaml", data),)))

    assert bool(world.view.scene(WEB).unread) is held


def test_a_removal_waits_for_the_file_that_declared_it_and_for_those_that_cannot_be_read(world: World) -> None:
    """The first by our memory of it, the second because nobody knows what they hold."""
    world.run("web", "db")
    world.view.relist()
    desired = world.desired({"db.yaml": job_document("db")})
    world.store.remember(WEB, Memory(digest="d", path="old.yaml"))
    for file in (UnreadFile("old.yaml", b"["), UnreadFile("any.yaml", None)):
        world.view.replace(replace(desired, unread=(file,)))
        assert file.path in world.view.scene(WEB).unread


def test_a_removal_waits_until_the_source_rests(world: World) -> None:
    """A checkout under way may lack files for a moment."""
    world.run("web", "db")
    world.view.relist()
    world.want("db", settled=False)

    assert world.view.scene(WEB).unread == UNSETTLED


def test_removals_are_limited(world: World) -> None:
    """Within the limit there is nothing to say; beyond it, each is held with the same words."""
    names = [f"job-{n}" for n in range(10)]
    world.run(*names)
    world.view.relist()
    world.want(*names)
    world.want(*names[3:])
    assert [world.view.scene(job_key("default", n)).limited for n in names[:3]] == [""] * 3
    assert world.store.prune_round().held == frozenset()

    world.clock.advance(120)
    world.want(names[9])
    assert all("would be removed" in world.view.scene(job_key("default", n)).limited for n in names[3:9])
    assert len(world.store.prune_round().held) == 6


@pytest.mark.parametrize("how", ["kept", "suspended by hand", "suspended by its spec", "children", "foreign"])
def test_what_is_not_to_be_removed_counts_for_no_limit(world: World, how: str) -> None:
    """Six of ten go, but one of them stays anyway: that is five."""
    names = [f"job-{n}" for n in range(10)]
    world.run(*names[1:])
    first = job_key("default", names[0])
    match how:
        case "children":
            world.run(names[0], ParentID="x")
        case "foreign":
            world.run(names[0], stamp=None)
        case "kept":
            world.store.remember(first, Memory(digest="d", prune=Prune.KEEP))
            world.run(names[0])
        case "suspended by hand":
            world.store.suspend(first, suspended=True)
            world.run(names[0])
        case _:
            world.store.remember(first, Memory(digest="d", suspend=True))
            world.run(names[0])
    world.view.relist()
    world.want(*names)

    world.want(*names[6:])

    assert world.store.prune_round().held == frozenset()


def test_a_scene_of_what_stays_judges_no_removals(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand kept jobs among ten thousand must not cost ten million looks at a stub at every resync."""
    world.run("web", "db")
    world.store.remember(WEB, Memory(digest="d", prune=Prune.KEEP))
    world.view.relist()
    world.want("db")
    judged: list[prune.PruneRound] = []
    decide = prune.next_round

    def counted(*args: Any, **more: Any) -> prune.PruneRound:
        judged.append(decide(*args, **more))
        return judged[-1]

    monkeypatch.setattr(prune, "next_round", counted)
    for _ in range(5):
        world.view.scene(WEB)

    assert len(judged) <= 1


def test_what_was_held_outlives_a_restart(world: World) -> None:
    """A restart lets nothing through."""
    names = [f"job-{n}" for n in range(10)]
    world.run(*names)
    world.view.relist()
    world.want(*names)
    world.want(names[9])
    held = world.store.prune_round().held
    assert len(held) == 9

    later = FleetView(desired=world.loader.nothing(), nomad=world.nomad, store=world.store, clock=world.clock)
    later.relist()
    later.replace(world.view.desired)
    assert world.store.prune_round().held == held
    assert all("nothing would be left" in later.scene(k).limited or later.scene(k).limited for k in held)


def test_corrections_open_the_circuit_of_their_key_alone(world: World) -> None:
    """Ten in five minutes; a new spec, or time, closes it."""
    world.want("web", "db")
    for _ in range(10):
        world.view.corrected(WEB)
    assert world.view.scene(WEB).circuit
    assert world.view.scene(DB).circuit == ""

    world.view.renewed(WEB)
    assert world.view.scene(WEB).circuit == ""
    for _ in range(10):
        world.view.corrected(WEB)
    world.clock.advance(300)
    assert world.view.scene(WEB).circuit == ""


# -- between threads ---------------------------------------------------------------------------------------------------


class _Trap(dict[Key, Any]):
    """Wishes that are replaced by a new snapshot as soon as somebody asks for one, once the trap is set."""

    spring: Callable[[], object] | None = None

    def get(self, key: Key, default: Any = None) -> Any:
        found = super().get(key, default)
        spring, self.spring = self.spring, None
        if spring is not None:
            spring()
        return found


def test_a_scene_is_of_one_snapshot(world: World) -> None:
    """A snapshot that arrives while a worker asks for a scene neither breaks nor mixes it."""
    world.want("web")
    empty = world.desired({})
    wanted = _Trap(world.view.desired.wanted)
    world.view.replace(replace(world.view.desired, wanted=wanted))
    wanted.spring = lambda: world.view.replace(empty)

    world.view.scene(WEB)


def test_a_touched_namespace_stays_touched_when_its_read_fails(world: World) -> None:
    """As a job does."""
    world.view.replace(world.desired({"n.yaml": NAMESPACE}))
    world.view.relist()
    world.nomad.spaces["team"] = {"Name": "team", "Meta": {STAMP: "f"}}
    world.view.touch([TEAM])
    world.nomad.fault = lambda name, key: Unavailable("away")
    with pytest.raises(NomadError):
        world.view.namespace(TEAM)
    world.nomad.fault = None

    assert world.view.namespace(TEAM) is not None
