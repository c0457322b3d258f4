"""One fleet's operator, running: triggers that enqueue, workers that look, and what others may ask of both.

Five kinds of thread share the view and the queue: one reads the source when it is told to, one watches the source,
one follows Nomad's events, one lists Nomad on a timer, and the workers look at one key each. Every trigger is a hint;
the timer alone would be enough, only slower.
"""

import queue
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from herdsman.claim import claim
from herdsman.errors import HerdsmanError, NomadError, SourceError
from herdsman.load import Loader
from herdsman.model.desired import Desired
from herdsman.model.keys import Key
from herdsman.model.statuses import Event, Severity
from herdsman.ports import Clock, EventStream, Metrics, Source
from herdsman.reconcile import Ports
from herdsman.runtime.broadcast import Broadcast
from herdsman.runtime.faces import Faces
from herdsman.runtime.resyncs import Resync, Resyncs
from herdsman.runtime.view import FleetView
from herdsman.runtime.worker import Worker
from herdsman.runtime.workqueue import Priority, WorkQueue


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
    ) -> None:
        self._source, self._loader, self.ports, self._events = source, loader, ports, events
        self._metrics, self.pace, self._take_over = metrics, pace, take_over
        self._log = structlog.get_logger("herdsman")
        self._stopping = threading.Event()
        self._read_source, self._list_nomad = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._first: set[Key] | None = None  # keys of the first full look that nobody looked at yet
        self._trouble: dict[str, str] = {}
        self._told: set[str] = set()
        self._warnings: tuple[str, ...] = ()
        self.began = ports.clock.monotonic()
        self.files = 0  # in the last snapshot
        self.clock: Clock = ports.clock
        self.broadcast = Broadcast[Event]()
        self.resyncs = Resyncs()
        self.queue: WorkQueue[Key] = WorkQueue(ports.clock)
        self.view = FleetView(desired=loader.nothing(), nomad=ports.nomad, store=ports.store, clock=ports.clock)
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

    def resync(self, keys: Iterable[Key] | None = None, *, with_source: bool = False) -> Resync:
        """Look again now, at *keys* or at everything; `resyncs` knows when that was done."""
        if keys is None:
            request = self.resyncs.open(self.clock.monotonic())
            self._read_source.set()
            self._list_nomad.set()
            return request
        chosen = list(keys)
        self.view.touch(chosen)
        request = self.resyncs.open(self.clock.monotonic(), chosen)
        if with_source:
            self._read_source.set()
        for key in chosen:
            self.queue.add(key, Priority.USER)
        return request

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
            wait = self._read()

    def _read(self) -> float:
        """One snapshot; the answer is when to read again at the latest, in s."""
        began = self.clock.monotonic()
        fleet = self.view.desired.fleet.name
        try:
            changed = self._take()
        except SourceError as error:
            self._metrics.source_read("error", self.clock.monotonic() - began)
            self._stumble("source", error)
            return min(5.0, self.pace.source_poll)
        self._recover("source")
        desired = self.view.desired
        if desired.fleet.name != fleet:
            self.view.claimed = None
        if self.view.claimed is None:
            self._list_nomad.set()
        self._metrics.source_read("success", self.clock.monotonic() - began)
        self._tell_rejections(desired)
        self._enqueue(changed, Priority.USER)
        self._begin_first_look()
        return self.pace.source_poll if desired.settled else self.pace.settle

    def _take(self) -> set[Key]:
        """Take the source's wishes over; the answer is every key whose wishes changed. Raises `SourceError`."""
        snapshot = self._source.snapshot()
        self.files, self._warnings = len(snapshot.files), snapshot.warnings
        return self.view.replace(self._loader.load(snapshot))

    def load(self) -> Desired:
        """What the source asks for now, without starting anything. Raises `SourceError`."""
        self._take()
        return self.view.desired

    def _watching(self) -> None:
        """Hints from the source."""
        self._source.watch(self._read_source.set, self._stopping.is_set)

    def _following(self) -> None:
        """Hints from Nomad."""
        for hint in self._events.follow():
            if self._stopping.is_set():
                return
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
            wait = self.pace.resync * (1 + chance.uniform(-0.05, 0.05)) if self._list() else 5.0

    def _list(self) -> bool:
        """One full look at Nomad."""
        began = self.clock.monotonic()
        try:
            self.view.relist()
            if self.view.loaded:
                self._claim()
        except NomadError as error:
            self._stumble("nomad", error)
            return False
        self._recover("nomad")
        self._metrics.resynced(self.clock.now().timestamp())
        if self._first is None:
            self._begin_first_look()
            return True
        keys = self.view.all_keys()
        self.resyncs.known(keys, began)
        self._enqueue(keys, Priority.RESYNC)
        return True

    def _claim(self) -> None:
        fleet = self.view.desired.fleet.name
        before, source = self.view.claimed, self._source.describe()
        found = claim(self.ports.nomad, fleet=fleet, source=source, take_over=self._take_over)
        self.view.claimed = found
        if found and found != before:
            self.faces.announce("FleetConflict", found, severity=Severity.WARNING)

    def _begin_first_look(self) -> None:
        """Nothing is decided before both sides were seen once: an empty list is not an empty cluster."""
        if self._first is None and self.view.loaded and self.view.listed and self.view.claimed is not None:
            first = self.view.all_keys()
            self._first = set(first)
            self._enqueue(first, Priority.USER)

    def _enqueue(self, keys: Iterable[Key], priority: Priority) -> None:
        if self._first is not None:
            for key in keys:
                self.queue.add(key, priority)

    def _looked(self, key: Key, began: float) -> None:
        self.resyncs.looked(key, began)
        if self._first:
            self._first.discard(key)

    def _tell_rejections(self, desired: Desired) -> None:
        """Tell what of the source cannot be used, once; what has a status of its own is told with that."""
        lines = {*(str(r) for r in desired.rejections if r.key is None), *self._warnings}
        for line in sorted(lines - self._told):
            self.faces.announce("Invalid", line, severity=Severity.WARNING, revision=desired.revision)
        self._told = lines

    # -- trouble, told once when it comes and once when it goes --

    def _stumble(self, part: str, error: HerdsmanError) -> None:
        if part not in self._trouble:
            self.faces.announce(f"{part.capitalize()}Unavailable", str(error), severity=Severity.WARNING)
        self._trouble[part] = str(error)

    def _recover(self, part: str) -> None:
        if self._trouble.pop(part, None) is not None:
            self.faces.announce(f"{part.capitalize()}Available", f"{part} answers again", severity=Severity.NORMAL)
