"""What the loop does, behaviour by behaviour: specs and a Nomad in, a changed Nomad and statuses out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness import Harness, fleet_document, group, job_document
from herdsman.errors import Conflict, NomadError, Refused, Unavailable
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.observed import STAMP
from herdsman.model.plans import Action
from herdsman.model.sources import SourceFile
from herdsman.model.statuses import ConditionType, Truth

WEB, DB = job_key("default", "web"), job_key("default", "db")
MOVING = ("Version", "JobModifyIndex", "ModifyIndex")


def web(**body: Any) -> str:
    return job_document("web", **body)


def substance(harness: Harness, key: Key = WEB) -> dict[str, Any]:
    """A live job without what every write moves."""
    return {k: v for k, v in harness.nomad.jobs[key].body.items() if k not in MOVING}


@pytest.fixture
def one() -> Harness:
    """A fleet of one job, in sync and at rest."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": web()})
    harness.sync()
    assert harness.status(WEB).ready
    return harness


@pytest.fixture
def ten() -> Harness:
    """A fleet of ten jobs, in sync and at rest."""
    files: dict[str, str | bytes] = {f"{i}.yaml": job_document(f"job-{i}") for i in range(10)}
    harness = Harness(files | {"fleet.yaml": fleet_document()})
    harness.sync()
    return harness


# -- creating and changing ---------------------------------------------------------------------------------------------


def test_a_wanted_job_is_created_with_the_stamp_and_provenance() -> None:
    """A spec becomes a job that carries the fleet's stamp and, beside its version, where it comes from."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": web()})

    harness.sync()

    job = harness.nomad.jobs[WEB]
    assert job.body["Meta"] == {STAMP: "f"}
    assert (job.submissions[0].fleet, job.submissions[0].path) == ("f", "web.yaml")
    assert harness.reason(WEB) == "Healthy"


def test_nothing_that_varies_goes_into_meta(one: Harness) -> None:
    """No commit, path or digest is written into `Meta`: any change of it would replace every allocation."""
    one.files["moved.yaml"] = one.files.pop("web.yaml")
    one.files["moved.yaml"] = web(TaskGroups=[group(count=2)])

    one.sync()

    assert one.nomad.jobs[WEB].body["Meta"] == {STAMP: "f"}


def test_at_rest_nothing_is_written_and_only_listed(one: Harness) -> None:
    """A resync of a fleet in sync costs one list call and a look at the claim, and writes nothing."""
    one.nomad.calls.clear()

    wrote = one.writes_during(one.sync)

    assert wrote == []
    assert [name for name, _ in one.nomad.calls] == ["listing", "variable"]


@pytest.mark.parametrize(
    ("change", "restarts"),
    [
        ({"TaskGroups": [group(count=3)]}, 0),
        ({"Priority": 80}, 0),
        ({"Meta": {"a": "b"}}, 1),
        ({"Spreads": [{"Attribute": "${node.datacenter}", "Weight": 50}]}, 1),
    ],
    ids=["count", "priority", "meta", "spreads"],
)
def test_a_change_in_git_is_applied_once(one: Harness, change: dict[str, Any], restarts: int) -> None:
    """A changed spec is registered once, hidden from a plan or not, and replaces only what Nomad must replace."""
    one.files["web.yaml"] = web(**change)

    assert one.writes_during(one.sync) == [("register", WEB)]
    assert one.nomad.restarts(WEB) == restarts
    assert one.store.history(WEB)[0].reason == "SpecChanged"
    assert one.writes_during(one.sync) == []


def test_a_moved_file_changes_nothing(one: Harness) -> None:
    """Identity is not the file: moving it writes nothing, and the status follows."""
    one.files["elsewhere/renamed.yaml"] = one.files.pop("web.yaml")

    assert one.writes_during(one.sync) == []
    assert one.status(WEB).position.path == "elsewhere/renamed.yaml"


def test_a_lost_state_file_costs_reads_and_no_write(ten: Harness) -> None:
    """Without its state the operator learns everything from Nomad: two reads a job, no write."""
    ten.restart(lose_state=True)
    ten.nomad.calls.clear()

    assert ten.writes_during(ten.sync) == []
    assert sum(name in ("job", "provenance") for name, _ in ten.nomad.calls) == 20
    assert all(ten.status(k).ready for k in ten.nomad.jobs)


# -- drift ------------------------------------------------------------------------------------------------------------


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "count": lambda b: b["TaskGroups"][0].update(Count=5),
    "priority": lambda b: b.update(Priority=77),
    "env": lambda b: b["TaskGroups"][0]["Tasks"][0]["Env"].update(A="2"),
    "env added": lambda b: b["TaskGroups"][0]["Tasks"][0]["Env"].update(B="2"),
    "spreads, which a plan hides": lambda b: b.update(Spreads=[{"Attribute": "${node.datacenter}", "Weight": 50}]),
    "lifecycle, shown without a field": lambda b: b["TaskGroups"][0]["Tasks"][0].update(
        Lifecycle={"Hook": "poststart", "Sidecar": True}
    ),
    "stopped": lambda b: b.update(Stop=True),
    "meta added": lambda b: b["Meta"].update(x="y"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("lose_state", [False, True], ids=["state kept", "state lost"])
def test_what_somebody_else_changes_is_put_right(
    one: Harness, edit: Callable[[dict[str, Any]], object], lose_state: bool
) -> None:
    """An edit through the API is repaired, whether a plan shows it or not, and also when the state file is lost."""
    before = substance(one)
    one.nomad.foreign_edit(WEB, edit)
    if lose_state:
        one.restart(lose_state=True)

    one.sync()

    assert substance(one) == before
    assert one.writes_during(one.sync) == []


def test_a_purge_by_hand_is_put_right(one: Harness) -> None:
    """A job that somebody purged is created again."""
    one.nomad.foreign_purge(WEB)

    one.sync()

    assert WEB in one.nomad.jobs


def test_a_lost_stamp_is_drift_where_there_is_a_record(one: Harness) -> None:
    """Somebody registers the job without our stamp: our record still says whose it is, so it is put right."""
    one.nomad.foreign_edit(WEB, lambda b: b.update(Meta=None))

    one.sync()

    assert one.nomad.jobs[WEB].body["Meta"] == {STAMP: "f"}


def test_another_job_of_the_same_name_is_not_ours(one: Harness) -> None:
    """After a purge and a foreign register the record is of another job: the new one is nobody's, and stays."""
    body = {**one.nomad.jobs[WEB].body, "Meta": None, "Priority": 3}
    one.nomad.foreign_purge(WEB)
    one.nomad.foreign_register(body)

    assert one.writes_during(one.sync) == []
    assert one.reason(WEB) == "NotOwned"


def test_an_event_is_enough_to_put_things_right(one: Harness) -> None:
    """Between two resyncs a hint about the key is all it takes."""
    one.nomad.foreign_edit(WEB, EDITS["priority"])

    one.hint(WEB)
    one.work()

    assert one.nomad.jobs[WEB].body["Priority"] == 50


def test_drift_that_is_only_warned_of_is_held_and_told_once(one: Harness) -> None:
    """With `drift: warn` the live job stays, status says so, and the event is not repeated."""
    one.files["web.yaml"] = job_document("web", policy={"drift": "warn"})
    one.sync()
    one.nomad.foreign_edit(WEB, EDITS["priority"])

    assert one.writes_during(one.sync) == []
    assert one.reason(WEB) == "Drifted"
    told = len(one.events)
    one.sync()
    assert len(one.events) == told


def test_drift_off_looks_away(one: Harness) -> None:
    """With `drift: off` nothing is even read after a foreign edit."""
    one.files["web.yaml"] = job_document("web", policy={"drift": "off"})
    one.sync()
    one.nomad.foreign_edit(WEB, EDITS["priority"])
    one.nomad.calls.clear()

    one.sync()

    assert ("job", WEB) not in one.nomad.calls
    assert one.status(WEB).ready


@pytest.mark.parametrize("lose_state", [False, True], ids=["state kept", "state lost"])
def test_ignored_fields_keep_their_live_value(lose_state: bool) -> None:
    """An ignored path belongs to others: their value stays, also when Git changes something else."""
    policy = {"ignore": ["Priority", "TaskGroups[g].Tasks[t].Env[A]"]}
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web", policy=policy)})
    harness.sync()
    harness.nomad.foreign_edit(WEB, EDITS["priority"])
    harness.nomad.foreign_edit(WEB, EDITS["env"])
    if lose_state:
        harness.restart(lose_state=True)

    assert harness.writes_during(harness.sync) == []
    harness.files["web.yaml"] = job_document("web", policy=policy, TaskGroups=[group(count=4)])
    harness.sync()

    body = harness.nomad.jobs[WEB].body
    assert (body["Priority"], body["TaskGroups"][0]["Count"]) == (77, 4)
    assert body["TaskGroups"][0]["Tasks"][0]["Env"] == {"A": "2"}


def scaled(**policy: Any) -> str:
    groups = [group(Scaling={"Enabled": True, "Min": 1, "Max": 5})]
    return job_document("web", policy=policy or None, TaskGroups=groups)


def test_an_autoscaled_count_is_left_alone() -> None:
    """A `scaling` block causes no second version, and what the autoscaler sets stays, also through a change in Git."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": scaled()})
    harness.sync()
    assert harness.nomad.jobs[WEB].body["Version"] == 0
    assert harness.writes_during(harness.sync) == []

    harness.nomad.scale(WEB, 4)
    assert harness.writes_during(harness.sync) == []
    harness.restart(lose_state=True)
    assert harness.writes_during(harness.sync) == []

    changed = [group(count=1, Scaling={"Enabled": True, "Min": 1, "Max": 3})]
    harness.files["web.yaml"] = job_document("web", TaskGroups=changed)
    harness.sync()
    assert harness.nomad.jobs[WEB].body["TaskGroups"][0]["Count"] == 3, "clamped to the new maximum"


def test_a_count_from_git_is_forced_where_the_policy_says_so() -> None:
    """With `count: git` the autoscaler's count is drift; switching the policy over is enough to see it."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": scaled()})
    harness.sync()
    harness.nomad.scale(WEB, 4)
    harness.sync()

    harness.files["web.yaml"] = scaled(count="git")
    harness.sync()

    assert harness.nomad.jobs[WEB].body["TaskGroups"][0]["Count"] == 1


def test_a_respected_stop_stays_through_a_change_in_git() -> None:
    """With `stopped: respect` a job stopped by hand stays stopped, and Git's changes do not start it."""
    policy = {"stopped": "respect"}
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web", policy=policy)})
    harness.sync()
    harness.nomad.foreign_stop(WEB)

    assert harness.writes_during(harness.sync) == []
    assert harness.reason(WEB) == "Stopped"
    harness.files["web.yaml"] = job_document("web", policy=policy, Priority=61)
    harness.sync()
    assert (harness.nomad.jobs[WEB].body["Stop"], harness.nomad.jobs[WEB].body["Priority"]) == (True, 61)


def test_two_writers_that_fight_are_told_apart(one: Harness) -> None:
    """After ten corrections in five minutes the key is left alone and says so; a change in Git ends that."""
    for priority in range(10):
        one.nomad.foreign_edit(WEB, lambda b, p=priority: b.update(Priority=60 + p))  # type: ignore[misc]
        one.sync()
    one.nomad.foreign_edit(WEB, EDITS["priority"])

    assert one.writes_during(one.sync) == []
    assert one.reason(WEB) == "CircuitOpen"
    one.files["web.yaml"] = web(Priority=51)
    one.sync()
    assert one.nomad.jobs[WEB].body["Priority"] == 51


# -- ownership --------------------------------------------------------------------------------------------------------


@pytest.fixture
def foreign() -> Harness:
    """A job of a wanted name that somebody else made, equal to the spec."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": web()})
    harness.nomad.foreign_register({"ID": "web", "Name": "web", "Datacenters": ["dc1"], "TaskGroups": [group()]})
    return harness


def test_a_foreign_job_of_a_wanted_name_is_not_touched(foreign: Harness) -> None:
    """It is `NotOwned` until the policy says to adopt it."""
    assert foreign.writes_during(foreign.sync) == [("put_variable", "herdsman/fleets/f")]
    assert foreign.reason(WEB) == "NotOwned"


@pytest.mark.parametrize("adopt", ["if-equal", "always"])
def test_adopting_an_equal_job_writes_nothing(foreign: Harness, adopt: str) -> None:
    """Adoption is a record: no register, no restart, and the job is kept from then on."""
    foreign.files["web.yaml"] = job_document("web", policy={"adopt": adopt})
    foreign.sync()

    assert ("register", WEB) not in foreign.nomad.writes
    assert foreign.status(WEB).ready
    foreign.nomad.foreign_edit(WEB, EDITS["priority"])
    foreign.sync()
    assert foreign.nomad.jobs[WEB].body["Priority"] == 50
    assert foreign.nomad.jobs[WEB].body["Meta"] is None, "the stamp alone would replace every allocation"
    assert foreign.nomad.restarts(WEB) == 0


def test_the_stamp_comes_with_a_change_that_replaces_allocations_anyway(foreign: Harness) -> None:
    """An adopted job gets the stamp on the first update that is destructive for another reason."""
    foreign.files["web.yaml"] = job_document("web", policy={"adopt": "if-equal"})
    foreign.sync()
    changed = group()
    changed["Tasks"][0]["Env"] = {"A": "9"}
    foreign.files["web.yaml"] = job_document("web", policy={"adopt": "if-equal"}, TaskGroups=[changed])

    foreign.sync()

    assert foreign.nomad.jobs[WEB].body["Meta"] == {STAMP: "f"}
    assert foreign.nomad.restarts(WEB) == 1


def test_a_job_that_differs_is_adopted_only_by_always(foreign: Harness) -> None:
    """`if-equal` leaves a different job alone and says so; `always` takes it over and makes it equal."""
    foreign.files["web.yaml"] = job_document("web", policy={"adopt": "if-equal"}, Priority=61)
    foreign.sync()
    assert (foreign.reason(WEB), foreign.nomad.jobs[WEB].body["Priority"]) == ("NotOwned", 50)

    foreign.files["web.yaml"] = job_document("web", policy={"adopt": "always"}, Priority=61)
    foreign.sync()
    assert foreign.nomad.jobs[WEB].body["Priority"] == 61


def test_another_fleets_job_is_never_adopted(foreign: Harness) -> None:
    """A stamp is somebody's word; not even `adopt: always` overrules it."""
    foreign.nomad.foreign_edit(WEB, lambda b: b.update(Meta={STAMP: "other"}))
    foreign.files["web.yaml"] = job_document("web", policy={"adopt": "always"}, Priority=61)

    foreign.sync()

    assert foreign.reason(WEB) == "NotOwned"
    assert foreign.nomad.jobs[WEB].body["Priority"] == 50


def test_foreign_jobs_and_children_are_never_touched(one: Harness) -> None:
    """Jobs that no spec names are left alone, and so are children of periodic jobs, though they carry the stamp."""
    child = {"ID": "web/periodic-1", "Name": "x", "Type": "batch", "ParentID": "web", "TaskGroups": [group()]}
    one.nomad.foreign_register({**child, "Meta": {STAMP: "f"}})
    one.nomad.foreign_register({"ID": "web-2", "Name": "x", "TaskGroups": [group()]})

    assert one.writes_during(one.sync) == []


def test_two_operators_with_one_fleet_name_do_not_fight(one: Harness) -> None:
    """The same fleet name from another source writes nothing and says whose the name is."""
    second = Harness({"fleet.yaml": fleet_document(), "db.yaml": job_document("db")}, nomad=one.nomad)
    second.source = "dir:there"

    assert second.writes_during(second.sync) == []
    assert second.reason(DB) == "FleetConflict"
    assert WEB in one.nomad.jobs


# -- bad input --------------------------------------------------------------------------------------------------------


def test_a_syntax_error_hurts_nobody_else(ten: Harness) -> None:
    """The broken file's job lives on as it is, the others are reconciled, and file and line are said."""
    ten.files["3.yaml"] = "apiVersion: herdsman/v1\nkind: Job\n  spec: [\n"
    ten.files["4.yaml"] = job_document("job-4", Priority=61)
    ten.sync()

    assert job_key("default", "job-3") in ten.nomad.jobs
    assert ten.nomad.jobs[job_key("default", "job-4")].body["Priority"] == 61
    (rejection,) = ten.view.desired.rejections
    assert (rejection.position.path, rejection.position.line) == ("3.yaml", 3)
    assert ten.reason(job_key("default", "job-3")) == "DesiredIncomplete"


@pytest.mark.parametrize("lose_state", [False, True], ids=["state kept", "state lost"])
def test_a_job_that_moved_into_a_broken_file_is_not_purged(ten: Harness, lose_state: bool) -> None:
    """A file that nobody understands may declare every job that it names."""
    ten.files["all.yaml"] = str(ten.files.pop("5.yaml")) + "\n  broken: [\n"
    if lose_state:
        ten.restart(lose_state=True)

    ten.sync()

    assert job_key("default", "job-5") in ten.nomad.jobs


def test_a_file_that_cannot_be_read_holds_every_removal(ten: Harness) -> None:
    """Nobody knows what an unreadable file declares, so nothing is removed meanwhile."""
    del ten.files["5.yaml"]
    snapshot = ten.snapshot

    def unreadable() -> Any:
        found = snapshot()
        return replace(found, files={**found.files, "x.yaml": SourceFile("x.yaml", None, problem="permission denied")})

    ten.snapshot = unreadable  # type: ignore[method-assign]
    ten.sync()

    assert job_key("default", "job-5") in ten.nomad.jobs
    assert "x.yaml cannot be read" in (ten.status(job_key("default", "job-5")).conditions[ConditionType.SYNCED].message)


def test_two_files_with_one_job_reject_each_other(one: Harness) -> None:
    """Both are rejected, each names the other, and the live job stays as it is."""
    one.files["again.yaml"] = web(Priority=61)

    assert one.writes_during(one.sync) == []
    assert one.reason(WEB) == "Invalid"
    assert [r.position.path for r in one.view.desired.rejections] == ["again.yaml", "web.yaml"]
    assert "web.yaml" in one.view.desired.rejections[0].hint
    assert WEB in one.nomad.jobs


def test_a_refused_job_stalls_and_does_not_stop_the_others(one: Harness) -> None:
    """What Nomad refuses is not tried again and again; the next spec is."""
    one.nomad.fault = lambda name, key: Refused("1 error: bad", status=500) if (name, key) == ("register", DB) else None
    one.files["db.yaml"] = job_document("db")
    one.files["web.yaml"] = web(Priority=61)
    one.sync()

    assert one.status(DB).conditions[ConditionType.STALLED].status is Truth.TRUE
    assert one.nomad.jobs[WEB].body["Priority"] == 61
    one.nomad.fault = None
    one.files["db.yaml"] = job_document("db", Priority=51)
    one.sync()
    assert one.status(DB).ready


def test_a_broken_fleet_document_keeps_the_last_one(ten: Harness) -> None:
    """Name and limits of the fleet outlive a document that cannot be understood, or that is gone."""
    ten.files["fleet.yaml"] = "kind: Fleet\n  broken"

    assert ten.writes_during(ten.sync) == []
    assert ten.view.desired.fleet.name == "f"
    del ten.files["fleet.yaml"]
    assert ten.writes_during(ten.sync) == []
    assert all(ten.status(k).ready for k in ten.nomad.jobs)


def test_a_fleet_that_was_never_understood_writes_nothing() -> None:
    """Whose the jobs would be is unknown, so nothing is done."""
    harness = Harness({"fleet.yaml": "kind: Fleet\n  broken", "web.yaml": web()})

    assert ("register", WEB) not in harness.writes_during(harness.sync)
    assert harness.reason(WEB) == "FleetConflict"


# -- removing ---------------------------------------------------------------------------------------------------------


def test_an_unwanted_job_is_stopped_and_then_purged(ten: Harness) -> None:
    """Stop by compare-and-set comes first, the purge after another look."""
    del ten.files["3.yaml"]

    wrote = ten.writes_during(ten.sync)

    key = job_key("default", "job-3")
    assert wrote == [("stop", key), ("purge", key)]
    assert ten.store.status(key) is None
    assert ten.store.history(key)[0].action is Action.PURGE


def test_removals_wait_until_the_source_rests(ten: Harness) -> None:
    """A checkout under way may lack files for a moment: edits count at once, removals do not."""
    ten.settled = False
    del ten.files["3.yaml"]
    ten.files["4.yaml"] = job_document("job-4", Priority=61)

    ten.sync()
    assert job_key("default", "job-3") in ten.nomad.jobs
    assert ten.nomad.jobs[job_key("default", "job-4")].body["Priority"] == 61

    ten.settled = True
    ten.load()
    ten.work()
    assert job_key("default", "job-3") not in ten.nomad.jobs


@pytest.mark.parametrize("keep_fleet", [True, False], ids=["fleet document left", "all files gone"])
def test_all_files_gone_at_once_purges_nothing(ten: Harness, keep_fleet: bool) -> None:
    """An emptied source is held as a whole; approving lets single removals through, and only those."""
    ten.files = {"fleet.yaml": fleet_document()} if keep_fleet else {}

    assert ten.writes_during(ten.sync) == []
    assert {ten.reason(k) for k in ten.nomad.jobs} == {"PruneLimit"}

    for n in range(6):
        ten.operator.approve(job_key("default", f"job-{n}"), by="test")
    ten.sync()
    assert len(ten.nomad.jobs) == 4, "what was not approved stays held, though it is less than the limit now"
    ten.restart()
    assert ten.writes_during(ten.sync) == [], "and a restart forgets none of that"


def test_files_that_vanish_one_by_one_count_as_one_round(ten: Harness) -> None:
    """Within a minute, single removals add up to the limit; what is beyond it is held."""
    for n in range(9):
        del ten.files[f"{n}.yaml"]
        ten.sync()
        ten.clock.advance(1)

    assert len(ten.nomad.jobs) == 5


def test_the_prune_limit_is_the_fleets_to_set(ten: Harness) -> None:
    """`spec.prune` of the Fleet says how many may go at once."""
    ten.files = {"fleet.yaml": fleet_document(prune={"maxCount": 9}), "0.yaml": job_document("job-0")}

    ten.sync()

    assert set(ten.nomad.jobs) == {job_key("default", "job-0")}


@pytest.mark.parametrize(("policy", "expected"), [("stop", "stopped"), ("keep", "kept")])
@pytest.mark.parametrize("lose_state", [False, True], ids=["state kept", "state lost"])
def test_the_prune_policy_outlives_its_spec(ten: Harness, policy: str, expected: str, lose_state: bool) -> None:
    """`stop` only stops, `keep` leaves the job: as its spec last said, even when the state file is lost."""
    key = job_key("default", "job-3")
    ten.files["3.yaml"] = job_document("job-3", policy={"prune": policy}, Priority=52)
    ten.sync()
    del ten.files["3.yaml"]
    if lose_state:
        ten.restart(lose_state=True)

    ten.sync()
    ten.sync()

    assert ten.nomad.jobs[key].body["Stop"] is (expected == "stopped")
    assert ten.reason(key) == "Kept"


def test_a_purge_that_meets_a_change_looks_again(ten: Harness) -> None:
    """Somebody starts the job again between stop and purge: it is not purged on old evidence."""
    key = job_key("default", "job-3")
    del ten.files["3.yaml"]
    purge = ten.nomad.job

    def restarted(asked: Key) -> Any:
        if ten.nomad.writes[-1] == ("stop", key) and ("foreign", key) not in ten.nomad.writes:
            ten.nomad.writes.append(("foreign", key))
            ten.nomad.foreign_edit(key, lambda b: b.update(Stop=False))
        return purge(asked)

    ten.nomad.job = restarted  # type: ignore[method-assign]
    wrote = ten.writes_during(ten.sync)

    assert wrote == [("stop", key), ("foreign", key), ("stop", key), ("purge", key)]


def test_a_suspended_job_is_neither_changed_nor_removed(ten: Harness) -> None:
    """Suspended by its spec or by a person: hands off, and status says so."""
    by_spec, by_hand = job_key("default", "job-3"), job_key("default", "job-4")
    ten.files["3.yaml"] = job_document("job-3", policy={"suspend": True}, Priority=61)
    ten.operator.suspend(by_hand, suspended=True)
    ten.nomad.foreign_edit(by_hand, EDITS["priority"])

    assert ten.writes_during(ten.sync) == []
    assert ten.reason(by_spec) in ("Suspended", "Healthy")
    assert ten.status(by_spec).conditions[ConditionType.SUSPENDED].status is Truth.TRUE
    del ten.files["4.yaml"]
    assert ten.writes_during(ten.sync) == []
    ten.operator.suspend(by_hand, suspended=False)
    ten.sync()
    assert by_hand not in ten.nomad.jobs


# -- batch jobs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def batch() -> Harness:
    """A batch job that has finished."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": web(Type="batch")})
    harness.sync()
    harness.nomad.finish(WEB)
    harness.sync()
    return harness


def test_a_finished_batch_job_that_nomad_forgot_is_not_run_again(batch: Harness) -> None:
    """Missing is not drift when it ended with this digest; a changed spec runs it again."""
    batch.nomad.collect_garbage()

    assert batch.writes_during(batch.sync) == []
    assert batch.reason(WEB) == "Completed"
    assert batch.status(WEB).ready
    batch.files["web.yaml"] = web(Type="batch", Priority=61)
    batch.sync()
    assert WEB in batch.nomad.jobs


def test_a_finished_batch_job_runs_again_where_its_policy_says_always(batch: Harness) -> None:
    """`rerun: always` takes a forgotten job for a missing one."""
    batch.files["web.yaml"] = job_document("web", policy={"rerun": "always"}, Type="batch")
    batch.nomad.collect_garbage()

    batch.sync()

    assert WEB in batch.nomad.jobs


def test_a_finished_batch_job_is_in_sync(batch: Harness) -> None:
    """Dead and complete is how a batch job should be: nothing is written."""
    assert batch.writes_during(batch.sync) == []
    assert batch.reason(WEB) == "Completed"


# -- order and approval -----------------------------------------------------------------------------------------------


def test_a_job_waits_for_what_it_depends_on() -> None:
    """`dependsOn` holds a write until the other is Ready, and its becoming so is enough to go on."""
    harness = Harness(
        {
            "fleet.yaml": fleet_document(),
            "web.yaml": job_document("web", policy={"dependsOn": ["db"]}),
            "db.yaml": job_document("db"),
        }
    )
    harness.nomad.fault = lambda name, key: Refused("no", status=500) if (name, key) == ("register", DB) else None
    harness.sync()
    assert harness.reason(WEB) == "DependencyNotReady"
    assert harness.nomad.jobs == {}

    harness.nomad.fault = None
    harness.files["db.yaml"] = job_document("db", Priority=51)
    harness.load()
    harness.work()
    assert harness.status(WEB).ready
    assert [w for w in harness.nomad.writes if w[0] == "register"] == [("register", DB), ("register", WEB)]


def test_removals_go_the_other_way_round() -> None:
    """What others depended on goes after them."""
    files: dict[str, str | bytes] = {
        "fleet.yaml": fleet_document(),
        "a.yaml": job_document("web", policy={"dependsOn": ["db"]}),
        "b.yaml": job_document("db"),
        "c.yaml": job_document("stays"),
    }
    harness = Harness(files)
    harness.sync()
    del harness.files["a.yaml"], harness.files["b.yaml"]

    wrote = harness.writes_during(harness.sync)

    assert wrote == [("stop", WEB), ("purge", WEB), ("stop", DB), ("purge", DB)]


def test_a_circle_of_dependencies_is_refused() -> None:
    """Every spec in the circle is rejected with the circle in words; the others go on."""
    harness = Harness(
        {
            "fleet.yaml": fleet_document(),
            "a.yaml": job_document("a", policy={"dependsOn": ["b"]}),
            "b.yaml": job_document("b", policy={"dependsOn": ["a"]}),
            "web.yaml": web(),
        }
    )
    harness.sync()

    assert harness.status(WEB).ready
    assert harness.reason(job_key("default", "a")) == "Invalid"
    assert all("lead back to itself" in r.message for r in harness.view.desired.rejections)


NAMESPACE = "apiVersion: herdsman/v1\nkind: Namespace\nmetadata: {name: team}\nspec: {description: ours}\n"


def test_a_namespace_comes_before_its_jobs_and_goes_after_them() -> None:
    """Jobs depend on the `Namespace` that they live in without saying so."""
    inside = job_key("team", "inside")
    files: dict[str, str | bytes] = {
        "fleet.yaml": fleet_document(),
        "job.yaml": job_document("inside", namespace="team"),
        "ns.yaml": NAMESPACE,
        "web.yaml": web(),
    }
    harness = Harness(files)
    harness.sync()
    assert harness.status(inside).ready
    assert harness.nomad.spaces["team"]["Meta"] == {STAMP: "f"}
    assert harness.writes_during(harness.sync) == []

    del harness.files["job.yaml"], harness.files["ns.yaml"]
    wrote = harness.writes_during(harness.sync)
    assert wrote == [("stop", inside), ("purge", inside), ("delete_namespace", namespace_key("team"))]


def test_a_namespace_with_somebody_elses_job_is_not_removed() -> None:
    """Nomad would delete it; Herdsman waits until nothing lives in it."""
    harness = Harness({"fleet.yaml": fleet_document(), "ns.yaml": NAMESPACE, "web.yaml": web()})
    harness.sync()
    harness.nomad.foreign_register({"ID": "x", "Name": "x", "Namespace": "team", "TaskGroups": [group()]})
    del harness.files["ns.yaml"]

    harness.sync()

    assert "team" in harness.nomad.spaces
    assert harness.reason(namespace_key("team")) == "DependencyNotReady"


def test_a_foreign_namespace_is_not_touched() -> None:
    """Only what carries the stamp is written; what others set in it stays."""
    harness = Harness({"fleet.yaml": fleet_document(), "ns.yaml": NAMESPACE})
    harness.nomad.spaces["team"] = {"Name": "team", "Description": "theirs", "Meta": None, "Quota": "q"}
    harness.sync()
    assert harness.reason(namespace_key("team")) == "NotOwned"

    harness.files["ns.yaml"] = NAMESPACE.replace("spec: {", "spec: {policy: {adopt: always}, ")
    harness.sync()
    expected = {"Name": "team", "Description": "ours", "Meta": {STAMP: "f"}, "Quota": "q"}
    assert harness.nomad.spaces["team"] == expected


def test_a_destructive_update_waits_for_approval() -> None:
    """`destructive: approve` holds what replaces allocations, says how many, and lets it through once approved."""
    policy = {"destructive": "approve"}
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web", policy=policy)})
    harness.sync()
    harness.files["web.yaml"] = job_document("web", policy=policy, Meta={"a": "b"})

    assert harness.writes_during(harness.sync) == []
    assert harness.reason(WEB) == "NeedsApproval"
    assert "1 replaced" in harness.status(WEB).conditions[ConditionType.SYNCED].message
    harness.operator.approve(WEB, by="me")
    assert harness.nomad.jobs[WEB].body["Meta"] == {STAMP: "f", "a": "b"}
    harness.files["web.yaml"] = job_document("web", policy=policy, Meta={"a": "c"})
    assert harness.writes_during(harness.sync) == [], "an approval is used up"


def test_an_update_in_place_needs_no_approval() -> None:
    """A count changes nothing that runs."""
    policy = {"destructive": "approve"}
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web", policy=policy)})
    harness.sync()
    harness.files["web.yaml"] = job_document("web", policy=policy, TaskGroups=[group(count=3)])

    harness.sync()

    assert harness.nomad.jobs[WEB].body["TaskGroups"][0]["Count"] == 3


def test_a_destructive_update_waits_for_its_window() -> None:
    """`destructive: window` holds until the Fleet's window opens, and says when that is."""
    policy, windows = {"destructive": "window"}, [{"schedule": "0 14 * * *", "duration": "1h"}]
    harness = Harness({"fleet.yaml": fleet_document(windows=windows), "web.yaml": job_document("web", policy=policy)})
    harness.sync()
    harness.files["web.yaml"] = job_document("web", policy=policy, Meta={"a": "b"})
    harness.sync()
    assert harness.reason(WEB) == "OutsideWindow"
    assert "T14:00" in harness.status(WEB).conditions[ConditionType.SYNCED].message

    harness.clock.advance(2 * 3600 + 60)
    harness.sync()
    assert harness.status(WEB).ready


# -- auto_revert ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lose_state", [False, True], ids=["state kept", "state lost"])
def test_a_digest_that_nomad_reverted_is_not_tried_again(one: Harness, lose_state: bool) -> None:
    """After auto_revert the live job differs from Git on purpose: it is held until the spec changes or is approved."""
    changed = group(Update={"MaxParallel": 1, "AutoRevert": True})
    one.files["web.yaml"] = web(TaskGroups=[changed], Priority=61)
    one.sync()
    one.nomad.revert(WEB, 0)
    if lose_state:
        one.restart(lose_state=True)

    assert one.writes_during(one.sync) == []
    assert one.reason(WEB) == "RevertedByNomad"
    assert one.writes_during(one.sync) == []
    one.files["web.yaml"] = web(TaskGroups=[changed], Priority=62)
    one.sync()
    assert one.nomad.jobs[WEB].body["Priority"] == 62


def test_a_reverted_digest_can_be_approved(one: Harness) -> None:
    """A person may say: try it once more."""
    one.files["web.yaml"] = web(Priority=61)
    one.sync()
    one.nomad.revert(WEB, 0)
    one.sync()

    one.operator.approve(WEB, by="me")

    assert one.nomad.jobs[WEB].body["Priority"] == 61


# -- a broken world ---------------------------------------------------------------------------------------------------

READS = ("listing", "job", "provenance", "plan", "stub", "variable", "deployments", "namespaces")
WRITES = ("register", "stop", "purge", "put_variable", "put_namespace", "delete_namespace")


@pytest.mark.parametrize("call", [*READS, *WRITES])
@pytest.mark.parametrize("trouble", ["unavailable", "conflict", "lost"])
def test_one_failure_anywhere_is_survived(call: str, trouble: str) -> None:
    """One error, one conflict or one lost answer at any call: the fleet converges, and nothing is done twice."""
    files: dict[str, str | bytes] = {
        "fleet.yaml": fleet_document(),
        "ns.yaml": NAMESPACE,
        "inside.yaml": job_document("inside", namespace="team"),
        "web.yaml": web(),
        "db.yaml": job_document("db"),
        "gone.yaml": job_document("gone"),
    }
    harness = Harness(files)
    harness.sync()
    harness.files["web.yaml"] = web(Priority=61)
    harness.nomad.foreign_edit(DB, EDITS["priority"])
    del harness.files["gone.yaml"], harness.files["inside.yaml"], harness.files["ns.yaml"]
    harness.files["new.yaml"] = job_document("new")
    left = [1]

    def fault(name: str, key: Key | None) -> NomadError | str | None:
        if name != call or not left:
            return None
        left.pop()
        return {"unavailable": Unavailable("HTTP 500"), "conflict": Conflict("stale"), "lost": "lost"}[trouble]

    harness.nomad.fault = fault
    made = harness.writes_during(harness.sync)

    assert harness.nomad.jobs[WEB].body["Priority"] == 61
    assert harness.nomad.jobs[DB].body["Priority"] == 50
    assert set(harness.nomad.jobs) == {WEB, DB, job_key("default", "new")}
    assert "team" not in harness.nomad.spaces
    assert len(made) == len(set(made)), "nothing is done twice"
    assert all(harness.status(k).ready for k in harness.nomad.jobs)
    assert harness.writes_during(harness.sync) == []


def test_status_tells_the_truth_while_nomad_is_away(one: Harness) -> None:
    """A look that fails leaves Ready unknown, not true."""
    one.nomad.fault = lambda name, key: Unavailable("connection refused") if name in ("job", "stub") else None
    one.nomad.foreign_edit(WEB, EDITS["priority"])
    one.view.relist()
    one.queue.add(WEB)
    item = one.queue.get(timeout=0)
    assert item is not None
    one.worker.work(item)
    one.queue.done(WEB)

    ready = one.status(WEB).conditions[ConditionType.READY]
    assert (ready.status, ready.reason) == (Truth.UNKNOWN, "Unavailable")
