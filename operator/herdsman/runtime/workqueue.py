"""The queue of keys: fair, and never one key in two hands.

Three sets carry it, as in Kubernetes' client-go: *dirty* (wants work), *processing* (somebody has it), *delayed* (not
yet). Adding a key that is dirty changes nothing but, at most, its priority; adding one that is being processed makes
it dirty again for afterwards. `done` lets go of a key; `forget` forgets its failures: two different calls.

Priorities are user change > drift > resync. What waits ages: every `AGEING` seconds count as one step of priority, so
a flood of changes cannot starve a resync.
"""

import heapq
import itertools
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from herdsman.ports import Clock

K = TypeVar("K", bound=Hashable)

AGEING = 5.0


class Priority(IntEnum):
    """Why a key wants work; the lower goes first."""

    USER = 0
    DRIFT = 1
    RESYNC = 2


@dataclass(frozen=True, slots=True)
class Depth:
    """How full the queue is."""

    dirty: int
    processing: int
    delayed: int


@dataclass(frozen=True, slots=True)
class _Delay:
    """When a key is due (monotonic s), and its number in the order in which things were said."""

    due: float
    priority: Priority
    number: int


@dataclass(frozen=True, slots=True)
class Item(Generic[K]):
    """A key in somebody's hand. *waited* is how long it was dirty, in s."""

    key: K
    priority: Priority
    waited: float


class WorkQueue(Generic[K]):
    """Keys that want work. Safe from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._number = itertools.count()
        self._dirty: dict[K, tuple[Priority, float]] = {}  # priority, since when
        self._order: list[tuple[float, int, K]] = []  # a heap with stale entries, which are skipped
        self._processing: dict[K, tuple[float, int]] = {}  # since when, and the number that was next
        self._delayed: dict[K, _Delay] = {}
        self._due: list[tuple[float, int, K]] = []  # a heap with stale entries, too
        self._failures: dict[K, int] = {}
        self._closed = False
        self.adds = 0
        self.retries = 0

    # -- giving work --

    def add(self, key: K, priority: Priority = Priority.RESYNC) -> None:
        """*key* wants work now."""
        with self._changed:
            self.adds += 1
            self._add(key, priority)

    def add_after(self, key: K, seconds: float, priority: Priority = Priority.RESYNC) -> None:
        """*key* wants work in *seconds*; of two delays for one key, the sooner holds."""
        if seconds <= 0:
            self.add(key, priority)
            return
        with self._changed:
            self.retries += 1
            due, known = self._clock.monotonic() + seconds, self._delayed.get(key)
            if known is not None:
                due, priority = min(due, known.due), min(priority, known.priority)
            number = next(self._number)
            self._delayed[key] = _Delay(due, priority, number)
            heapq.heappush(self._due, (due, number, key))
            self._changed.notify()

    def _add(self, key: K, priority: Priority) -> None:
        if self._closed:
            return
        now = self._clock.monotonic()
        known = self._dirty.get(key)
        if known is not None and known[0] <= priority:
            return
        since = known[1] if known is not None else now
        self._dirty[key] = (priority, since)
        if key not in self._processing:
            self._line_up(key)

    def _line_up(self, key: K) -> None:
        priority, since = self._dirty[key]
        heapq.heappush(self._order, (since + AGEING * priority, next(self._number), key))
        self._changed.notify()

    # -- taking work --

    def get(self, timeout: float | None = None) -> Item[K] | None:
        """The next key, None when the queue is closed, or when *timeout* seconds passed without one."""
        until = None if timeout is None else self._clock.monotonic() + timeout
        with self._changed:
            while True:
                now = self._clock.monotonic()
                self._ripen(now)
                item = self._take(now)
                if item is not None or self._closed or (until is not None and now >= until):
                    return item
                waits = [t - now for t in (until, self._due[0][0] if self._due else None) if t is not None]
                self._changed.wait(max(0.0, min(waits)) if waits else None)

    def _ripen(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            due, _, key = heapq.heappop(self._due)
            waiting = self._delayed.get(key)
            if waiting is not None and waiting.due == due:
                del self._delayed[key]
                self._add(key, waiting.priority)

    def _take(self, now: float) -> Item[K] | None:
        while self._order:
            rank, _, key = heapq.heappop(self._order)
            wanted = self._dirty.get(key)
            if wanted is None or key in self._processing or wanted[1] + AGEING * wanted[0] != rank:
                continue
            del self._dirty[key]
            self._processing[key] = (now, next(self._number))
            return Item(key, wanted[0], now - wanted[1])
        return None

    def done(self, key: K) -> None:
        """Let go of *key*; if it became dirty meanwhile, it lines up again."""
        with self._changed:
            self._processing.pop(key, None)
            if key in self._dirty:
                self._line_up(key)
            self._changed.notify()

    def fail(self, key: K) -> int:
        """Count a failure of *key*; the answer is how many in a row."""
        with self._changed:
            self._failures[key] = self._failures.get(key, 0) + 1
            return self._failures[key]

    def forget(self, key: K) -> None:
        """Forget the failures of *key*, and any delay that they brought; one that came while it is in hand stays."""
        with self._changed:
            self._failures.pop(key, None)
            waiting, hand = self._delayed.get(key), self._processing.get(key)
            if waiting is not None and (hand is None or waiting.number < hand[1]):
                del self._delayed[key]

    # -- the whole --

    def close(self) -> None:
        """Give out no more work; whoever waits in `get` is let go."""
        with self._changed:
            self._closed = True
            self._dirty.clear()
            self._order.clear()
            self._changed.notify_all()

    def depth(self) -> Depth:
        """How full it is."""
        with self._changed:
            return Depth(len(self._dirty), len(self._processing), len(self._delayed))

    def next_due(self) -> float | None:
        """In how many seconds the next delayed key is due; None where none is."""
        with self._changed:
            due = [d.due for d in self._delayed.values()]
            return min(due) - self._clock.monotonic() if due else None

    def busy(self) -> list[float]:
        """How long each key in hand has been there, in s."""
        with self._changed:
            now = self._clock.monotonic()
            return [now - since for since, _ in self._processing.values()]
