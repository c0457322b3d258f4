"""Nodes: eligibility, drains, purges, metadata; node pools."""

from collections.abc import Iterator
from typing import Any

import pytest

from devnomad.support import NEVER_RESCHEDULE, QUICK_UPDATE, SECOND, Api, group, job, serving, task
from herdsman.devnomad.ids import new_id

MIGRATE = {"MaxParallel": 1, "HealthCheck": "task_states", "MinHealthyTime": 0, "HealthyDeadline": 10 * SECOND}


@pytest.fixture
def pair() -> Iterator[Api]:
    """A cluster of two nodes."""
    with serving(nodes=2) as api:
        yield api


def _nodes(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/v1/nodes")
    return sorted(found, key=lambda node: str(node["Name"]))


def _on(api: Api, job_id: str) -> list[str]:
    """The nodes on which a job's allocations run."""
    return [alloc["NodeID"] for alloc in api.allocs(job_id) if alloc["ClientStatus"] == "running"]


def test_a_node_says_that_it_is_a_simulation(nomad: Api) -> None:
    """Name and attributes of a node tell what it is; its secret is not shown."""
    stub = nomad.get("/v1/nodes")[0]
    node = nomad.get(f"/v1/node/{stub['ID']}")

    assert stub["Name"] == "devnomad"
    assert node["Attributes"]["herdsman.simulated"] == "true"
    assert node["SecretID"] == ""
    assert node["Drivers"]["docker"]["Attributes"]["driver.docker.simulated"] == "true"


def test_lists_of_nodes_can_tell_more(nomad: Api) -> None:
    """`resources` and `os` add to what a list shows."""
    plain = nomad.get("/v1/nodes")[0]
    more = nomad.get("/v1/nodes?resources=true&os=true")[0]

    assert "NodeResources" not in plain
    assert more["NodeResources"]["Cpu"]["CpuShares"] > 0
    assert more["Attributes"]["os.name"]
    assert nomad.get(f"/v1/nodes?prefix={plain['ID'][:4]}")[0]["ID"] == plain["ID"]
    assert nomad.get("/v1/nodes?prefix=ffffffff") == [] or plain["ID"].startswith("ffffffff")


def test_an_ineligible_node_gets_nothing_new(pair: Api) -> None:
    """What runs on an ineligible node stays, what is new goes elsewhere; then it may come back."""
    first, second = _nodes(pair)
    pair.register(job("stays", group(count=4), Constraints=[_only(first)]))
    pair.running("stays", 4)
    answer = pair.put(f"/v1/node/{first['ID']}/eligibility", {"Eligibility": "ineligible"})
    assert answer["NodeModifyIndex"] == 0
    assert answer["Index"] > 0
    pair.register(job("moves", group(count=3)))
    pair.running("moves", 3)

    assert set(_on(pair, "stays")) == {first["ID"]}
    assert set(_on(pair, "moves")) == {second["ID"]}
    pair.register(job("waits", Constraints=[_only(first)]))
    pair.wait_for("/v1/job/waits/evaluations", lambda found: any(e["Status"] == "blocked" for e in found))
    pair.put(f"/v1/node/{first['ID']}/eligibility", {"Eligibility": "eligible"})
    pair.running("waits", 1)
    events = [event["Message"] for event in pair.get(f"/v1/node/{first['ID']}")["Events"]]
    assert events[-2:] == ["Node marked as ineligible for scheduling", "Node marked as eligible for scheduling"]


def _only(node: dict[str, Any]) -> dict[str, str]:
    return {"LTarget": "${node.unique.id}", "RTarget": node["ID"], "Operand": "="}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"Eligibility": "maybe"}, 500, 'invalid scheduling eligibility "maybe"'),
        ({}, 500, 'invalid scheduling eligibility ""'),
    ],
)
def test_eligibility_is_one_of_two(nomad: Api, body: dict[str, str], status: int, text: str) -> None:
    """Other words than the two are refused."""
    node = nomad.get("/v1/nodes")[0]["ID"]
    answer = nomad.call("PUT", f"/v1/node/{node}/eligibility", body)

    assert (answer.status, answer.body) == (status, text)


# -- drains --------------------------------------------------------------------------------------------------------
def test_a_drain_moves_services_one_after_the_other(pair: Api) -> None:
    """A drained node is emptied, never with more allocations missing than the migrate block allows."""
    first, second = _nodes(pair)
    pair.register(job("moving", group(count=3, Migrate=MIGRATE), Constraints=[_only(first)], Update=QUICK_UPDATE))
    pair.running("moving", 3)
    pair.register(job("moving", group(count=3, Migrate=MIGRATE), Update=QUICK_UPDATE))
    pair.wait_for("/v1/job/moving", lambda found: found["Version"] == 1 and found["Stable"])
    answer = pair.put(
        f"/v1/node/{first['ID']}/drain", {"DrainSpec": {"Deadline": 60 * SECOND}, "Meta": {"why": "test"}}
    )
    assert answer["NodeModifyIndex"] == answer["Index"]
    fewest = 3
    while True:
        node = pair.get(f"/v1/node/{first['ID']}")
        fewest = min(fewest, len(_on(pair, "moving")))
        if node["DrainStrategy"] is None:
            break
    pair.running("moving", 3)

    assert fewest >= 2
    assert set(_on(pair, "moving")) == {second["ID"]}
    assert (node["Drain"], node["SchedulingEligibility"]) == (False, "ineligible")
    assert node["LastDrain"]["Status"] == "complete"
    assert node["LastDrain"]["Meta"] == {"why": "test"}
    assert [event["Message"] for event in node["Events"]][-2:] == ["Node drain strategy set", "Node drain complete"]
    stopped = [alloc for alloc in pair.allocs("moving") if alloc["DesiredStatus"] == "stop"]
    assert {alloc["DesiredDescription"] for alloc in stopped} == {"alloc is being migrated"}
    assert all(alloc["DesiredTransition"]["Migrate"] for alloc in stopped)


def test_a_drain_waits_for_batch_jobs(pair: Api) -> None:
    """Batch work on a drained node may end by itself; then the drain is complete."""
    first, _ = _nodes(pair)
    work = group(Tasks=[task(Config={"run_for": "1s"})], ReschedulePolicy=NEVER_RESCHEDULE)
    pair.register(job("work", work, Type="batch", Constraints=[_only(first)]))
    pair.running("work")
    pair.put(f"/v1/node/{first['ID']}/drain", {"DrainSpec": {"Deadline": 60 * SECOND}})
    pair.wait_for(f"/v1/node/{first['ID']}", lambda node: node["DrainStrategy"] is None)
    (alloc,) = pair.allocs("work")

    assert (alloc["ClientStatus"], alloc["DesiredStatus"]) == ("complete", "run")


@pytest.mark.parametrize(("deadline", "moves"), [(300_000_000, True), (-1, True), (0, False)])
def test_a_deadline_ends_patience(pair: Api, deadline: int, moves: bool) -> None:
    """When the deadline is over, or at once where it is negative, batch work is moved too; without one it never is."""
    first, _ = _nodes(pair)
    work = group(ReschedulePolicy=NEVER_RESCHEDULE)
    pair.register(job("long", work, Type="batch", Constraints=[_only(first)]))
    pair.running("long")
    pair.put(f"/v1/node/{first['ID']}/drain", {"DrainSpec": {"Deadline": deadline}})
    if moves:
        pair.wait_for(f"/v1/node/{first['ID']}", lambda node: node["DrainStrategy"] is None)
        assert pair.allocs("long")[0]["DesiredStatus"] == "stop"
    else:
        pair.register(job("other"))
        pair.running("other")
        node = pair.get(f"/v1/node/{first['ID']}")
        assert node["DrainStrategy"]["ForceDeadline"] is None
        assert len(_on(pair, "long")) == 1


@pytest.mark.parametrize("ignore", [True, False])
def test_system_jobs_go_last_or_stay(pair: Api, ignore: bool) -> None:
    """System jobs leave a drained node after all others, or stay where that is wanted."""
    first, second = _nodes(pair)
    pair.register(job("everywhere", Type="system"))
    pair.running("everywhere", 2)
    pair.put(f"/v1/node/{first['ID']}/drain", {"DrainSpec": {"Deadline": 60 * SECOND, "IgnoreSystemJobs": ignore}})
    pair.wait_for(f"/v1/node/{first['ID']}", lambda node: node["DrainStrategy"] is None)

    expected = {first["ID"], second["ID"]} if ignore else {second["ID"]}
    pair.wait(lambda: set(_on(pair, "everywhere")) == expected)


def test_a_drain_can_be_called_off(pair: Api) -> None:
    """A drain without a spec ends the drain; the node may be made eligible with it."""
    first, _ = _nodes(pair)
    pair.register(job("held", Type="batch", Constraints=[_only(first)]))
    pair.running("held")
    pair.put(f"/v1/node/{first['ID']}/drain", {"DrainSpec": {"Deadline": 60 * SECOND}})
    refused = pair.call("PUT", f"/v1/node/{first['ID']}/eligibility", {"Eligibility": "eligible"})
    assert refused.status == 500
    assert "while it is draining" in refused.body
    pair.put(f"/v1/node/{first['ID']}/drain", {"DrainSpec": None, "MarkEligible": True})
    node = pair.get(f"/v1/node/{first['ID']}")

    assert (node["DrainStrategy"], node["SchedulingEligibility"]) == (None, "eligible")
    assert node["LastDrain"]["Status"] == "canceled"
    assert _on(pair, "held") == [first["ID"]]


# -- purge, evaluate, metadata -------------------------------------------------------------------------------------
def test_a_purged_node_loses_its_work_and_comes_back(pair: Api) -> None:
    """What ran on a purged node is lost and runs elsewhere; the node joins again, as its client goes on."""
    first, second = _nodes(pair)
    pair.register(job("lost", Constraints=[_only(first)], Update=QUICK_UPDATE))
    pair.running("lost")
    pair.register(job("lost", Update=QUICK_UPDATE))
    pair.wait(lambda: pair.get("/v1/job/lost")["Version"] == 1)
    answer = pair.put(f"/v1/node/{first['ID']}/purge")
    assert answer["EvalIDs"]
    pair.wait(lambda: _on(pair, "lost") == [second["ID"]])
    pair.wait_for("/v1/nodes", lambda found: len(found) == 2)

    (old,) = [alloc for alloc in pair.allocs("lost") if alloc["NodeID"] == first["ID"]]
    assert (old["DesiredStatus"], old["DesiredDescription"]) == ("stop", "alloc is lost since its node is down")
    assert pair.get(f"/v1/node/{first['ID']}")["Status"] == "ready"


def test_a_node_can_be_evaluated(nomad: Api) -> None:
    """An evaluation is made for every job on the node."""
    node = nomad.get("/v1/nodes")[0]["ID"]
    nomad.register(job("evaluated"))
    nomad.running("evaluated")
    answer = nomad.put(f"/v1/node/{node}/evaluate")
    triggers = {e["ID"]: e["TriggeredBy"] for e in nomad.get("/v1/job/evaluated/evaluations")}

    assert "node-update" in {triggers.get(each) for each in answer["EvalIDs"]}
    nomad.purge("evaluated")


def test_metadata_can_be_changed(fresh: Api) -> None:
    """Metadata is merged, a null takes a key away, and jobs can be constrained by it."""
    before = fresh.get("/v1/client/metadata")
    assert before == {"Meta": before["Static"], "Dynamic": {}, "Static": before["Static"]}
    fresh.register(job("racked", Constraints=[{"LTarget": "${meta.rack}", "RTarget": "r1", "Operand": "="}]))
    fresh.wait_for("/v1/job/racked/evaluations", lambda found: any(e["Status"] == "blocked" for e in found))
    after = fresh.put("/v1/client/metadata", {"Meta": {"rack": "r1", "connect.log_level": None}})
    fresh.running("racked")

    assert after["Dynamic"] == {"rack": "r1", "connect.log_level": None}
    assert after["Meta"] == {**{k: v for k, v in before["Static"].items() if k != "connect.log_level"}, "rack": "r1"}
    assert fresh.get("/v1/client/metadata") == after
    node = fresh.get("/v1/nodes")[0]["ID"]
    assert fresh.get(f"/v1/node/{node}")["Meta"] == after["Meta"]
    assert fresh.call("GET", f"/v1/client/metadata?node_id={new_id()}").status == 404


def test_a_nodes_allocations_are_listed(nomad: Api) -> None:
    """The allocations on a node are shown in full."""
    node = nomad.get("/v1/nodes")[0]["ID"]
    nomad.register(job("located"))
    (alloc,) = nomad.running("located")
    found = [each for each in nomad.get(f"/v1/node/{node}/allocations") if each["ID"] == alloc["ID"]]

    assert found[0]["Job"]["ID"] == "located"
    nomad.purge("located")


# -- pools ---------------------------------------------------------------------------------------------------------
def test_pools_come_and_go(nomad: Api) -> None:
    """A pool is made, read, changed and deleted; jobs in it wait as it has no nodes."""
    nomad.put("/v1/node/pools", {"Name": "spare", "Description": "for later", "Meta": {"a": "b"}})
    nomad.put("/v1/node/pool/spare", {"Name": "spare", "Description": "for now"})
    pool = nomad.get("/v1/node/pool/spare")
    assert (pool["Description"], pool["Meta"]) == ("for now", None)
    nomad.register(job("pooled", NodePool="spare"))
    nomad.wait_for("/v1/job/pooled/evaluations", lambda found: any(e["Status"] == "blocked" for e in found))
    assert [each["ID"] for each in nomad.get("/v1/node/pool/spare/jobs")] == ["pooled"]
    assert nomad.get("/v1/node/pool/spare/nodes") == []
    assert len(nomad.get("/v1/node/pool/all/nodes")) == 1
    refused = nomad.call("DELETE", "/v1/node/pool/spare")
    assert refused.status == 500
    assert "has non-terminal jobs" in refused.body
    nomad.purge("pooled")
    nomad.delete("/v1/node/pool/spare")
    assert nomad.call("GET", "/v1/node/pool/spare").status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("PUT", "/v1/node/pools", {"Name": "all"}, 'modifying node pool "all" is not allowed'),
        ("DELETE", "/v1/node/pool/default", None, 'deleting node pool "default" is not allowed'),
        ("PUT", "/v1/node/pools", {"Name": "not ok"}, "invalid name"),
        ("PUT", "/v1/node/pool/one", {"Name": "other"}, "Node pool name does not match request path"),
        ("DELETE", "/v1/node/pool/nobody", None, "node pool not found"),
    ],
)
def test_pools_that_cannot_be(nomad: Api, method: str, path: str, body: object, text: str) -> None:
    """Built-in pools stay as they are, and names are checked."""
    answer = nomad.call(method, path, body)

    assert answer.status in {400, 404}
    assert text in answer.body
