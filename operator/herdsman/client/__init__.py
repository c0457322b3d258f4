"""Herdsman from a script: everything the API does is a line of Python.

    from herdsman.client import Client

    with Client("https://herdsman.example.org", token) as herdsman:
        made = herdsman.deployments.create("modules/hello-web", conf={"general": {"title": "Mine"}})
        print(herdsman.deployments.wait(made)["endpoints"])

It needs nothing but urllib3 and the standard library. Errors are those of `herdsman.client.errors`.
"""

from types import TracebackType
from typing import Any, Self

from herdsman.client.catalog import Catalog
from herdsman.client.deployments import Deployments, TryMe
from herdsman.client.errors import (
    ApiError,
    BrokenOff,
    Changed,
    ClientError,
    FieldProblem,
    Invalid,
    NotAllowed,
    NotAuthenticated,
    NotAvailable,
    NotFound,
    NotPossible,
    Strange,
    TooMany,
    Unfinished,
    Unreachable,
)
from herdsman.client.fleet import Fleet, key
from herdsman.client.shapes import Deployment, Whoami
from herdsman.client.stats import Stats
from herdsman.client.streams import Events, Stream
from herdsman.client.transport import Token, Transport

__all__ = [
    "ApiError",
    "BrokenOff",
    "Changed",
    "Client",
    "ClientError",
    "Deployment",
    "Events",
    "FieldProblem",
    "Invalid",
    "NotAllowed",
    "NotAuthenticated",
    "NotAvailable",
    "NotFound",
    "NotPossible",
    "Strange",
    "Stream",
    "TooMany",
    "Unfinished",
    "Unreachable",
    "key",
]


class Client(Fleet):
    """One operator at *server*, like `https://herdsman.example.org` or, of several fleets, `…/fleets/NAME`.

    *token* is a bearer token, or a function that is asked for one before each request. *timeout* is for each request,
    in seconds. The other options are those of `Transport`.
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
        self.http = Transport(
            server,
            token,
            timeout=timeout,
            ca_file=ca_file,
            proxy=proxy,
            retries=retries,
            patience=patience,
            cleartext=cleartext,
        )
        super().__init__(self.http)
        self.modules = Catalog(self.http, "modules")
        self.tools = Catalog(self.http, "tools")
        self.deployments = Deployments(self.http)
        self.batch = Deployments(self.http, ("batch",))
        self.try_me = TryMe(self.http)
        self.stats = Stats(self.http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.http.server!r})"

    def close(self) -> None:
        """Let go of all connections."""
        self.http.close()

    def whoami(self) -> Whoami:
        """Who you are there, and what you may."""
        return self.http.get(Whoami, "/v1/whoami")

    def version(self) -> dict[str, str]:
        """Which Herdsman it is, and which Nomad it found."""
        return self.http.get(dict[str, str], "/v1/version")

    def fleets(self) -> list[dict[str, Any]]:
        """Where there are several fleets behind one address: each, and where it is."""
        return self.http.get(list[dict[str, Any]], "/v1/fleets")
