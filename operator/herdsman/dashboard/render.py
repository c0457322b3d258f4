"""Templates to answers: Jinja2 with everything escaped, and the headers that every page carries."""

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from herdsman.core.words import blast_radius
from herdsman.dashboard import views
from herdsman.dashboard.assets import Assets
from herdsman.usecases import is_suspended
from herdsman.version import __version__

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # not `no-referrer`: with it a browser sends `Origin: null` with our own forms, and the API refuses them
    "Referrer-Policy": "same-origin",
}


class _Html(HTMLResponse):
    """HTML that no text can break: what JSON may hold, half a surrogate pair, UTF-8 may not."""

    def render(self, content: Any) -> bytes:
        return str(content).encode("utf-8", "replace")


class Renderer:
    """The templates of the package. *root* is what the path of every page begins with, *users* says
    that readers log in, and may log out."""

    def __init__(self, assets: Assets, *, root: str = "", users: bool = False) -> None:
        self._jinja = Environment(
            loader=PackageLoader("herdsman.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._jinja.globals |= {"asset": assets.address, "root": root, "users": users, "version": __version__}
        self._jinja.filters |= {
            "path": views.spec_path,
            "badge": views.badge,
            "deployment_badge": views.deployment_badge,
            "allocation_badge": views.allocation_badge,
            "severity_badge": views.severity_badge,
            "blast_radius": blast_radius,
            "iso": iso,
            "clock": clock,
        }
        self._jinja.tests["suspended"] = is_suspended

    def page(self, template: str, *, code: int = 200, **values: Any) -> Response:
        """The page that *template* makes of *values*. It shows what is now, so nobody may keep it."""
        html = self._jinja.get_template(template).render({"notice": ""} | values)
        return _Html(html, status_code=code, headers={"Cache-Control": "no-store"})


def iso(at: float) -> str:
    """A time for machines."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(at: float) -> str:
    """A time for people. In UTC, as in every log."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
