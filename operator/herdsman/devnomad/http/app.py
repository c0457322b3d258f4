"""The application: a request in, through its route to its handler, and the answer out as Nomad would send it."""

import asyncio
import inspect
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from herdsman.devnomad.errors import Conflict, NoPath, Refused
from herdsman.devnomad.http import (
    acl,
    agent,
    allocations,
    client,
    deployments,
    evaluations,
    events,
    exec_socket,
    job_history,
    job_parts,
    jobs,
    namespaces,
    nodes,
    operator,
    scaling,
    search,
    services,
    statuses,
    variables,
)
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import JSON, Raw, Reply, Stream, Value, encode, headers_of, pack
from herdsman.devnomad.http.routing import Handler, Route, Router

if TYPE_CHECKING:
    from herdsman.devnomad.agent import Agent

_log = logging.getLogger("devnomad.http")
_FAMILIES = (
    jobs,
    job_parts,
    job_history,
    statuses,
    allocations,
    evaluations,
    deployments,
    namespaces,
    nodes,
    variables,
    services,
    scaling,
    search,
    events,
    acl,
    agent,
    client,
    exec_socket,
    operator,
)


def routes() -> Iterator[Route]:
    """Every path there is."""
    for family in _FAMILIES:
        yield from family.ROUTES


def create_app(agent: "Agent") -> ASGIApp:
    """The application over an agent."""
    return Starlette(routes=[Mount("/", app=_Dispatcher(agent))])


class _Dispatcher:
    """Finds the handler of a request and sends what it answers."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent
        self._router = Router(routes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await exec_socket.serve(self._agent, scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        path = scope["path"]
        match = self._router.find(path)
        if match is None:
            await _send(send, Raw(status=404), gzip=False, pretty=False)
            return
        handler = match.route.methods.get(scope["method"])
        if handler is None:
            await _send(send, Raw(b"Invalid method", status=405), gzip=False, pretty=False)
            return
        body = await _body(receive) if scope["method"] not in {"GET", "HEAD"} or "content-length" in headers else b""
        call = Call(
            self._agent,
            method=scope["method"],
            path=path,
            query=scope["query_string"],
            headers=headers,
            body=body,
        )
        call.between = match.between
        reply = await self._answer(call, handler)
        gzip = "gzip" in headers.get("accept-encoding", "")
        if isinstance(reply, Stream):
            await _send_stream(send, receive, reply)
        else:
            await _send(send, reply, gzip=gzip, pretty=call.pretty)

    @staticmethod
    async def _answer(call: Call, handler: Handler) -> Reply:
        try:
            if not call.of_this_region:
                raise NoPath
            if call.method == "GET":
                call.check_query()
            reply = handler(call)
            return await reply if inspect.isawaitable(reply) else reply
        except Conflict as conflict:
            return Value(conflict.body, call.agent.store.index, status=409)
        except Refused as refusal:
            return Raw(refusal.text.encode(), status=refusal.status)
        except Exception:  # noqa: BLE001 - a bug answers 500 and stays in the log; the server goes on
            _log.exception("%s %s failed", call.method, call.path)
            text = "internal error in the embedded Nomad; its log on standard error has the details"
            return Raw(text.encode(), status=500)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(send: Send, reply: Value | Raw, *, gzip: bool, pretty: bool) -> None:
    body = reply.body if isinstance(reply, Raw) else encode(reply.value, pretty=pretty)
    headers = headers_of(reply)
    headers.append((b"vary", b"Accept-Encoding"))
    body = pack(body, headers, accepts_gzip=gzip)
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_stream(send: Send, receive: Receive, reply: Stream) -> None:
    headers = [(b"content-type", (reply.content_type or JSON).encode()), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    sending = asyncio.ensure_future(_send_chunks(send, reply))
    leaving = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send_chunks(send: Send, reply: Stream) -> None:
    async for chunk in reply.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
