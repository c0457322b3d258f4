"""`/v1/jobs` and `/v1/job/:id`: listed, read, registered, planned, stopped, launched; jobspecs parsed."""

from herdsman.devnomad.errors import BadRequest
from herdsman.devnomad.http import submitted
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, by_job, found, page
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.state.store import Store
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
            rows[::-1] if call.backwards else rows,
            index=max(store.table_index(store.jobs, store.summaries), 1),
            order=by_job,
            descending=call.backwards,
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


async def read_job(call: Call) -> Reply:
    """One job."""
    call.may("read-job")
    store, key = call.agent.store, call.job_key()

    def read() -> Value:
        job = store.jobs.get(key)
        if job is None:
            return Value(None, max(store.jobs.index, 1))
        return Value(job, job["ModifyIndex"])

    return found(await blocking(call, read, ("jobs", *key)), "job not found")


# -- writes --------------------------------------------------------------------------------------------------------
def register(call: Call) -> Reply:
    """Register a job."""
    request = submitted.register_request(call)
    call.may_register("submit-job", namespace=request.job["Namespace"])
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
    priority = submitted.eval_priority(call.number("eval_priority"))
    answer = call.agent.jobs.deregister(
        call.job_key(),
        purge=call.flag("purge"),
        eval_priority=priority,
        no_delay=call.flag("no_shutdown_delay"),
    )
    return Value(answer, answer["Index"])


def evaluate(call: Call) -> Reply:
    """Look at a job anew."""
    call.may("submit-job")
    body = call.request("structs.JobEvaluateRequest", optional=True)
    if body.get("JobID") and body["JobID"] != call.between:
        raise BadRequest("JobID not same as job name")
    options = body.get("EvalOptions") or {}
    answer = call.agent.jobs.evaluate(call.job_key(), force_reschedule=bool(options.get("ForceReschedule")))
    return Value(answer, answer["Index"])


# -- children ------------------------------------------------------------------------------------------------------
def dispatch(call: Call) -> Reply:
    """Run a parameterized job once."""
    call.may_register("dispatch-job", "submit-job")
    body = call.request("structs.JobDispatchRequest", optional=True)
    if body.get("JobID") and body["JobID"] != call.between:
        raise BadRequest("Job ID does not match")
    answer = call.agent.launches.dispatch(call.job_key(), body, idempotency=call.param("idempotency_token"))
    return Value(answer, answer["Index"])


def force_periodic(call: Call) -> Reply:
    """Run a periodic job now."""
    call.may("dispatch-job", "submit-job")
    answer = call.agent.launches.force(call.job_key())
    return Value(answer, answer["Index"])


# -- texts ---------------------------------------------------------------------------------------------------------
def parse(call: Call) -> Reply:
    """A jobspec, made a job."""
    call.may("parse-job", "submit-job")
    return Value(submitted.parse(call))


def validate(call: Call) -> Reply:
    """Whether a job would be taken."""
    call.may("read-job")
    return Value(submitted.validate(call))


ROUTES = (
    exact("/v1/jobs", get=list_jobs, put=register),
    exact("/v1/jobs/parse", put=parse),
    exact("/v1/validate/job", put=validate),
    under("/v1/job/", "/evaluate", put=evaluate),
    under("/v1/job/", "/plan", put=plan),
    under("/v1/job/", "/dispatch", put=dispatch),
    under("/v1/job/", "/periodic/force", put=force_periodic),
    under("/v1/job/", get=read_job, put=register, delete=deregister),
)
