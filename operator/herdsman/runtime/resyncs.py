"""Requests to look again now, and whether they were answered: what `herdsman resync --wait` waits for."""

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from herdsman.model.keys import Key

_KEPT = 1000


@dataclass(slots=True)
class Resync:
    """One request. *pending* are the keys that nobody has looked at since; *at* is monotonic seconds."""

    id: int
    at: float
    pending: set[Key] | None  # None: it is not known yet which keys there are
    total: int = 0

    @property
    def done(self) -> bool:
        """Whether every key was looked at."""
        return self.pending is not None and not self.pending


class Resyncs:
    """All requests that somebody may still ask about. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._all: dict[int, Resync] = {}

    def open(self, at: float, keys: Iterable[Key] | None = None) -> Resync:
        """A new request for *keys*; without them it waits for `known`."""
        with self._lock:
            pending = None if keys is None else set(keys)
            request = Resync(next(self._numbers), at, pending, len(pending or ()))
            self._all[request.id] = request
            while len(self._all) > _KEPT:
                del self._all[next(iter(self._all))]
            return request

    def begin(self, request: Resync, at: float) -> None:
        """From *at* on, looks answer *request*."""
        with self._lock:
            request.at = at

    def known(self, keys: Iterable[Key], before: float) -> None:
        """The keys of every request for everything that was made before the time *before*."""
        with self._lock:
            found = set(keys)
            for request in self._all.values():
                if request.pending is None and request.at <= before:
                    request.pending, request.total = set(found), len(found)

    def looked(self, key: Key, began: float) -> None:
        """Somebody looked at *key*, beginning at *began*: it answers the requests that were there by then."""
        with self._lock:
            for request in self._all.values():
                if request.pending and request.at <= began:
                    request.pending.discard(key)

    def get(self, number: int) -> Resync | None:
        """The request of that number, None where nobody knows it any more."""
        with self._lock:
            return self._all.get(number)
