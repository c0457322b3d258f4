"""`/v1/events`: what happened, and what happens, as JSON or as server-sent events.

A client that comes back names the last event it saw in `Last-Event-ID` and misses nothing that is still kept.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import queue
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from herdsman.api.deps import Op
from herdsman.api.schemas import EventOut
from herdsman.model.keys import Key, Kind
from herdsman.model.statuses import Event

router = APIRouter(prefix="/v1/events", tags=["events"])

_PATIENCE = 0.25
_HEARTBEAT = 15.0


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
    return StreamingResponse(_stream(request, operator, seen), media_type="text/event-stream")


async def _stream(request: Request, operator: Op, seen: int | None) -> AsyncIterator[str]:
    with operator.listen() as coming:
        yield ": connected\n\n"
        last = seen or 0
        if seen is not None:
            for missed in await asyncio.to_thread(operator.events, after=seen, limit=1000):
                last = missed.id
                yield _frame(missed)
        quiet = 0.0
        while not await request.is_disconnected():
            try:
                event = coming.get_nowait()
            except queue.Empty:
                await asyncio.sleep(_PATIENCE)
                quiet += _PATIENCE
                if quiet >= _HEARTBEAT:
                    quiet = 0.0
                    yield ": still here\n\n"
                continue
            if event is None:
                return
            if event.id > last:
                last = event.id
                yield _frame(event)


def _frame(event: Event) -> str:
    return f"id: {event.id}\ndata: {EventOut.of(event).model_dump_json(by_alias=True)}\n\n"
