"""What is done with single tasks: reading what one says, as it says it, and starting an allocation's tasks anew.

An answer that never ends has a connection of its own. Nomad frames what is followed and sends an empty frame now and
then, so that a reader wakes up in time to see that nobody listens any more.
Source: https://developer.hashicorp.com/nomad/api-docs/client#stream-logs
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
import urllib3
from urllib3.response import BaseHTTPResponse

from herdsman.adapters.nomad.config import NomadConfig, token_source
from herdsman.adapters.nomad.failures import without, words
from herdsman.adapters.nomad.transport import USER_AGENT, open_connection, tls_source
from herdsman.errors import Forbidden, NomadError, Refused, Unavailable

_CHUNK = 64 * 1024
_SILENCE = 30.0
"""Seconds: Nomad sends an empty frame every ten."""

_LONGEST_FRAME = 4 * 1024 * 1024


class NomadTasks:
    """`ports.Tasks` of one cluster. Safe from any thread."""

    def __init__(self, config: NomadConfig) -> None:
        config.check()
        self._config = config
        self._token = token_source(config)
        self._tls = tls_source(config)

    def logs(
        self, allocation: str, task: str, *, stream: str, follow: bool, tail: int | None = None
    ) -> Iterator[bytes]:
        """What *task* wrote to `stdout` or `stderr`: from its beginning, or the last *tail* bytes. With *follow* until
        the task has ended; an empty piece says that nothing came for a while. Raises a `NomadError` before any piece.
        """
        query: dict[str, Any] = {"task": task, "type": stream, "follow": str(follow).lower(), "plain": "false"}
        if tail is not None:
            query |= {"origin": "end", "offset": tail}
        opened = self._asked("GET", f"/v1/client/fs/logs/{quote(allocation, safe='')}", query)
        response = opened.__enter__()
        return _pieces(opened, response)

    def restart(self, allocation: str) -> None:
        """Stop and start all tasks that run of an allocation; it stays where it is."""
        route = f"/v1/client/allocation/{quote(allocation, safe='')}/restart"
        with self._asked("PUT", route, {}, body=b'{"AllTasks": true}') as response:
            response.read(_CHUNK)

    @contextmanager
    def _asked(
        self, method: str, route: str, query: Mapping[str, Any], body: bytes | None = None
    ) -> Iterator[BaseHTTPResponse]:
        region = {"region": self._config.region} if self._config.region else {}
        path = f"{urlsplit(self._config.base_url).path}{route}?{urlencode({**query, **region})}"
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        token = self._token()
        if token:
            headers["X-Nomad-Token"] = token
        connection = open_connection(self._config, self._tls, timeout=self._config.connect_timeout)
        try:
            try:
                connection.connect()
                connection.timeout = _SILENCE
                if connection.sock is not None:
                    connection.sock.settimeout(_SILENCE)
                connection.request(method, path, body=body, headers=headers, preload_content=False)
                response = connection.getresponse()
            except (OSError, urllib3.exceptions.HTTPError) as error:
                raise Unavailable(f"{self._config.place} does not answer: {type(error).__name__}") from error
            if response.status >= 300:
                raise _refusal(response.status, without(token, response.read(4096).decode(errors="replace")))
            yield response
        finally:
            connection.close()


def _refusal(status: int, text: str) -> NomadError:
    said = words(text) or "nothing"
    if status in {401, 403}:
        return Forbidden(f"Nomad refuses: {said}", status=status)
    if status >= 500 and status != 500:
        return Unavailable(f"Nomad cannot do it now: {said}", status=status)
    return Refused(f"Nomad refuses: {said}", status=status)


def _pieces(opened: Any, response: BaseHTTPResponse) -> Iterator[bytes]:
    """The data of each frame; the connection ends with whoever reads them."""
    rest = b""
    try:
        with suppress(OSError, urllib3.exceptions.HTTPError):  # it ended in the middle: what came is what there is
            while chunk := response.read1(_CHUNK):
                frames, rest = _frames(rest + chunk)
                if len(rest) > _LONGEST_FRAME:
                    return
                yield b"".join(base64.b64decode(frame.get("Data") or b"") for frame in frames)
    finally:
        opened.__exit__(None, None, None)


def _frames(data: bytes) -> tuple[list[Mapping[str, Any]], bytes]:
    """The frames that are whole, and what is left. They are flat objects in a row, without a brace in any text of
    theirs: data is base64, and names of files are Nomad's own."""
    whole: list[Mapping[str, Any]] = []
    *parts, rest = data.split(b"}")
    for part in parts:
        with suppress(ValueError):
            whole.append(orjson.loads(part.strip() + b"}"))
    return whole, rest
