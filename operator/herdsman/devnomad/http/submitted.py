"""What people send about jobs: a job to register, to plan, to validate; a jobspec to parse."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from herdsman.devnomad.errors import REGION, BadRequest, NoPath
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.rpc.jobs import RegisterOptions
from herdsman.devnomad.structs.canonical import canonicalize, canonicalize_api
from herdsman.devnomad.structs.decode import DecodeError, decode_job
from herdsman.devnomad.structs.validate import error_text, warning_text
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
    body = call.fields()
    job = _job(call, body, request="JobRegisterRequest")
    if not job.get("ID"):
        raise BadRequest("Job ID hasn't been provided")
    if call.between and job.get("ID") != call.between:
        raise BadRequest("Job ID does not match name")
    options = RegisterOptions(
        enforce_index=_typed(body, "EnforceIndex", bool),
        job_modify_index=_typed(body, "JobModifyIndex", int),
        preserve_counts=_typed(body, "PreserveCounts", bool),
        preserve_resources=_typed(body, "PreserveResources", bool),
        eval_priority=_typed(body, "EvalPriority", int),
        submission=body.get("Submission"),
    )
    return RegisterRequest(job, options)


def plan_request(call: Call) -> PlanRequest:
    """Read the body of a plan."""
    body = call.fields()
    job = _job(call, body, request="JobPlanRequest")
    if not job.get("ID"):
        raise BadRequest("Job must have a valid ID")
    if job["ID"] != call.between:
        raise BadRequest("Job ID does not match")
    return PlanRequest(job, _typed(body, "Diff", bool))


def _job(call: Call, body: Row, *, request: str) -> Row:
    """The job of a request, in the namespace that the request names, or else the job itself."""
    raw = _field(body, "Job")
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


def _field(body: Row, name: str) -> Any:
    if name in body:
        return body[name]
    return next((value for key, value in body.items() if key.lower() == name.lower()), None)


def _typed(body: Row, name: str, kind: type[bool] | type[int]) -> Any:
    value = _field(body, name)
    if value is None:
        return kind()
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        found = "string" if isinstance(value, str) else "bool" if isinstance(value, bool) else "number"
        wanted = "bool" if kind is bool else "uint64"
        raise BadRequest(
            f"json: cannot unmarshal {found} into Go struct field JobRegisterRequest.{name} of type {wanted}"
        )
    return value


def parse(call: Call) -> Row:
    """The job that a jobspec describes."""
    from herdsman import jobspec  # noqa: PLC0415 - as large as all the rest, and not everybody's

    body = call.fields()
    source = body.get("JobHCL") or ""
    if not source:
        raise BadRequest("Job spec is empty")
    if body.get("HCLv1"):
        raise BadRequest("HCL1 jobspecs are no longer supported by Nomad; write HCL2")
    variables: str | Mapping[str, object] | None = body.get("Variables") or None
    try:
        job = jobspec.parse(source, variables=variables)
    except jobspec.JobspecError as error:
        raise BadRequest(str(error)) from error
    return canonicalize_api(job) if body.get("Canonicalize") else job


def validate(call: Call) -> Row:
    """What is wrong with a job, and what is doubtful."""
    body = call.fields()
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
