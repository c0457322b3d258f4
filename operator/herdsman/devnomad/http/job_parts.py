"""What hangs on a job: its summary, allocations, evaluations, deployments, services, actions."""

from herdsman.devnomad.errors import NotFound
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, found
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import under
from herdsman.devnomad.rpc import allocs, evals


async def summary(call: Call) -> Reply:
    """How many allocations of a job are in which state."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        row = store.summaries.get(key)
        return Value(row, row["ModifyIndex"] if row else max(store.summaries.index, 1))

    return found(await blocking(call, read, ("summaries", *key)), "job not found")


async def allocations(call: Call) -> Reply:
    """The allocations of a job; those of an earlier job of that name only with `all`."""
    call.may("read-job")
    store, key, everything = call.agent.store, call.job_key(), call.lenient("all")

    def read() -> Value:
        job, rows = store.jobs.get(key), store.job_allocs(key)
        if job is not None and not everything:
            rows = [row for row in rows if row["Job"]["CreateIndex"] == job["CreateIndex"]]
        index = max((row["ModifyIndex"] for row in rows), default=max(store.allocs.index, 1))
        return Value([allocs.stub(row) for row in rows], index)

    return await blocking(call, read, ("allocs", "job", *key))


async def evaluations(call: Call) -> Reply:
    """The evaluations of a job, newest first."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        rows = sorted(store.job_evals(key), key=lambda row: -row["CreateIndex"])
        index = max((row["ModifyIndex"] for row in rows), default=max(store.evals.index, 1))
        return Value([evals.shown(row) for row in rows], index)

    return await blocking(call, read, ("evals", "job", *key))


async def deployments(call: Call) -> Reply:
    """The deployments of a job; those of an earlier job of that name only with `all`."""
    call.may("read-job")
    store, key, everything = call.agent.store, call.job_key(), call.lenient("all")

    def read() -> Value:
        job, rows = store.jobs.get(key), store.job_deployments(key)
        if job is not None and not everything:
            rows = [row for row in rows if row["JobCreateIndex"] == job["CreateIndex"]]
        rows = sorted(rows, key=lambda row: -row["CreateIndex"])
        return Value(rows, max((row["ModifyIndex"] for row in rows), default=max(store.deployments.index, 1)))

    return await blocking(call, read, ("deployments", "job", *key))


async def latest_deployment(call: Call) -> Reply:
    """The newest deployment of a job."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        row = store.latest_deployment(key)
        return Value(row, row["ModifyIndex"] if row else max(store.deployments.index, 1))

    return await blocking(call, read, ("deployments", "job", *key))


def services(call: Call) -> Reply:
    """The services that a job's allocations offer."""
    call.may("read-job")
    store, (namespace, job_id) = call.agent.store, call.job_key()
    if (namespace, job_id) not in store.jobs:
        raise NotFound("job not found")
    rows = [row for row in store.services if row["Namespace"] == namespace and row["JobID"] == job_id]
    return Value(sorted(rows, key=lambda row: row["ID"]), max(store.services.index, 1))


def actions(call: Call) -> Reply:
    """The actions that a job's tasks offer."""
    call.may("read-job")
    job = call.agent.store.jobs.get(call.job_key())
    if job is None:
        raise NotFound("job not found")
    offered = [
        {
            "Name": action["Name"],
            "Command": action["Command"],
            "Args": action["Args"],
            "TaskName": task["Name"],
            "TaskGroupName": group["Name"],
        }
        for group in job["TaskGroups"] or ()
        for task in group["Tasks"]
        for action in task["Actions"] or ()
    ]
    return Value(offered, call.agent.store.jobs.index)


ROUTES = (
    under("/v1/job/", "/summary", get=summary),
    under("/v1/job/", "/allocations", get=allocations),
    under("/v1/job/", "/evaluations", get=evaluations),
    under("/v1/job/", "/deployments", get=deployments),
    under("/v1/job/", "/deployment", get=latest_deployment),
    under("/v1/job/", "/services", get=services),
    under("/v1/job/", "/actions", get=actions),
)
