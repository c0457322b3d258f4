"""Answers that go on: the log of a task, and events. Each ends when it is closed, from any thread.

Source of the format of events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import codecs
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import urllib3

from herdsman.client.checking import fits
from herdsman.client.errors import BrokenOff, Strange

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of one line that are waited for."""

_PIECE: Final = 1 << 16

T = TypeVar("T")


class Stream:
    """An answer as it is made: pieces of bytes, or lines of text."""

    def __init__(
        self, answer: urllib3.BaseHTTPResponse, words: Callable[[], AbstractContextManager[None]] | None = None
    ) -> None:
        self._answer, self._words, self._closed = answer, words, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; who waits for more gets no more."""
        if not self._closed:
            self._closed = True
            with suppress(OSError, ValueError, RuntimeError, AttributeError):
                self._answer.shutdown()
            self._answer.close()

    def pieces(self) -> Iterator[bytes]:
        """Bytes as they come. Raises `BrokenOff` where the connection ended and the answer did not."""
        try:
            while not self._closed and (part := self._read()):
                yield part
        finally:
            self.close()

    def _read(self) -> bytes:
        try:
            if self._words is None:
                return self._answer.read1(_PIECE)
            with self._words():
                return self._answer.read1(_PIECE)
        except Exception:
            if self._closed:  # that is how a reader learns of it
                return b""
            raise

    def lines(self) -> Iterator[str]:
        """Lines of text, without their ends."""
        return lines(self.pieces())

    def __iter__(self) -> Iterator[str]:
        return self.lines()

    def read(self) -> str:
        """All of it, as text."""
        return b"".join(self.pieces()).decode(errors="replace")


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines in *pieces*; what is no UTF-8 is replaced. Raises `Strange` for one without an end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    parts: list[str] = []
    size = 0
    for piece in pieces:
        *whole, rest = decoder.decode(piece).split("\n")
        for line in whole:
            yield "".join([*parts, line]).removesuffix("\r")
            parts, size = [], 0
        parts.append(rest)
        size += len(rest)
        if size > LONGEST:
            raise Strange("a line does not end")
    last = "".join([*parts, decoder.decode(b"", final=True)])
    if last:
        yield last


@dataclass(frozen=True, slots=True)
class Sent:
    """One server-sent event."""

    id: str
    data: str


def sent_events(told: Iterable[str]) -> Iterator[Sent]:
    """The events in lines of a `text/event-stream`."""
    last, data = "", list[str]()
    for line in told:
        if not line:
            if data:
                yield Sent(last, "\n".join(data))
            data = []
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            last = value


class Events(Generic[T]):
    """Events as they come, each once: a connection that breaks is made anew behind the last one.

    *connect* opens the stream behind an event ID; each event is a *kind*.
    """

    def __init__(self, kind: type[T], connect: Callable[[str], Stream], *, last: str = "", retries: int = 3) -> None:
        self._kind, self._connect, self._last, self._retries = kind, connect, last, retries
        self._closed = False
        self._stream = connect(last)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """No more of them."""
        self._closed = True
        self._stream.close()

    def __iter__(self) -> Iterator[T]:
        broken = 0
        try:
            while True:
                try:
                    for one in self._told():
                        broken = 0
                        yield one
                    return
                except BrokenOff:
                    broken += 1
                    if broken > self._retries:
                        raise
                time.sleep(0.25 * 2**broken)
                if self._closed:
                    return
                self._stream = self._connect(self._last)
        finally:
            self.close()

    def _told(self) -> Iterator[T]:
        for sent in sent_events(self._stream.lines()):
            try:
                data: Any = json.loads(sent.data)
            except (ValueError, RecursionError):
                data = None
            if not fits(data, self._kind):
                raise Strange("what was sent is no event of Herdsman's")
            self._last = sent.id
            yield data
