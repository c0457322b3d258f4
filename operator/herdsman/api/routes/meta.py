"""What is asked about the process itself: health, readiness, metrics, version, the fleet at a glance."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from herdsman.api.auth import VIEWER
from herdsman.api.deps import Op
from herdsman.api.schemas import OverviewOut
from herdsman.version import __version__

router = APIRouter(tags=["operator"])


@router.get("/healthz", response_class=PlainTextResponse)
def healthz() -> str:
    """The process runs."""
    return "ok\n"


@router.get("/readyz")
def readyz(operator: Op) -> Response:
    """200 after the first full look, while source and Nomad answer; else 503 with what is missing."""
    overview = operator.overview()
    if overview.ready:
        return JSONResponse({"ready": True})
    return JSONResponse({"ready": False, "trouble": dict(overview.trouble)}, status_code=503)


@router.get("/metrics", dependencies=[VIEWER])
def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    return Response(request.app.state.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/v1/version", dependencies=[VIEWER])
def version(operator: Op) -> dict[str, str]:
    """Which Herdsman this is, and which Nomad it found."""
    return {"version": __version__, "nomad": operator.nomad_version}


@router.get("/v1/overview", dependencies=[VIEWER])
def overview(operator: Op) -> OverviewOut:
    """The fleet at a glance."""
    return OverviewOut.of(operator.overview())
