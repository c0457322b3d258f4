"""`/v1/history`, `/v1/versions`, `/v1/trace`, `/v1/rollback`: which commit made what, and the way back."""

import uuid

from fastapi import APIRouter

from herdsman.api.auth import ADMIN, VIEWER, Caller
from herdsman.api.deps import Op
from herdsman.api.schemas import RecordOut, RollbackIn, RollbackOut, TraceOut, VersionOut
from herdsman.model.keys import Key, Kind, job_key
from herdsman.model.writes import Author

router = APIRouter(prefix="/v1", tags=["history"])


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return Key(kind, "" if kind is Kind.NAMESPACE else namespace, name)


@router.get("/history/{kind}/{namespace}/{name:path}", dependencies=[VIEWER])
def history(operator: Op, kind: Kind, namespace: str, name: str, limit: int = 50) -> list[RecordOut]:
    """What was done to one spec, newest first, each with its commit."""
    return [RecordOut.of(r) for r in operator.history(_key(kind, namespace, name), limit=limit)]


@router.get("/versions/{namespace}/{name:path}", dependencies=[VIEWER])
def versions(operator: Op, namespace: str, name: str) -> list[VersionOut]:
    """Every version of a job that Nomad remembers, newest first, with the commit that made it."""
    return [VersionOut.of(v) for v in operator.versions(job_key(namespace, name))]


@router.get("/trace/{namespace}/{name:path}", dependencies=[VIEWER])
def trace(operator: Op, namespace: str, name: str) -> TraceOut:
    """From a live job, anybody's, back to the file and commit that declare it."""
    return TraceOut.of_trace(operator.trace(job_key(namespace, name)))


@router.post("/rollback", status_code=202, dependencies=[ADMIN])
def rollback(operator: Op, who: Caller, body: RollbackIn) -> RollbackOut:
    """Write a commit that restores a spec as it was; with `now`, make Nomad's job what it was at once, and hold it."""
    if body.now:
        pinned = operator.pin(body.key.key(), to=body.to, by=who.owner)
        return RollbackOut(version=pinned.version, revision="", files=[], pushed=False)
    request = body.request_id or uuid.uuid4().hex
    written, files = operator.rollback(
        body.key.key(), to=body.to, author=Author(who.name or who.subject, who.email), request_id=request
    )
    return RollbackOut(version=None, revision=written.revision, files=files, pushed=written.pushed)
