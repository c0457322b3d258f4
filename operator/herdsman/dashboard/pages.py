"""The dashboard: pages over the same use cases as API and CLI, for people. Nothing is decided here.

Pages are plain documents with plain forms; a script keeps an open one true by fetching it again when something
happened. Who may talk to the server at all, and whose pages may post to it, is the business of `api.guards`.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from herdsman.dashboard.assets import Assets
from herdsman.dashboard.login import Login
from herdsman.dashboard.render import HEADERS, Renderer
from herdsman.dashboard.views import (
    EventChoice,
    SpecChoice,
    State,
    paged,
    spec_key,
    spec_path,
    truth_badge,
)
from herdsman.errors import HerdsmanError, NomadError, UnknownError, UsageError
from herdsman.model.identity import Identity
from herdsman.model.keys import Key
from herdsman.model.statuses import Event
from herdsman.ports import Auth
from herdsman.usecases import APPROVABLE, Operator

Endpoint = Callable[[Request], Response]

_ALL_EVENTS = 10_000  # more than the store keeps
_NEWEST_EVENTS = 10
_REJECTIONS_SHOWN = 50

_NOTICES = {
    "resync": "Herdsman looks again.",
    "suspend": "Suspended: nothing is compared or changed until it is resumed.",
    "resume": "Resumed: Herdsman looks again.",
    "approve": "Approved: the change is let through, once.",
}


def add_dashboard(app: FastAPI, operator: Operator, *, root: str = "", auth: Auth | None = None) -> None:
    """Add the pages to *app*, which is served below the path *root*; with *auth*, to those who log in."""
    assets = Assets(root=root)
    renderer = Renderer(assets, root=root, users=auth is not None)
    pages = _Pages(operator, renderer, root)
    if auth is not None:
        _add_login(app, Login(auth, renderer, root))
    routes: list[tuple[str, str, Endpoint]] = [
        ("GET", "/", pages.fleet),
        ("GET", "/specs/{kind}/{namespace}/{name:path}", pages.spec),
        ("GET", "/events", pages.events),
        ("POST", "/actions/resync", pages.resync_all),
        ("POST", "/actions/{action}/{kind}/{namespace}/{name:path}", pages.act),
        ("GET", "/static/{file}", assets.serve),
    ]
    for method, path, endpoint in routes:
        app.add_route(path, pages.guarded(endpoint), methods=[method], include_in_schema=False)


def _add_login(app: FastAPI, login: Login) -> None:
    async def enter(request: Request) -> Response:
        form = await login.take(request)
        return await run_in_threadpool(lambda: _with_headers(login.enter(request, form)))

    app.add_route(
        "/login", lambda request: _with_headers(login.show(request)), methods=["GET"], include_in_schema=False
    )
    app.add_route("/login", enter, methods=["POST"], include_in_schema=False)
    app.add_route("/logout", lambda _: _with_headers(login.leave()), methods=["POST"], include_in_schema=False)


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


class _Pages:
    """The endpoints. They are plain functions: the server runs each in a thread."""

    def __init__(self, operator: Operator, renderer: Renderer, root: str) -> None:
        self._operator, self._renderer, self._root = operator, renderer, root

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """*endpoint* with its errors told as a page, and with the headers of every answer."""

        @wraps(endpoint)
        def answer(request: Request) -> Response:
            try:
                response = endpoint(request)
            except HerdsmanError as error:
                response = self._problem(error)
            return _with_headers(response)

        return answer

    def _problem(self, error: HerdsmanError) -> Response:
        code, title = _kind_of(error)
        return self._renderer.page("problem.html", code=code, title=title, error=error)

    # -- pages --

    def fleet(self, request: Request) -> Response:
        """The fleet at a glance."""
        choice = SpecChoice.of(request.query_params)
        events = self._operator.events(limit=_NEWEST_EVENTS)  # first: what happens meanwhile is announced to the page
        overview, statuses = self._operator.overview(), self._operator.statuses()
        return self._renderer.page(
            "fleet.html",
            seen=_newest(events),
            notice=_notice(request),
            overview=overview,
            rejections=overview.rejections[:_REJECTIONS_SHOWN],
            choice=choice,
            states=State,
            namespaces=sorted({s.key.namespace for s in statuses} - {""}),
            specs=paged(choice.pick(statuses), choice.page),
            events=events[::-1],
        )

    def spec(self, request: Request) -> Response:
        """One spec whole; its plan only where it is asked for, because Nomad is asked for it."""
        key = _key(request)
        seen = _newest(self._operator.events(limit=1))
        description = self._operator.describe(key)
        asked = request.query_params.get("plan") == "show"
        status = description.status
        return self._renderer.page(
            "spec.html",
            seen=seen,
            notice=_notice(request, still_suspended=description.suspended),
            d=description,
            status=status,
            conditions=[(t, c, truth_badge(t, c)) for t, c in status.conditions.items()],
            plan=self._operator.plan([key])[0] if asked else None,
            approvable=status.reason in APPROVABLE,
        )

    def events(self, request: Request) -> Response:
        """The event log, newest first."""
        choice = EventChoice.of(request.query_params)
        events = self._operator.events(limit=_ALL_EVENTS)
        page = paged(choice.pick(events)[::-1], choice.page)
        return self._renderer.page("events.html", seen=_newest(events), choice=choice, events=page)

    # -- forms --

    def resync_all(self, request: Request) -> Response:
        """Read the source and look at everything again."""
        self._operator.resync(with_source=True)
        return RedirectResponse(f"{self._root}/?done=resync", status_code=303)

    def act(self, request: Request) -> Response:
        """Do what a button of a spec's page says, and go back there."""
        key, action = _key(request), request.path_params["action"]
        match action:
            case "resync":
                self._operator.resync([key])
            case "suspend" | "resume":
                self._operator.suspend(key, suspended=action == "suspend")
            case "approve":
                self._operator.approve(key, by=_who(request), seen=request.query_params.get("digest"))
            case _:
                raise UnknownError(f"there is no action {action}", hint="use the buttons of a spec's page")
        return RedirectResponse(f"{self._root}/specs/{spec_path(key)}?{urlencode({'done': action})}", status_code=303)


def _who(request: Request) -> str:
    """Who is behind the browser; where no users are known, only that it was one."""
    who: Identity | None = getattr(request.state, "who", None)
    return who.owner if who is not None else "dashboard"


def _key(request: Request) -> Key:
    parts = request.path_params
    return spec_key(parts["kind"], parts["namespace"], parts["name"])


def _newest(events: Sequence[Event]) -> int:
    return events[-1].id if events else 0


def _notice(request: Request, *, still_suspended: bool = False) -> str:
    done = request.query_params.get("done", "")
    if done == "resume" and still_suspended:
        return "Still suspended, with the whole fleet: herdsman resume --all ends that."
    return _NOTICES.get(done, "")


def _kind_of(error: HerdsmanError) -> tuple[int, str]:
    """The HTTP status of *error*, and what it is called; the first row that fits."""
    rows: list[tuple[type[HerdsmanError], int, str]] = [
        (UnknownError, 404, "Not found"),
        (UsageError, 409, "Not possible"),
        (NomadError, 502, "Nomad did not answer"),
        (HerdsmanError, 500, "That failed"),
    ]
    return next((status, title) for kind, status, title in rows if isinstance(error, kind))
