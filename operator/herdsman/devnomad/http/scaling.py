"""Scaling: jobs scaled, how they stand, and the policies an autoscaler follows."""

from typing import Any

from herdsman.devnomad.errors import BadRequest, NotFound, Refused
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, found
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.state.usage import terminal
from herdsman.devnomad.types import Row


def _stub(policy: Row) -> Row:
    return {field: policy[field] for field in ("ID", "Enabled", "Type", "Target", "CreateIndex", "ModifyIndex")}


async def policies(call: Call) -> Reply:
    """The scaling policies of all jobs."""
    namespaces = call.may_list("list-scaling-policies")
    store, job, kind = call.agent.store, call.param("job"), call.param("type")

    def read() -> Value:
        rows = (
            row
            for row in store.scaling_policies.ordered()
            if (namespaces is None or row["Target"]["Namespace"] in namespaces)
            and (not job or row["Target"]["Job"] == job)
            and row["Type"].startswith(kind)
        )
        return Value([_stub(row) for row in rows], max(store.scaling_policies.index, 1))

    return await blocking(call, read, ("scaling_policies",))


async def policy(call: Call) -> Reply:
    """One scaling policy."""
    store, policy_id = call.agent.store, call.between
    row = store.scaling_policies.get(policy_id)
    call.may("read-scaling-policy", namespace=row["Target"]["Namespace"] if row else None)

    def read() -> Value:
        known = store.scaling_policies.get(policy_id)
        if fault := id_fault(policy_id):
            raise Refused(f"scaling_policy lookup failed: {fault}")
        if known is None:
            raise NotFound("policy not found")
        return Value(known, known["ModifyIndex"])

    return await blocking(call, read, ("scaling_policies", policy_id))


# -- jobs ----------------------------------------------------------------------------------------------------------
def scale(call: Call) -> Reply:
    """Change the count of a group."""
    call.may_register("scale-job", "submit-job")
    body = call.request("api.ScalingRequest")
    target = body.get("Target") or {}
    if target.get("Job", call.between) not in {"", call.between}:
        raise BadRequest("job ID does not match")
    if target.get("Namespace", call.namespace) not in {"", call.namespace}:
        raise BadRequest("namespace in payload did not match header")
    answer = call.agent.scaling.scale(call.job_key(), body)
    return Value(answer, answer["Index"])


async def scale_status(call: Call) -> Reply:
    """How a job's groups stand against their counts."""
    call.may("read-job-scaling", "read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        job = store.jobs.get(key)
        if job is None:
            return Value(None, max(store.jobs.index, 1))
        return Value(_scale_status(store, job), max(job["ModifyIndex"], store.allocs.index, store.scaling_events.index))

    reply = await blocking(call, read, ("jobs", *key), ("allocs", "job", *key), ("scaling_events", *key))
    return found(reply, "job not found")


def _scale_status(store: Store, job: Row) -> Row:
    key = (job["Namespace"], job["ID"])
    events = (store.scaling_events.get(key) or {"ScalingEvents": {}})["ScalingEvents"]
    groups: dict[str, Any] = {
        group["Name"]: {
            "Desired": group["Count"],
            "Placed": 0,
            "Running": 0,
            "Healthy": 0,
            "Unhealthy": 0,
            "Events": events.get(group["Name"]),
        }
        for group in job["TaskGroups"] or ()
    }
    for alloc in store.job_allocs(key):
        state = groups.get(alloc["TaskGroup"])
        if state is None or terminal(alloc):
            continue
        state["Placed"] += 1
        state["Running"] += alloc["ClientStatus"] == "running"
        healthy = (alloc["DeploymentStatus"] or {}).get("Healthy")
        state["Healthy"] += healthy is True
        state["Unhealthy"] += healthy is False
    return {
        "JobID": job["ID"],
        "Namespace": job["Namespace"],
        "JobCreateIndex": job["CreateIndex"],
        "JobModifyIndex": job["ModifyIndex"],
        "JobStopped": job["Stop"],
        "TaskGroups": groups,
    }


ROUTES = (
    exact("/v1/scaling/policies", get=policies),
    under("/v1/scaling/policy/", get=policy),
    under("/v1/job/", "/scale", get=scale_status, put=scale),
)
