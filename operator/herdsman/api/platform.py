"""The shapes of the platform: those that its users have known for years, field by field, and what they lacked.

Names are theirs (`job_ID`, `memory_MB`), not the camelCase of the operator's own routes. Times are RFC 3339 in UTC.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from herdsman.api.auth import require
from herdsman.api.schemas import Problem
from herdsman.core.words import blast_radius, sentence
from herdsman.errors import Unavailable
from herdsman.model.durations import NS, nanoseconds
from herdsman.model.identity import ANYWHERE, Identity, Role
from herdsman.platform import Platform
from herdsman.platform.errors import (
    Away,
    Changed,
    Exceeded,
    FieldFault,
    NotAllowed,
    NotNow,
    NotThere,
    PlatformError,
    TooOften,
    Unfitting,
)
from herdsman.platform.orders import Done, Preview

PROBLEM: Final = "application/problem+json"
_ID: Final = "8c3b0f5e-52a1-4f0b-9d3e-2f6b1f0c7a55"


class Shape(BaseModel):
    """What all of these have in common."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


# -- answers -----------------------------------------------------------------------------------------------------------


class ResourcesOut(Shape):
    """What the main task asks for, or got."""

    cpu_num: int = Field(description="reserved cores", examples=[4])
    cpu_mhz: int = Field(alias="cpu_MHz", examples=[10400])
    gpu_num: int = Field(examples=[1])
    memory_mb: int = Field(alias="memory_MB", examples=[8000])
    disk_mb: int = Field(alias="disk_MB", examples=[10000])


Word = Literal["queued", "starting", "running", "down", "complete", "failed", "error", "dead"]


class DeploymentOut(Shape):
    """One deployment."""

    job_id: str = Field(alias="job_ID", examples=[_ID])
    name: str = Field(description="of the job in Nomad", examples=[_ID])
    status: Word = Field(description="how it does; `error_msg` says why", examples=["running"])
    owner: str = Field(examples=["ada@https://login.example.org"])
    title: str = Field(examples=["My first model"])
    description: str
    namespace: str = Field(examples=["ai4eosc"])
    catalog: str = Field(examples=["modules/hello-web"])
    batch: bool = Field(description="whether it runs a script to its end")
    tool_name: str | None = Field(description="null for modules")
    docker_image: str
    docker_command: str
    submit_time: str = Field(examples=["2026-01-31T12:00:00Z"])
    resources: ResourcesOut
    endpoints: dict[str, str] = Field(examples=[{"ui": "https://ui-….example.org"}])
    active_endpoints: list[str] | None = Field(description="those that answer; null in lists without `full_info`")
    main_endpoint: str | None = Field(description="where a user is led to first", examples=["ui"])
    alloc_id: str | None = Field(alias="alloc_ID")
    datacenter: str | None
    error_msg: str | None = Field(
        description="why it is not running, or what of a change waits",
        examples=["owner ada@… has 10 of 10 deployments"],
    )
    expires: str | None = Field(description="when it is removed by itself")
    revision: str = Field(description="the revision of the specs that it stands on")
    etag: str | None = Field(description="for `If-Match`; null in lists: read one to get it")
    conf: dict[str, dict[str, Any]] | None = Field(None, description="parameters in force; secrets are masked")
    script: str | None = Field(None, description="of a batch job: what bash runs")
    upgrade: str | None = None
    outdated: bool | None = Field(None, description="whether the catalog has a newer version of its entry")


class PlanOut(Shape):
    """What would be done, in words."""

    action: str = Field(examples=["create"])
    reason: str
    message: str
    changes: list[str]
    blast_radius: str = Field(examples=["usergroup: 1 placed"])
    failures: dict[str, str] | None = Field(description="groups that could not be placed now, and why")
    warnings: str


class PreviewOut(Shape):
    """What a write would come to. Nothing was written."""

    plan: PlanOut | None = Field(description="null where Nomad could not be asked: `trouble` says why")
    over_quota: str = Field(description="why it would be queued, where it would")
    job: dict[str, Any] | None = Field(description="the job as it would be registered")
    spec: str = Field(description="the spec that would be committed; secrets in it are encrypted")
    trouble: str


class RestartedOut(Shape):
    """What a restart did."""

    restarted: int = Field(description="allocations whose tasks were started anew", examples=[1])


class MetadataOut(Shape):
    """What a catalog entry is."""

    name: str = Field(examples=["hello-web"])
    id: str = Field(examples=["modules/hello-web"])
    title: str
    summary: str
    tags: list[str]
    categories: list[str]
    tasks: list[str]
    libraries: list[str]
    data_type: list[str] = Field(alias="data-type")
    license: str | None
    dates: dict[str, str | None]
    version: str = Field(description="a digest of its files")
    description: str | None = None
    links: dict[str, str] | None = None


class RefreshedOut(Shape):
    """The catalog, as it was read anew."""

    entries: int
    broken: dict[str, list[str]] = Field(
        description="entries that cannot be used, or only as they were before, and why"
    )
    problem: str


class FieldProblemOut(Shape):
    """What is wrong with one field."""

    field: str = Field(examples=["conf.general.title"])
    message: str = Field(examples=["longer than 45 characters"])
    hint: str = ""


class PlatformProblem(Problem):
    """An error (RFC 9457) that names the fields that are wrong."""

    errors: list[FieldProblemOut] = Field(default_factory=list)


# -- requests ----------------------------------------------------------------------------------------------------------


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        return nanoseconds(value) / NS
    return "" if isinstance(value, bool) else value  # true is no second


Seconds = Annotated[
    float, BeforeValidator(_seconds, json_schema_input_type=str | float), Field(gt=0, le=3.2e8, allow_inf_nan=False)
]
"""Seconds, or a duration like `2h30m`."""

Conf = Annotated[
    dict[str, dict[str, Any] | None],
    Field(
        description="group, parameter, value; what is left out is as the catalog has it. A secret is given in clear"
        " and kept encrypted; `(sensitive)` in an update leaves it as it is.",
        examples=[{"general": {"title": "My first model"}, "hardware": {"ram": 128}}],
    ),
]
Title = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=4096)]
Upgrade = Annotated[
    Literal["auto", "pin", "window"], Field(description="when it follows the catalog to a new version of its entry")
]


class DeploymentIn(Shape):
    """What is ordered."""

    catalog: str = Field(min_length=1, max_length=200, description="the entry's name", examples=["hello-web"])
    vo: str | None = Field(
        None, max_length=200, description="the virtual organisation or namespace; may be left out where you have one"
    )
    conf: Conf = Field(default_factory=dict)
    script: str | None = Field(
        None,
        max_length=65_536,
        description="under `batch`, and only there: what bash runs to its end, if the entry has a parameter for it",
        examples=[None],
    )
    title: Title = ""
    description: Text = ""
    upgrade: Upgrade | None = None
    expires_after: Seconds | None = Field(None, description="it is removed so long after", examples=["8h"])


class DeploymentChange(Shape):
    """What is to be different. `conf` replaces the whole of it; what is left out stays."""

    conf: Conf | None = None
    title: Title | None = None
    description: Text | None = None
    upgrade: Upgrade | None = None
    expires_after: Seconds | None = None


class TryMeIn(Shape):
    """What is tried."""

    module: str = Field(min_length=1, max_length=200, examples=["hello-web"])
    title: str = Field("", max_length=45)
    expires_after: Seconds | None = Field(None, description="ten minutes, unless it says so, and at most an hour")


# -- what routes share -------------------------------------------------------------------------------------------------


def _platform(request: Request) -> Platform:
    platform: Platform | None = getattr(request.app.state, "platform", None)
    if platform is None:
        raise Unserved("this operator serves no platform", hint="it has no catalog and writes no specs")
    return platform


class Unserved(Unavailable):
    """This application has no platform behind it."""


Desk = Annotated[Platform, Depends(_platform)]
"""The platform."""


def namespace_for(desk: Platform, who: Identity, role: Role, vo: str | None) -> str:
    """The namespace that *vo* stands for, or the only one in which *who* has *role*. Refuses who has not."""
    if vo:
        namespace = desk.config.namespace(vo)
        require(who, role, namespace)
        return namespace
    held = who.namespaces(role)
    if ANYWHERE in held:
        return "default"
    if len(held) == 1:
        return next(iter(held))
    if not held:
        require(who, role, "default")
    raise Unfitting(
        "say in which virtual organisation", faults=[FieldFault("vo", f"expected one of {', '.join(sorted(held))}")]
    )


def namespaces_for(desk: Platform, who: Identity, role: Role, vos: list[str] | None) -> tuple[str, ...] | None:
    """The namespaces that are asked for, as far as *who* has *role* there; none given is all, None is any at all."""
    held = who.namespaces(role)
    asked = {desk.config.namespace(vo) for vo in vos or ()}
    if ANYWHERE in held:
        return tuple(sorted(asked)) or None
    return tuple(sorted(asked & held if asked else held))


_STATUS: Final[Mapping[type[PlatformError], int]] = {
    NotAllowed: 403,
    NotThere: 404,
    NotNow: 409,
    Exceeded: 409,
    Changed: 412,
    Unfitting: 422,
    TooOften: 429,
    Away: 503,
}

_MEANS: Final[Mapping[int, str]] = {
    401: "no token, or one that is not valid here",
    403: "your role does not suffice",
    404: "there is no such thing, or none that you may know of",
    409: "not possible as things stand, or beyond a quota",
    412: "it was changed since you read it",
    415: "the body is no JSON",
    422: "the request does not fit; `errors` names the fields",
    429: "too many requests; `Retry-After` says when to come again",
    502: "Nomad did not answer",
    503: "something that is needed does not answer, or has no room now; `Retry-After` says when to come again",
}
_TITLES: Final[Mapping[int, str]] = {
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not known",
    409: "Quota exceeded",
    412: "Changed meanwhile",
    422: "Not valid",
    429: "Too many requests",
    502: "Nomad did not answer",
    503: "Not available",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route's errors are documented, each with an example."""
    return {status: _documented(status) for status in (*statuses, 503)}


def _documented(status: int) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Failed"),
        "status": status,
        "detail": _MEANS[status],
        "hint": "",
        "errors": [],
    }
    if status == 422:
        example["errors"] = [{"field": "conf.general.title", "message": "longer than 45 characters", "hint": ""}]
    content = {PROBLEM: {"schema": PlatformProblem.model_json_schema(), "example": example}}
    return {"description": _MEANS[status], "content": content}


def told(_request: Request, error: Exception) -> Response:
    """A `PlatformError` as a problem."""
    assert isinstance(error, PlatformError)
    status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
    body = PlatformProblem(
        title=error.title,
        status=status,
        detail=_sayable(error.message),
        hint=_sayable(error.hint),
        errors=[
            FieldProblemOut(field=_sayable(f.field), message=_sayable(f.message), hint=_sayable(f.hint))
            for f in error.faults
        ],
    )
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, -int(-error.retry_after // 1)))
    return Response(orjson.dumps(body.model_dump()), status_code=status, media_type=PROBLEM, headers=headers)


def _sayable(text: str) -> str:
    """*text*, even where somebody sent halves of characters."""
    return text.encode(errors="replace").decode()


def _unserved(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Unserved)
    body = Problem(title="Not available", status=503, detail=error.message, hint=error.hint).model_dump(by_alias=True)
    return Response(orjson.dumps(body), status_code=503, media_type=PROBLEM)


def install_platform(app: FastAPI) -> None:
    """Let *app* tell the errors of the platform; `app.state.platform` is what its routes serve."""
    app.add_exception_handler(PlatformError, told)
    app.add_exception_handler(Unserved, _unserved)


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*content* as JSON, without a detour through models: lists may be long. No cache keeps it: it is one caller's."""
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(content), status_code=status, media_type="application/json", headers=kept)


def answer_done(done: Done, status: int, *, location: str = "") -> Response:
    """What came of a write; 202 where it waits for something."""
    headers = {"ETag": f'"{done.etag}"'}
    if location:
        headers["Location"] = location
    if done.written.url:
        headers["Link"] = f'<{done.written.url}>; rel="monitor"'
    return answer(done.info.told(full=True, etag=done.etag), 202 if done.waits else status, headers)


def preview_out(preview: Preview) -> PreviewOut:
    """The shape of a preview."""
    plan, draft = preview.plan, preview.draft
    told_plan = None
    if plan is not None:
        told_plan = PlanOut(
            action=plan.decision.action.value,
            reason=plan.decision.reason.value,
            message=preview.over_quota or plan.decision.message,
            changes=[sentence(c) for c in plan.changes],
            blast_radius=blast_radius(plan.updates or {}),
            failures=dict(plan.failures) if plan.failures else None,
            warnings=plan.warnings,
        )
    job = dict(draft.body) if draft.body is not None else None
    return PreviewOut(
        plan=told_plan, over_quota=preview.over_quota, job=job, spec=draft.content.decode(), trouble=preview.trouble
    )


def seen(if_match: str | None) -> str | None:
    """The digest that an `If-Match` names; None where any will do. A weak one matches nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    return if_match.strip().strip('"')
