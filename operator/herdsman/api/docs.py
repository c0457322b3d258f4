"""`/docs`: the API as a page that reads `openapi.json`, with nothing from elsewhere and nothing inline.

It holds no data, so anybody may see it. A token that is typed into it stays in the memory of the page, and goes only
where its own requests go: to this server.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_TYPES: Final[Mapping[str, str]] = {
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
}


def add_docs(app: FastAPI) -> None:
    """Let *app* show its own documentation, below whatever path it is served."""
    folder = files("herdsman.api") / "static"
    page = (folder / "docs.html").read_bytes()
    kept = {name: (folder / name).read_bytes() for name in _TYPES}

    def show(_request: Request) -> Response:
        return Response(page, media_type="text/html; charset=utf-8", headers=dict(HEADERS))

    def asset(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in kept:
            return PlainTextResponse("There is no such file.\n", status_code=404, headers=dict(HEADERS))
        return Response(kept[name], media_type=_TYPES[name], headers=dict(HEADERS))

    app.add_route("/docs", show, methods=["GET"], include_in_schema=False)
    app.add_route("/docs/{file}", asset, methods=["GET"], include_in_schema=False)
