"""What people send about jobs: a job to register, to plan, to validate; a jobspec to parse."""

from dataclasses import dataclass

from herdsman.devnomad.errors import REGION, BadRequest, NoPath
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.rpc.jobs import RegisterOptions
from herdsman.devnomad.structs.canonical import canonicalize, canonicalize_api
from herdsman.devnomad.structs.decode import DecodeError, decode_job
from herdsman.devnomad.structs.validate import MAX_PRIORITY, error_text, warning_text
from herdsman.devnomad.types import Row


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    """A job to register."""

    job: Row
    options: RegisterOptions


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A job to plan."""

    job: Row
    want_diff: bool


def register_request(call: Call) -> RegisterRequest:
    """Read the body of a register."""
    body = call.request("api.JobRegisterRequest")
    job = _job(call, body, request="JobRegisterRequest")
    if not job.get("ID"):
        raise BadRequest("Job ID hasn't been provided")
    if call.between and job.get("ID") != call.between:
        raise BadRequest("Job ID does not match name")
    options = RegisterOptions(
        enforce_index=body.get("EnforceIndex", False),
        job_modify_index=body.get("JobModifyIndex", 0),
        preserve_counts=body.get("PreserveCounts", False),
        preserve_resources=body.get("PreserveResources", False),
        eval_priority=eval_priority(body.get("EvalPriority", 0)),
        submission=body.get("Submission"),
    )
    return RegisterRequest(job, options)


def plan_request(call: Call) -> PlanRequest:
    """Read the body of a plan."""
    body = call.request("api.JobPlanRequest")
    job = _job(call, body, request="JobPlanRequest")
    if not job.get("ID"):
        raise BadRequest("Job must have a valid ID")
    if job["ID"] != call.between:
        raise BadRequest("Job ID does not match")
    return PlanRequest(job, body.get("Diff", False))


def _job(call: Call, body: Row, *, request: str) -> Row:
    """The job of a request, in the namespace that the request names, or else the job itself."""
    raw = body.get("Job")
    if raw is None:
        raise BadRequest("Job must be specified")
    try:
        job = decode_job(raw, request=request)
    except DecodeError as error:
        raise BadRequest(str(error)) from error
    job["Namespace"] = call.params.get("namespace") or job.get("Namespace") or "default"
    if (job.get("Region") or REGION) != REGION:
        raise NoPath
    return job


def eval_priority(priority: int) -> int:
    """The priority that somebody wants for the evaluation (0: the job's)."""
    if priority and not 1 <= priority <= MAX_PRIORITY:
        raise BadRequest(f"Eval priority must be between 1 and {MAX_PRIORITY} inclusively")
    return priority


def parse(call: Call) -> Row:
    """The job that a jobspec describes."""
    from herdsman import jobspec  # noqa: PLC0415 - as large as all the rest, and not everybody's

    body = call.request("api.JobsParseRequest")
    source = body.get("JobHCL") or ""
    if not source:
        raise BadRequest("Job spec is empty")
    if body.get("HCLv1"):
        raise BadRequest("HCL1 jobspecs are no longer supported by Nomad; write HCL2")
    try:
        job = jobspec.parse(source, variables=body.get("Variables") or None)
    except jobspec.JobspecError as error:
        raise BadRequest(str(error)) from error
    return canonicalize_api(job) if body.get("Canonicalize") else job


def validate(call: Call) -> Row:
    """What is wrong with a job, and what is doubtful."""
    body = call.request("api.JobValidateRequest")
    job = _job(call, body, request="JobValidateRequest")
    if not job.get("ID"):
        raise BadRequest("Job must have a valid ID")
    verdict = call.agent.jobs.judge(canonicalize(job))
    return {
        "DriverConfigValidated": True,
        "ValidationErrors": list(verdict.errors) or None,
        "Error": error_text(verdict.errors),
        "Warnings": warning_text(verdict.warnings),
        "Index": 0,
        "LastContact": 0,
        "KnownLeader": False,
        "NextToken": "",
    }
