"""Server-sent events: what happened and what happens, until whoever asked is gone.

A client that comes back names the last event it saw in `Last-Event-ID` and misses nothing that is still kept.
Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import queue
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request

from herdsman.api.schemas import EventOut
from herdsman.model.keys import Key
from herdsman.model.statuses import Event
from herdsman.usecases import Operator

MISSED: Final = 1000
"""So many events of before are told at the most."""

_PATIENCE: Final = 0.25
_HEARTBEAT: Final = 15.0


@asynccontextmanager
async def departure(request: Request) -> AsyncIterator[asyncio.Event]:
    """Set as soon as whoever asked is gone. `Request.is_disconnected` only glances, which sees nothing behind a
    middleware: somebody has to wait for it."""
    gone = asyncio.Event()

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    waiting = asyncio.create_task(wait())
    try:
        yield gone
    finally:
        waiting.cancel()


async def known(operator: Operator, *, after: int, key: Key | None = None) -> AsyncIterator[str]:
    """What happened behind the event *after*, of *key* or of all."""
    for event in await asyncio.to_thread(operator.events, after=after, key=key, limit=MISSED):
        yield frame(event)


async def follow(
    request: Request, operator: Operator, *, after: int | None, key: Key | None = None
) -> AsyncIterator[str]:
    """Every event as it happens, of *key* or of all; where *after* is one, those that were missed come first."""
    async with departure(request) as gone:
        with operator.listen() as coming:
            yield ": connected\n\n"
            last = after or 0
            if after is not None:
                for missed in await asyncio.to_thread(operator.events, after=after, key=key, limit=MISSED):
                    last = missed.id
                    yield frame(missed)
            quiet = 0.0
            while not gone.is_set():
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
                if (key is None or event.key == key) and event.id > last:
                    last = event.id
                    yield frame(event)


def frame(event: Event) -> str:
    """One event as it is sent."""
    return f"id: {event.id}\ndata: {EventOut.of(event).model_dump_json(by_alias=True)}\n\n"
