"""Logging in to the dashboard with a token: a browser keeps it where no script and no other site gets at it."""

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from herdsman.dashboard.render import Renderer
from herdsman.model.identity import COOKIE, Identity
from herdsman.ports import Auth

_MOST = 64 * 1024


class Login:
    """The two endpoints. *root* is what the path of every page begins with."""

    def __init__(self, auth: Auth, renderer: Renderer, root: str) -> None:
        self._auth, self._renderer, self._root = auth, renderer, root

    async def take(self, request: Request) -> bytes:
        """The form, where it is no larger than one is."""
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > _MOST:
                return b""
        return data

    def show(self, request: Request, problem: str = "") -> Response:
        """The form."""
        target = self._own(request.query_params.get("next", ""))
        return self._renderer.page("login.html", code=401 if problem else 200, next=target, problem=problem)

    def enter(self, request: Request, form: bytes) -> Response:
        """Keep the token in the browser, if it is one, and go where the reader wanted to."""
        fields = {name: values[0] for name, values in parse_qs(form.decode("utf-8", "replace")).items()}
        token = fields.get("token", "").strip()
        if not isinstance(self._auth.identify(token), Identity):
            return self.show(request, "That token is not valid here, or not any more.")
        answer = RedirectResponse(self._own(fields.get("next", "")), status_code=303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, path=self._root or "/")
        return answer

    def leave(self) -> Response:
        """Forget the token."""
        answer = RedirectResponse(f"{self._root}/login", status_code=303)
        answer.delete_cookie(COOKIE, path=self._root or "/")
        return answer

    def _own(self, target: str) -> str:
        """*target*, if it is a page of ours: a link must not lead elsewhere after a login."""
        home = f"{self._root}/"
        is_path = (
            target.startswith(home) and not target.startswith("//") and "\\" not in target and target.isprintable()
        )
        return target if is_path else home
