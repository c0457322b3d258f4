"""The port `EventStream`: Nomad's `/v1/event/stream`, read as hints.

The stream is a ring that forgets without saying so, and its end may be silent. So every (re)connect says *relist*, and
so does everything that is not plainly an event; and 75 s without as much as a heartbeat (there is one every 10 to 30 s)
are a dead stream. A reconnect asks for the last index again, not the one after: one index comes as several lines, of
which a cut may have left some. What was seen before is skipped. An index that goes backwards is that of another
cluster, or of one made anew: all that was remembered is forgotten.

Each stream has a connection of its own, not one of a pool: `close` must end a read that waits, even for the first byte.
"""

import random
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from urllib3.response import BaseHTTPResponse

from herdsman.adapters.nomad.config import NomadConfig, token_source
from herdsman.adapters.nomad.failures import explain, without, words
from herdsman.adapters.nomad.transport import USER_AGENT, open_connection, tls_source
from herdsman.model.keys import Key, job_key
from herdsman.model.observed import Hint

TOPICS = ("Job", "Deployment", "Allocation")
"""Not `Evaluation`: those are half of all events, and what they lead to is told by the others."""

SILENCE = 75.0
"""Seconds without a byte after which a stream is dead."""

REMEMBERED = 4096
"""So many events are known again."""

_CHUNK = 1 << 16


class _Ended(Exception):
    """The stream is over, for the reason in the text."""


class NomadEvents:
    """Hints from one cluster. The public attributes are for metrics: one thread writes them, any may read."""

    def __init__(
        self,
        config: NomadConfig,
        *,
        silence: float = SILENCE,
        first_wait: float = 0.5,
        longest_wait: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        config.check()
        self.connected = False
        self.last_frame: float | None = None  # when, by *monotonic*; a heartbeat counts
        self._config = config
        self._token = token_source(config)
        self._tls = tls_source(config)
        self._silence = silence
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._monotonic = monotonic
        self._memory = _Memory()
        self._connects = 0
        self._closed = threading.Event()
        self._lock = threading.Lock()  # of the socket, between `follow` and `close`
        self._socket: socket.socket | None = None

    @property
    def reconnects(self) -> int:
        """How many connections were made after the first."""
        return max(0, self._connects - 1)

    def follow(self) -> Iterator[Hint]:
        """Yield hints until `close` is called."""
        failures, reason = 0, ""
        while not self._closed.is_set():
            started = self._monotonic()
            try:
                yield from self._stream(reason)
            except _Ended as end:
                reason = str(end)
            except Exception as error:  # noqa: BLE001 - whatever it is, a follower that died of it would be deaf for good
                reason = explain(error)
            # only a stream that held for a while is a success: one that is cut at once must not be hammered
            failures = 0 if self._monotonic() - started > self._longest_wait else failures + 1
            self._closed.wait(self._wait(failures))

    def close(self) -> None:
        """End `follow` at once (while it opens a connection: within the connect timeout)."""
        self._closed.set()
        with self._lock, suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def _wait(self, failures: int) -> float:
        longest = min(self._longest_wait, self._first_wait * 2.0 ** min(failures, 16))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads reconnects, keeps no secret

    def _stream(self, before: str) -> Iterator[Hint]:
        """Hints from one connection, until it ends one way or another."""
        if self._is_another_cluster():
            self._memory.forget()
        query = {"namespace": "*", "topic": TOPICS, "index": self._memory.index}
        with self._asked("/v1/event/stream", query) as response:
            if response.status != 200:
                text = without(self._token(), response.read(4096).decode(errors="replace"))
                reason = f"{response.status} {words(text)}".rstrip()
                if response.status in {401, 403}:
                    yield Hint(relist=True, reason=reason)  # deaf, but perhaps not blind
                raise _Ended(reason)
            self._connects += 1
            self.connected = True
            try:
                yield Hint(relist=True, reason=f"connected again after: {before}" if before else "connected")
                for line in _lines(response):
                    self.last_frame = self._monotonic()
                    yield from self._hints(line)
            finally:
                self.connected = False
        raise _Ended("Nomad ended the stream")

    def _hints(self, line: bytes) -> Iterator[Hint]:
        """What one line says: nothing (a heartbeat), which jobs changed, or that it is no event at all."""
        try:
            frame = orjson.loads(line)
            events = frame["Events"] if frame else ()
            identities = [_identity(event) for event in events]
        except (ValueError, KeyError, TypeError, AttributeError):
            reason = words(line.decode(errors="replace"))
            yield Hint(relist=True, reason=reason)
            raise _Ended(reason) from None
        fresh = [event for event, seen in zip(events, map(self._memory.knows, identities), strict=True) if not seen]
        if fresh and identities[0].index < self._memory.index:
            self._memory.forget()
            yield Hint(relist=True, reason="the index of the events went backwards")
        self._memory.keep(identities)
        keys = {key for event in fresh for key in _keys(event)}
        if keys:
            jobs = [event for event in fresh if event["Topic"] == "Job"]
            indexes = {key: int(event["Index"]) for event in jobs if (key := next(_keys(event), None)) is not None}
            yield Hint(keys=sorted(keys), indexes=indexes)

    def _is_another_cluster(self) -> bool:
        """Whether the jobs of this cluster are older than the last that we were told of.

        A stream that is asked to begin at an index which is yet to come may stay silent until then.
        """
        if not self._memory.job_index:
            return False
        with self._asked("/v1/jobs", {"namespace": "*", "per_page": 1}) as response:
            head = response.headers.get("X-Nomad-Index", "")
            return head.isdigit() and 0 < int(head) < self._memory.job_index

    @contextmanager
    def _asked(self, route: str, query: Mapping[str, Any]) -> Iterator[BaseHTTPResponse]:
        """The answer to a GET on a connection of its own, which `close` can cut."""
        region = {"region": self._config.region} if self._config.region else {}
        path = f"{urlsplit(self._config.base_url).path}{route}?{urlencode({**query, **region}, doseq=True)}"
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if token := self._token():
            headers["X-Nomad-Token"] = token
        connection = open_connection(self._config, self._tls, timeout=self._config.connect_timeout)
        try:
            connection.connect()
            self._guard(connection.sock)
            connection.timeout = self._silence  # from here on: for the first byte, and between any two
            connection.request("GET", path, headers=headers, preload_content=False)
            yield connection.getresponse()
        finally:
            self._guard(None)
            connection.close()

    def _guard(self, opened: socket.socket | None) -> None:
        """Let `close` know the socket that is to be cut."""
        with self._lock:
            self._socket = opened
            if opened is not None and self._closed.is_set():
                raise _Ended("closed")


@dataclass(frozen=True, slots=True)
class _Identity:
    """What tells one event from another."""

    topic: str
    type: str
    key: str
    namespace: str
    index: int


class _Memory:
    """What was seen on the stream, as far back as a reconnect may repeat it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.index = 0  # where to resume
        self.job_index = 0  # the last at which a job changed
        self._seen: OrderedDict[_Identity, None] = OrderedDict()

    def knows(self, identity: _Identity) -> bool:
        """Whether an event was seen before."""
        return identity in self._seen

    def keep(self, identities: list[_Identity]) -> None:
        """Remember the events of one line."""
        for identity in identities:
            self._seen[identity] = None
            self.index = max(self.index, identity.index)
            if identity.topic == "Job":
                self.job_index = max(self.job_index, identity.index)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _lines(response: BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of an answer as they come, and what is left when it ends; blank ones are left out."""
    rest = b""
    while chunk := response.read1(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, map(bytes.strip, lines))
    if rest.strip():
        yield rest


def _identity(event: Mapping[str, Any]) -> _Identity:
    return _Identity(event["Topic"], event["Type"], event["Key"], event.get("Namespace") or "", int(event["Index"]))


def _keys(event: Mapping[str, Any]) -> Iterator[Key]:
    """The job that an event is about, and the one that this is a child of."""
    topic = event["Topic"]
    body = (event.get("Payload") or {}).get(topic) or {}
    namespace = body.get("Namespace") or event.get("Namespace")
    job_id = (body.get("ID") or event["Key"]) if topic == "Job" else body.get("JobID")
    for name in (job_id, body.get("ParentID")):
        if namespace and name:
            yield job_key(namespace, name)
