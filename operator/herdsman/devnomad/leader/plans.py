"""A plan, written: the one place where what the scheduler decided becomes state."""

from herdsman.devnomad.clock import now_ns, rfc3339
from herdsman.devnomad.scheduler.values import Plan, Stop
from herdsman.devnomad.state import allocs, deployments
from herdsman.devnomad.state.store import Txn
from herdsman.devnomad.types import Row


def apply(txn: Txn, plan: Plan) -> None:
    """Write a plan."""
    store = txn.store
    if plan.deployment is not None:
        deployments.upsert(txn, plan.deployment)
    for update in plan.deployment_updates:
        deployments.set_status(txn, update.deployment_id, update.status, update.description)
    for stop in plan.stops:
        current = store.allocs.get(stop.alloc["ID"])
        if current is not None:
            allocs.upsert(txn, _stopped(current, stop))
    for update_row in plan.updates:
        before = store.allocs.get(update_row["ID"])
        if before is not None:
            stored = allocs.upsert(txn, update_row)
            if before["DeploymentID"] != stored["DeploymentID"]:
                _count_placed(txn, stored)
    for placement in plan.placements:
        stored = allocs.upsert(txn, placement)
        _count_placed(txn, stored)
        _link(txn, stored)


def _stopped(current: Row, stop: Stop) -> Row:
    row = {**current, "DesiredStatus": "stop", "DesiredDescription": stop.why}
    if stop.client_status:
        row["ClientStatus"] = stop.client_status
    return row


def _link(txn: Txn, alloc: Row) -> None:
    """Tell the allocation that was replaced who came after it."""
    previous = txn.store.allocs.get(alloc["PreviousAllocation"])
    if previous is not None:
        allocs.upsert(txn, {**previous, "NextAllocation": alloc["ID"]})


def _count_placed(txn: Txn, alloc: Row) -> None:
    deployment = txn.store.deployments.get(alloc["DeploymentID"])
    if deployment is None or alloc["TaskGroup"] not in deployment["TaskGroups"]:
        return
    group = dict(deployment["TaskGroups"][alloc["TaskGroup"]])
    group["PlacedAllocs"] += 1
    if (alloc["DeploymentStatus"] or {}).get("Canary"):
        group["PlacedCanaries"] = [*(group["PlacedCanaries"] or ()), alloc["ID"]]
    if group["ProgressDeadline"] and not group["RequireProgressBy"]:
        group["RequireProgressBy"] = rfc3339(now_ns() + group["ProgressDeadline"])
    groups = {**deployment["TaskGroups"], alloc["TaskGroup"]: group}
    txn.put(
        txn.store.deployments,
        deployment["ID"],
        {**deployment, "TaskGroups": groups, "ModifyIndex": txn.index, "ModifyTime": now_ns()},
    )
