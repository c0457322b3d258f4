"""The operator that commands talk to: `herdsman.client` for whoever is logged in there."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from herdsman import client
from herdsman.cli.sessions import bearer
from herdsman.client.streams import Stream
from herdsman.client.transport import Transport, segment, segments

DEFAULT_SERVER = "http://127.0.0.1:8080"

_PATIENCE: Final = 60.0
_SILENCE: Final = 45.0


def platform(server: str) -> client.Client:
    """The client of the operator at *server*."""
    return client.Client(server, lambda: bearer(server), timeout=_PATIENCE, retries=1, patience=5)


class Client:
    """The same, by paths."""

    def __init__(self, server: str) -> None:
        self._http = Transport(server, lambda: bearer(server), timeout=_PATIENCE, retries=1, patience=5)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer to a GET; parameters that are None or empty are left out."""
        return self._http.call("GET", path, query=query).data

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer to a POST of *body*."""
        return self._http.call("POST", path, body=body).data

    def describe(self, kind: str, namespace: str, name: str) -> Any:
        """One spec whole."""
        return self.get(f"/v1/specs/{segment(kind)}/{segment(namespace or '-')}/{segments(name)}")

    def stream(self, path: str, *, silence: float = _SILENCE, **query: Any) -> Stream:
        """An answer as it is made; *silence* is for how many seconds nothing may come."""
        return self._http.stream(path, query=query, silence=silence)

    def follow(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The data of server-sent events, as they come, until the operator ends."""
        return iter(client.Events(dict[str, Any], lambda last: self._events(path, query, last)))

    def _events(self, path: str, query: Mapping[str, Any], last: str) -> Stream:
        headers = {"Last-Event-ID": last} if last else {}
        return self._http.stream(path, query=query, headers=headers, silence=_SILENCE)
