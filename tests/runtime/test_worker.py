"""One look after another: what the worker makes of errors, bugs and a state file that fails, and whom it wakes."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness import Harness, fleet_document, group, job_document
from herdsman.errors import Conflict, NomadError, Refused, StoreError, Unavailable
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.observed import STAMP, Counts, JobStub
from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import ConditionType, ErrorClass, Outcome, Truth
from herdsman.runtime.workqueue import Priority
from twin import Job, NomadTwin

WEB, DB, TEAM = job_key("default", "web"), job_key("default", "db"), namespace_key("team")
NAMESPACE = "apiVersion: herdsman/v1\nkind: Namespace\nmetadata: {name: team}\nspec: {description: ours}\n"


def two() -> Harness:
    """A fleet of two jobs that nobody has looked at yet."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web"), "db.yaml": job_document("db")})
    harness.load()
    harness.relist()
    return harness


@pytest.fixture
def fresh() -> Harness:
    """Two jobs that nobody has looked at yet."""
    return two()


@pytest.fixture
def rest() -> Harness:
    """Two jobs, in sync and at rest."""
    harness = two()
    harness.work()
    assert harness.status(WEB).ready
    return harness


def fleet_of(files: dict[str, str | bytes], nomad: NomadTwin | None = None) -> Harness:
    """A fleet in sync and at rest."""
    harness = Harness({"fleet.yaml": fleet_document(), **files}, nomad=nomad)
    harness.sync()
    return harness


def one_look(harness: Harness, key: Key) -> Outcome:
    """Look at *key* once, whatever else is due."""
    harness.queue.add(key, Priority.USER)
    while (item := harness.queue.get(timeout=0)) is not None:
        if item.key == key:
            outcome = harness.worker.work(item)
            harness.queue.done(key)
            return outcome
        harness.queue.done(item.key)
    raise AssertionError(f"{key} is not in the queue")


def only(call: str, error: Exception, *, key: Key | None = None, times: int | None = None) -> Callable[..., Any]:
    """A fault at one call, for one key or for any, a number of times or always."""
    left = [times]

    def fault(name: str, asked: Key | None) -> NomadError | None:
        if name != call or (key is not None and asked != key) or left[0] == 0:
            return None
        if left[0] is not None:
            left[0] -= 1
        assert isinstance(error, NomadError)
        return error

    return fault


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.002)


def broken(*_: object, **__: object) -> Any:
    raise RuntimeError("a bug")


def sample(harness: Harness, name: str, **labels: str) -> float:
    found = harness.metrics.registry.get_sample_value(name, labels)
    assert found is not None
    return found


# -- bugs --------------------------------------------------------------------------------------------------------------


def test_a_bug_in_one_look_is_told_and_others_go_on(fresh: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes `InternalError`, is counted, backs off, and shows no traceback to a reader."""
    plan = fresh.nomad.register

    def register(key: Key, *args: Any, **more: Any) -> Any:
        return broken() if key == WEB else plan(key, *args, **more)

    monkeypatch.setattr(fresh.nomad, "register", register)
    outcome = one_look(fresh, WEB)
    fresh.queue.add(DB)
    fresh.work()

    assert (outcome.reason, outcome.error) == (Reason.INTERNAL_ERROR, ErrorClass.BUG)
    assert "RuntimeError" in outcome.message
    assert "Traceback" not in outcome.message
    assert fresh.status(WEB).conditions[ConditionType.READY].status is Truth.UNKNOWN
    assert sample(fresh, "herdsman_reconcile_errors_total", **{"class": "bug"}) >= 1
    assert DB in fresh.nomad.jobs


@pytest.mark.parametrize("where", ["view.scene", "faces.tell", "store.status"])
def test_a_bug_beside_the_look_is_survived(fresh: Harness, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks while a key is in hand is that key's error: it backs off, and the worker's thread lives on."""
    part, name = where.split(".")
    monkeypatch.setattr(getattr(fresh, part), name, broken)
    thread = threading.Thread(target=fresh.worker.run, daemon=True)
    thread.start()

    wait_until(lambda: fresh.queue.depth().delayed == 2 and not fresh.queue.depth().processing)

    assert thread.is_alive()
    fresh.queue.close()
    thread.join(5)


# -- the state file ----------------------------------------------------------------------------------------------------


def full(*_: object, **__: object) -> Any:
    raise StoreError("the state file cannot be written: disk full", hint="is the disk full?")


def test_a_status_that_cannot_be_kept_is_looked_at_again(fresh: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look is done and nothing is lost: in five seconds it is done again, and finds its own write."""
    monkeypatch.setattr(fresh.store, "put_status", full)
    outcome = one_look(fresh, WEB)
    assert outcome.wrote

    assert fresh.queue.next_due() == 5.0
    monkeypatch.undo()
    wrote = fresh.writes_during(fresh.work)
    assert ("register", WEB) not in wrote
    assert fresh.status(WEB).ready


def test_evidence_that_cannot_be_kept_is_no_bug(fresh: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is said to be a full disk, with what to do about it."""
    monkeypatch.setattr(fresh.store, "remember", full)

    outcome = one_look(fresh, WEB)

    assert outcome.error is not ErrorClass.BUG
    assert "disk" in outcome.message


# -- what happens next -------------------------------------------------------------------------------------------------


def test_a_conflict_is_looked_at_again_at_once(rest: Harness) -> None:
    """Somebody was faster: the list is old, so the job is read anew."""
    rest.nomad.foreign_edit(WEB, lambda b: b.update(Priority=60))
    rest.view.touch([WEB])
    rest.nomad.fault = only("register", Conflict("stale"), times=1)

    assert one_look(rest, WEB).error is ErrorClass.CONFLICT
    assert rest.queue.depth().dirty == 1
    rest.work()
    assert rest.nomad.jobs[WEB].body["Priority"] == 50
    assert rest.status(WEB).failures == 0


def test_conflicts_without_end_back_off(rest: Harness) -> None:
    """Three times at once, then with growing waits."""
    rest.nomad.foreign_edit(WEB, lambda b: b.update(Priority=60))
    rest.view.touch([WEB])
    rest.nomad.fault = only("register", Conflict("stale"))
    for _ in range(4):
        assert one_look(rest, WEB).error is ErrorClass.CONFLICT

    wait = rest.queue.next_due()
    assert wait is not None
    assert 4.0 <= wait <= 8.0


def test_a_passing_failure_backs_off_and_is_forgotten_by_success(fresh: Harness) -> None:
    """Each failure waits longer; a success begins anew."""
    fresh.nomad.fault = only("register", Unavailable("away"), key=WEB)
    waits = []
    for _ in range(4):
        fresh.queue.forget(DB)
        one_look(fresh, WEB)
        waits.append(fresh.queue.next_due() or 0.0)
        fresh.clock.advance(waits[-1])
    assert [0.5 * 2**n <= wait <= 2.0**n for n, wait in enumerate(waits)] == [True] * 4

    fresh.nomad.fault = None
    one_look(fresh, WEB)
    assert fresh.queue.fail(WEB) == 1


def test_a_retry_interval_of_the_spec_is_heeded() -> None:
    """It says itself how often a passing failure is tried again."""
    spec = job_document("web", policy={"retryInterval": "90s"})
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": spec})
    harness.load()
    harness.relist()
    harness.nomad.fault = only("register", Unavailable("away"))

    one_look(harness, WEB)

    assert harness.queue.next_due() == 90.0


def test_what_nomad_says_about_coming_back_is_heeded(fresh: Harness) -> None:
    """A 429 names its time."""
    fresh.nomad.fault = only("register", Unavailable("slow down", status=429, retry_after=120.0))

    one_look(fresh, WEB)

    assert fresh.queue.next_due() == 120.0


def test_what_progresses_is_watched(fresh: Harness) -> None:
    """Five seconds after a write it is looked at again, without an event."""
    outcome = one_look(fresh, WEB)

    assert outcome.wrote
    assert fresh.queue.next_due() == 5.0


def test_after_a_write_the_job_is_read_anew(fresh: Harness) -> None:
    """What was listed of it is old."""
    one_look(fresh, WEB)
    fresh.nomad.calls.clear()

    one_look(fresh, WEB)

    assert ("stub", WEB) in fresh.nomad.calls


def test_becoming_ready_wakes_those_who_wait() -> None:
    """Without a resync and without a timer."""
    files: dict[str, str | bytes] = {
        "fleet.yaml": fleet_document(),
        "web.yaml": job_document("web", policy={"dependsOn": ["db"]}),
        "db.yaml": job_document("db"),
    }
    harness = Harness(files)
    harness.load()
    harness.relist()
    assert one_look(harness, WEB).reason is Reason.DEPENDENCY_NOT_READY
    one_look(harness, DB)
    one_look(harness, DB)

    item = harness.queue.get(timeout=0)
    assert item is not None
    assert item.key == WEB


def test_a_removal_wakes_those_who_wait_for_it() -> None:
    """What others depended on goes right after them."""
    harness = fleet_of(
        {
            "web.yaml": job_document("web", policy={"dependsOn": ["db"]}),
            "db.yaml": job_document("db"),
            "stays.yaml": job_document("stays"),
        }
    )
    del harness.files["web.yaml"], harness.files["db.yaml"]
    harness.load()
    assert one_look(harness, DB).reason is Reason.DEPENDENCY_NOT_READY
    assert one_look(harness, WEB).action is Action.PURGE

    item = harness.queue.get(timeout=0)
    assert item is not None
    assert item.key == DB


def test_what_is_gone_leaves_its_history_and_nothing_else(rest: Harness) -> None:
    """No status, no evidence, no series; its story can still be read."""
    del rest.files["web.yaml"]
    rest.sync()

    assert rest.store.status(WEB) is None
    assert not rest.store.memory(WEB).known
    assert [r.action for r in rest.store.history(WEB)] == [Action.PURGE, Action.CREATE]


def test_a_write_that_failed_is_counted(fresh: Harness) -> None:
    """`herdsman_actions_total{result="error"}` is there from the first second, and counts."""
    fresh.nomad.fault = only("register", Refused("no such driver", status=500))

    one_look(fresh, WEB)

    assert sample(fresh, "herdsman_actions_total", action="create", result="error") == 1


def test_many_workers_share_the_work() -> None:
    """In real threads every key is looked at, each by one at a time, and the fleet converges."""
    files: dict[str, str | bytes] = {f"{n}.yaml": job_document(f"job-{n}") for n in range(40)}
    harness = Harness(files | {"fleet.yaml": fleet_document()})
    harness.load()
    harness.relist()
    threads = [threading.Thread(target=harness.worker.run, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(harness.nomad.jobs) == 40 and not harness.queue.depth().processing)
    harness.queue.close()
    for thread in threads:
        thread.join(5)

    assert not any(t.is_alive() for t in threads)
    assert sorted(harness.nomad.writes[1:]) == sorted(("register", k) for k in harness.nomad.jobs)
    assert len(harness.nomad.jobs) == 40


# -- errors and waits -----------------------------------------------------------------------------


def test_what_nomad_refused_is_not_tried_again_at_every_resync(fresh: Harness) -> None:
    """Stalled means: no attempt until the spec or the permission changes, but for a slow probe every ten minutes."""
    fresh.nomad.fault = only("register", Refused("no such driver", status=500), key=WEB)
    fresh.work()
    tried = fresh.nomad.calls.count(("register", WEB))
    for _ in range(3):
        fresh.clock.advance(60)
        fresh.relist()
        fresh.work()

    assert fresh.nomad.calls.count(("register", WEB)) == tried


def test_a_new_digest_begins_its_waits_anew(fresh: Harness) -> None:
    """What failed for an hour with the old spec may work at once with the new one."""
    fresh.nomad.fault = only("register", Unavailable("away"), key=WEB)
    for _ in range(8):
        one_look(fresh, WEB)
    fresh.clock.advance(300)
    fresh.files["web.yaml"] = job_document("web", Priority=60)
    fresh.load()

    one_look(fresh, WEB)

    wait = fresh.queue.next_due()
    assert wait is not None
    assert wait <= 1.0


def test_two_writers_of_a_namespace_are_told_apart() -> None:
    """A fight over a namespace ends as one over a job does."""
    harness = fleet_of({"ns.yaml": NAMESPACE, "web.yaml": job_document("web")})
    for n in range(12):
        harness.nomad.spaces["team"]["Description"] = f"theirs {n}"
        harness.sync()

    assert harness.reason(TEAM) == "CircuitOpen"


# -- sameness -------------------------------------------------------------------------------------


def test_a_register_that_changed_nothing_is_not_repeated() -> None:
    """Writing down a default changes nothing in Nomad: one register tells, ten more and an open circuit are a fault."""
    spreads = [{"Attribute": "${node.datacenter}"}]
    harness = fleet_of({"web.yaml": job_document("web", Spreads=spreads)})
    harness.files["web.yaml"] = job_document("web", Spreads=spreads, Priority=50)

    wrote = harness.writes_during(harness.sync)

    assert len(wrote) <= 1
    assert harness.status(WEB).ready


def test_drift_off_looks_away_also_with_a_lost_state() -> None:
    """What somebody else did stays, whatever is remembered."""
    harness = fleet_of({"web.yaml": job_document("web", policy={"drift": "off"})})
    harness.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))
    harness.restart(lose_state=True)

    assert harness.writes_during(harness.sync) == []


def test_drift_that_is_only_warned_of_is_held_also_with_a_lost_state() -> None:
    """A register without a submission inherits that of version 0: no proof that Git changed anything."""
    policy = {"drift": "warn"}
    harness = fleet_of({"web.yaml": job_document("web", policy=policy)})
    harness.files["web.yaml"] = job_document("web", policy=policy, Priority=60)
    harness.sync()
    harness.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))
    harness.restart(lose_state=True)

    assert harness.writes_during(harness.sync) == []
    assert harness.reason(WEB) == "Drifted"


def test_a_count_is_put_right_where_scaling_is_switched_off() -> None:
    """No autoscaler owns it."""
    groups = [group(Scaling={"Enabled": False, "Min": 1, "Max": 9})]
    harness = fleet_of({"web.yaml": job_document("web", TaskGroups=groups)})
    harness.nomad.foreign_edit(WEB, lambda b: b["TaskGroups"][0].update(Count=4))

    harness.sync()

    assert harness.nomad.jobs[WEB].body["TaskGroups"][0]["Count"] == 1


def test_a_revert_of_long_ago_is_not_taken_for_one_of_today() -> None:
    """The digest was reverted, then approved and deployed well: an edit by hand is drift again."""
    harness = fleet_of({"web.yaml": job_document("web")})
    harness.files["web.yaml"] = job_document("web", Priority=61)
    harness.sync()
    harness.nomad.revert(WEB, 0)
    harness.sync()
    harness.operator.approve(WEB, by="me")
    assert harness.status(WEB).ready
    harness.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))

    harness.sync()

    assert harness.nomad.jobs[WEB].body["Priority"] == 61


def test_the_stamp_is_not_added_alone_to_a_job_that_was_just_adopted() -> None:
    """Somebody edits the job right after it was taken over: putting that right replaces no allocation."""
    files: dict[str, str | bytes] = {
        "fleet.yaml": fleet_document(),
        "web.yaml": job_document("web", policy={"adopt": "always"}, Priority=61),
    }
    harness = Harness(files)
    harness.nomad.foreign_register({"ID": "web", "Name": "web", "Datacenters": ["dc1"], "TaskGroups": [group()]})
    harness.load()
    harness.relist()
    assert one_look(harness, WEB).wrote
    harness.nomad.foreign_edit(WEB, lambda b: b.update(Priority=33))

    harness.work()

    assert harness.nomad.jobs[WEB].body["Priority"] == 61
    assert harness.nomad.restarts(WEB) == 0


# -- jobs that end, or that Nomad forgets ---------------------------------------------------------


class Ending(NomadTwin):
    """A twin whose batch jobs may end badly, and whose services may lose an allocation."""

    ends: Counts | None = None

    def _stub(self, key: Key, job: Job) -> JobStub:
        stub = super()._stub(key, job)
        return stub if self.ends is None else replace(stub, counts=self.ends)


@pytest.mark.parametrize(
    "ends", [Counts(failed=1), Counts(failed=1, complete=1)], ids=["failed", "second attempt succeeded"]
)
def test_a_batch_job_that_ended_is_not_run_again_once_nomad_forgets_it(ends: Counts) -> None:
    """Missing is no drift when it ran to its end with this digest: else it runs again every few hours."""
    nomad = Ending()
    harness = fleet_of({"web.yaml": job_document("web", Type="batch")}, nomad)
    nomad.ends = ends
    nomad.finish(WEB)
    harness.sync()
    nomad.collect_garbage()

    assert harness.writes_during(harness.sync) == []


def test_a_respected_stop_outlives_the_garbage_collection() -> None:
    """Somebody stopped the job, and the policy respects that: four hours later Nomad forgets it, and it must not start
    again by itself."""
    harness = fleet_of({"web.yaml": job_document("web", policy={"stopped": "respect"})})
    harness.nomad.foreign_stop(WEB)
    harness.sync()
    harness.nomad.collect_garbage()

    assert harness.writes_during(harness.sync) == []


def test_an_allocation_that_is_replaced_today_is_in_progress() -> None:
    """It is not late by a day: `healthTimeout` is how long a change may take to become healthy."""
    nomad = Ending()
    harness = fleet_of({"web.yaml": job_document("web", TaskGroups=[group(count=2)])}, nomad)
    assert harness.status(WEB).ready
    harness.clock.advance(86_400)
    nomad.ends = Counts(running=1, starting=1)
    harness.relist()

    one_look(harness, WEB)

    assert harness.reason(WEB) == "Progressing"


def test_a_job_that_ran_out_of_time_stays_so() -> None:
    """Until it is healthy or changed: a verdict that lasts for one look is an alarm every ten minutes."""
    nomad = Ending()
    harness = fleet_of({"web.yaml": job_document("web", TaskGroups=[group(count=2)])}, nomad)
    nomad.ends = Counts(running=1, starting=1)
    harness.relist()
    one_look(harness, WEB)
    assert harness.reason(WEB) == "Progressing"
    harness.clock.advance(601)
    one_look(harness, WEB)
    assert harness.reason(WEB) == "HealthTimeout"

    harness.clock.advance(60)
    one_look(harness, WEB)

    assert harness.reason(WEB) == "HealthTimeout"


# -- whose the jobs are ---------------------------------------------------------------------------


def test_a_first_checkout_under_way_writes_nothing_without_its_fleet() -> None:
    """Jobs that get the stamp of another fleet are never this fleet's again."""
    harness = Harness({"web.yaml": job_document("web")})
    harness.settled = False
    harness.sync()
    harness.files["fleet.yaml"] = fleet_document()
    harness.settled = True
    harness.sync()

    assert harness.nomad.jobs[WEB].body["Meta"] == {STAMP: "f"}
    assert harness.status(WEB).ready


def test_raising_the_limit_lets_removals_through() -> None:
    """The message of a hold is true."""
    files: dict[str, str | bytes] = {f"{n}.yaml": job_document(f"job-{n}") for n in range(10)}
    harness = fleet_of(files)
    for n in range(7):
        del harness.files[f"{n}.yaml"]
    harness.sync()
    key = job_key("default", "job-0")
    assert "raise spec.prune of the Fleet" in harness.status(key).conditions[ConditionType.SYNCED].message
    harness.files["fleet.yaml"] = fleet_document(prune={"maxCount": 9})

    harness.sync()

    assert len(harness.nomad.jobs) == 3


def test_what_is_held_stays_held_through_a_restart() -> None:
    """Neither a new process nor the next list lets it through."""
    files: dict[str, str | bytes] = {f"{n}.yaml": job_document(f"job-{n}") for n in range(10)}
    harness = fleet_of(files)
    for n in range(7):
        del harness.files[f"{n}.yaml"]
    harness.sync()
    harness.clock.advance(3600)
    harness.restart()

    assert harness.writes_during(harness.sync) == []
    assert harness.reason(job_key("default", "job-0")) == "PruneLimit"


# -- locks -------------------------------------------------------------------------------------------------------------


def test_a_worker_and_a_list_do_not_wait_for_each_other(fresh: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tells what came of a look while the other asks which keys there are: both come to an end."""
    telling, listing = threading.Event(), threading.Event()
    tell, memories = fresh.faces.tell, fresh.store.memories

    def slow_tell(*args: Any, **more: Any) -> None:
        telling.set()
        listing.wait(2)
        tell(*args, **more)

    def slow_memories() -> Any:
        listing.set()
        telling.wait(2)
        return memories()

    monkeypatch.setattr(fresh.faces, "tell", slow_tell)
    monkeypatch.setattr(fresh.store, "memories", slow_memories)
    threads = [
        threading.Thread(target=lambda: one_look(fresh, WEB), daemon=True),
        threading.Thread(target=fresh.view.all_keys, daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1.0)

    assert not any(t.is_alive() for t in threads)
