"""`/v1/jobs` and `/v1/job/:id`: listed, read, registered, planned, stopped."""

from itertools import pairwise
from typing import Any

from herdsman.devnomad.errors import BadRequest, NotFound, Refused
from herdsman.devnomad.http import submitted
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.rpc import allocs as alloc_requests
from herdsman.devnomad.rpc import evals as eval_requests
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.structs.jobdiff import diff
from herdsman.devnomad.types import Row

_STUB = (
    "ID",
    "ParentID",
    "Name",
    "Namespace",
    "Datacenters",
    "NodePool",
    "Multiregion",
    "Type",
    "Priority",
    "Stop",
    "Status",
    "StatusDescription",
    "CreateIndex",
    "ModifyIndex",
    "JobModifyIndex",
    "SubmitTime",
)


# -- lists ---------------------------------------------------------------------------------------------------------
async def list_jobs(call: Call) -> Reply:
    """All jobs of a namespace, or of all."""
    namespaces = call.may_list("list-jobs")
    store, with_meta = call.agent.store, call.flag("meta")
    prefix = call.prefix

    def read() -> Value:
        rows = [
            row
            for row in store.jobs.ordered()
            if row["ID"].startswith(prefix) and (namespaces is None or row["Namespace"] in namespaces)
        ]
        return page(
            call,
            rows[::-1] if call.flag("reverse") else rows,
            index=max(store.table_index(store.jobs, store.summaries), 1),
            token=lambda row: f"{row['Namespace']}.{row['ID']}",
            show=lambda row: _stub(store, row, with_meta=with_meta),
        )

    return await blocking(call, read, ("jobs",), ("summaries",))


def _stub(store: Store, job: Row, *, with_meta: bool) -> Row:
    out = {field: job[field] for field in _STUB}
    out["Periodic"] = job["Periodic"] is not None
    out["ParameterizedJob"] = job["ParameterizedJob"] is not None
    out["JobSummary"] = store.summaries.get((job["Namespace"], job["ID"]))
    if with_meta:
        out["Meta"] = job["Meta"]
    return out


# -- reads ---------------------------------------------------------------------------------------------------------
async def read_job(call: Call) -> Reply:
    """One job."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        job = store.jobs.get(key)
        if job is None:
            return Value(None, max(store.jobs.index, 1))
        return Value(job, job["ModifyIndex"])

    return _found(await blocking(call, read, ("jobs", *key)), "job not found")


def _found(reply: Reply, text: str) -> Reply:
    if isinstance(reply, Value) and reply.value is None:
        raise NotFound(text)
    return reply


async def summary(call: Call) -> Reply:
    """How many allocations of a job are in which state."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        row = store.summaries.get(key)
        return Value(row, row["ModifyIndex"] if row else max(store.summaries.index, 1))

    return _found(await blocking(call, read, ("summaries", *key)), "job not found")


async def versions(call: Call) -> Reply:
    """The versions of a job that are kept, newest first, with what changed between them where that is asked for."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()
    want_diffs = call.flag("diffs")

    def read() -> Value:
        rows = store.job_versions(key)
        if not rows:
            return Value(None, max(store.versions.index, 1))
        diffs = _diffs(call, rows) if want_diffs else None
        index = max(row["ModifyIndex"] for row in rows)
        return Value({"Versions": rows, "Diffs": diffs}, index)

    reply = _found(await blocking(call, read, ("versions", *key)), "job versions not found")
    if isinstance(reply, Value):
        tail = {"Index": reply.index, "KnownLeader": True, "LastContact": 0, "NextToken": ""}
        reply.value = {**reply.value, **tail}
    return reply


def _diffs(call: Call, rows: list[Row]) -> list[Row] | None:
    compared = _compared(call, rows)
    if compared is not None:
        found = [diff(compared, row, contextual=True) for row in rows if row["Version"] != compared["Version"]]
    else:
        found = [diff(older, newer, contextual=True) for newer, older in pairwise(rows)]
    return found or None


def _compared(call: Call, rows: list[Row]) -> Row | None:
    """The version that all others are compared with, where one is named."""
    tag, number = call.param("diff_tag"), call.param("diff_version")
    if tag:
        found = next((row for row in rows if (row["VersionTag"] or {}).get("Name") == tag), None)
        if found is None:
            raise NotFound(f'tag "{tag}" not found')
        return found
    if number:
        wanted = call.number("diff_version")
        found = next((row for row in rows if row["Version"] == wanted), None)
        if found is None:
            raise NotFound(f"version {wanted} not found")
        return found
    return None


async def submission(call: Call) -> Reply:
    """Where a version came from."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()
    text = call.param("version")
    if not text.isdigit():
        raise BadRequest(
            f'Failed to parse value of "version" as a uint64: strconv.ParseUint: parsing "{text}": invalid syntax'
        )

    def read() -> Value:
        row = store.submissions.get((*key, int(text)))
        return Value(row, row["JobModifyIndex"] if row else max(store.submissions.index, 1))

    return _found(await blocking(call, read, ("submissions", *key)), "job source not found")


async def job_allocations(call: Call) -> Reply:
    """The allocations of a job; those of an earlier job of that name only with `all`."""
    call.may("read-job")
    store, key, everything = call.agent.store, call.job_key(), call.flag("all")

    def read() -> Value:
        job, rows = store.jobs.get(key), store.job_allocs(key)
        if job is not None and not everything:
            rows = [row for row in rows if row["Job"]["CreateIndex"] == job["CreateIndex"]]
        index = max((row["ModifyIndex"] for row in rows), default=max(store.allocs.index, 1))
        return Value([alloc_requests.stub(row) for row in rows], index)

    return await blocking(call, read, ("allocs", "job", *key))


async def job_evaluations(call: Call) -> Reply:
    """The evaluations of a job, newest first."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        rows = sorted(store.job_evals(key), key=lambda row: -row["CreateIndex"])
        index = max((row["ModifyIndex"] for row in rows), default=max(store.evals.index, 1))
        return Value([eval_requests.shown(row) for row in rows], index)

    return await blocking(call, read, ("evals", "job", *key))


async def job_deployments(call: Call) -> Reply:
    """The deployments of a job; those of an earlier job of that name only with `all`."""
    call.may("read-job")
    store, key, everything = call.agent.store, call.job_key(), call.flag("all")

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


# -- writes --------------------------------------------------------------------------------------------------------
def register(call: Call) -> Reply:
    """Register a job."""
    request = submitted.register_request(call)
    call.may("submit-job", namespace=request.job["Namespace"])
    answer = call.agent.jobs.register(request.job, request.options)
    return Value(answer, answer["Index"])


def plan(call: Call) -> Reply:
    """What registering a job would do."""
    request = submitted.plan_request(call)
    call.may("submit-job", "plan-job", namespace=request.job["Namespace"])
    return Value(call.agent.jobs.plan(request.job, want_diff=request.want_diff), call.agent.store.index)


def deregister(call: Call) -> Reply:
    """Stop a job; forget it with `purge`."""
    call.may("submit-job")
    if not call.between:
        raise BadRequest("missing job ID")
    answer = call.agent.jobs.deregister(
        call.job_key(), purge=call.flag("purge"), eval_priority=call.number("eval_priority")
    )
    return Value(answer, answer["Index"])


def evaluate(call: Call) -> Reply:
    """Look at a job anew."""
    call.may("read-job" if call.method == "GET" else "submit-job")
    body = call.fields(optional=True)
    if body.get("JobID") and body["JobID"] != call.between:
        raise BadRequest("JobID not same as job name")
    options = body.get("EvalOptions") or {}
    answer = call.agent.jobs.evaluate(call.job_key(), force_reschedule=bool(options.get("ForceReschedule")))
    return Value(answer, answer["Index"])


def revert(call: Call) -> Reply:
    """Make an older version the next one."""
    call.may("submit-job")
    body = call.fields()
    if not body.get("JobID"):
        raise BadRequest("JobID must be specified")
    if body["JobID"] != call.between:
        raise BadRequest("Job ID does not match")
    enforce = body.get("EnforcePriorVersion")
    answer = call.agent.jobs.revert(call.job_key(), body.get("JobVersion") or 0, enforce=enforce)
    return Value(answer, answer["Index"])


def stable(call: Call) -> Reply:
    """Say of a version that it works."""
    call.may("submit-job")
    body = call.fields()
    if not body.get("JobID"):
        raise BadRequest("JobID must be specified")
    if body["JobID"] != call.between:
        raise BadRequest("Job ID does not match")
    answer = call.agent.jobs.set_stability(call.job_key(), body.get("JobVersion") or 0, stable=bool(body.get("Stable")))
    return Value(answer, answer["Index"])


def tag(call: Call) -> Reply:
    """Give a version a name."""
    call.may("submit-job")
    job_id, name = _tagged(call)
    body = call.fields()
    answer = call.agent.jobs.tag((call.namespace, job_id), body.get("Version"), name, body.get("Description") or "")
    return Value(answer, answer["Index"])


def untag(call: Call) -> Reply:
    """Take a name away from a version."""
    call.may("submit-job")
    job_id, name = _tagged(call)
    answer = call.agent.jobs.untag((call.namespace, job_id), name)
    return Value(answer, answer["Index"])


def _tagged(call: Call) -> tuple[str, str]:
    job_id, _, name = call.between.rpartition("/versions/")
    if not job_id:
        raise NotFound("")
    return job_id, name


def scale(call: Call) -> Reply:
    """Change the count of a group."""
    call.may("scale-job", "submit-job")
    answer = call.agent.jobs.scale(call.job_key(), call.fields())
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
    return _found(reply, "not found")


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
        over = alloc["DesiredStatus"] != "run" or alloc["ClientStatus"] in {"complete", "failed", "lost"}
        if state is None or over:
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


# -- children ------------------------------------------------------------------------------------------------------
def dispatch(call: Call) -> Reply:
    """Run a parameterized job once."""
    call.may("dispatch-job", "submit-job")
    body = call.fields(optional=True)
    if body.get("JobID") and body["JobID"] != call.between:
        raise BadRequest("Job ID does not match")
    answer = call.agent.launches.dispatch(call.job_key(), body, idempotency=call.param("idempotency_token"))
    return Value(answer, answer["Index"])


def force_periodic(call: Call) -> Reply:
    """Run a periodic job now."""
    call.may("dispatch-job", "submit-job")
    answer = call.agent.launches.force(call.job_key())
    return Value(answer, answer["Index"])


def services(call: Call) -> Reply:
    """The services that a job's allocations offer."""
    call.may("read-job")
    store, (namespace, job_id) = call.agent.store, call.job_key()
    rows = [row for row in store.services if row["Namespace"] == namespace and row["JobID"] == job_id]
    return Value(sorted(rows, key=lambda row: row["ID"]), max(store.services.index, 1))


def actions(call: Call) -> Reply:
    """The actions that a job's tasks offer."""
    call.may("read-job")
    job = call.agent.store.jobs.get(call.job_key())
    if job is None:
        raise NotFound("job not found")
    found = [
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
    return Value(found, call.agent.store.jobs.index)


# -- texts ---------------------------------------------------------------------------------------------------------
def parse(call: Call) -> Reply:
    """A jobspec, made a job."""
    call.may("parse-job", "submit-job")
    return Value(submitted.parse(call))


def validate(call: Call) -> Reply:
    """Whether a job would be taken."""
    call.may("read-job")
    return Value(submitted.validate(call))


def not_a_job(_call: Call) -> Reply:
    """No ID."""
    raise Refused("missing job ID", status=400)


ROUTES = (
    exact("/v1/jobs", get=list_jobs, put=register),
    exact("/v1/jobs/parse", put=parse),
    exact("/v1/validate/job", put=validate),
    under("/v1/job/", "/evaluate", put=evaluate),
    under("/v1/job/", "/allocations", get=job_allocations),
    under("/v1/job/", "/evaluations", get=job_evaluations),
    under("/v1/job/", "/periodic/force", put=force_periodic),
    under("/v1/job/", "/plan", put=plan),
    under("/v1/job/", "/summary", get=summary),
    under("/v1/job/", "/dispatch", put=dispatch),
    under("/v1/job/", "/versions", get=versions),
    under("/v1/job/", "/revert", put=revert),
    under("/v1/job/", "/deployments", get=job_deployments),
    under("/v1/job/", "/deployment", get=latest_deployment),
    under("/v1/job/", "/stable", put=stable),
    under("/v1/job/", "/scale", get=scale_status, put=scale),
    under("/v1/job/", "/services", get=services),
    under("/v1/job/", "/submission", get=submission),
    under("/v1/job/", "/actions", get=actions),
    under("/v1/job/", "/tag", put=tag, delete=untag),
    under("/v1/job/", get=read_job, put=register, delete=deregister),
)
