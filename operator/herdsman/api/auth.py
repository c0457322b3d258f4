"""Who asks, for routes: `Caller` is the identity behind the bearer token, `need(role)` one that has a role.

A route that acts in one namespace also says `require(caller, role, namespace)`. Refusals are problems (RFC 9457) with
the challenge of RFC 6750. A client learns whether its token is missing, expired or not valid, and which role it lacks:
enough to log in again or to ask for more. The reason in full goes to our log, and no part of the token goes anywhere.
"""

from collections.abc import Callable
from typing import Annotated, Final

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import JSONResponse, Response

from herdsman.api.schemas import Problem
from herdsman.model.identity import ANYWHERE, COOKIE, LOCAL, Denial, Identity, Role, Why
from herdsman.ports import Auth

_BEARER: Final = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    bearerFormat="JWT",
    description="An access token of the OpenID issuer, or a service token. `herdsman login` gets one.",
)

_REALM: Final = 'Bearer realm="herdsman"'
_LOGIN: Final = "get a token with herdsman login, and send it as Authorization: Bearer …"


class Refusal(Exception):
    """A request that is not answered, as the client is told. *challenge* is for `WWW-Authenticate`."""

    def __init__(self, status: int, title: str, detail: str, *, hint: str = "", challenge: str = "") -> None:
        super().__init__(title)
        self.problem = Problem(title=title, status=status, detail=detail, hint=hint)
        self.challenge = challenge


def install(app: FastAPI, auth: Auth | None) -> None:
    """Let *auth* judge the tokens that come to *app*; None is an operator that knows no users, on loopback."""
    app.state.auth = auth
    app.add_exception_handler(Refusal, _refused)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    headers = {"Cache-Control": "no-store"}
    if error.challenge:
        headers["WWW-Authenticate"] = error.challenge
    if error.problem.status == 503:
        headers["Retry-After"] = "10"
    return JSONResponse(
        error.problem.model_dump(by_alias=True),
        status_code=error.problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


Given = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def visitor(request: Request, given: Given) -> Identity | None:
    """Who asks, None without a token: for routes that answer anybody, and somebody better. A bad token is refused."""
    auth: Auth | None = request.app.state.auth
    if auth is None:
        return LOCAL
    token = given.credentials if given is not None else request.cookies.get(COOKIE, "")
    if not token:
        return auth.anonymous()
    found = auth.identify(token)
    if isinstance(found, Identity):
        return found
    route = getattr(request.scope.get("route"), "path", "")
    structlog.get_logger().info("bearer_refused", why=found.why.value, method=request.method, route=route)
    raise _denied(found)


def caller(found: Annotated[Identity | None, Depends(visitor)]) -> Identity:
    """Who asks; nobody is refused."""
    if found is None:
        raise Refusal(401, "Not authenticated", "this needs a bearer token", hint=_LOGIN, challenge=_REALM)
    return found


Visitor = Annotated[Identity | None, Depends(visitor)]
"""The identity of who asks, or None."""

Caller = Annotated[Identity, Depends(caller)]
"""The identity of who asks."""


def need(role: Role) -> Callable[[Identity], Identity]:
    """A dependency: the caller, who has *role* or a higher one in some namespace at least."""

    def checked(who: Caller) -> Identity:
        """The caller, where the role suffices."""
        highest = who.highest()
        if highest is None or highest < role:
            raise _forbidden(f"this needs the role {role.label}", highest)
        return who

    return checked


def anywhere(role: Role) -> Callable[[Identity], Identity]:
    """A dependency for routes about the whole fleet: the caller, who has *role* or a higher one in all of it."""

    def checked(who: Caller) -> Identity:
        """The caller, where the role suffices."""
        if not who.may(role, ANYWHERE):
            raise _forbidden(
                f"this is about the whole fleet, and needs the role {role.label} in all of it", who.highest()
            )
        return who

    return checked


VIEWER: Final = Depends(anywhere(Role.VIEWER))
"""For what shows the whole fleet."""

ADMIN: Final = Depends(anywhere(Role.ADMIN))
"""For what acts on the whole fleet."""


def require(who: Identity, role: Role, namespace: str) -> None:
    """Refuse *who* without *role*, or a higher one, in *namespace*, whether or not there is such a namespace."""
    if not who.may(role, namespace):
        raise _forbidden(f"this needs the role {role.label} in the namespace {namespace[:64]!r}", who.role(namespace))


def require_admin(who: Identity) -> None:
    """Refuse *who* is no administrator of everything."""
    if not who.admin:
        raise _forbidden("this needs an administrator", who.highest())


def _denied(denial: Denial) -> Refusal:
    if denial.why is Why.UNAVAILABLE:
        detail = "the issuer of tokens does not answer, so none can be judged now"
        return Refusal(503, "Cannot authenticate", detail, hint="try again in a moment")
    detail = "the token has expired" if denial.why is Why.EXPIRED else "the token is not valid here"
    challenge = f'{_REALM}, error="invalid_token", error_description="{detail}"'
    return Refusal(401, "Not authenticated", detail, hint=_LOGIN, challenge=challenge)


def _forbidden(detail: str, held: Role | None) -> Refusal:
    has = f"; you have the role {held.label}" if held is not None else "; you have no role"
    return Refusal(
        403,
        "Not allowed",
        detail + has,
        hint="whoever manages the members of your organisation grants roles; herdsman whoami shows yours",
        challenge=f'{_REALM}, error="insufficient_scope"',
    )
