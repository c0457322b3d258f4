"""Who gets as far as a route. An operator that knows no users answers this machine alone; one that does answers anybody
whose route asks who that is, shows its pages to those who logged in, and takes no orders from other people's pages.

Without users the `Host` must be a loopback name, which stops DNS rebinding. An `Origin`, which browsers send with what
pages do, must always be the very same host, which stops other people's pages from using a reader's browser.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from herdsman.model.identity import ANYWHERE, COOKIE, Identity, Role
from herdsman.ports import Auth

Next = Callable[[Request], Awaitable[Response]]

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_WEBHOOK = re.compile(r"(?:/fleets/[\w.-]+)?/v1/webhooks/[a-z]+", re.ASCII)
_ASKING = re.compile(
    r"(?:/fleets/[\w.-]+)?/(?:v1/.*|healthz|readyz|metrics|openapi\.json|docs(?:/.*)?)", re.ASCII | re.DOTALL
)
_OPEN = re.compile(r"(?:/fleets/[\w.-]+)?/(?:login|static/[\w.-]+)", re.ASCII)
_FLEET = re.compile(r"/fleets/[\w.-]+", re.ASCII)


def refusal(host: str, origin: str | None) -> str:
    """Why a request with these headers is refused, "" where it is not."""
    name = urlsplit(f"//{host}").hostname if host else None
    if name not in LOOPBACK:
        return f"the host {host!r} is not this machine; Herdsman answers on loopback only until it knows users"
    return foreign(host, origin)


def foreign(host: str, origin: str | None) -> str:
    """Why a request that a page made is refused, "" where it is our own page, or none."""
    if origin is not None and urlsplit(origin).netloc != host:
        return f"the origin {origin!r} is not this server"
    return ""


def proves_itself(request: Request) -> bool:
    """Whether the request goes to where a sender has to prove who it is, from wherever it comes: webhooks."""
    return _WEBHOOK.fullmatch(request.scope["path"]) is not None


class Guard:
    """The middleware. Without *auth*, nobody but this machine is answered."""

    def __init__(self, auth: Auth | None) -> None:
        self._auth = auth

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Pass *request* on, or say why not."""
        if proves_itself(request):
            return await call_next(request)
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        why = refusal(host, origin) if self._auth is None else foreign(host, origin)
        if why:
            return _forbidden(why)
        path = request.scope["path"]
        if self._auth is None or _ASKING.fullmatch(path) or _OPEN.fullmatch(path):
            return await call_next(request)
        return await self._page(request, call_next, self._auth)

    async def _page(self, request: Request, call_next: Next, auth: Auth) -> Response:
        """Pages are shown to whoever may see the whole fleet, and act for whoever may act on it."""
        who = await run_in_threadpool(auth.identify, request.cookies.get(COOKIE, ""))
        if not isinstance(who, Identity):
            path = request.scope["path"]
            root = found[0] if (found := _FLEET.match(path)) else ""
            return RedirectResponse(f"{root}/login?next={quote(path)}", status_code=303)
        needed = Role.VIEWER if request.method in ("GET", "HEAD") else Role.ADMIN
        if not who.may(needed, ANYWHERE):
            return _forbidden(f"the pages show the whole fleet; that needs the role {needed.label} in all of it")
        request.state.who = who
        return await call_next(request)


def _forbidden(why: str) -> Response:
    body = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": why}
    return JSONResponse(body, status_code=403, media_type="application/problem+json")
