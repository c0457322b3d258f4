"""The HTTP API: FastAPI over the use cases. Nothing is decided here."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from herdsman.api.guards import loopback_only
from herdsman.api.routes import events, holds, meta, plans, resyncs, specs
from herdsman.api.schemas import Problem
from herdsman.errors import HerdsmanError, NomadError, UnknownError, UsageError
from herdsman.usecases import Operator
from herdsman.version import __version__


def create_app(operator: Operator, *, metrics: Callable[[], bytes]) -> FastAPI:
    """The application. *metrics* answers the exposition."""
    app = FastAPI(
        title="Herdsman",
        version=__version__,
        description="What is declared, what is live, and what is done about the difference.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.operator, app.state.metrics = operator, metrics
    app.middleware("http")(loopback_only)
    for routes in (meta, specs, plans, resyncs, events, holds):
        app.include_router(routes.router)
    app.add_exception_handler(HerdsmanError, _told)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)
    return app


def _problem(status: int, title: str, detail: str, hint: str = "") -> JSONResponse:
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
    return _problem(error.status_code, str(error.detail), "")
