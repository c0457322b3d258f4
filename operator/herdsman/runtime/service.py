"""One fleet's operator, running: triggers that enqueue, workers that look, and what others may ask of both.

Five kinds of thread share the view and the queue: one reads the source when it is told to, one watches the source,
one follows Nomad's events, one lists Nomad on a timer, and the workers look at one key each. Every trigger is a hint;
the timer alone would be enough, only slower.
"""

import math
import queue
import random
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import structlog

from herdsman.claim import claim
from herdsman.errors import HerdsmanError
from herdsman.load import Loader
from herdsman.looking import Ports
from herdsman.model.desired import Desired
from herdsman.model.keys import Key
from herdsman.model.observed import Hint
from herdsman.model.sources import SourceState
from herdsman.model.statuses import Event, Severity
from herdsman.ports import Clock, EventStream, Metrics, Source
from herdsman.runtime.broadcast import Broadcast
from herdsman.runtime.faces import Faces
from herdsman.runtime.herald import Herald
from herdsman.runtime.resyncs import Resync, Resyncs
from herdsman.runtime.view import FleetView
from herdsman.runtime.worker import Worker
from herdsman.runtime.workqueue import Priority, WorkQueue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen, in seconds, and how many at once."""

    resync: float = 60.0
    source_poll: float = 30.0
    gather: float = 0.5  # between an event about allocations and the look that it causes
    settle: float = 1.0  # how long a source must rest before removals count
    workers: int = 8
    grace: float = 25.0  # for looks that are under way when the service stops


class Service:
    """The operator of one fleet."""

    def __init__(
        self,
        *,
        source: Source,
        loader: Loader,
        ports: Ports,
        events: EventStream,
        metrics: Metrics,
        pace: Pace,
        take_over: bool = False,
        herald: Herald | None = None,
    ) -> None:
        self._source, self._loader, self.ports, self._events = source, loader, ports, events
        self._metrics, self.pace, self._take_over, self._herald = metrics, pace, take_over, herald
        self._log = structlog.get_logger("herdsman")
        self._stopping = threading.Event()
        self._read_source, self._list_nomad = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._first: set[Key] | None = None  # keys of the first full look that nobody looked at yet
        self._trouble: dict[str, str] = {}
        self._awaiting: list[tuple[Resync, list[Key] | None]] = []  # requests that begin with the source
        self._told: set[str] = set()
        self._warnings: tuple[str, ...] = ()
        self.source_state = SourceState()
        self.chores: list[tuple[str, Callable[[Callable[[], bool]], None]]] = []
        """What else runs while the service does, each until what it is given answers true."""
        self.began = ports.clock.monotonic()
        self.clock: Clock = ports.clock
        self.broadcast = Broadcast[Event]()
        self.resyncs = Resyncs()
        self.queue: WorkQueue[Key] = WorkQueue(ports.clock)
        self.view = FleetView(
            desired=loader.nothing(), nomad=ports.nomad, store=ports.store, clock=ports.clock, body=ports.body
        )
        self.faces = Faces(store=ports.store, metrics=metrics, clock=ports.clock, publish=self.broadcast.send)
        self._worker = Worker(
            queue=self.queue,
            view=self.view,
            ports=ports,
            faces=self.faces,
            waited=metrics.waited,
            worked=metrics.worked,
            finished=self._looked,
        )

    # -- the life of it --

    def start(self) -> None:
        """Start every thread; returns at once."""
        jobs: list[tuple[str, Callable[[], None]]] = [
            ("source", self._reading),
            ("watch", self._watching),
            ("events", self._following),
            ("resync", self._listing),
            *((f"worker-{n}", self._worker.run) for n in range(self.pace.workers)),
        ]
        jobs += [(name, partial(chore, self._stopping.is_set)) for name, chore in self.chores]
        if self._herald is not None:
            jobs.append(("herald", self._heralding))
        self._read_source.set()
        self._list_nomad.set()
        for name, job in jobs:
            thread = threading.Thread(target=job, name=f"herdsman-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> bool:
        """Stop taking up work, let looks under way end, and say whether all of them did within the grace."""
        self._stopping.set()
        self._read_source.set()
        self._list_nomad.set()
        self._events.close()
        self.queue.close()
        self.broadcast.close()
        until = self.clock.monotonic() + self.pace.grace
        for thread in self._threads:
            thread.join(max(0.0, until - self.clock.monotonic()))
        self._source.close()
        return not any(t.is_alive() for t in self._threads)

    @property
    def ready(self) -> bool:
        """Whether the first full look is over, and Nomad and source answered last time."""
        return self._first is not None and not self._first and not self._trouble

    def trouble(self) -> dict[str, str]:
        """What keeps the service from being ready, by part."""
        trouble = dict(self._trouble)
        if self._first is None:
            trouble.setdefault("start", "the first look has not begun")
        elif self._first:
            trouble["start"] = f"the first look is not over: {len(self._first)} to go"
        return trouble

    # -- what others may ask --

    def news(self) -> None:
        """Somebody says that the source has news: go and see. Safe from a signal handler."""
        self._source.poke()
        self._read_source.set()

    def resync(self, keys: Iterable[Key] | None = None, *, with_source: bool = False) -> Resync:
        """Look again now, at *keys* or at everything; `resyncs` knows when that was done."""
        chosen = None if keys is None else list(keys)
        if chosen is None or with_source:
            request = self.resyncs.open(math.inf, chosen)  # until the source was read, no look counts
            self._awaiting.append((request, chosen))
            self.news()
            return request
        request = self.resyncs.open(self.clock.monotonic(), chosen)
        self._look_at(chosen)
        return request

    def _look_at(self, keys: Iterable[Key]) -> None:
        """A person wants to know about *keys* now: refusals and lists of before count for nothing."""
        for key in keys:
            self.view.touch([key])
            self.view.permit(key)
            self.queue.add(key, Priority.USER)

    def _answer(self) -> None:
        """The source was read: what was asked before that may be looked at now."""
        awaiting, self._awaiting = self._awaiting, []
        for request, keys in awaiting:
            self.resyncs.begin(request, self.clock.monotonic())
            if keys is None:
                self.view.permit_all()
                self._list_nomad.set()
            else:
                self._look_at(keys)

    def request(self, number: int) -> Resync | None:
        """An earlier request, None where nobody knows it any more."""
        return self.resyncs.get(number)

    def listen(self) -> AbstractContextManager["queue.Queue[Event | None]"]:
        """Every event from now on."""
        return self.broadcast.listen()

    # -- triggers --

    def _reading(self) -> None:
        """Read the source when told to, and on a timer for hints that got lost."""
        wait = 0.0
        while not self._stopping.is_set():
            self._read_source.wait(wait)
            if self._stopping.is_set():
                return
            self._read_source.clear()
            wait = self._guarded("source", self._read, otherwise=min(5.0, self.pace.source_poll))

    def _read(self) -> float:
        """One snapshot; the answer is when to read again at the latest, in s. Raises `HerdsmanError`."""
        began = self.clock.monotonic()
        blocked = self.view.desired.blocked
        try:
            changed = self._take()
        except HerdsmanError as error:
            self._metrics.source_read("error", self.clock.monotonic() - began)
            since = self.source_state.failing_since or self.clock.now().timestamp()
            self.source_state = replace(self.source_state, failing_since=since, error=str(error))
            raise
        finally:
            self._answer()
        self._recover("source")
        if self._herald is not None:
            self._herald.moved()
        desired = self.view.desired
        if desired.blocked != blocked:
            self.view.claimed = None
        if self.view.claimed is None:
            self._list_nomad.set()
        self._metrics.source_read("success", self.clock.monotonic() - began)
        self._tell_rejections(desired)
        for key in changed:
            self.queue.forget(key)  # what failed with the old wishes may well go with the new
            self.view.permit(key)
        self._enqueue(changed, Priority.USER)
        self._begin_first_look()
        return self.pace.source_poll if desired.settled else self.pace.settle

    def _take(self) -> set[Key]:
        """Take the source's wishes over; the answer is every key whose wishes changed. Raises `SourceError`."""
        snapshot = self._source.snapshot()
        self._warnings = snapshot.warnings
        now = self.clock.now().timestamp()
        self.source_state = SourceState(replace(snapshot, files={}), len(snapshot.files), now)
        return self.view.replace(self._loader.load(snapshot))

    def load(self) -> Desired:
        """What the source asks for now, without starting anything. Raises `SourceError`."""
        self._take()
        return self.view.desired

    def _watching(self) -> None:
        """Hints from the source."""
        self._source.watch(self._read_source.set, self._stopping.is_set)

    def _heralding(self) -> None:
        """Tell the repository's host how the commit fares."""
        assert self._herald is not None
        self._herald.run(lambda: self.view.desired, lambda: self.source_state, self.ports.store, self._stopping)

    def _following(self) -> None:
        """Hints from Nomad."""
        for hint in self._events.follow():
            if self._stopping.is_set():
                return
            self._guarded("events", lambda hint=hint: self._heed(hint), otherwise=None)  # type: ignore[misc]

    def _heed(self, hint: Hint) -> None:
        if hint.relist:
            self._log.info("event stream", reason=hint.reason)
            self._list_nomad.set()
        for key in hint.keys:
            if self.view.concerns(key):
                self._notice(key, hint.indexes.get(key))

    def _notice(self, key: Key, index: int | None) -> None:
        """An event about *key*. A job that changed is looked at now, unless it is our own write that comes back; what
        became of its allocations can wait a moment, in which more of the same will come."""
        if index is None:
            self.view.touch([key])
            self.queue.add_after(key, self.pace.gather, Priority.DRIFT)
        elif index > self.ports.store.memory(key).index:
            self.view.touch([key])
            self.queue.add(key, Priority.DRIFT)

    def _listing(self) -> None:
        """List Nomad on a timer with jitter, and when told to."""
        wait, chance = 0.0, random.Random()  # noqa: S311
        while not self._stopping.is_set():
            self._list_nomad.wait(wait)
            if self._stopping.is_set():
                return
            self._list_nomad.clear()
            listed = self._guarded("nomad", self._list, otherwise=False)
            wait = self.pace.resync * (1 + chance.uniform(-0.05, 0.05)) if listed else 5.0

    def _list(self) -> bool:
        """One full look at Nomad. Raises `NomadError`."""
        began = self.clock.monotonic()
        self.view.relist()
        if self.view.loaded:
            self._claim()
        self._recover("nomad")
        self._metrics.resynced(self.clock.now().timestamp())
        if self._first is None and not self._may_begin():
            return True
        keys = self.view.all_keys()
        self.resyncs.known(keys, began)  # before anybody looks
        self._begin_first_look()
        self._enqueue(keys, Priority.RESYNC)
        return True

    def _claim(self) -> None:
        """Whose the fleet's name is. A name that nobody could read is not claimed."""
        desired, before, source = self.view.desired, self.view.claimed, self._source.describe()
        found = desired.blocked or claim(
            self.ports.nomad, fleet=desired.fleet.name, source=source, take_over=self._take_over
        )
        self.view.claims(desired.fleet.name, found)
        if found and found != before:
            self.faces.announce("FleetConflict", found, severity=Severity.WARNING)

    def _begin_first_look(self) -> None:
        """Nothing is decided before both sides were seen once: an empty list is not an empty cluster."""
        if self._first is None and self._may_begin():
            first = self.view.all_keys()
            self._first = set(first)
            self._enqueue(first, Priority.USER)

    def _may_begin(self) -> bool:
        return self.view.loaded and self.view.listed and self.view.claimed is not None

    def _enqueue(self, keys: Iterable[Key], priority: Priority) -> None:
        if self._first is not None:
            for key in keys:
                self.queue.add(key, priority)

    def _looked(self, key: Key, began: float) -> None:
        self.resyncs.looked(key, began)
        if self._herald is not None:
            self._herald.moved()
        if self._first:
            self._first.discard(key)

    def _tell_rejections(self, desired: Desired) -> None:
        """Tell what of the source cannot be used, once; what has a status of its own is told with that."""
        lines = {*(str(r) for r in desired.rejections if r.key is None), *self._warnings}
        for line in sorted(lines - self._told):
            self.faces.announce("Invalid", line, severity=Severity.WARNING, revision=desired.revision)
        self._told = lines

    # -- trouble, told once when it comes and once when it goes --

    def _guarded(self, part: str, step: Callable[[], T], *, otherwise: T) -> T:
        """What *step* answers. No trouble ends a thread: it is told, and *otherwise* is the answer."""
        try:
            return step()
        except HerdsmanError as error:
            self._stumble(part, str(error))
        except Exception as bug:  # noqa: BLE001
            self._log.error("a bug in Herdsman; it goes on", trace=traceback.format_exc(limit=8))
            self._stumble(part, f"internal error: {type(bug).__name__}; the log has the details")
        return otherwise

    def _stumble(self, part: str, words: str) -> None:
        if part not in self._trouble:
            self.faces.announce(f"{part.capitalize()}Unavailable", words, severity=Severity.WARNING)
        self._trouble[part] = words

    def _recover(self, part: str) -> None:
        if self._trouble.pop(part, None) is not None:
            self.faces.announce(f"{part.capitalize()}Available", f"{part} answers again", severity=Severity.NORMAL)
