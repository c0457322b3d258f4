"""Who may talk to the API while it knows no users: this machine, and pages that it served itself.

The `Host` must be a loopback name, which stops DNS rebinding; an `Origin`, which browsers send with what pages do,
must be the very same host, which stops other people's pages from using a reader's browser.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def refusal(host: str, origin: str | None) -> str:
    """Why a request with these headers is refused, "" where it is not."""
    name = urlsplit(f"//{host}").hostname if host else None
    if name not in LOOPBACK:
        return f"the host {host!r} is not this machine; Herdsman answers on loopback only until it knows users"
    if origin is not None and urlsplit(origin).netloc != host:
        return f"the origin {origin!r} is not this server"
    return ""


async def loopback_only(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """The middleware."""
    why = refusal(request.headers.get("host", ""), request.headers.get("origin"))
    if why:
        body = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": why}
        return JSONResponse(body, status_code=403, media_type="application/problem+json")
    return await call_next(request)
