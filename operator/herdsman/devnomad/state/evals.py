"""Writes to evaluations."""

from herdsman.devnomad.clock import now_ns
from herdsman.devnomad.ids import new_id
from herdsman.devnomad.state import jobs
from herdsman.devnomad.state.store import Txn
from herdsman.devnomad.types import JobKey, Row


def new_eval(job: Row, trigger: str, **more: object) -> Row:
    """A pending evaluation of a job."""
    return make(job["Namespace"], job["ID"], kind=job["Type"], priority=job["Priority"], trigger=trigger, **more)


def make(namespace: str, job_id: str, *, kind: str, priority: int, trigger: str, **more: object) -> Row:
    """A pending evaluation; what is empty is left out when it is shown."""
    now = now_ns()
    return {
        "ID": new_id(),
        "Namespace": namespace,
        "Priority": priority,
        "Type": kind,
        "TriggeredBy": trigger,
        "JobID": job_id,
        "JobModifyIndex": 0,
        "NodeID": "",
        "NodeModifyIndex": 0,
        "DeploymentID": "",
        "Status": "pending",
        "StatusDescription": "",
        "Wait": 0,
        "WaitUntil": None,
        "NextEval": "",
        "PreviousEval": "",
        "BlockedEval": "",
        "RelatedEvals": None,
        "FailedTGAllocs": None,
        "ClassEligibility": None,
        "QuotaLimitReached": "",
        "EscapedComputedClass": False,
        "AnnotatePlan": False,
        "QueuedAllocations": None,
        "SnapshotIndex": 0,
        "CreateTime": now,
        "ModifyTime": now,
        **more,
    }


def upsert(txn: Txn, row: Row) -> Row:
    """Store an evaluation, with what follows for its job's status and summary; answers the row as stored."""
    evals = txn.store.evals
    old = evals.get(row["ID"])
    created = old["CreateIndex"] if old else txn.index
    stored = {**row, "CreateIndex": created, "ModifyIndex": txn.index, "ModifyTime": now_ns()}
    txn.put(evals, row["ID"], stored)
    key = (row["Namespace"], row["JobID"])
    if row["QueuedAllocations"]:
        jobs.set_queued(txn, key, row["QueuedAllocations"])
    if row["Status"] == "complete" and not row["FailedTGAllocs"] and not row["BlockedEval"]:
        _cancel_blocked(txn, key, by=row["ID"])
    jobs.refresh_status(txn, key)
    return stored


def _cancel_blocked(txn: Txn, key: JobKey, *, by: str) -> None:
    for other in txn.store.job_evals(key):
        if other["Status"] == "blocked" and other["ID"] != by:
            cancelled = {
                **other,
                "Status": "canceled",
                "StatusDescription": f'evaluation "{by}" successful',
                "ModifyIndex": txn.index,
                "ModifyTime": now_ns(),
            }
            txn.put(txn.store.evals, other["ID"], cancelled)
