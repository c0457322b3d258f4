"""HTTP to an issuer: JSON of bounded size in bounded time, verified TLS, no redirects. What goes wrong becomes words.

An issuer is believed about who people are, so nothing here is lenient; and nothing that is sent or answered is quoted.
"""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

from herdsman.adapters.auth.config import url_problem
from herdsman.errors import HerdsmanError
from herdsman.version import __version__

MOST_BYTES: Final = 256 * 1024


class IssuerError(HerdsmanError):
    """An issuer did not answer, or with what makes no sense."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the JSON object that came with it, empty where none did."""

    status: int
    body: Mapping[str, Any]


class Web:
    """One issuer's servers. Safe from any thread."""

    def __init__(self, *, ca_file: Path | None = None, timeout: float = 5.0) -> None:
        self._timeout = timeout
        try:
            self._pool = urllib3.PoolManager(
                retries=False,
                timeout=urllib3.Timeout(total=timeout),
                ssl_context=ssl.create_default_context(cafile=ca_file),
                headers={"Accept": "application/json", "User-Agent": f"herdsman/{__version__}"},
            )
        except OSError as error:
            raise IssuerError(f"the authorities in {ca_file} cannot be used: {error}") from None

    def get(self, url: str) -> Answer:
        """The answer to a GET. Raises `IssuerError`."""
        return self._call("GET", url, None)

    def post(self, url: str, form: Mapping[str, str]) -> Answer:
        """The answer to a POST of *form*. Raises `IssuerError`."""
        return self._call("POST", url, urlencode(form))

    def discover(self, issuer: str) -> Mapping[str, Any]:
        """The discovery document of *issuer*, which has to be that issuer's own. Raises `IssuerError`.

        Source: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
        """
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        answer = self.get(url)
        if answer.status != 200:
            raise IssuerError(f"{url} answered {answer.status}", hint="is that the address of an OpenID issuer?")
        if answer.body.get("issuer") != issuer:
            raise IssuerError(
                f"what answers at {url} is not the issuer {issuer}",
                hint="write the issuer exactly as its discovery document does, slashes included",
            )
        return answer.body

    def _call(self, method: str, url: str, form: str | None) -> Answer:
        problem = url_problem(url)
        if problem:
            raise IssuerError("the issuer names an address that " + problem)
        headers = {**self._pool.headers, "Accept-Encoding": "identity"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        place = url.partition("?")[0]
        try:
            answer = self._pool.request(
                method, url, body=form, headers=headers, redirect=False, preload_content=False, decode_content=False
            )
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise IssuerError(f"{place}: {_words(error)}") from None
        try:
            data = self._read(answer, place)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            answer.close()
            raise IssuerError(f"{place}: {_words(error)}") from None
        return Answer(answer.status, self._object(data, answer.status, place))

    def _read(self, answer: urllib3.BaseHTTPResponse, place: str) -> bytes:
        """The whole body; a server that drips is no better than one that is silent."""
        until = time.monotonic() + self._timeout
        data = b""
        while chunk := answer.read1(64 * 1024):
            data += chunk
            if len(data) > MOST_BYTES or time.monotonic() > until:
                answer.close()
                why = f"more than {MOST_BYTES // 1024} KiB" if len(data) > MOST_BYTES else "too slow"
                raise IssuerError(f"{place}: {why}")
        answer.release_conn()
        return data

    def _object(self, data: bytes, status: int, place: str) -> Mapping[str, Any]:
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict):
            return body
        if status == 200 and data:
            raise IssuerError(f"{place}: what came is no JSON object")
        return {}


def _words(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # a kind of timeout, says the library
        return "nobody answers"
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    return "the answer broke off"
