"""Several fleets behind one address: each fleet's own application below `/fleets/<name>`, and what is asked of all."""

from collections.abc import Callable, Mapping

from fastapi import FastAPI, HTTPException, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from herdsman.api.app import handle_errors
from herdsman.api.auth import VIEWER, install
from herdsman.api.guards import Guard
from herdsman.api.routes import webhooks
from herdsman.api.schemas import Schema
from herdsman.ports import Auth
from herdsman.usecases import Operator, Webhooks
from herdsman.version import __version__


class FleetOut(Schema):
    """One of the fleets of this process."""

    name: str
    path: str
    ready: bool
    source: str
    nomad: str


class Hooks:
    """A webhook for any of the fleets: each has its own secret, and only whose secret it is goes and sees."""

    def __init__(self, each: Mapping[str, Webhooks]) -> None:
        self._each = each

    def take(self, provider: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether it was any fleet's."""
        taken = [hooks.take(provider, headers, body) for hooks in self._each.values()]  # all: a secret may be shared
        return any(taken)


def create_fleets_app(
    fleets: Mapping[str, tuple[FastAPI, Operator]],
    *,
    metrics: Callable[[], bytes],
    hooks: Hooks,
    auth: Auth | None = None,
) -> FastAPI:
    """The application over those of the *fleets*, by name. *metrics* answers the exposition of all."""
    app = FastAPI(title="Herdsman", version=__version__, docs_url=None, redoc_url=None)
    app.state.hooks = hooks
    app.middleware("http")(Guard(auth))
    install(app, auth)
    handle_errors(app)
    app.include_router(webhooks.router)

    @app.get("/healthz", response_class=PlainTextResponse)
    def healthz() -> str:
        """The process runs."""
        return "ok\n"

    @app.get("/readyz")
    def readyz() -> Response:
        """200 where every fleet is ready; else 503 with what is missing, by fleet."""
        trouble = {name: dict(o.overview().trouble) for name, (_, o) in fleets.items() if not o.overview().ready}
        body = {"ready": not trouble, **({"trouble": trouble} if trouble else {})}
        return JSONResponse(body, status_code=503 if trouble else 200)

    @app.get("/metrics", dependencies=[VIEWER])
    def exposition() -> Response:
        """Prometheus' text format, each series with the label `fleet`."""
        return Response(metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/fleets", dependencies=[VIEWER])
    def listed() -> list[FleetOut]:
        """Every fleet, and where it is."""
        return [_out(name, operator) for name, (_, operator) in fleets.items()]

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        """Links to the dashboards."""
        return HTMLResponse(_page([_out(name, operator) for name, (_, operator) in fleets.items()]))

    for name, (fleet, _) in fleets.items():
        app.mount(f"/fleets/{name}", fleet)

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    def elsewhere(request: Request, path: str) -> Response:
        """What is asked of one fleet has to say of which."""
        known = ", ".join(f"{str(request.base_url).rstrip('/')}/fleets/{name}" for name in fleets)
        raise HTTPException(404, f"/{path} is of one fleet, and there are several here: ask {known}")

    return app


def _out(name: str, operator: Operator) -> FleetOut:
    seen = operator.overview()
    return FleetOut(name=name, path=f"/fleets/{name}/", ready=seen.ready, source=seen.source, nomad=seen.nomad)


def _page(fleets: list[FleetOut]) -> str:
    """Names and paths need no escaping: they were checked when the settings were read."""
    rows = "".join(f'<li><a href="{f.path}">{f.name}</a>{"" if f.ready else " (not ready)"}</li>' for f in fleets)
    return f"<!doctype html><html lang=en><title>Fleets · Herdsman</title><h1>Fleets</h1><ul>{rows}</ul></html>"
