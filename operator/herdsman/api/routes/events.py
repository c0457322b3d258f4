"""`/v1/events`: what happened, and what happens, as JSON or as server-sent events (`api.streams`)."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from herdsman.api import streams
from herdsman.api.deps import Op
from herdsman.api.schemas import EventOut
from herdsman.model.keys import Key, Kind

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.get("", response_model=list[EventOut])
def events(
    operator: Op,
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    kind: Kind = Kind.JOB,
    namespace: str = "default",
    name: str = "",
) -> list[EventOut]:
    """Events with an id above `after`, oldest first; without it the newest."""
    key = Key(kind, "" if kind is Kind.NAMESPACE else namespace, name) if name else None
    return [EventOut.of(e) for e in operator.events(after=after, key=key, limit=limit)]


@router.get("/stream")
async def follow(
    request: Request, operator: Op, after: int | None = None, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Every event as it happens; with `after` or `Last-Event-ID`, those that were missed come first."""
    seen = int(last_event_id) if last_event_id and last_event_id.isdigit() else after
    return StreamingResponse(streams.follow(request, operator, after=seen), media_type="text/event-stream")
