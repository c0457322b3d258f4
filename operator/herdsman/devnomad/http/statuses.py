"""`/v1/jobs/statuses`: jobs, the latest changed first, with their allocations and their latest deployment."""

from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, by_change, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact
from herdsman.devnomad.state import deployments
from herdsman.devnomad.state.jobs import key_of
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.state.usage import server_terminal
from herdsman.devnomad.types import Row


async def statuses(call: Call) -> Reply:
    """The state of jobs; of the named ones where the body names some."""
    namespaces = call.may_list("read-job")
    store = call.agent.store
    body = call.request("structs.JobStatusesRequest", optional=True) if call.method != "GET" else {}
    chosen = {(each.get("Namespace") or "default", each.get("ID")) for each in body.get("Jobs") or ()}
    children = call.flag("include_children") or bool(body.get("IncludeChildren"))

    def read() -> Value:
        rows = [
            row
            for row in store.jobs
            if (namespaces is None or row["Namespace"] in namespaces)
            and (not chosen or key_of(row) in chosen)
            and (children or chosen or not row["ParentID"])
        ]
        latest_first = not call.backwards
        rows.sort(key=lambda row: by_change.place(by_change.token(row)), reverse=latest_first)
        index = store.table_index(store.jobs, store.allocs, store.deployments)
        return page(
            call,
            rows,
            index=index,
            order=by_change,
            show=lambda row: _status(store, row),
            descending=latest_first,
        )

    return await blocking(call, read, ("jobs",), ("allocs",), ("deployments",))


def _status(store: Store, job: Row) -> Row:
    key = key_of(job)
    allocs = [_alloc(row) for row in store.job_allocs(key) if _counts(row, job)]
    child_statuses = None
    if job["Periodic"] or job["ParameterizedJob"]:
        child_statuses = [child["Status"] for child in store.jobs.find("parent", key)]
    return {
        "ID": job["ID"],
        "Namespace": job["Namespace"],
        "Name": job["Name"],
        "Type": job["Type"],
        "NodePool": job["NodePool"],
        "Datacenters": job["Datacenters"],
        "Priority": job["Priority"],
        "Version": job["Version"],
        "ParentID": job["ParentID"],
        "Status": job["Status"],
        "Stop": job["Stop"],
        "SubmitTime": job["SubmitTime"],
        "CreateIndex": job["CreateIndex"],
        "ModifyIndex": job["ModifyIndex"],
        "IsPack": "pack.name" in (job["Meta"] or {}),
        "GroupCountSum": sum(group["Count"] for group in job["TaskGroups"] or ()),
        "Allocs": allocs,
        "ChildStatuses": child_statuses,
        "LatestDeployment": _deployment(store.latest_deployment(key)),
    }


def _counts(alloc: Row, job: Row) -> bool:
    """Allocations that were stopped on purpose, or replaced, are no part of a job's state."""
    if alloc["Job"]["CreateIndex"] != job["CreateIndex"] or alloc["NextAllocation"]:
        return False
    return not server_terminal(alloc) or alloc["ClientStatus"] in {"running", "pending"}


def _alloc(alloc: Row) -> Row:
    status = alloc["DeploymentStatus"] or {}
    return {
        "ID": alloc["ID"],
        "Group": alloc["TaskGroup"],
        "ClientStatus": alloc["ClientStatus"],
        "NodeID": alloc["NodeID"],
        "DeploymentStatus": {"Canary": bool(status.get("Canary")), "Healthy": status.get("Healthy")},
        "JobVersion": alloc["Job"]["Version"],
        "FollowupEvalID": alloc["FollowupEvalID"],
        "HasPausedTask": False,
    }


def _deployment(row: Row | None) -> Row | None:
    if row is None:
        return None
    groups = row["TaskGroups"].values()
    waiting = [group for group in groups if group["DesiredCanaries"] and not group["Promoted"]]
    return {
        "ID": row["ID"],
        "IsActive": deployments.active(row),
        "JobVersion": row["JobVersion"],
        "Status": row["Status"],
        "StatusDescription": row["StatusDescription"],
        "AllAutoPromote": bool(groups) and all(group["AutoPromote"] for group in groups),
        "RequiresPromotion": deployments.active(row) and bool(waiting),
    }


ROUTES = (exact("/v1/jobs/statuses", get=statuses, put=statuses),)
