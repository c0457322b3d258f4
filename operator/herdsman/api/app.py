"""The HTTP API: FastAPI over the use cases. Nothing is decided here."""

from collections.abc import Callable
from http import HTTPStatus
from importlib import import_module

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from herdsman.api.auth import ADMIN, VIEWER, install
from herdsman.api.docs import add_docs
from herdsman.api.guards import Guard
from herdsman.api.platform import install_platform
from herdsman.api.routes import (
    catalog,
    deployments,
    events,
    exports,
    history,
    holds,
    meta,
    plans,
    resyncs,
    specs,
    stats,
    tryme,
    webhooks,
    whoami,
)
from herdsman.api.schemas import Problem
from herdsman.errors import HerdsmanError, NomadError, UnknownError, UsageError
from herdsman.ports import Auth
from herdsman.usecases import Operator, Webhooks
from herdsman.version import __version__


def create_app(
    operator: Operator | None = None,
    *,
    metrics: Callable[[], bytes] = bytes,
    hooks: Webhooks | None = None,
    auth: Auth | None = None,
) -> FastAPI:
    """The application. *metrics* answers the exposition. Without an *operator* one is made from `HERDSMAN_…` variables
    and `herdsman.yaml`, and runs while the application does: `uvicorn --factory herdsman.api.app:create_app --reload`.

    *hooks* takes what Git servers say; without, nobody is believed. *auth* judges tokens; without, whoever is on this
    machine is its administrator.
    """
    if operator is None:
        made: FastAPI = import_module("herdsman.bootstrap").application()  # the one step up: whoever starts it is above
        return made
    app = FastAPI(
        title="Herdsman",
        version=__version__,
        description="What is declared, what is live, and what is done about the difference.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.operator, app.state.metrics, app.state.hooks = operator, metrics, hooks or Webhooks(str, lambda: None)
    app.middleware("http")(Guard(auth))
    for routes in (meta, history, stats, webhooks, whoami):  # each route says who may ask
        app.include_router(routes.router)
    for router in (catalog.router, deployments.router, deployments.admin, tryme.router):
        app.include_router(router)
    for routes in (specs, plans, events):
        app.include_router(routes.router, dependencies=[VIEWER])
    for routes in (resyncs, holds, exports):
        app.include_router(routes.router, dependencies=[ADMIN])
    add_docs(app)
    handle_errors(app)
    install_platform(app)
    install(app, auth)
    return app


def handle_errors(app: FastAPI) -> None:
    """Every error of *app* is told as a problem (RFC 9457)."""
    app.add_exception_handler(HerdsmanError, _told)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)


def _problem(status: int, title: str, detail: str, hint: str = "") -> JSONResponse:
    detail = detail.encode(errors="replace").decode()  # what was sent may hold halves of characters
    body = Problem(title=title, status=status, detail=detail, hint=hint).model_dump(by_alias=True)
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def _told(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HerdsmanError)
    if isinstance(error, UsageError):
        status = 404 if isinstance(error, UnknownError) else 409
        return _problem(status, "Not known" if status == 404 else "Not possible", error.message, error.hint)
    status = 502 if isinstance(error, NomadError) else 500
    return _problem(status, "Nomad did not answer" if status == 502 else "Failed", error.message, error.hint)


def _malformed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    detail = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return _problem(422, "Malformed request", detail)


def _plain(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    return _problem(error.status_code, title, "" if error.detail == title else str(error.detail))
