"""Where allocations are, kept up to date from what the loop looks at: whoever reads asks Nomad nothing.

The loop looks at a key when an event names it, and at all of them at each resync. What was looked at since its
allocations were last read is read again: a few keys one by one, many of them with one list of everything.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from herdsman.errors import HerdsmanError, NomadError
from herdsman.model.keys import Key
from herdsman.model.placements import Placement
from herdsman.ports import Clock, PlacementReader, StatusStore

_FEW: Final = 8
_FRESH: Final = 1.0
"""Seconds for which what one reader asked Nomad about serves the next one."""

_TICK: Final = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """A node as far as a user is concerned."""

    datacenter: str
    domain: str


NOWHERE: Final = Place("", "")


@dataclass(slots=True)
class _Known:
    placements: tuple[Placement, ...]
    at: float = 0.0  # when they were read, wall clock, as statuses are dated
    asked: float = -1e9  # when a reader last asked for them, monotonic
    generation: int = 0


@dataclass(slots=True)
class Placements:
    """Safe from any thread. *keys* answers the deployments that there are, *news* is told which were read again."""

    nomad: PlacementReader
    store: StatusStore
    clock: Clock
    keys: Callable[[], Iterable[Key]]
    news: Callable[[Iterable[Key]], None] = lambda keys: None
    _known: dict[Key, _Known] = field(default_factory=dict)
    _nodes: dict[str, Place] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _generation: int = 0

    # -- what is asked --

    def of(self, key: Key) -> tuple[Placement, ...]:
        """What is known of the allocations of *key*; nobody is asked."""
        known = self._known.get(key)
        return known.placements if known is not None else ()

    def generation(self, key: Key) -> int:
        """Another number as soon as something else is known."""
        known = self._known.get(key)
        return known.generation if known is not None else 0

    def node(self, node_id: str) -> Place:
        """Where a node is; nobody is asked."""
        return self._nodes.get(node_id, NOWHERE)

    def fresh(self, key: Key) -> tuple[Placement, ...]:
        """As Nomad says now, or said a second ago; what is known where it does not answer."""
        now, known = self.clock.monotonic(), self._known.get(key)
        if known is None or now - known.asked >= _FRESH:
            with suppress(NomadError):  # what is known is better than nothing
                self._read([key], asked=now)
        return self.of(key)

    # -- keeping up --

    def run(self, stopped: Callable[[], bool]) -> None:
        """Keep up, until *stopped* answers true."""
        log, wait, failing = structlog.get_logger("herdsman"), threading.Event(), False
        while not stopped():
            try:
                self.tick()
                failing = False
            except HerdsmanError as error:
                if not failing:
                    log.warning("the allocations of deployments cannot be read", why=str(error))
                failing = True
            except Exception as bug:
                if not failing:
                    log.exception("a bug in Herdsman; it goes on", bug=type(bug).__name__)
                failing = True
            wait.wait(_TICK)

    def tick(self) -> None:
        """Read again what the loop looked at since. Raises `NomadError`."""
        statuses, present = self.store.statuses(), set(self.keys())
        for gone in self._known.keys() - present:
            self._known.pop(gone, None)
        due = {k for k in present if k in statuses and self._is_due(k, statuses[k].checked_at)}
        if due:
            self._read(sorted(due))
        due |= self._learn_nodes()
        if due:
            self.news(due)

    def _is_due(self, key: Key, checked: float) -> bool:
        known = self._known.get(key)
        return known is None or known.at < checked

    def _read(self, keys: Sequence[Key], *, asked: float | None = None) -> None:
        at = self.clock.now().timestamp()
        if len(keys) > _FEW:
            wanted = set(keys)
            found: dict[Key, list[Placement]] = {key: [] for key in wanted}
            for one in self.nomad.placements():
                if one.job in wanted:
                    found[one.job].append(one)
        else:
            found = {key: [p for p in self.nomad.placements(key) if p.job == key] for key in keys}
        with self._lock:
            for key, placements in found.items():
                self._keep(key, tuple(placements), at, asked)

    def _keep(self, key: Key, placements: tuple[Placement, ...], at: float, asked: float | None) -> None:
        known = self._known.get(key)
        generation = known.generation if known is not None else 0
        if known is None or known.placements != placements:
            self._generation += 1
            generation = self._generation
        before = known.asked if known is not None else -1e9
        self._known[key] = _Known(placements, at, before if asked is None else asked, generation)

    def _learn_nodes(self) -> set[Key]:
        """The datacenter and the domain of each node that is new: neither changes while a node lives. The answer is
        whom that is news for."""
        known = list(self._known.items())
        unknown = {p.node for _, one in known for p in one.placements if p.node} - self._nodes.keys()
        if not unknown:
            return set()
        centres: Mapping[str, str] = {node.id: node.datacenter for node in self.nomad.nodes()}
        for node in unknown:
            meta = self.nomad.node_meta(node) if node in centres else {}
            self._nodes[node] = Place(centres.get(node, ""), meta.get("domain", ""))
        concerned = {key for key, one in known if any(p.node in unknown for p in one.placements)}
        with self._lock:
            for key in concerned & self._known.keys():
                self._generation += 1
                self._known[key].generation = self._generation
        return concerned
