"""The API in a process of its own, in front of a running operator: requests go on to it as they came, answers come back
as they are made. Who asks is judged by the operator, so one that knows no users is shown to nobody but this machine.
"""

import threading
from collections.abc import Iterator
from typing import Final

import urllib3
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from herdsman.api.guards import LOOPBACK
from herdsman.errors import SettingsError
from herdsman.ports import Clock

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a request that are passed on at most: more than any payload of a Git server."""

FRESH: Final = 10.0
"""Seconds for which it is believed that the operator asks who is there."""

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_OF_THE_CONNECTION: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "content-length"),
    }
)
"""Headers of one connection, which are not passed on (RFC 9110, 7.6.1)."""

_ANSWERS: Final = urllib3.Timeout(connect=5, read=60)


class Front:
    """What stands before the operator at *server*, and is reached as *host*."""

    def __init__(self, server: str, *, host: str, clock: Clock) -> None:
        self._server, self._clock = server.rstrip("/"), clock
        self._is_public = host not in LOOPBACK
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=_ANSWERS)
        self._lock, self._asked, self._knows_users = threading.Lock(), float("-inf"), False

    def check(self) -> None:
        """Raise `SettingsError` where the operator would take a stranger for its administrator."""
        if self._is_public and not self._is_guarded():
            raise SettingsError(
                f"the operator at {self._server} knows no users, or does not answer: it is not shown to others",
                hint="start it with --oidc-issuer or --token-file, or let this listen on 127.0.0.1",
            )

    async def handle(self, request: Request) -> Response:
        """Pass a request on."""
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > LARGEST:
                return _problem(413, "Too large", "no request of this API is as large as that")
            parts.append(part)
        return await run_in_threadpool(self._pass_on, request, b"".join(parts))

    def _pass_on(self, request: Request, body: bytes) -> Response:
        if self._is_public and not self._is_guarded():
            return _problem(503, "Not available", "the operator does not answer, or knows no users")
        headers = urllib3.HTTPHeaderDict()
        for name, value in request.headers.items():
            if name not in _OF_THE_CONNECTION:
                headers.add(name, value)
        path = request.scope["raw_path"].decode("latin-1") + (f"?{request.url.query}" if request.url.query else "")
        try:
            answer = self._pool.request(
                request.method,
                self._server + path,
                body=body or None,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError:
            return _problem(502, "No answer", f"the operator behind {request.url.netloc} does not answer")
        passed = StreamingResponse(_content(answer), status_code=answer.status)
        passed.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
            if name.lower() not in _OF_THE_CONNECTION - {"content-length"}
        ]
        return passed

    def _is_guarded(self) -> bool:
        """Whether the operator asks who is there: a question without a token must not be answered."""
        with self._lock:
            if self._clock.monotonic() - self._asked > FRESH:
                try:
                    answer = self._pool.request("GET", f"{self._server}/v1/whoami", redirect=False)
                    self._knows_users = answer.status == 401
                except urllib3.exceptions.HTTPError:
                    self._knows_users = False
                self._asked = self._clock.monotonic() if self._knows_users else float("-inf")
            return self._knows_users


def _content(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The answer as it comes, event by event where it is a stream of them."""
    try:
        while part := answer.read1():
            yield part
    except urllib3.exceptions.HTTPError:
        return  # the operator has gone: so does the answer
    finally:
        answer.release_conn()
        answer.close()


def create_front(front: Front) -> Starlette:
    """The application."""
    return Starlette(routes=[Route("/{path:path}", front.handle, methods=_METHODS)])


def _problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
