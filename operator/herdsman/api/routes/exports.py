"""`/v1/export`: what is live of the fleet, for a check where there is no cluster. Secrets are in it as seals only."""

from collections.abc import Callable, Collection, Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from herdsman.api.auth import Caller, require_admin
from herdsman.errors import UnknownError, UsageError
from herdsman.model.keys import Key, job_key

router = APIRouter(prefix="/v1/export", tags=["plan"])

Lines = Callable[[Collection[Key]], Iterator[str]]
"""What is put into `app.state.export`: the lines of an export that has these jobs whole, too."""


@router.get("", response_class=StreamingResponse)
def export(request: Request, who: Caller, also: Annotated[list[str] | None, Query()] = None) -> StreamingResponse:
    """The live side of the fleet, as `herdsman diff --against` reads it; `also=NAMESPACE/JOB` adds a whole job.

    It is of all namespaces at once, so it needs an administrator.
    """
    require_admin(who)
    lines: Lines | None = getattr(request.app.state, "export", None)
    if lines is None:
        raise UnknownError("this operator offers no export")
    return StreamingResponse(lines([named(n) for n in also or ()]), media_type="application/json")


def named(text: str) -> Key:
    """The job that `NAMESPACE/JOB` names; a job's ID may hold a `/` of its own. Raises `UsageError`."""
    namespace, _, name = text.partition("/")
    if not namespace or not name:
        raise UsageError(f"{text!r} names no job", hint="write NAMESPACE/JOB, like default/web")
    return job_key(namespace, name)
