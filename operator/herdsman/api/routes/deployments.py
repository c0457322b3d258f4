"""`/v1/deployments`: what users run. Each sees what is theirs; whoever administers a namespace, all that is in it.

A foreign ID is answered like one that never was. A write answers as soon as its commit is there, before the loop has
carried it out: `queued` is then the truth.
"""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from herdsman.api import streams
from herdsman.api.auth import Caller, need
from herdsman.api.deps import Op
from herdsman.api.platform import (
    DeploymentChange,
    DeploymentIn,
    DeploymentOut,
    Desk,
    PreviewOut,
    RestartedOut,
    answer,
    answer_done,
    namespace_for,
    namespaces_for,
    preview_out,
    problems,
    seen,
)
from herdsman.model.identity import Identity, Role
from herdsman.platform.errors import FieldFault, Unfitting
from herdsman.platform.orders import Change, Wish
from herdsman.platform.orders import waits as written_waits
from herdsman.platform.pages import Page, Section, Shelf, Sort
from herdsman.platform.pages import Query as Wanted
from herdsman.platform.words import Word

router = APIRouter(prefix="/v1/deployments", tags=["deployments"])
admin = APIRouter(prefix="/v1/admin", tags=["deployments"])


Id = Annotated[str, Path(description="the `job_ID`", max_length=300)]
DryRun = Annotated[bool, Query(description="write nothing, and answer what would come of it (`PreviewOut`)")]
IfMatch = Annotated[str | None, Header(description="the `ETag` of what you read: nothing is done where it is another")]
Vos = Annotated[list[str] | None, Query(description="only in these; may be given several times")]
_ONE: dict[int | str, dict[str, Any]] = {200: {"model": DeploymentOut}}


class _Shown:
    """What all lists may be asked."""

    def __init__(
        self,
        vos: Vos = None,
        namespace: Vos = None,
        status: Annotated[list[Word] | None, Query(description="only those that do so")] = None,
        catalog: Annotated[str, Query(description="only those of this entry", max_length=200)] = "",
        full_info: Annotated[bool, Query(description="with parameters, and which endpoints answer")] = False,
        sort: Annotated[Sort, Query(description="`-` is the other way round")] = "-submit_time",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str, Query(description="from the `Link` of the page before", max_length=2000)] = "",
    ) -> None:
        self.vos = [*(vos or ()), *(namespace or ())]
        self.words, self.catalog, self.full = tuple(status or ()), catalog, full_info
        self.sort, self.limit, self.cursor = sort, limit, cursor


Shown = Annotated[_Shown, Depends()]


def _list(
    desk: Desk,
    who: Identity,
    shown: _Shown,
    *,
    request: Request,
    section: Shelf | None,
    owner: str | None,
    role: Role,
) -> Response:
    namespaces = namespaces_for(desk, who, role, shown.vos)
    if namespaces == ():
        return _paged(Page((), 0), shown, request)
    entry = shown.catalog and _entry(section, shown.catalog) if section else shown.catalog
    wanted = Wanted(
        section=section,
        owner=owner,
        namespaces=namespaces or (),
        words=shown.words,
        entry=entry,
        sort=shown.sort,
        limit=shown.limit,
        cursor=shown.cursor,
    )
    return _paged(desk.deployments.page(wanted), shown, request)


def _entry(section: Shelf, name: str) -> str:
    """An entry by its whole ID. What is said under `batch` is a module's name, unless it says otherwise."""
    return name if "/" in name else f"{'modules' if section == 'batch' else section}/{name}"


def _paged(page: Page, shown: _Shown, request: Request) -> Response:
    headers = {"X-Total-Count": str(page.total)}
    if page.next:
        query = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
        headers["Link"] = f'<{request.url.path}?{urlencode([*query, ("cursor", page.next)])}>; rel="next"'
        headers["X-Next-Cursor"] = page.next
    told = [info.told(full=True) if shown.full else info.line() for info in page.items]
    return answer(told, headers=headers)


@admin.get("/deployments", responses={200: {"model": list[DeploymentOut]}, **problems(401, 403, 422)})
def all_deployments(
    who: Annotated[Identity, Depends(need(Role.ADMIN))],
    desk: Desk,
    shown: Shown,
    request: Request,
    section: Shelf | None = None,
    owner: Annotated[str | None, Query(max_length=600)] = None,
) -> Response:
    """Everybody's deployments, in the namespaces that you administer."""
    return _list(desk, who, shown, request=request, section=section, owner=owner, role=Role.ADMIN)


@router.get("/{section}", responses={200: {"model": list[DeploymentOut]}, **problems(401, 422)})
def deployments(who: Caller, desk: Desk, section: Shelf, shown: Shown, request: Request) -> Response:
    """Your deployments, the newest first. `Link` leads to the next page, `X-Total-Count` says how many there are."""
    return _list(desk, who, shown, request=request, section=section, owner=who.owner, role=Role.VIEWER)


@router.post(
    "/{section}",
    status_code=201,
    responses={
        200: {"model": PreviewOut, "description": "a dry run"},
        201: {"model": DeploymentOut, "description": "committed; `Location` names it"},
        202: {"model": DeploymentOut, "description": "written, and waits for a remote that is away, or for a review"},
        **problems(401, 403, 409, 422, 429, 502),
    },
)
def create(
    who: Caller,
    desk: Desk,
    section: Shelf,
    body: DeploymentIn,
    request: Request,
    dry_run: DryRun = False,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="however often it is sent, it is done once")
    ] = None,
) -> Response:
    """Order a deployment of a catalog entry; under `batch`, one that runs `script` to its end instead of what the entry
    runs else. Its ID is a random UUID."""
    shelf, name = _ordered(section, body)
    wish = Wish(
        section=shelf,
        name=name,
        namespace=namespace_for(desk, who, Role.USER, body.vo),
        conf=body.conf,
        script=body.script or ("" if section == "batch" else None),
        title=body.title,
        description=body.description,
        upgrade=body.upgrade,
        expires_after=body.expires_after,
    )
    if dry_run:
        return answer(preview_out(desk.deployments.preview(who, wish)).model_dump())
    done = desk.deployments.create(who, wish, request=idempotency_key or "")
    return answer_done(done, 201, location=f"{request.url.path}/{done.info.order.key.name}")


class _Ordered(NamedTuple):
    section: Section
    name: str


def _ordered(section: Shelf, body: DeploymentIn) -> _Ordered:
    """The entry that is meant."""
    if section != "batch":
        if body.script is not None:
            hint = "order it at /v1/deployments/batch"
            raise Unfitting("only a batch job has a script", faults=[FieldFault("script", "not expected here", hint)])
        return _Ordered(section, body.catalog.removeprefix(f"{section}/"))
    if body.catalog.startswith("tools/"):
        return _Ordered("tools", body.catalog.removeprefix("tools/"))
    return _Ordered("modules", body.catalog.removeprefix("modules/"))


@router.get("/{section}/{id}", responses={**_ONE, **problems(401, 404, 422)})
def deployment(
    who: Caller,
    desk: Desk,
    section: Shelf,
    id: Id,  # noqa: A002
    namespace: str = "",
    vo: str = "",
) -> Response:
    """One deployment, as Nomad says now."""
    home = namespace or (desk.config.namespace(vo) if vo else "")
    info, etag = desk.deployments.one(who, section, id, namespace=home)
    headers = {"ETag": f'"{etag}"'} if etag else {}
    return answer(info.told(full=True, etag=etag or None), headers=headers)


@router.put(
    "/{section}/{id}",
    responses={
        200: {"model": DeploymentOut, "description": "committed; with `dry_run`, a `PreviewOut`"},
        202: {"model": DeploymentOut, "description": "written, and waits for a remote that is away, or for a review"},
        **problems(401, 403, 404, 409, 412, 422, 429, 502),
    },
)
def update(
    who: Caller,
    desk: Desk,
    section: Shelf,
    id: Id,  # noqa: A002
    body: DeploymentChange,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Change a deployment, in place where Nomad can. What follows another `ETag` than yours is refused with 412."""
    change = Change(**{name: getattr(body, name) for name in type(body).model_fields})
    if dry_run:
        return answer(
            preview_out(desk.deployments.preview_update(who, section, id, change, seen=seen(if_match))).model_dump()
        )
    return answer_done(desk.deployments.update(who, section, id, change, seen=seen(if_match)), 200)


@router.delete(
    "/{section}/{id}",
    status_code=204,
    responses={
        202: {"description": "written, and waits for a remote that is away, or for a review"},
        **problems(401, 403, 409, 412, 422, 429),
    },
)
def remove(who: Caller, desk: Desk, section: Shelf, id: Id, if_match: IfMatch = None) -> Response:  # noqa: A002
    """Remove a deployment, with all that it holds. What is gone already, or was never yours, is gone: 204."""
    written = desk.deployments.remove(who, section, id, seen=seen(if_match))
    return Response(status_code=202 if written is not None and written_waits(written) else 204)


_CHANGED: dict[int | str, dict[str, Any]] = {
    200: {"model": DeploymentOut},
    202: {"model": DeploymentOut, "description": "written, and waits for a remote that is away, or for a review"},
    **problems(401, 403, 404, 409, 412, 422, 429),
}


@router.post("/{section}/{id}/stop", responses=_CHANGED)
def stop(who: Caller, desk: Desk, section: Shelf, id: Id, if_match: IfMatch = None) -> Response:  # noqa: A002
    """Let it rest: it keeps its place in the list and its parameters, and holds nothing."""
    return answer_done(desk.deployments.set_stopped(who, section, id, stopped=True, seen=seen(if_match)), 200)


@router.post("/{section}/{id}/start", responses=_CHANGED)
def start(who: Caller, desk: Desk, section: Shelf, id: Id, if_match: IfMatch = None) -> Response:  # noqa: A002
    """Let it run again."""
    return answer_done(desk.deployments.set_stopped(who, section, id, stopped=False, seen=seen(if_match)), 200)


@router.post(
    "/{section}/{id}/restart",
    status_code=202,
    responses={202: {"model": RestartedOut}, **problems(401, 403, 404, 409, 422, 429)},
)
def restart(who: Caller, desk: Desk, section: Shelf, id: Id) -> Response:  # noqa: A002
    """Start its tasks anew, where they are. Its spec stays as it is, and nothing is placed elsewhere."""
    return answer({"restarted": desk.deployments.restart(who, section, id)}, 202)


@router.get(
    "/{section}/{id}/logs",
    responses={
        200: {"content": {"text/plain": {"example": "listening on 5000\n"}}, "description": "as the task wrote it"},
        **problems(401, 404, 409, 422, 429),
    },
)
def logs(
    who: Caller,
    desk: Desk,
    request: Request,
    section: Shelf,
    id: Id,  # noqa: A002
    task: Annotated[str, Query(max_length=200, description="the main task, where nothing is said")] = "",
    type: Literal["stdout", "stderr"] = "stdout",  # noqa: A002
    follow: Annotated[bool, Query(description="go on as it writes, until it ends")] = False,
    tail: Annotated[int | None, Query(ge=0, le=2**40, description="only the last so many bytes")] = None,
) -> Response:
    """What a task of it writes."""
    pieces = desk.deployments.logs(who, section, id, task=task, stream=type, follow=follow, tail=tail)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no"}
    return StreamingResponse(_poured(request, pieces), media_type="text/plain; charset=utf-8", headers=headers)


async def _poured(request: Request, pieces: Generator[bytes]) -> AsyncIterator[bytes]:
    """Each piece as it comes, for as long as somebody is there to take it; then the connection behind it ends, too."""
    coming: asyncio.Task[bytes | None] | None = None
    try:
        async with streams.departure(request) as gone:
            leaving = asyncio.create_task(gone.wait())
            while not gone.is_set():
                coming = asyncio.create_task(asyncio.to_thread(next, pieces, None))
                await asyncio.wait((coming, leaving), return_when=asyncio.FIRST_COMPLETED)
                if gone.is_set() or (piece := await coming) is None:
                    break
                if piece:
                    yield piece
            leaving.cancel()
    finally:
        _end(pieces, coming)


def _end(pieces: Generator[bytes], coming: "asyncio.Task[bytes | None] | None") -> None:
    """End *pieces*: now, or as soon as the thread that waits for the next of them has it."""
    if coming is None or coming.done():
        pieces.close()
        return

    def close(done: "asyncio.Task[bytes | None]") -> None:
        if not done.cancelled():
            done.exception()  # nobody is left to be told
        pieces.close()

    coming.add_done_callback(close)


@router.get(
    "/{section}/{id}/events",
    responses={
        200: {"content": {"text/event-stream": {"example": 'id: 7\ndata: {"reason": "Healthy", …}\n\n'}}},
        **problems(401, 404, 422),
    },
)
async def events(
    request: Request,
    who: Caller,
    desk: Desk,
    operator: Op,
    section: Shelf,
    id: Id,  # noqa: A002
    last_event_id: Annotated[str | None, Header(description="go on behind this one")] = None,
    follow: Annotated[bool, Query(description="false: only what happened so far")] = True,
) -> Response:
    """What happens to it, as server-sent events: what is still known first, then everything as it comes."""
    order = await asyncio.to_thread(desk.deployments.reading.find, who, id, section)
    seen_ = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else 0
    last = min(seen_, 2**62)
    stream = (
        streams.follow(request, operator, after=last, key=order.key)
        if follow
        else streams.known(operator, after=last, key=order.key)
    )
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
