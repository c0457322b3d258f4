"""One request to Nomad and its answer, through python-nomad.

What the library gets wrong is mended around it: `Layer` quotes IDs; every call brings its own namespace and token and
copies of its parameters, so the library adds none and changes none. The endpoints are made here one by one, because its
own client reads the environment, opens a session for each of thirty endpoints, and does not verify TLS.

Reads that failed in a way that passes are asked again, twice; writes never: their answer may have been lost on the way.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
import requests
import tenacity
import urllib3
from nomad import api
from nomad.api.base import Requester
from nomad.api.exceptions import BaseNomadException

from herdsman.adapters.nomad.config import NomadConfig, OnRequest, token_source
from herdsman.adapters.nomad.failures import is_brief, refusal, understand
from herdsman.adapters.nomad.transport import Wire
from herdsman.errors import Refused, Unavailable

ATTEMPTS = 3

_TRANSPORT_ERRORS = (BaseNomadException, requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError)
"""What comes out of python-nomad: it wraps most of what requests raises, and requests most of what urllib3 does."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, not yet sent. *what* completes the sentence `Nomad refuses to …`."""

    what: str
    method: str
    route: str  # `/v1/job/:id/plan`; `:path` keeps its slashes
    names: tuple[str, ...] = ()  # for the places in the route that begin with a colon
    namespace: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None

    @property
    def repeatable(self) -> bool:
        """Whether asking twice is like asking once."""
        return self.method == "get" or self.route.endswith(("/plan", "/parse"))

    def segments(self) -> list[str]:
        """The path below `/v1/`, in pieces that may be quoted one by one."""
        names = iter(self.names)
        pieces: list[str] = []
        for piece in self.route.removeprefix("/v1/").split("/"):
            if piece == ":path":
                pieces += next(names).split("/")
            else:
                pieces.append(next(names) if piece.startswith(":") else piece)
        return pieces


@dataclass(frozen=True, slots=True)
class Answer:
    """What Nomad answered: its JSON, and the two headers that matter."""

    data: Any
    index: int  # X-Nomad-Index
    next_token: str  # X-Nomad-NextToken


class Layer(Requester):  # type: ignore[misc]  # python-nomad has no types
    """Goes between every endpoint of python-nomad and its base."""

    def _endpoint_builder(self, *args: str) -> str:
        return "/".join((self.version, *(quote(part, safe="") for part in args)))


def _layered(endpoint: type) -> Any:
    return type(endpoint.__name__, (Layer, endpoint), {})


_ENDPOINTS = {
    endpoint.ENDPOINT: _layered(endpoint)
    for endpoint in (
        api.Agent,
        api.Allocations,
        api.Job,
        api.Jobs,
        api.Namespace,
        api.Namespaces,
        api.Node,
        api.Nodes,
        api.Variable,
        api.Variables,
    )
}


class Client:
    """A cluster to put requests to, from any thread."""

    def __init__(
        self, config: NomadConfig, *, on_request: OnRequest | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        config.check()
        self._config = config
        self._token = token_source(config)
        self._on_request = on_request
        self._session = Wire(config)
        settings = {
            "address": config.base_url,
            "region": config.region or None,
            "timeout": (config.connect_timeout, config.read_timeout),
            "verify": not config.skip_verify,
            "session": self._session,
        }
        self._endpoints = {name: endpoint(**settings) for name, endpoint in _ENDPOINTS.items()}
        self._patiently = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(multiplier=0.1, max=1, jitter=0.2),
            retry=tenacity.retry_if_exception(is_brief),
            sleep=sleep,
            reraise=True,
        )

    def ask(self, request: Request) -> Answer:
        """Put a request and wait for the answer. Raises a `NomadError` where there is none."""
        endpoint, *rest = _addressable(request)
        body = _encode(request)
        send = self._patiently if request.repeatable else _once
        response: requests.Response = send(self._send, request, endpoint, rest, body)
        return Answer(
            _decode(response, request),
            _number(response.headers.get("X-Nomad-Index")),
            response.headers.get("X-Nomad-NextToken", ""),
        )

    def close(self) -> None:
        """Close the connections that are open."""
        self._session.close()

    def _send(self, request: Request, endpoint: str, rest: list[str], body: bytes | None) -> requests.Response:
        token = self._token()
        headers = {"X-Nomad-Token": token} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        params = {**request.params, "namespace": request.namespace or None}
        code, started = "error", time.perf_counter()
        try:
            response: requests.Response = self._endpoints[endpoint].request(
                *rest, method=request.method, params=params, data=body, headers=headers
            )
            code = str(response.status_code)
            if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                raise refusal(response, what=request.what, secret=token)
        except _TRANSPORT_ERRORS as error:
            code = _code(error)
            raise understand(error, what=request.what, place=self._config.place, secret=token) from error
        finally:
            if self._on_request:
                self._on_request(request.method.upper(), request.route, code, time.perf_counter() - started)
        return response


def _once(send: Callable[..., requests.Response], *args: Any) -> requests.Response:
    return send(*args)


def _addressable(request: Request) -> list[str]:
    """The path in pieces. A piece that HTTP would swallow on the way would make it the path of something else."""
    segments = request.segments()
    for name in request.names:
        if any(part in {"", ".", ".."} for part in name.split("/")):
            raise Refused(
                f"Nomad cannot {request.what}: {name!r} cannot stand in a URL",
                hint="a name must not be empty, nor have an empty part, `.` or `..` between slashes",
            )
    return segments


def _encode(request: Request) -> bytes | None:
    if request.body is None:
        return None
    try:
        return orjson.dumps(request.body, default=_plain)
    except TypeError as error:
        raise Refused(f"Nomad cannot {request.what}: it is no JSON: {error}") from None


def _plain(value: object) -> object:
    """Mappings of any make, which orjson leaves to us."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _decode(response: requests.Response, request: Request) -> Any:
    if not response.content and request.method in {"put", "delete"}:
        return None  # some writes are answered with nothing; an empty list of jobs never looks like that
    try:
        return orjson.loads(response.content)
    except ValueError:
        raise Unavailable(
            f"what was answered when Nomad was asked to {request.what} is no JSON",
            hint="is this the address of a Nomad, and nothing before it?",
            status=response.status_code,
        ) from None


def _code(error: Exception) -> str:
    response = getattr(error, "nomad_resp", None)
    return str(response.status_code) if isinstance(response, requests.Response) else "error"


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
