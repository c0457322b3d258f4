"""Writes to allocations, from the scheduler's side and from the client's."""

from herdsman.devnomad.clock import now_ns, rfc3339
from herdsman.devnomad.state import jobs
from herdsman.devnomad.state.jobs import BUCKET_OF
from herdsman.devnomad.state.store import Txn
from herdsman.devnomad.types import Row

NO_TRANSITION: Row = {"Migrate": None, "Reschedule": None, "ForceReschedule": None, "MigrateDisablePlacement": None}


def upsert(txn: Txn, row: Row) -> Row:
    """Store what the scheduler (or an operator) wants of an allocation."""
    allocs = txn.store.allocs
    old = allocs.get(row["ID"])
    now = now_ns()
    stored = {
        **row,
        "CreateIndex": old["CreateIndex"] if old else txn.index,
        "CreateTime": old["CreateTime"] if old else now,
        "ModifyIndex": txn.index,
        "AllocModifyIndex": txn.index,
        "ModifyTime": now,
    }
    _put(txn, old, stored)
    return stored


def update_from_client(txn: Txn, alloc_id: str, change: Row) -> None:
    """Store what the client says of an allocation: its status, its tasks, its health."""
    old = txn.store.allocs.get(alloc_id)
    if old is None:
        return
    health = change.get("DeploymentStatus")
    stored = {**old, **change, "ModifyIndex": txn.index, "ModifyTime": now_ns()}
    if health is not None:
        known = old["DeploymentStatus"] or {}
        stored["DeploymentStatus"] = {
            "Healthy": health["Healthy"],
            "Timestamp": rfc3339(health["Timestamp"]),
            "Canary": bool(known.get("Canary")),
            "ModifyIndex": txn.index,
        }
        if known.get("Healthy") is None or known.get("Healthy") != health["Healthy"]:
            _count_health(txn, stored, was=known.get("Healthy"), now=health["Healthy"])
    _put(txn, old, stored)


def set_health(txn: Txn, alloc: Row, *, healthy: bool) -> None:
    """Store what an operator says of an allocation's health."""
    known = alloc["DeploymentStatus"] or {}
    stored = {
        **alloc,
        "DeploymentStatus": {
            "Healthy": healthy,
            "Timestamp": rfc3339(now_ns()),
            "Canary": bool(known.get("Canary")),
            "ModifyIndex": txn.index,
        },
        "ModifyIndex": txn.index,
        "ModifyTime": now_ns(),
    }
    if known.get("Healthy") != healthy:
        _count_health(txn, stored, was=known.get("Healthy"), now=healthy)
    _put(txn, alloc, stored)


def _put(txn: Txn, old: Row | None, new: Row) -> None:
    txn.put(txn.store.allocs, new["ID"], new)
    _count(txn, old, new)
    if old is None or (old["ClientStatus"], old["DesiredStatus"]) != (new["ClientStatus"], new["DesiredStatus"]):
        jobs.refresh_status(txn, (new["Namespace"], new["JobID"]))


def _count(txn: Txn, old: Row | None, new: Row) -> None:
    job = txn.store.jobs.get((new["Namespace"], new["JobID"]))
    if job is None or job["CreateIndex"] != new["Job"]["CreateIndex"]:
        return  # an allocation of an earlier job of that name
    changes: dict[str, int] = {}
    if old is None:
        changes["Queued"] = -1
    elif old["ClientStatus"] == new["ClientStatus"]:
        return
    else:
        changes[BUCKET_OF[old["ClientStatus"]]] = -1
    changes[BUCKET_OF[new["ClientStatus"]]] = changes.get(BUCKET_OF[new["ClientStatus"]], 0) + 1
    jobs.count(txn, (new["Namespace"], new["JobID"]), new["TaskGroup"], changes)


def _count_health(txn: Txn, alloc: Row, *, was: bool | None, now: bool) -> None:
    deployment = txn.store.deployments.get(alloc["DeploymentID"])
    if deployment is None or alloc["TaskGroup"] not in deployment["TaskGroups"]:
        return
    group = dict(deployment["TaskGroups"][alloc["TaskGroup"]])
    for state, field in ((True, "HealthyAllocs"), (False, "UnhealthyAllocs")):
        group[field] = max(0, group[field] + (now is state) - (was is state))
    if now and group["ProgressDeadline"]:
        group["RequireProgressBy"] = rfc3339(now_ns() + group["ProgressDeadline"])
    groups = {**deployment["TaskGroups"], alloc["TaskGroup"]: group}
    row = {**deployment, "TaskGroups": groups, "ModifyIndex": txn.index, "ModifyTime": now_ns()}
    txn.put(txn.store.deployments, deployment["ID"], row)
