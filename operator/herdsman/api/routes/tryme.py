"""`/v1/try_me`: a module for ten minutes, for whoever has a token, and for anybody where a setting says so."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from herdsman.api.auth import Caller, Visitor, caller, require
from herdsman.api.platform import DeploymentOut, Desk, TryMeIn, answer, answer_done, problems
from herdsman.api.routes.deployments import Id
from herdsman.model.identity import Identity, Role
from herdsman.platform import Platform
from herdsman.platform.orders import waits
from herdsman.platform.pages import Query as Wanted

router = APIRouter(prefix="/v1/try_me", tags=["try me"])


def _trying(request: Request, found: Visitor) -> Identity:
    """Who asks: the bearer of a token, or an address."""
    platform: Platform | None = getattr(request.app.state, "platform", None)
    if found is None:
        address = request.client.host if request.client is not None else ""
        visitor = platform.try_me.visitor(address) if platform is not None else None
        return visitor if visitor is not None else caller(None)
    if platform is not None:
        require(found, Role.TRY_ME, platform.config.try_me.namespace)
    return found


Trying = Annotated[Identity, Depends(_trying)]


@router.get("", responses={200: {"model": list[DeploymentOut]}, **problems(401, 422)})
def tried(who: Caller, desk: Desk, full_info: Annotated[bool, Query()] = False) -> Response:
    """What you try now, the newest first. Who brings no token keeps the IDs: an address is shared by many."""
    wanted = Wanted(section="modules", owner=who.owner, try_me=True, limit=1000)
    return answer([info.told(full=full_info) for info in desk.try_me.page(wanted).items])


@router.post(
    "",
    status_code=201,
    responses={
        201: {"model": DeploymentOut, "description": "on its way; `Location` names it"},
        202: {"model": DeploymentOut, "description": "written, and waits for a remote that is away"},
        **problems(401, 403, 404, 409, 422, 429),
    },
)
def create(
    who: Trying,
    desk: Desk,
    body: TryMeIn,
    request: Request,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> Response:
    """Start a module, with what it needs by default. It ends by itself. 409 is one too many of yours, 503 a full
    house."""
    done = desk.try_me.create(
        who, body.module, title=body.title, seconds=body.expires_after, request=idempotency_key or ""
    )
    return answer_done(done, 201, location=f"{request.url.path}/{done.info.order.key.name}")


@router.get("/{id}", responses={200: {"model": DeploymentOut}, **problems(401, 403, 404, 422)})
def one(who: Trying, desk: Desk, id: Id) -> Response:  # noqa: A002
    """One that you try."""
    info, etag = desk.try_me.one(who, id)
    return answer(info.told(full=True, etag=etag or None))


@router.delete(
    "/{id}",
    status_code=204,
    responses={
        202: {"description": "written, and waits for a remote that is away"},
        **problems(401, 403, 409, 422, 429),
    },
)
def remove(who: Trying, desk: Desk, id: Id) -> Response:  # noqa: A002
    """End it now. What is over already is over: 204."""
    written = desk.try_me.remove(who, id)
    return Response(status_code=202 if written is not None and waits(written) else 204)
