"""What should change: service and batch jobs compared with their allocations."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnomad.scheduler.worlds import NOW, Cluster, sized, wants
from devnomad.support import NEVER_RESCHEDULE, SECOND, group, task
from herdsman.devnomad.clock import rfc3339
from herdsman.devnomad.scheduler import reschedule
from herdsman.devnomad.scheduler.names import index_of
from herdsman.devnomad.scheduler.process import blocked_eval

OTHER = {"Tasks": [task(Config={"run_for": "2h"})]}
AT_ONCE = {"Attempts": 1, "Interval": 3600 * SECOND, "Delay": 0, "DelayFunction": "constant", "Unlimited": False}
LATER = AT_ONCE | {"Delay": 30 * SECOND}


def _cluster(nodes: int = 3, count: int = 3, **more: Any) -> Cluster:
    """A job that runs."""
    return (
        Cluster([sized(n, cpu=100_000, memory=100_000) for n in range(nodes)])
        .register(group(count=count, **more))
        .run()
    )


# -- counts --------------------------------------------------------------------------------------------------------
def test_a_new_job_is_placed() -> None:
    """All allocations are placed, in a deployment, numbered from zero."""
    cluster = Cluster([sized()]).register(group(count=3))
    plan = cluster.plan()

    assert wants(plan) == {"Place": 3}
    assert sorted(index_of(each["Name"]) for each in plan.placements) == [0, 1, 2]
    assert plan.deployment is not None
    assert plan.deployment["TaskGroups"]["g"]["DesiredTotal"] == 3
    assert {each["DeploymentID"] for each in plan.placements} == {plan.deployment["ID"]}


def test_what_is_as_it_should_be_is_left_alone() -> None:
    """A second look changes nothing."""
    plan = _cluster().plan()

    assert wants(plan) == {"Ignore": 3}
    assert plan.empty or plan.deployment_updates


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"count": 5}, {"InPlaceUpdate": 3, "Place": 2}),
        ({"count": 1}, {"InPlaceUpdate": 1, "Stop": 2}),
        ({"count": 0}, {"Stop": 3}),
        ({"count": 3, "RestartPolicy": {"Attempts": 9}}, {"InPlaceUpdate": 3}),
        ({"count": 3, **OTHER}, {"DestructiveUpdate": 1, "Ignore": 2}),
        ({"count": 3, "Update": {"MaxParallel": 2}, **OTHER}, {"DestructiveUpdate": 2, "Ignore": 1}),
        ({"count": 3, "Update": {"MaxParallel": 0}, **OTHER}, {"DestructiveUpdate": 3}),
        ({"count": 3, "Update": {"MaxParallel": 1, "Canary": 2}, **OTHER}, {"Canary": 2, "Ignore": 3}),
        ({"count": 5, "Update": {"MaxParallel": 1, "Canary": 1}, **OTHER}, {"Canary": 1, "Ignore": 3}),
        ({"count": 5, **OTHER}, {"Place": 2, "Ignore": 3}),
        ({"count": 2, **OTHER}, {"Stop": 1, "DestructiveUpdate": 1, "Ignore": 1}),
    ],
)
def test_a_change_is_carried_out(change: dict[str, Any], expected: dict[str, int]) -> None:
    """Counts, changes in place and replacements follow from the difference, as many at once as the update allows."""
    cluster = _cluster()
    cluster.register(group(**change))
    assert wants(cluster.plan()) == expected


def test_the_highest_numbers_stop_first() -> None:
    """A smaller count ends the allocations with the highest numbers."""
    cluster = _cluster(count=5)
    cluster.register(group(count=2)).run()
    assert sorted(index_of(alloc["Name"]) for alloc in cluster.alive) == [0, 1]


def test_a_stopped_job_ends() -> None:
    """All allocations of a stopped job stop, its deployment is cancelled, and nothing is placed."""
    cluster = Cluster([sized()]).register(group(count=2))
    cluster.apply(cluster.plan(), healthy=None)
    plan = cluster.stop().plan()

    assert wants(plan) == {"Stop": 2}
    assert [(update.status, update.description) for update in plan.deployment_updates] == [
        ("cancelled", "Cancelled because job is stopped")
    ]
    assert not plan.placements


def test_a_purged_job_ends() -> None:
    """What is left of a job that is gone is stopped."""
    cluster = _cluster()
    cluster.job = None
    plan = cluster.plan()
    assert [stop.why for stop in plan.stops] == ["alloc not needed due to job update"] * 3


def test_a_group_that_is_gone_ends() -> None:
    """A renamed group is stopped under its old name and placed under its new one."""
    cluster = _cluster()
    cluster.register(group("other", 2))
    plan = cluster.plan()

    assert wants(plan, "g") == {"Stop": 3}
    assert wants(plan, "other") == {"Place": 2}


def test_a_change_that_does_not_fit_in_place_is_a_replacement() -> None:
    """Where an allocation may not stay on its node under the new rules, it is replaced instead of updated."""
    cluster = _cluster(nodes=2, count=1)
    (alloc,) = cluster.alive
    elsewhere = {"LTarget": "${node.unique.id}", "Operand": "!=", "RTarget": alloc["NodeID"]}
    cluster.register(group(count=1, Constraints=[elsewhere])).run()

    assert [each["NodeID"] for each in cluster.alive] == [n["ID"] for n in cluster.nodes if n["ID"] != alloc["NodeID"]]


def test_a_replacement_that_finds_no_room_stops_nothing() -> None:
    """An old allocation goes on until there is room for its successor; the rest waits."""
    cluster = _cluster(nodes=1, count=1)
    cluster.register(group(count=1, Tasks=[task(Resources={"CPU": 200_000, "MemoryMB": 16})]))
    plan = cluster.plan()

    assert not plan.stops
    assert plan.queued == {"g": 1}
    blocked = blocked_eval(plan)
    assert (blocked["Status"], blocked["TriggeredBy"]) == ("blocked", "queued-allocs")
    assert blocked["FailedTGAllocs"]["g"]["DimensionExhausted"] == {"cpu": 1}


def test_a_replacement_may_use_the_room_of_its_predecessor() -> None:
    """A node that is full of the old allocation has room for the new one."""
    full = [task(Resources={"CPU": 900, "MemoryMB": 900})]
    cluster = Cluster([sized()]).register(group(Tasks=full)).run()
    cluster.register(group(Tasks=full, Meta={"a": "b"}))
    plan = cluster.plan()

    assert (len(plan.stops), len(plan.placements), plan.queued) == (1, 1, {"g": 0})


# -- deployments ---------------------------------------------------------------------------------------------------
def test_a_rolling_update_goes_on_with_health() -> None:
    """The next allocation is replaced when the last one is healthy, and the deployment then succeeds."""
    cluster = _cluster()
    cluster.register(group(count=3, **OTHER))
    cluster.apply(cluster.plan(), healthy=None)
    assert wants(cluster.plan()) == {"Ignore": 3}
    (new,) = [alloc for alloc in cluster.alive if alloc["Job"]["Version"] == 1]
    cluster.set(new, DeploymentStatus={"Healthy": True, "Canary": False})
    assert wants(cluster.plan()) == {"DestructiveUpdate": 1, "Ignore": 2}
    cluster.set(new, DeploymentStatus={"Healthy": False, "Canary": False})
    assert wants(cluster.plan()) == {"Ignore": 3}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("paused", {"Ignore": 3}),
        ("failed", {"Ignore": 3}),
        ("running", {"DestructiveUpdate": 1, "Ignore": 2}),
    ],
)
def test_a_deployment_that_rests_changes_nothing(status: str, expected: dict[str, int]) -> None:
    """While a deployment is paused, or has failed, no allocation is replaced."""
    cluster = _cluster()
    cluster.register(group(count=3, **OTHER))
    cluster.apply(cluster.plan())
    assert cluster.deployment is not None
    cluster.deployment["Status"] = status
    assert wants(cluster.plan()) == expected


def test_canaries_stand_beside_the_old() -> None:
    """Canaries run beside the allocations they will replace; after the promotion the old ones go."""
    update = {"Update": {"MaxParallel": 3, "Canary": 1}}
    cluster = _cluster(**update)
    cluster.register(group(count=3, **update, **OTHER)).run()
    canaries = [alloc for alloc in cluster.alive if alloc["Job"]["Version"] == 1]
    assert (len(cluster.alive), len(canaries)) == (4, 1)
    assert cluster.deployment is not None
    assert cluster.deployment["StatusDescription"] == "Deployment is running but requires manual promotion"

    state = cluster.deployment["TaskGroups"]["g"] | {"Promoted": True}
    cluster.deployment["TaskGroups"] = {"g": state}
    cluster.run()
    assert [alloc["Job"]["Version"] for alloc in cluster.alive] == [1, 1, 1]
    assert len({alloc["Name"] for alloc in cluster.alive}) == 3


def test_a_newer_version_cancels_the_deployment() -> None:
    """A deployment that is overtaken is cancelled, and its canaries stop."""
    update = {"Update": {"MaxParallel": 3, "Canary": 1}}
    cluster = _cluster(**update)
    cluster.register(group(count=3, **update, **OTHER)).run()
    (canary,) = [alloc for alloc in cluster.alive if alloc["Job"]["Version"] == 1]
    cluster.register(group(count=3, **update, Meta={"a": "b"}))
    plan = cluster.plan()

    assert [update.description for update in plan.deployment_updates] == ["Cancelled due to newer version of job"]
    assert canary["ID"] in {stop.alloc["ID"] for stop in plan.stops}


def _canarying() -> tuple[Cluster, dict[str, Any]]:
    """An update that waits for its canary to be promoted, and the canary."""
    update = {"Update": {"MaxParallel": 3, "Canary": 1}}
    cluster = _cluster(count=2, ReschedulePolicy=AT_ONCE, **update)
    cluster.register(group(count=2, ReschedulePolicy=AT_ONCE, **update, **OTHER)).run()
    (canary,) = [alloc for alloc in cluster.alive if alloc["Job"]["Version"] == 1]
    return cluster, canary


def _standing(cluster: Cluster) -> list[tuple[str, int, bool]]:
    """Names, versions, and whether it is a canary, of all that runs."""
    rows = ((a["Name"], a["Job"]["Version"], bool((a["DeploymentStatus"] or {}).get("Canary"))) for a in cluster.alive)
    return sorted(rows)


def test_a_failed_canary_is_not_doubled() -> None:
    """A failed canary keeps its place until the deployment says that it may be replaced, then its successor is one."""
    cluster, canary = _canarying()
    cluster.fail(canary)
    assert wants(cluster.plan()) == {"Ignore": 3}
    cluster.set(cluster.fail(canary), DesiredTransition={"Reschedule": True})
    assert wants(cluster.plan()) == {"Place": 1, "Stop": 1, "Ignore": 2, "RescheduleNow": 1}
    cluster.run()
    assert _standing(cluster) == [("j.g[0]", 0, False), ("j.g[0]", 1, True), ("j.g[1]", 0, False)]


def test_a_moved_canary_stays_one() -> None:
    """A canary that migrates is a canary where it comes to."""
    cluster, canary = _canarying()
    cluster.set(canary, DesiredTransition={"Migrate": True})
    cluster.run()
    assert _standing(cluster) == [("j.g[0]", 0, False), ("j.g[0]", 1, True), ("j.g[1]", 0, False)]


@pytest.mark.parametrize("what", ["old", "canary"])
def test_what_is_lost_beside_canaries_comes_back_as_it_was(what: str) -> None:
    """While a canary is tried, a lost allocation is replaced in its own version, and a lost canary by a canary."""
    cluster, canary = _canarying()
    lost = canary if what == "canary" else next(a for a in cluster.alive if a["Name"] == "j.g[1]")
    for each in cluster.nodes:
        if each["ID"] == lost["NodeID"]:
            each["Status"] = "down"
    cluster.run()
    assert _standing(cluster) == [("j.g[0]", 0, False), ("j.g[0]", 1, True), ("j.g[1]", 0, False)]


def test_a_failed_canary_of_a_cancelled_deployment_is_given_up() -> None:
    """Nobody replaces a canary that failed when its version is no longer wanted."""
    cluster, canary = _canarying()
    cluster.fail(canary)
    cluster.register(group(count=2, ReschedulePolicy=AT_ONCE, Update={"MaxParallel": 3, "Canary": 1}, Meta={"a": "b"}))
    cluster.run()
    assert _standing(cluster) == [("j.g[0]", 0, False), ("j.g[0]", 2, True), ("j.g[1]", 0, False)]


# -- failures ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("policy", "expected", "later"),
    [
        (AT_ONCE, {"Place": 1, "Stop": 1, "Ignore": 2, "RescheduleNow": 1}, 0),
        (LATER, {"Ignore": 3, "RescheduleLater": 1}, 1),
        (NEVER_RESCHEDULE, {"Ignore": 3}, 0),
    ],
    ids=["at once", "later", "never"],
)
def test_a_failed_allocation_is_replaced(policy: dict[str, Any], expected: dict[str, int], later: int) -> None:
    """A failed allocation is replaced at once, later by a follow-up evaluation, or never, as its policy says."""
    cluster = _cluster(ReschedulePolicy=policy)
    cluster.fail(cluster.alive[0])
    plan = cluster.plan()

    assert wants(plan) == expected
    assert len(plan.followups) == later
    if later:
        assert plan.followups[0]["WaitUntil"] == NOW + 30 * SECOND
        assert plan.updates[0]["FollowupEvalID"] == plan.followups[0]["ID"]


def test_a_replacement_carries_its_history() -> None:
    """The replacement knows whom it replaces, keeps the name, avoids the node, and has one attempt less."""
    cluster = _cluster(ReschedulePolicy=AT_ONCE)
    failed = cluster.fail(cluster.alive[0])
    cluster.apply(cluster.plan())
    (new,) = [alloc for alloc in cluster.alive if alloc["PreviousAllocation"] == failed["ID"]]
    events = new["RescheduleTracker"]["Events"]

    assert new["Name"] == failed["Name"]
    assert new["NodeID"] != failed["NodeID"]
    assert [(event["PrevAllocID"], event["PrevNodeID"]) for event in events] == [(failed["ID"], failed["NodeID"])]
    cluster.fail(new)
    assert wants(cluster.plan()) == {"Ignore": 3}


def test_failures_close_together_share_an_evaluation() -> None:
    """Replacements due within five seconds of each other are looked at together."""
    cluster = _cluster(count=3, ReschedulePolicy=LATER)
    for alloc, at in zip(cluster.alive, (0, 4, 6), strict=True):
        cluster.fail(alloc, at=NOW + at * SECOND)
    plan = cluster.plan()

    assert [each["WaitUntil"] for each in plan.followups] == [NOW + 30 * SECOND, NOW + 36 * SECOND]
    assert plan.desired["g"].reschedule_later == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Status": "down"}, {"Place": 1, "Stop": 1, "Ignore": 2}),
        (None, {"Place": 1, "Stop": 1, "Ignore": 2}),
    ],
    ids=["down", "gone"],
)
def test_what_a_lost_node_held_runs_elsewhere(change: dict[str, Any] | None, expected: dict[str, int]) -> None:
    """Allocations on a node that is down or gone are lost, and placed again under their names."""
    cluster = _cluster()
    lost = cluster.nodes.pop(0)
    if change is not None:
        cluster.nodes.append(lost | change)
    plan = cluster.plan()

    assert wants(plan) == expected
    (stop,) = plan.stops
    assert (stop.why, stop.client_status) == ("alloc is lost since its node is down", "lost")
    assert plan.placements[0]["Name"] == stop.alloc["Name"]


def test_what_is_to_migrate_moves() -> None:
    """An allocation that is to migrate is stopped and placed again under its name."""
    cluster = _cluster()
    moving = cluster.set(cluster.alive[0], DesiredTransition={"Migrate": True})
    plan = cluster.plan()

    assert wants(plan) == {"Migrate": 1, "Ignore": 2}
    assert [stop.why for stop in plan.stops] == ["alloc is being migrated"]
    assert [each["Name"] for each in plan.placements] == [moving["Name"]]


# -- batch ---------------------------------------------------------------------------------------------------------
def _batch(count: int = 2, **more: Any) -> Cluster:
    return Cluster([sized(cpu=100_000)]).register(group(count=count, **more), Type="batch").run()


def test_batch_work_that_is_done_is_not_done_again() -> None:
    """An allocation that did its work counts, also when the job is looked at again."""
    cluster = _batch()
    for alloc in cluster.alive:
        cluster.finish(alloc)
    assert wants(cluster.plan()) == {"Ignore": 2}


def test_a_changed_batch_job_runs_again() -> None:
    """A new version of a batch job is all new work."""
    cluster = _batch()
    for alloc in cluster.alive:
        cluster.finish(alloc)
    cluster.register(group(count=2), Type="batch", Meta={"a": "b"})
    assert wants(cluster.plan())["Place"] == 2


def test_a_batch_job_has_no_deployment() -> None:
    """Batch work is not rolled out."""
    assert Cluster([sized()]).register(group(), Type="batch").plan().deployment is None


def test_failed_batch_work_is_tried_again() -> None:
    """A failed batch allocation is replaced as its policy says."""
    cluster = _batch(ReschedulePolicy=AT_ONCE)
    cluster.fail(cluster.alive[0])
    assert wants(cluster.plan())["RescheduleNow"] == 1


# -- reschedule policies -------------------------------------------------------------------------------------------
def _failed(*delays: int, last: int = 0, unlimited: bool = True) -> dict[str, Any]:
    """A failed allocation with a history of replacements."""
    events = [{"RescheduleTime": NOW - last * SECOND, "Delay": delay * SECOND} for delay in delays]
    states = {"t": {"FinishedAt": rfc3339(NOW)}}
    return {
        "ClientStatus": "failed",
        "DesiredStatus": "run",
        "RescheduleTracker": {"Events": events} if events else None,
        "TaskStates": states,
        "ModifyTime": NOW,
    }


def _policy(function: str, **more: Any) -> dict[str, Any]:
    policy = {"Delay": 5 * SECOND, "MaxDelay": 60 * SECOND, "Unlimited": True, "Attempts": 0, "Interval": 0}
    return policy | {"DelayFunction": function} | more


@pytest.mark.parametrize(
    ("function", "delays", "expected"),
    [
        ("constant", [], 5),
        ("constant", [5, 5], 5),
        ("exponential", [], 5),
        ("exponential", [5], 10),
        ("exponential", [5, 10], 20),
        ("exponential", [5, 10, 20, 40], 60),
        ("fibonacci", [], 5),
        ("fibonacci", [5], 5),
        ("fibonacci", [5, 5], 10),
        ("fibonacci", [5, 5, 10], 15),
        ("fibonacci", [5, 5, 10, 15, 25, 40], 60),
    ],
)
def test_delays_grow(function: str, delays: list[int], expected: int) -> None:
    """The delay stays, doubles, or grows as the Fibonacci numbers do, up to its limit."""
    assert reschedule.delay(_failed(*delays), _policy(function)) == expected * SECOND


def test_a_long_quiet_time_starts_anew() -> None:
    """Who ran well for longer than the largest delay begins with the smallest again."""
    assert reschedule.delay(_failed(40, last=100), _policy("exponential")) == 5 * SECOND


@pytest.mark.parametrize(
    ("change", "policy", "due"),
    [
        ({}, _policy("constant"), True),
        ({"ClientStatus": "running"}, _policy("constant"), False),
        ({"DesiredStatus": "stop"}, _policy("constant"), False),
        ({}, None, False),
        ({}, _policy("constant", Unlimited=False), False),
        ({}, _policy("constant", Unlimited=False, Attempts=1, Interval=60 * SECOND), True),
    ],
)
def test_who_is_replaced(change: dict[str, Any], policy: dict[str, Any] | None, *, due: bool) -> None:
    """Only a failed allocation that is meant to run, under a policy with an attempt left."""
    assert (reschedule.due(_failed() | change, policy) is not None) is due


def test_attempts_count_within_the_interval() -> None:
    """Replacements longer ago than the interval do not count."""
    policy = _policy("constant", Unlimited=False, Attempts=1, Interval=60 * SECOND)
    assert reschedule.due(_failed(5, last=30), policy) is None
    assert reschedule.due(_failed(5, last=90), policy) is not None


# -- whatever happens ----------------------------------------------------------------------------------------------
STEPS = st.one_of(
    st.tuples(st.just("count"), st.integers(0, 6)),
    st.tuples(st.just("meta"), st.integers(0, 3)),
    st.tuples(st.just("canary"), st.integers(0, 2)),
    st.tuples(st.just("fail"), st.integers(0, 5)),
    st.tuples(st.just("migrate"), st.integers(0, 5)),
    st.tuples(st.just("down"), st.integers(0, 2)),
    st.tuples(st.just("stop"), st.just(0)),
)


class _Story:
    """A job's life, step by step."""

    def __init__(self) -> None:
        self.cluster = Cluster([sized(n, cpu=120, memory=10_000) for n in range(3)])
        self.shape: dict[str, Any] = {"count": 2, "Meta": {}, "Update": {"MaxParallel": 2, "Canary": 0}}
        self.stopped = False
        self._register()

    def _register(self) -> None:
        self.cluster.register(group(ReschedulePolicy=AT_ONCE, **self.shape))
        self.stopped = False

    def take(self, step: str, value: int) -> None:
        cluster = self.cluster
        if step in {"count", "meta", "canary"}:
            self._change(step, value)
        elif step == "stop":
            cluster.stop()
            self.stopped = True
        elif step == "down":
            cluster.nodes[value] = cluster.nodes[value] | {"Status": "down"}
        elif cluster.alive:
            alloc = cluster.alive[value % len(cluster.alive)]
            if step == "fail":
                cluster.fail(alloc)
            else:
                cluster.set(alloc, DesiredTransition={"Migrate": True})

    def _change(self, step: str, value: int) -> None:
        if step == "count":
            self.shape["count"] = value
        elif step == "meta":
            self.shape["Meta"] = {"v": str(value)}
        else:
            self.shape["Update"] = {"MaxParallel": 2, "Canary": value}
        self._register()


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=8))
def test_whatever_happens_the_plan_is_sound(steps: list[tuple[str, int]]) -> None:
    """No node is overfull, no more run than count and canaries say, no two have one name but a canary and its twin,
    a stopped job has nothing running, and the scheduler comes to rest."""
    story = _Story()
    for step, value in steps:
        story.take(step, value)
        story.cluster.run()
        _check(story)


def _check(story: _Story) -> None:
    cluster = story.cluster
    alive = cluster.alive
    for node in cluster.nodes:
        assert cluster.usage(node["ID"]).cpu <= node["NodeResources"]["Cpu"]["CpuShares"]
        if node["Status"] == "down":
            assert all(alloc["NodeID"] != node["ID"] for alloc in alive)
    if story.stopped:
        assert alive == []
        return
    canaries = story.shape["Update"]["Canary"]
    assert len(alive) <= story.shape["count"] + canaries
    current = [alloc for alloc in alive if alloc["Job"]["Version"] == cluster.job["Version"]]  # type: ignore[index]
    older = [alloc for alloc in alive if alloc not in current]
    for part in (current, older):
        names = [alloc["Name"] for alloc in part]
        assert len(names) == len(set(names))
