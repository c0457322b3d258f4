"""Writes to deployments, and the words of their states."""

from typing import Final

from herdsman.devnomad.clock import now_ns
from herdsman.devnomad.state import jobs
from herdsman.devnomad.state.store import Txn
from herdsman.devnomad.types import Row

ACTIVE: Final = frozenset({"initializing", "running", "paused", "blocked", "unblocking", "pending"})

RUNNING: Final = "Deployment is running"
NEEDS_PROMOTION: Final = "Deployment is running but requires manual promotion"
AUTO_PROMOTION: Final = "Deployment is running pending automatic promotion"
PAUSED: Final = "Deployment is paused"
SUCCESSFUL: Final = "Deployment completed successfully"
STOPPED_JOB: Final = "Cancelled because job is stopped"
NEWER_JOB: Final = "Cancelled due to newer version of job"
UNHEALTHY: Final = "Failed due to unhealthy allocations"
DEADLINE: Final = "Failed due to progress deadline"
FAILED_BY_USER: Final = "Deployment marked as failed"


def active(deployment: Row | None) -> bool:
    """Whether the deployment still goes on."""
    return deployment is not None and deployment["Status"] in ACTIVE


def of_version(deployment: Row, job: Row) -> bool:
    """Whether a deployment rolls out just this version of this job (and not of an earlier job of that name)."""
    return bool(deployment["JobVersion"] == job["Version"] and deployment["JobCreateIndex"] == job["CreateIndex"])


def upsert(txn: Txn, row: Row) -> Row:
    """Store a deployment; answers the row as stored."""
    old = txn.store.deployments.get(row["ID"])
    stored = {
        **row,
        "CreateIndex": old["CreateIndex"] if old else txn.index,
        "ModifyIndex": txn.index,
        "CreateTime": old["CreateTime"] if old else now_ns(),
        "ModifyTime": now_ns(),
    }
    txn.put(txn.store.deployments, row["ID"], stored)
    return stored


def set_status(txn: Txn, deployment_id: str, status: str, description: str) -> None:
    """Move a deployment to another state. One that succeeds makes its job's version stable."""
    row = txn.store.deployments.get(deployment_id)
    if row is None:
        return
    upsert(txn, {**row, "Status": status, "StatusDescription": description})
    if status == "successful":
        mark_stable(txn, (row["Namespace"], row["JobID"]), row["JobVersion"], stable=True)


def mark_stable(txn: Txn, key: tuple[str, str], version: int, *, stable: bool) -> None:
    """Say of a version that it works."""
    store = txn.store
    row = store.versions.get((*key, version))
    if row is None or row["Stable"] is stable:
        return
    job = store.jobs.get(key)
    if job is not None and job["Version"] == version:
        jobs.replace(txn, {**job, "Stable": stable})
    else:
        txn.put(store.versions, (*key, version), {**row, "Stable": stable, "ModifyIndex": txn.index})
