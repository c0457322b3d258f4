"""The thread that counts: one list of all allocations now and then, and from it usage, occupation and summaries.

How often it looks decides how fresh the figures are, not how exact: both ends of an allocation come from Nomad. Each
of its chores fails alone. Without the list of nodes usage still counts, and without the folder of summaries all else.
"""

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from herdsman.core import usage as figures
from herdsman.errors import HerdsmanError, NomadError
from herdsman.model.keys import Key
from herdsman.model.usage import (
    DAY_MS,
    Granularity,
    Node,
    Occupation,
    Scope,
    Sighting,
    Summary,
    UsageQuery,
    UsageReport,
)
from herdsman.ports import Clock, ClusterReader, Summaries, UsageStore


@dataclass(frozen=True, slots=True)
class Accounting:
    """How often things are counted, in seconds, and how long allocations are kept one by one, in days."""

    interval: float = 60.0
    summaries_every: float = 3600.0
    keep_days: int = 90


class Accountant:
    """Counts what one cluster is used for. *owner* knows whose job a key is, "" where it is nobody's.

    While *due* says no, nothing is counted and nobody
    is asked. Summaries go to *written*; those of an *external* folder are passed on instead of our own figures.
    """

    def __init__(
        self,
        *,
        nomad: ClusterReader,
        store: UsageStore,
        clock: Clock,
        owner: Callable[[Key], str],
        written: Summaries | None = None,
        external: Summaries | None = None,
        pace: Accounting | None = None,
        due: Callable[[], bool] = lambda: True,
    ) -> None:
        self._nomad, self._store, self._clock, self._owner, self._due = nomad, store, clock, owner, due
        self._written, self._external, self._pace = written, external, pace or Accounting()
        self._log = structlog.get_logger("herdsman")
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: dict[str, str] = {}
        self._occupation: Occupation | None = None
        self._meta: dict[tuple[str, int], Mapping[str, str]] = {}  # by node and ModifyIndex
        self._summarized: float | None = None

    # -- running --

    def start(self) -> None:
        """Begin to count, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="accountant", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End the thread. The store stays open: it is of whoever opened it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._due():
                self.look()
            self._stopping.wait(self._pace.interval)

    def look(self) -> None:
        """Count once: allocations, nodes, and, when they are due, days and summaries."""
        self._guarded("usage", self._count)
        self._guarded("summaries", self._summarize)

    @property
    def trouble(self) -> Mapping[str, str]:
        """What does not work now, and why."""
        return dict(self._trouble)

    # -- counting --

    def _count(self) -> None:
        at = self.now()
        seen = self._nomad.all_allocations()
        owners = {job: self._owner_of(job) for job in {one.job for one in seen}}
        changed = self._store.record(seen, at=at, owner=lambda job: owners[job])
        if changed:
            self._log.debug("usage counted", allocations=len(seen), changed=changed)
        self._store.fold(before=at - self._pace.keep_days * DAY_MS)
        self._guarded("occupation", lambda: self._occupy(seen, owners, at=at))

    def _owner_of(self, job: Key) -> str:
        """Whose a job is; one that another launched is that one's owner's."""
        parent = figures.parent(job)
        return self._owner(job) or (self._owner(parent) if parent is not None else "")

    def _occupy(self, seen: Sequence[Sighting], owners: Mapping[Key, str], *, at: int) -> None:
        nodes = [replace(node, meta=self._meta_of(node)) for node in self._nomad.nodes()]
        current = {(node.id, node.index) for node in nodes}
        self._meta = {known: meta for known, meta in self._meta.items() if known in current}
        self._occupation = figures.occupation(nodes, seen, owners, at=at)

    def _meta_of(self, node: Node) -> Mapping[str, str]:
        """A node's metadata, read once for each state that the node is in."""
        known = (node.id, node.index)
        if known not in self._meta:
            self._meta[known] = self._nomad.node_meta(node.id)
        return self._meta[known]

    def _summarize(self) -> None:
        """Write the summaries, when they are due and there is something to sum up."""
        now = self._clock.monotonic()
        due = self._summarized is None or now - self._summarized >= self._pace.summaries_every
        if self._written is None or not due or not self._store.measured:
            return
        for namespace in self._store.namespaces():
            self._written.write(namespace, self._counted(namespace))
        self._summarized = now

    def _counted(self, namespace: str) -> Summary:
        """The summary of our own figures."""
        until, scope = self._store.measured, Scope(frozenset({namespace}))
        shown = max(0, figures.shown_since(until))
        total = self._store.usage(UsageQuery(0, until, Granularity.TOTAL, scope))
        daily = self._store.usage(UsageQuery(shown, until, Granularity.DAY, scope, by_owner=False))
        since = min((row.slot.start for row in daily), default=until)
        return figures.summary(total, daily, since=since, until=until)

    # -- what may be asked --

    def usage(self, query: UsageQuery) -> UsageReport:
        """Usage in pieces, and what is held now. Raises `UsageError`."""
        found = self._store.usage(query)
        return UsageReport(query, found, self._store.current(query.scope), self._store.measured)

    def occupation(self) -> Occupation | None:
        """The nodes when they were last listed; None where they never were."""
        return self._occupation

    def summary(self, namespace: str) -> Summary | None:
        """The tables of a namespace; None where nothing is known of it."""
        if self._external is not None:
            since = datetime.fromtimestamp(self.now() / 1000, UTC).date() - timedelta(days=figures.DAYS_SHOWN - 1)
            return self._external.read(namespace, since=since)
        return self._counted(namespace) if namespace in self._store.namespaces() else None

    def now(self) -> int:
        """The time of day, in milliseconds since the epoch."""
        return int(self._clock.now().timestamp() * 1000)

    # -- trouble --

    def _guarded(self, part: str, step: Callable[[], None]) -> None:
        """Do a chore. Its trouble is told once when it comes, and once when it is over; the next look tries again."""
        try:
            step()
        except HerdsmanError as error:
            self._stumble(part, str(error), brief=isinstance(error, NomadError))
        except Exception as bug:  # noqa: BLE001
            self._log.error("a bug in Herdsman; it goes on", trace=traceback.format_exc(limit=8))
            self._stumble(part, f"internal error: {type(bug).__name__}; the log has the details", brief=False)
        else:
            if self._trouble.pop(part, None) is not None:
                self._log.info("counting goes on", part=part)

    def _stumble(self, part: str, words: str, *, brief: bool) -> None:
        if part not in self._trouble:
            tell = self._log.warning if brief else self._log.error
            tell("counting fails", part=part, why=words)
        self._trouble[part] = words
