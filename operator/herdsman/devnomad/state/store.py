"""The store: every table, one index that only grows, and the single way to write.

    with store.write("JobRegistered") as txn:
        txn.put(store.jobs, key, row)

A write is applied at once (there is one thread), taken back whole where it raises, and told to everybody at its end:
held queries wake, the event ring gets a batch, listeners see the changes. Listeners must not write: they queue.
"""

from collections.abc import Callable, Hashable, Iterable
from types import TracebackType
from typing import Any, Self

from herdsman.devnomad.state import schema
from herdsman.devnomad.state.events import Batch, Change, EventRing, told
from herdsman.devnomad.state.tables import Table
from herdsman.devnomad.state.usage import Usage
from herdsman.devnomad.state.watch import Watches
from herdsman.devnomad.types import JobKey, Row


class Store:
    """All state of one cluster."""

    def __init__(self) -> None:
        self.index = 1
        self.tables = schema.tables()
        self.watches = Watches()
        self.events = EventRing()
        self.usage = Usage()
        self.listeners: list[Callable[[int, list[Change]], None]] = []
        pick = self.tables.__getitem__
        self.jobs, self.versions, self.submissions = pick("jobs"), pick("versions"), pick("submissions")
        self.summaries, self.evals, self.allocs = pick("summaries"), pick("evals"), pick("allocs")
        self.deployments, self.nodes, self.pools = pick("deployments"), pick("nodes"), pick("pools")
        self.namespaces, self.variables = pick("namespaces"), pick("variables")
        self.policies, self.tokens, self.roles = pick("policies"), pick("tokens"), pick("roles")
        self.services, self.settings = pick("services"), pick("settings")
        self.scaling_policies, self.scaling_events = pick("scaling_policies"), pick("scaling_events")
        self.launches = pick("launches")

    def next_index(self) -> int:
        """Take the next index: one for each write that a real cluster would put through raft."""
        self.index += 1
        return self.index

    def write(self, kind: str = "", *, index: int | None = None) -> "Txn":
        """A write; `kind` is the type of its events. Several writes of one raft entry share an `index`."""
        return Txn(self, kind, self.next_index() if index is None else index)

    def table_index(self, *tables: Table) -> int:
        """The index of the latest write to any of these tables."""
        return max(table.index for table in tables)

    # -- reads that many need --------------------------------------------------------------------------------------
    def job(self, key: JobKey) -> Row | None:
        """The job, in its current version."""
        return self.jobs.get(key)

    def job_allocs(self, key: JobKey) -> list[Row]:
        """All allocations of a job, oldest first."""
        return self.allocs.find("job", key)

    def job_evals(self, key: JobKey) -> list[Row]:
        """All evaluations of a job, oldest first."""
        return self.evals.find("job", key)

    def job_deployments(self, key: JobKey) -> list[Row]:
        """All deployments of a job, oldest first."""
        return self.deployments.find("job", key)

    def latest_deployment(self, key: JobKey) -> Row | None:
        """The newest deployment of a job."""
        found = self.job_deployments(key)
        return max(found, key=lambda row: row["CreateIndex"]) if found else None

    def job_versions(self, key: JobKey) -> list[Row]:
        """The versions of a job that are kept, newest first."""
        return sorted(self.versions.find("job", key), key=lambda row: -row["Version"])

    def setting(self, name: str) -> Any:
        """A cluster-wide setting."""
        row = self.settings.get(name)
        return None if row is None else row["Value"]


class Txn:
    """One write in progress."""

    def __init__(self, store: Store, kind: str, index: int) -> None:
        self.store, self.kind, self.index = store, kind, index
        self._changes: dict[tuple[str, Hashable], Change] = {}

    def put(self, table: Table, key: Hashable, row: Row) -> None:
        """Set a row."""
        self._apply(table, key, row)

    def delete(self, table: Table, key: Hashable) -> None:
        """Remove a row, where it is there."""
        if key in table:
            self._apply(table, key, None)

    def _apply(self, table: Table, key: Hashable, row: Row | None) -> None:
        old = table.put(key, row)
        if table is self.store.allocs:
            self.store.usage.replace(old, row)
        earlier = self._changes.get((table.name, key))
        self._changes[table.name, key] = Change(table.name, earlier.old if earlier else old, row)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._take_back()
        elif self._changes:
            self._announce()

    def _take_back(self) -> None:
        for (name, key), change in self._changes.items():
            table = self.store.tables[name]
            now = table.put(key, change.old)
            if table is self.store.allocs:
                self.store.usage.replace(now, change.old)

    def _announce(self) -> None:
        store, changes = self.store, list(self._changes.values())
        for change in changes:
            store.tables[change.table].index = self.index
        if self.kind:
            shown = told(changes)
            if shown:
                store.events.append(Batch(self.index, self.kind, shown))
        store.watches.notify(_touched(changes))
        for listener in store.listeners:
            listener(self.index, changes)


def _touched(changes: Iterable[Change]) -> set[Hashable]:
    keys: set[Hashable] = set()
    for change in changes:
        keys.update(schema.WATCHED[change.table](change.row))
        if change.old is not None and change.new is not None:
            keys.update(schema.WATCHED[change.table](change.old))
    return keys
