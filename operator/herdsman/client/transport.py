"""Requests to an operator: who asks, what is asked again, and what becomes of answers that are none.

A token goes to the server that it is meant for and nowhere else: redirects are not followed, and in the clear it is
sent to this machine only. What is asked again, after a pause, is what does no harm when it is done twice: a GET, a
DELETE, and a write whose key tells the operator that it is the same one.
"""

import ipaddress
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection

from herdsman.client.checking import fits
from herdsman.client.errors import ApiError, BrokenOff, ClientError, Strange, Unreachable, error_of, plain
from herdsman.client.streams import Stream
from herdsman.version import __version__

T = TypeVar("T")

Token = str | Callable[[], str | None] | None
"""A bearer token, or who is asked for one before each request."""

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of an answer that are read at most."""

_AGAIN: Final = frozenset({429, 502, 503, 504})
_SENDABLE = re.compile(r"[\x21-\x7e]{1,65536}")
_PIECE: Final = 1 << 16
_AT_ONCE: Final = 16  # connections that are kept, for scripts with threads


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the JSON of its body, None where it has none."""

    status: int
    headers: Mapping[str, str]
    data: Any


class Transport:
    """One operator at *server*, like `https://herdsman.example.org` or `…/fleets/NAME`.

    *timeout* is for each request, in seconds. *retries* and *patience* bound how often, and for how many seconds in
    all, a request is made again. *proxy* is taken from the environment where none is given, and never for this
    machine. With *cleartext* a token may go to another machine by `http://`.
    """

    def __init__(
        self,
        server: str,
        token: Token = None,
        *,
        timeout: float = 30.0,
        ca_file: str | None = None,
        proxy: str | None = None,
        retries: int = 3,
        patience: float = 15.0,
        cleartext: bool = False,
    ) -> None:
        self.server = server.rstrip("/")
        parts = _parts(self.server)
        self._is_loopback = _is_loopback(parts.hostname or "")
        self._may_send = parts.scheme == "https" or self._is_loopback or cleartext
        self._token, self._timeout = token, timeout
        self._retries, self._patience = retries, patience
        self._pool = _pool(proxy or self._proxy(parts.scheme), ca_file)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.server!r})"

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.clear()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        again: bool | None = None,
    ) -> Answer:
        """The answer to a request. *again* says whether it does no harm twice; by default a GET or DELETE does not.

        Raises `ClientError`.
        """
        harmless = method in ("GET", "DELETE") if again is None else again
        data = _written(body) if body is not None else None
        sent = {**({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})}
        until = time.monotonic() + self._patience
        for turn in range(self._retries + 1):
            try:
                return self._once(method, self.url(path, query), data, sent)
            except (Unreachable, BrokenOff, ApiError) as error:
                wait = _pause_after(error, turn) if harmless and turn < self._retries else None
                if wait is None or time.monotonic() + wait > until:
                    raise
            time.sleep(wait)
        raise AssertionError("unreachable")

    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        silence: float | None = None,
    ) -> Stream:
        """An answer as it is made; *silence* is for how many seconds nothing may come. Raises `ClientError`."""
        patience = urllib3.Timeout(connect=self._connect, read=silence)
        sent = self._headers(headers or {})
        with self._words():
            answer = self._send("GET", self.url(path, query), None, sent, patience=patience)
            if answer.status != 200:
                raise self._refusal(answer)
            return Stream(answer, self._words)

    def url(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """The address of *path*; parameters that are None or empty are left out, lists stand for several."""
        given = [(k, _text(v)) for k, many in (query or {}).items() for v in _each(many) if v not in (None, "")]
        return f"{self.server}{path}" + (f"?{urlencode(given, errors='replace')}" if given else "")

    # -- answers of a kind --

    def get(self, shape: type[T], path: str, /, **query: Any) -> T:
        """What a GET answers, which is a *shape*, or a list of them. Raises `ClientError`."""
        return self.checked(shape, self.call("GET", path, query=query))

    def checked(self, shape: type[T], answer: Answer) -> T:
        """What was answered, where it is a *shape*. Raises `Strange`."""
        if not fits(answer.data, shape):
            raise self._strange()
        return cast("T", answer.data)

    # -- one request --

    @property
    def _connect(self) -> float:
        return min(5.0, self._timeout)

    def _once(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        patience = urllib3.Timeout(connect=self._connect, read=self._timeout)
        sent = self._headers(headers)
        with self._words():
            answer = self._send(method, url, data, sent, patience=patience)
            if not 200 <= answer.status < 300:
                raise self._refusal(answer)
            return Answer(answer.status, answer.headers, self._parsed(answer))

    def _send(
        self, method: str, url: str, data: bytes | None, headers: Mapping[str, str], *, patience: urllib3.Timeout
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            method,
            url,
            body=data,
            headers=headers,
            redirect=False,
            retries=False,
            timeout=patience,
            preload_content=False,
            decode_content=False,
        )

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"User-Agent": f"herdsman/{__version__}", "Accept-Encoding": "identity", **more, **self._bearer()}

    def _bearer(self) -> dict[str, str]:
        token = self._token() if callable(self._token) else self._token
        if not token:
            return {}
        if not self._may_send:
            raise ClientError(f"a token is not sent to {self.server} in the clear", hint="use the https address of it")
        if not _SENDABLE.fullmatch(token):
            raise ClientError("the token holds blanks or characters that no header may carry")
        return {"Authorization": f"Bearer {token}"}

    def _parsed(self, answer: urllib3.BaseHTTPResponse) -> Any:
        data = self._whole(answer)
        if not data.strip():
            if answer.status in (202, 204):
                return None
            raise BrokenOff(f"{self.server} answers {answer.status} and nothing", hint="try again")
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise self._strange() from None

    def _whole(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        """The body, within the time that there is, where each piece may take as long."""
        parts, size, until = [], 0, time.monotonic() + self._timeout
        try:
            while part := answer.read1(_PIECE):
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise Strange(f"{self.server} answers with more than anybody asked for")
                if time.monotonic() > until:
                    raise Unreachable(f"no whole answer from {self.server} in time")
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        return b"".join(parts)

    def _refusal(self, answer: urllib3.BaseHTTPResponse) -> ClientError:
        if answer.status < 400:
            answer.close()
            return Strange(
                f"{self.server} answers {answer.status} and points elsewhere: that is not followed",
                hint=f"it points to {plain(answer.headers.get('Location'))[:200]}; name the address of the API itself",
            )
        after = answer.headers.get("Retry-After")
        return error_of(self.server, answer.status, self._whole(answer), retry_after=after)

    def _strange(self) -> Strange:
        return Strange(f"what answers at {self.server} is not Herdsman", hint="check --server or HERDSMAN_SERVER")

    @contextmanager
    def _words(self) -> Iterator[None]:
        """What urllib3 says, in ours."""
        try:
            yield
        except urllib3.exceptions.SSLError as error:
            raise Unreachable(
                f"no safe connection to {self.server}: {_tls(error)}", hint="a private authority is named with ca_file"
            ) from None
        except urllib3.exceptions.ProxyError:
            raise Unreachable(f"no way to {self.server}: the proxy does not answer or refuses") from None
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.LocationValueError):
            raise self._unreachable("nobody answers") from None
        except urllib3.exceptions.TimeoutError:
            raise self._unreachable("no answer in time") from None
        except (urllib3.exceptions.HTTPError, OSError):
            raise BrokenOff(f"{self.server} broke its answer off", hint="try again") from None

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(
            f"no operator at {self.server}: {why}",
            hint="start one with herdsman run or herdsman dev, or name it with --server or HERDSMAN_SERVER",
        )

    def _proxy(self, scheme: str) -> str | None:
        host = urlsplit(self.server).hostname or ""
        return None if self._is_loopback or proxy_bypass(host) else getproxies().get(scheme)


def _written(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ClientError(f"what is to be sent cannot be written as JSON: {plain(str(error))}") from None


def segment(name: str) -> str:
    """*name* as one piece of a path. Raises `ClientError` for one that would lead elsewhere."""
    if name in ("", ".", ".."):
        raise ClientError(f"{name!r} is no name")
    return quote(name, safe="", errors="replace")


def segments(name: str) -> str:
    """*name* as the rest of a path: it may hold a `/`."""
    return "/".join(segment(part) for part in name.split("/"))


def _parts(server: str) -> Any:
    try:
        parts = urlsplit(server)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        known = None
    if not known or parts.query or parts.fragment or parts.username is not None:
        raise ClientError("that is no address of a server", hint="write http://HOST:PORT or https://HOST")
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pool(proxy: str | None, ca_file: str | None) -> urllib3.PoolManager:
    kept_alive = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    context = None
    if ca_file is not None:
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError):
            raise ClientError(f"{ca_file} holds no certificates that can be read") from None
    more: dict[str, Any] = {"maxsize": _AT_ONCE, "socket_options": kept_alive}
    more |= {"ssl_context": context} if context is not None else {}
    if proxy is None:
        return urllib3.PoolManager(**more)
    try:
        return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}", **more)
    except urllib3.exceptions.HTTPError:
        raise ClientError("the proxy is named by no address that can be used", hint="write http://HOST:PORT") from None


def _pause_after(error: ClientError, turn: int) -> float | None:
    """For how long to wait before asking again, None where there is no use in it."""
    grown: float = 0.25 * 2**turn
    if isinstance(error, ApiError):
        return max(error.retry_after or 0.0, grown) if error.status in _AGAIN else None
    return grown


def _each(value: Any) -> Any:
    return value if isinstance(value, list | tuple | set | frozenset) else (value,)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tls(error: Exception) -> str:
    return "its certificate is not trusted" if "CERTIFICATE_VERIFY_FAILED" in str(error) else "TLS failed"
