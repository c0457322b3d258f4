"""Talks to a running operator over its HTTP API. Errors become words: what was asked, what was answered, what to do."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from herdsman.cli.sessions import bearer
from herdsman.errors import HerdsmanError

DEFAULT_SERVER = "http://127.0.0.1:8080"


class Client:
    """One operator at *server*, like `http://127.0.0.1:8080`."""

    def __init__(self, server: str) -> None:
        self._server = server.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=60))

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer to a GET; parameters that are None or empty are left out."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer to a POST of *body*."""
        return self._call("POST", path, body=body)

    def describe(self, kind: str, namespace: str, name: str) -> Any:
        """One spec whole."""
        return self.get(f"/v1/specs/{kind}/{quote(namespace or '-', safe='')}/{quote(name, safe='/')}")

    def follow(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The data of server-sent events, as they come, until the operator ends."""
        url = self._url(path, query)
        try:
            patience = urllib3.Timeout(connect=5, read=45)
            answer = self._pool.request("GET", url, headers=self._bearer(), preload_content=False, timeout=patience)
            self._check(answer.status, b"" if answer.status == 200 else answer.read())
            for line in _lines(answer):
                if line.startswith("data:"):
                    yield json.loads(line[5:])
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from None

    def _call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = self._bearer() | ({"Content-Type": "application/json"} if data is not None else {})
        try:
            answer = self._pool.request(method, self._url(path, query or {}), body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from None
        self._check(answer.status, answer.data)
        try:
            return json.loads(answer.data)
        except ValueError:
            raise HerdsmanError(
                f"what answers at {self._server} is not Herdsman", hint="check --server or HERDSMAN_SERVER"
            ) from None

    def _bearer(self) -> dict[str, str]:
        """Who asks, where somebody is logged in."""
        token = bearer(self._server)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _url(self, path: str, query: Mapping[str, Any]) -> str:
        given = {k: v for k, v in query.items() if v not in (None, "")}
        return f"{self._server}{path}" + (f"?{urlencode(given)}" if given else "")

    def _check(self, status: int, data: bytes) -> None:
        if status < 400:
            return
        try:
            problem = json.loads(data)
            raise HerdsmanError(problem.get("detail") or problem["title"], hint=problem.get("hint", ""))
        except (ValueError, KeyError, AttributeError):
            raise HerdsmanError(f"{self._server} answered {status}") from None

    def _unreachable(self, error: Exception) -> HerdsmanError:
        why = "no answer in time" if isinstance(error, urllib3.exceptions.TimeoutError) else "nobody answers"
        return HerdsmanError(
            f"no operator at {self._server}: {why}",
            hint="start one with herdsman run or herdsman dev, or name it with --server or HERDSMAN_SERVER",
        )


def _lines(answer: Any) -> Iterator[str]:
    rest = b""
    for chunk in answer.stream(1024, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() for line in whole)
