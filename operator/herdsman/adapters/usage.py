"""Usage in an SQLite file of its own (WAL): `ports.UsageStore` over the standard library.

One row for each allocation, written when it is first seen and when it ends, so at rest nothing is written; what lives
is known by having no end, and is counted until the newest list. When that was is written along with whatever is
written, when the file is closed, and once a day: of an allocation that ended and was forgotten by Nomad while nobody
looked, the time after it is lost. What ended long ago is rolled into one row for each day, namespace and owner.

Unlike the state file this one cannot be learnt anew. One that cannot be read is put aside, never thrown away.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from herdsman.adapters.sqlitefile import SqliteFile
from herdsman.core.usage import Held, absorb, accounted, lasting, rows, vanished, whole_days
from herdsman.model.keys import Key
from herdsman.model.usage import (
    DAY_MS,
    NOTHING,
    Amounts,
    Evidence,
    Scope,
    Sighting,
    Slot,
    Span,
    UsageQuery,
    UsageRow,
)

_BATCH = 500  # IDs that are looked up at once

_SCHEMA = """
CREATE TABLE spans (
    id TEXT PRIMARY KEY, namespace, job, owner, start INTEGER, stop INTEGER, evidence INTEGER, modified INTEGER,
    cpu_mhz INTEGER, cores INTEGER, gpus INTEGER, memory_mb INTEGER, disk_mb INTEGER, allocations INTEGER
) WITHOUT ROWID;
CREATE INDEX spans_by_stop ON spans (stop);
CREATE TABLE days (
    day INTEGER, namespace, owner,
    cpu_mhz INTEGER, cores INTEGER, gpus INTEGER, memory_mb INTEGER, disk_mb INTEGER, allocations INTEGER,
    PRIMARY KEY (day, namespace, owner)
) WITHOUT ROWID;
CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
"""
_SPANS_OF = """
SELECT * FROM spans WHERE start < :until AND (stop IS NULL OR stop > :since)
    AND (:namespaces IS NULL OR namespace IN (SELECT value FROM json_each(:namespaces)))
    AND (:owner IS NULL OR owner = :owner)
"""
_DAYS_OF = """
SELECT * FROM days WHERE day >= :since AND day < :until
    AND (:namespaces IS NULL OR namespace IN (SELECT value FROM json_each(:namespaces)))
    AND (:owner IS NULL OR owner = :owner)
"""
_ADD_DAY = (
    "INSERT INTO days VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET cpu_mhz=cpu_mhz+excluded.cpu_mhz,"
    " cores=cores+excluded.cores, gpus=gpus+excluded.gpus, memory_mb=memory_mb+excluded.memory_mb,"
    " disk_mb=disk_mb+excluded.disk_mb, allocations=allocations+excluded.allocations"
)


class SqliteUsage(SqliteFile):
    """The file at *path*; with `:memory:` nothing outlives the process. Safe from any thread."""

    WHAT = "usage file"
    SCHEMA = _SCHEMA
    VERSION = 1
    IF_NEWER = "run that version, or move the file away: what it says of the past is in it alone"

    _measured: int
    _marked: int
    _floor: int
    _listed: dict[str, Span | None]
    """What the newest list showed; None where it is accounted for."""

    def close(self) -> None:
        """Write when it was last looked, and everything into the one file."""
        with self._using() as db:
            if self._measured > self._marked:
                self._mark("measured", self._measured)
                self._marked = self._measured
            db.close()

    @property
    def measured(self) -> int:
        """See `ports.UsageStore`, as for all that follows."""
        return self._measured

    def record(self, seen: Sequence[Sighting], *, at: int, owner: Callable[[Key], str]) -> int:
        with self._using():
            latest = at >= self._measured
            known = self._known({one.id for one in seen})
            changed: dict[str, Span] = {}
            listed: dict[str, Span | None] = {}
            for one in seen:
                was = listed.get(one.id, known.get(one.id))
                span = self._after(was, one, owner=owner, at=at, latest=latest)
                listed[one.id] = span
                if span is not None and span != was:
                    changed[one.id] = span
            if latest:
                lost = (span for span in self._living() if span.id not in listed)
                changed |= {span.id: vanished(span, last_seen=self._measured) for span in lost}
            self._keep(changed, at=max(at, self._measured))
            self._measured = max(at, self._measured)
            self._listed = listed if latest else {id_: changed.get(id_, was) for id_, was in self._listed.items()}
            return len(changed)

    def usage(self, query: UsageQuery) -> Sequence[UsageRow]:
        with self._using():
            whole_days(query, floor=self._floor)
            pieces = [*self._pieces(query), *self._rolled(query)]
        return rows(accounted(pieces, query))

    def current(self, scope: Scope) -> Amounts:
        with self._using():
            living = self._living()
        mine = (span.amounts for span in living if scope.covers(span.namespace, span.owner))
        return sum(mine, NOTHING)

    def namespaces(self) -> Sequence[str]:
        found = self._all("SELECT namespace FROM spans UNION SELECT namespace FROM days ORDER BY 1")
        return [str(name) for (name,) in found]

    def fold(self, *, before: int) -> int:
        before -= before % DAY_MS
        with self._using() as db:
            if before <= self._floor:
                return 0
            old = [_span(row) for row in self._all("SELECT * FROM spans WHERE stop <= ?", (before,))]
            gone = [span for span in old if span.id not in self._listed]
            if not gone:
                return 0
            days = [(d.start, d.namespace, d.owner, *_numbers(used)) for d, used in _by_day(gone).items()]
            with self._whole():
                db.executemany(_ADD_DAY, days)
                db.executemany("DELETE FROM spans WHERE id=?", [(span.id,) for span in gone])
                self._mark("floor", before)
            self._floor = before
            return len(gone)

    # -- what is known of allocations --

    def _known(self, ids: set[str]) -> dict[str, Span | None]:
        """What memory or the file knows of these."""
        found: dict[str, Span | None] = {id_: self._listed[id_] for id_ in ids & self._listed.keys()}
        unknown = sorted(ids - found.keys())
        for start in range(0, len(unknown), _BATCH):
            batch = orjson.dumps(unknown[start : start + _BATCH]).decode()
            for row in self._all("SELECT * FROM spans WHERE id IN (SELECT value FROM json_each(?))", (batch,)):
                found[row[0]] = _span(row)
        return found

    def _after(
        self, was: Span | None, one: Sighting, *, owner: Callable[[Key], str], at: int, latest: bool
    ) -> Span | None:
        """What is known after *one* was seen. Most are as they were, and that is soon found out."""
        whose = was.owner if was is not None and was.owner else owner(one.job)
        same = was is not None and latest and was.index == one.index and was.owner == whose
        if was is not None and same and was.evidence in (one.evidence, Evidence.FINISHED):
            return was
        return absorb(was, one, owner=whose, at=at, latest=latest, floor=self._floor)

    def _keep(self, changed: dict[str, Span], *, at: int) -> None:
        """Write spans, and along with them when it was looked; without spans that is written once a day."""
        if not changed and not (at - self._marked >= DAY_MS and self._living()):
            return
        with self._whole() as db:
            values = [_row(span) for span in changed.values()]
            db.executemany("INSERT OR REPLACE INTO spans VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", values)
            self._mark("measured", at)
        self._marked = at

    # -- figures --

    def _living(self) -> list[Span]:
        return [span for span in self._listed.values() if span is not None and span.end is None]

    def _pieces(self, query: UsageQuery) -> Iterator[Held]:
        for row in self._all(_SPANS_OF, _limits(query)):
            yield lasting(_span(row), measured=self._measured)

    def _rolled(self, query: UsageQuery) -> Iterator[Held]:
        """Days as pieces: of one day's length, each unit of which stands for what was used in that day."""
        for day, namespace, owner, *numbers in self._all(_DAYS_OF, _limits(query)):
            yield Held(namespace, owner, day, day + 1, Amounts(*numbers))

    # -- the file --

    def _load(self) -> None:
        marks = dict(self._all("SELECT name, value FROM marks"))
        self._measured = self._marked = int(marks.get("measured", 0))
        self._floor = int(marks.get("floor", 0))
        self._listed = {row[0]: _span(row) for row in self._all("SELECT * FROM spans WHERE stop IS NULL")}

    def _mark(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO marks VALUES (?,?)", (name, value))

    @contextmanager
    def _whole(self) -> Iterator[sqlite3.Connection]:
        """All of what is written inside, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _by_day(spans: Iterable[Span]) -> dict[Slot, Amounts]:
    """What ended spans come to in each day; one at a time, because together they may go back for years."""
    found: defaultdict[Slot, Amounts] = defaultdict(Amounts)
    for span in spans:
        since, end = span.start, span.end or 0
        while since < end:
            day = since - since % DAY_MS
            until = min(end, day + DAY_MS)
            found[Slot(day, day + DAY_MS, span.namespace, span.owner)] += span.amounts.times(until - since)
            since = until
    return found


def _limits(query: UsageQuery) -> dict[str, Any]:
    names = query.scope.namespaces
    return {
        "since": query.since,
        "until": query.until,
        "namespaces": None if names is None else orjson.dumps(sorted(names)).decode(),
        "owner": query.scope.owner,
    }


def _numbers(amounts: Amounts) -> tuple[int, ...]:
    return (
        amounts.cpu_mhz, amounts.cores, amounts.gpus, amounts.memory_mb, amounts.disk_mb, amounts.allocations,
    )  # fmt: skip


def _row(span: Span) -> tuple[object, ...]:
    said = (span.id, span.namespace, span.job, span.owner, span.start, span.end, int(span.evidence), span.index)
    return (*said, *_numbers(span.amounts))


def _span(row: Sequence[Any]) -> Span:
    id_, namespace, job, owner, start, stop, evidence, index, *numbers = row
    return Span(id_, namespace, job, owner, start, stop, Evidence(evidence), index, Amounts(*numbers))
