"""Writes to jobs: versions, status, summaries, submissions, scaling policies."""

from typing import Final

from herdsman.devnomad.clock import now_ns
from herdsman.devnomad.ids import new_id
from herdsman.devnomad.state.store import Store, Txn
from herdsman.devnomad.state.usage import terminal
from herdsman.devnomad.structs.changed import settle_policies
from herdsman.devnomad.types import JobKey, Row

TRACKED_VERSIONS: Final = 6
MAX_SOURCE: Final = 1_000_000
BUCKETS: Final = ("Queued", "Complete", "Failed", "Running", "Starting", "Lost", "Unknown")
BUCKET_OF: Final = {
    "pending": "Starting",
    "running": "Running",
    "complete": "Complete",
    "failed": "Failed",
    "lost": "Lost",
    "unknown": "Unknown",
}
_CHILD_BUCKETS: Final = {"pending": "Pending", "running": "Running", "dead": "Dead"}


def key_of(job: Row) -> JobKey:
    """The key of a job."""
    return job["Namespace"], job["ID"]


def upsert(txn: Txn, job: Row) -> Row:
    """Store a job as its next version; answers the row as stored."""
    store = txn.store
    old = store.jobs.get(key_of(job))
    row = {
        **settle_policies(job, old, index=txn.index, new_id=new_id),
        "CreateIndex": old["CreateIndex"] if old else txn.index,
        "ModifyIndex": txn.index,
        "JobModifyIndex": txn.index,
        "Version": old["Version"] + 1 if old else 0,
        "Stable": False,
        "VersionTag": None,
        "StatusDescription": "",
    }
    row["Status"] = status_of(store, row)
    _store(txn, row, old)
    _ensure_summary(txn, row)
    _sync_scaling_policies(txn, row)
    return row


def _store(txn: Txn, row: Row, old: Row | None) -> None:
    store = txn.store
    txn.put(store.jobs, key_of(row), row)
    txn.put(store.versions, (*key_of(row), row["Version"]), row)
    if row["ParentID"] and (old is None or old["Status"] != row["Status"]):
        _count_child(txn, row, old["Status"] if old else None, row["Status"])
    if old is None or old["Version"] != row["Version"]:
        _forget_old_versions(txn, row)


def _forget_old_versions(txn: Txn, row: Row) -> None:
    untagged = [each for each in txn.store.job_versions(key_of(row)) if each["VersionTag"] is None]
    for each in untagged[TRACKED_VERSIONS:]:
        txn.delete(txn.store.versions, (*key_of(row), each["Version"]))
        txn.delete(txn.store.submissions, (*key_of(row), each["Version"]))


def replace(txn: Txn, row: Row) -> None:
    """Store a changed row of the same version (status, stability, tag)."""
    txn_row = {**row, "ModifyIndex": txn.index}
    _store(txn, txn_row, txn.store.jobs.get(key_of(row)))


def delete(txn: Txn, job: Row) -> None:
    """Remove a job with all that hangs on it but evaluations, allocations and deployments."""
    store, key = txn.store, key_of(job)
    for version in store.job_versions(key):
        txn.delete(store.versions, (*key, version["Version"]))
    for submission in store.submissions.find("job", key):
        txn.delete(store.submissions, (*key, submission["Version"]))
    for policy in store.scaling_policies.find("job", key):
        txn.delete(store.scaling_policies, policy["ID"])
    txn.delete(store.scaling_events, key)
    txn.delete(store.summaries, key)
    txn.delete(store.launches, key)
    txn.delete(store.jobs, key)
    if job["ParentID"]:
        _count_child(txn, job, job["Status"], None)


def status_of(store: Store, job: Row) -> str:
    """`running` while an allocation is or an evaluation waits for room, `pending` while one is due, else `dead`."""
    if job["Type"] == "system" or job["Periodic"] or (job["ParameterizedJob"] and not job["Dispatched"]):
        return "dead" if job["Stop"] else "running"
    key = key_of(job)
    if any(not terminal(alloc) for alloc in store.allocs.each("job", key)):
        return "running"
    waiting = {evaluation["Status"] for evaluation in store.evals.each("job", key)}
    if "pending" in waiting:
        return "pending"
    if "blocked" in waiting:
        return "running"
    seen = waiting or store.allocs.count("job", key)
    return "dead" if seen or job["Stop"] else "pending"


def refresh_status(txn: Txn, key: JobKey) -> None:
    """Recompute a job's status after something of it changed."""
    job = txn.store.jobs.get(key)
    if job is None:
        return
    status = status_of(txn.store, job)
    if status != job["Status"]:
        replace(txn, {**job, "Status": status})


# -- summaries -----------------------------------------------------------------------------------------------------
def _ensure_summary(txn: Txn, job: Row) -> None:
    summaries, key = txn.store.summaries, key_of(job)
    old = summaries.get(key)
    groups = dict(old["Summary"]) if old else {}
    missing = [group["Name"] for group in job["TaskGroups"] or () if group["Name"] not in groups]
    if old and not missing:
        return
    groups.update({name: dict.fromkeys(BUCKETS, 0) for name in missing})
    row = {
        "JobID": job["ID"],
        "Namespace": job["Namespace"],
        "Summary": groups,
        "Children": old["Children"] if old else {"Pending": 0, "Running": 0, "Dead": 0},
        "CreateIndex": old["CreateIndex"] if old else txn.index,
        "ModifyIndex": txn.index,
    }
    txn.put(summaries, key, row)


def count(txn: Txn, key: JobKey, group: str, changes: dict[str, int]) -> None:
    """Change the summary of a group; what is queued never falls below zero."""
    old = txn.store.summaries.get(key)
    if old is None or not any(changes.values()):
        return
    now = old["Summary"].get(group) or dict.fromkeys(BUCKETS, 0)
    after = {bucket: max(0, now[bucket] + changes.get(bucket, 0)) for bucket in BUCKETS}
    _put_summary(txn, key, old, {"Summary": {**old["Summary"], group: after}})


def set_queued(txn: Txn, key: JobKey, queued: dict[str, int]) -> None:
    """What a finished evaluation left queued."""
    old = txn.store.summaries.get(key)
    if old is None:
        return
    groups = {
        name: {**now, "Queued": queued[name]} if name in queued and now["Queued"] != queued[name] else now
        for name, now in old["Summary"].items()
    }
    if groups != old["Summary"]:
        _put_summary(txn, key, old, {"Summary": groups})


def _put_summary(txn: Txn, key: JobKey, old: Row, change: Row) -> None:
    txn.put(txn.store.summaries, key, {**old, **change, "ModifyIndex": txn.index})


def _count_child(txn: Txn, child: Row, was: str | None, now: str | None) -> None:
    key = (child["Namespace"], child["ParentID"])
    old = txn.store.summaries.get(key)
    if old is None:
        return
    children = dict(old["Children"])
    if was:
        children[_CHILD_BUCKETS[was]] = max(0, children[_CHILD_BUCKETS[was]] - 1)
    if now:
        children[_CHILD_BUCKETS[now]] += 1
    _put_summary(txn, key, old, {"Children": children})


# -- submissions ---------------------------------------------------------------------------------------------------
def put_submission(txn: Txn, job: Row, submission: Row | None) -> None:
    """Keep where a version came from; too large a source is dropped. Who brings none inherits that of version 0."""
    store, key = txn.store, key_of(job)
    if submission is not None and len(submission.get("Source") or "") > MAX_SOURCE:
        return
    if submission is None:
        submission = store.submissions.get((*key, 0))
        if submission is None:
            return
    row = {
        "Source": submission.get("Source") or "",
        "Format": submission.get("Format") or "",
        "VariableFlags": submission.get("VariableFlags"),
        "Variables": submission.get("Variables") or "",
        "Namespace": job["Namespace"],
        "JobID": job["ID"],
        "Version": job["Version"],
        "JobModifyIndex": job["JobModifyIndex"],
    }
    txn.put(store.submissions, (*key, job["Version"]), row)


# -- scaling policies ----------------------------------------------------------------------------------------------
def _sync_scaling_policies(txn: Txn, job: Row) -> None:
    table, key = txn.store.scaling_policies, key_of(job)
    wanted = {} if job["Stop"] else {policy["ID"]: policy for policy in policies_of(job)}
    for policy in table.find("job", key):
        if policy["ID"] not in wanted:
            txn.delete(table, policy["ID"])
    for identity, policy in wanted.items():
        known = table.get(identity)
        if known is None or known["ModifyIndex"] != policy["ModifyIndex"]:
            txn.put(table, identity, policy)


def policies_of(job: Row) -> list[Row]:
    """The scaling policies of a stored job's groups, as the API shows them."""
    return [
        {
            "ID": group["Scaling"]["ID"],
            "Type": group["Scaling"]["Type"] or "horizontal",
            "Target": {"Namespace": job["Namespace"], "Job": job["ID"], "Group": group["Name"]},
            "Policy": group["Scaling"]["Policy"],
            "Min": group["Scaling"]["Min"],
            "Max": group["Scaling"]["Max"],
            "Enabled": group["Scaling"]["Enabled"],
            "CreateIndex": group["Scaling"]["CreateIndex"],
            "ModifyIndex": group["Scaling"]["ModifyIndex"],
        }
        for group in job["TaskGroups"] or ()
        if group["Scaling"]
    ]


def record_scaling(txn: Txn, job: Row, group: str, event: Row) -> None:
    """Keep a scaling event; the newest come first, ten of each group stay."""
    key = key_of(job)
    old = txn.store.scaling_events.get(key)
    groups = dict(old["ScalingEvents"]) if old else {}
    entry = {"Time": now_ns(), "CreateIndex": txn.index, **event}
    groups[group] = [entry, *groups.get(group, [])][:10]
    row = {"Namespace": key[0], "JobID": key[1], "ScalingEvents": groups, "ModifyIndex": txn.index}
    txn.put(txn.store.scaling_events, key, row)
