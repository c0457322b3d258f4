"""What should change: jobs that run on every node that may hold them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnomad.scheduler.worlds import Cluster, sized, wants
from devnomad.support import group, task

OTHER = {"Tasks": [task(Config={"run_for": "2h"})]}


def _cluster(nodes: int = 3, kind: str = "system", **more: Any) -> Cluster:
    return Cluster([sized(n) for n in range(nodes)]).register(group(**more), Type=kind)


def _where(cluster: Cluster) -> list[str]:
    return sorted(alloc["NodeID"] for alloc in cluster.alive)


@pytest.mark.parametrize("kind", ["system", "sysbatch"])
def test_it_runs_once_on_every_node(kind: str) -> None:
    """Every node gets one allocation, all of one name."""
    cluster = _cluster(kind=kind)
    assert wants(cluster.plan()) == {"Place": 3}
    cluster.run()

    assert _where(cluster) == ["n0", "n1", "n2"]
    assert {alloc["Name"] for alloc in cluster.alive} == {"j.g[0]"}
    assert wants(cluster.plan()) == {"Ignore": 3}


def test_only_nodes_that_may_hold_it() -> None:
    """Nodes that do not fit are passed over."""
    nodes = [sized(0), sized(1, Meta={"rack": "a"}), sized(2, Datacenter="dc2"), sized(3, Status="down")]
    constraint = {"LTarget": "${meta.rack}", "Operand": "is_not_set", "RTarget": ""}
    cluster = Cluster(nodes).register(Type="system", Constraints=[constraint]).run()
    assert _where(cluster) == ["n0"]


def test_a_full_node_waits() -> None:
    """Where one node has no room the others are served, and the rest is queued."""
    big = [task(Resources={"CPU": 800, "MemoryMB": 16})]
    cluster = Cluster([sized(0), sized(1, cpu=500), sized(2)]).register(group(Tasks=big), Type="system")
    plan = cluster.plan()

    assert sorted(each["NodeID"] for each in plan.placements) == ["n0", "n2"]
    assert plan.queued == {"g": 1}
    assert plan.failed["g"]["DimensionExhausted"] == {"cpu": 1}


@pytest.mark.parametrize(
    ("change", "where", "why"),
    [
        ({"Status": "down"}, ["n1", "n2"], "alloc is lost since its node is down"),
        ({"SchedulingEligibility": "ineligible"}, ["n0", "n1", "n2"], None),
        ({"Datacenter": "dc2"}, ["n1", "n2"], "alloc not needed due to job update"),
    ],
)
def test_when_a_node_changes(change: dict[str, Any], where: list[str], why: str | None) -> None:
    """What ran on a node that is down, or fits no longer, stops; an ineligible node keeps what it has."""
    cluster = _cluster().run()
    cluster.nodes[0] = cluster.nodes[0] | change
    plan = cluster.plan()
    assert [stop.why for stop in plan.stops] == ([why] if why else [])
    cluster.apply(plan)
    assert _where(cluster.run()) == where


def test_when_a_node_drains() -> None:
    """An allocation that is to leave its node stops and is not placed elsewhere."""
    cluster = _cluster().run()
    cluster.set(cluster.alive[0], DesiredTransition={"Migrate": True})
    cluster.nodes[0] = cluster.nodes[0] | {"DrainStrategy": {"Deadline": 0}, "SchedulingEligibility": "ineligible"}
    assert _where(cluster.run()) == ["n1", "n2"]


def test_when_a_node_joins() -> None:
    """A new node gets its allocation."""
    cluster = _cluster(2).run()
    cluster.nodes.append(sized(2))
    assert _where(cluster.run()) == ["n0", "n1", "n2"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"RestartPolicy": {"Attempts": 9}}, {"InPlaceUpdate": 3}),
        (OTHER, {"DestructiveUpdate": 1, "Ignore": 2}),
        ({"Update": {"MaxParallel": 2}, **OTHER}, {"DestructiveUpdate": 2, "Ignore": 1}),
        ({"count": 0}, {"Stop": 3}),
    ],
)
def test_a_change_is_carried_out(change: dict[str, Any], expected: dict[str, int]) -> None:
    """Changes are made in place or by replacement, as many at once as the update allows."""
    cluster = _cluster().run()
    cluster.register(group(**change), Type="system")
    assert wants(cluster.plan()) == expected


def test_an_update_reaches_every_node() -> None:
    """A rolling update ends with the new version everywhere, on the nodes where the old one was."""
    cluster = _cluster().run()
    cluster.register(group(**OTHER), Type="system").run()

    assert _where(cluster) == ["n0", "n1", "n2"]
    assert {alloc["Job"]["Version"] for alloc in cluster.alive} == {1}


def test_a_stopped_job_ends() -> None:
    """All allocations of a stopped job stop."""
    cluster = _cluster().run()
    assert wants(cluster.stop().plan()) == {"Stop": 3}


def test_a_group_that_is_gone_ends() -> None:
    """A renamed group stops under its old name and starts under its new one."""
    cluster = _cluster().run()
    cluster.register(group("other"), Type="system")
    plan = cluster.plan()
    assert (wants(plan, "g"), wants(plan, "other")) == ({"Stop": 3}, {"Place": 3})


def test_work_that_is_done_is_not_done_again() -> None:
    """A sysbatch allocation that ended, well or badly, is over; a new version of the job runs again."""
    cluster = _cluster(kind="sysbatch").run()
    first, second, _ = cluster.alive
    cluster.finish(first)
    cluster.fail(second)
    assert wants(cluster.plan()) == {"Ignore": 3}
    cluster.register(group(), Type="sysbatch", Meta={"a": "b"}).run()
    assert _where(cluster) == ["n0", "n1", "n2"]


STATES = st.sampled_from(["ready", "down", "ineligible", "elsewhere"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(STATES, min_size=3, max_size=3), min_size=1, max_size=5))
def test_whatever_happens_there_is_one_on_every_node(turns: list[list[str]]) -> None:
    """However nodes come and go, each ready node has exactly one allocation, a lost one none."""
    cluster = _cluster()
    for number, turn in enumerate(turns):
        for index, state in enumerate(turn):
            cluster.nodes[index] = cluster.nodes[index] | {
                "Status": "down" if state == "down" else "ready",
                "SchedulingEligibility": "ineligible" if state == "ineligible" else "eligible",
                "Datacenter": "dc2" if state == "elsewhere" else "dc1",
            }
        cluster.register(group(Meta={"turn": str(number // 2)}), Type="system").run()
        where = _where(cluster)
        assert len(where) == len(set(where))
        for index, state in enumerate(turn):
            if state == "ready":
                assert f"n{index}" in where
            elif state != "ineligible":
                assert f"n{index}" not in where
