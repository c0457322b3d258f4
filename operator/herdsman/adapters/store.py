"""Evidence, statuses and history in one SQLite file (WAL): `ports.StatusStore` over the standard library.

Reads come from memory, writes go through to the file: statuses of 10,000 jobs are read many times a second, and at
rest nothing is written. Canonical jobs stay in the file, compressed; they are wanted only when an index moved. A file
that cannot be read is put aside, not mourned: all that matters is learnt from Nomad again (design §5).
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from herdsman.adapters.sqlitefile import SqliteFile
from herdsman.core.prune import PruneRound
from herdsman.core.report import differs
from herdsman.model.catalog import Entry
from herdsman.model.desired import Fleet, Position, PruneLimits
from herdsman.model.keys import Key, Kind
from herdsman.model.memory import Memory
from herdsman.model.observed import Body
from herdsman.model.plans import Action, Approval, Pin, Reason
from herdsman.model.statuses import Event, Record, Severity, Status

_T = TypeVar("_T")
_EVENTS_KEPT = 5000
_HISTORY_KEPT = 100
_TEMPLATES_KEPT = 1000
_NOTHING = Memory()
_MEMORY = TypeAdapter(Memory)
_STATUS = TypeAdapter(Status)
_FLEET = TypeAdapter(Fleet)
_ENTRY = TypeAdapter(Entry)
_PIN = TypeAdapter(Pin)

_SCHEMA = """
CREATE TABLE memory (kind, namespace, name, data, canonical, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE status (kind, namespace, name, data, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE suspended (kind, namespace, name, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE approved (kind, namespace, name, digest, by, at, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE pinned (kind, namespace, name, data, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE prune (kind, namespace, name, allowed, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE settings (name PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE templates (digest UNIQUE, data);
CREATE TABLE history (
    id INTEGER PRIMARY KEY, kind, namespace, name, at, action, reason, message, revision, digest, version,
    author, path, line);
CREATE INDEX history_of ON history (kind, namespace, name, id);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at, severity, reason, message, kind, namespace, name, revision);
"""


_MIGRATIONS = {
    1: """
CREATE TABLE pinned (kind, namespace, name, data, PRIMARY KEY (kind, namespace, name)) WITHOUT ROWID;
ALTER TABLE history ADD COLUMN author DEFAULT '';
ALTER TABLE history ADD COLUMN path DEFAULT '';
ALTER TABLE history ADD COLUMN line DEFAULT 0;
""",
    2: "CREATE TABLE templates (digest UNIQUE, data);",
}
"""From each version of the file to the next."""


class SqliteStore(SqliteFile):
    """The file at *path*; with `:memory:` nothing outlives the process. Safe from any thread."""

    WHAT = "state file"
    SCHEMA = _SCHEMA
    VERSION = 3
    MIGRATIONS = _MIGRATIONS
    IF_NEWER = "run that version, or point --state elsewhere: all but history is learnt from Nomad again"

    def close(self) -> None:
        """Write everything back into the one file."""
        with self._lock:
            self._db.close()

    # -- evidence --

    def memory(self, key: Key) -> Memory:
        """See `ports.StatusStore`, as for all that follows."""
        return self._memories.get(key, _NOTHING)

    def memories(self) -> Mapping[Key, Memory]:
        with self._lock:
            return dict(self._memories)

    def canonical(self, key: Key) -> Body | None:
        row = self._one("SELECT canonical FROM memory WHERE kind=? AND namespace=? AND name=?", _id(key))
        if row is None or row[0] is None:
            return None
        try:
            body: dict[str, Any] = orjson.loads(zlib.decompress(row[0]))
        except (zlib.error, ValueError):  # evidence that cannot be read is learnt again
            return None
        return body

    def remember(self, key: Key, memory: Memory, canonical: Body | None = None) -> None:
        with self._using() as db:
            data = _MEMORY.dump_json(memory)
            if canonical is None:
                db.execute(
                    "INSERT INTO memory VALUES (?,?,?,?,NULL) ON CONFLICT DO UPDATE SET data=excluded.data",
                    (*_id(key), data),
                )
            else:
                packed = zlib.compress(orjson.dumps(canonical), 1)
                db.execute("INSERT OR REPLACE INTO memory VALUES (?,?,?,?,?)", (*_id(key), data, packed))
            self._memories[key] = memory

    def forget(self, key: Key) -> None:
        with self._using() as db:
            tables: dict[str, dict[Key, Any]] = {
                "memory": self._memories,
                "status": self._statuses,
                "approved": self._approved,
                "pinned": self._pinned,
            }
            for table, kept in tables.items():
                if key in kept:
                    db.execute(f"DELETE FROM {table} WHERE kind=? AND namespace=? AND name=?", _id(key))
                    del kept[key]

    # -- statuses and history --

    def status(self, key: Key) -> Status | None:
        return self._statuses.get(key)

    def statuses(self) -> Mapping[Key, Status]:
        with self._lock:
            return dict(self._statuses)

    def put_status(self, status: Status) -> None:
        with self._using() as db:
            if differs(self._statuses.get(status.key), status):
                row = (*_id(status.key), _STATUS.dump_json(status))
                db.execute("INSERT OR REPLACE INTO status VALUES (?,?,?,?)", row)
            self._statuses[status.key] = status

    def append(self, record: Record) -> None:
        with self._using() as db:
            db.execute(
                "INSERT INTO history (kind, namespace, name, at, action, reason, message, revision, digest, version,"
                " author, path, line) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *_id(record.key),
                    record.at,
                    record.action,
                    record.reason,
                    record.message,
                    record.revision,
                    record.digest,
                    record.version,
                    record.author,
                    record.position.path,
                    record.position.line,
                ),
            )
            db.execute(
                "DELETE FROM history WHERE kind=? AND namespace=? AND name=? AND id <= (SELECT id FROM history"
                " WHERE kind=? AND namespace=? AND name=? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (*_id(record.key), *_id(record.key), _HISTORY_KEPT),
            )

    def history(self, key: Key, *, limit: int = 50) -> Sequence[Record]:
        rows = self._all(
            "SELECT at, action, reason, message, revision, digest, version, author, path, line FROM history"
            " WHERE kind=? AND namespace=? AND name=? ORDER BY id DESC LIMIT ?",
            (*_id(key), limit),
        )
        return [
            Record(key, r[0], Action(r[1]), Reason(r[2]), r[3], r[4], r[5], r[6], r[7], Position(r[8], r[9]))
            for r in rows
        ]

    # -- what people asked for --

    def suspend(self, key: Key | None, *, suspended: bool) -> None:
        with self._using() as db:
            if suspended:
                db.execute("INSERT OR REPLACE INTO suspended VALUES (?,?,?)", _id(key))
                self._suspended.add(key)
            else:
                db.execute("DELETE FROM suspended WHERE kind=? AND namespace=? AND name=?", _id(key))
                self._suspended.discard(key)

    def is_suspended(self, key: Key | None) -> bool:
        return key in self._suspended or None in self._suspended

    def approve(self, key: Key, approval: Approval | None) -> None:
        if approval is None and key not in self._approved:
            return
        with self._using() as db:
            if approval is None:
                db.execute("DELETE FROM approved WHERE kind=? AND namespace=? AND name=?", _id(key))
                self._approved.pop(key, None)
            else:
                row = (*_id(key), approval.digest, approval.by, approval.at)
                db.execute("INSERT OR REPLACE INTO approved VALUES (?,?,?,?,?,?)", row)
                self._approved[key] = approval

    def approval(self, key: Key) -> Approval | None:
        return self._approved.get(key)

    def pin(self, key: Key) -> Pin | None:
        return self._pinned.get(key)

    def put_pin(self, key: Key, pin: Pin | None) -> None:
        if pin is None and key not in self._pinned:
            return
        with self._using() as db:
            if pin is None:
                db.execute("DELETE FROM pinned WHERE kind=? AND namespace=? AND name=?", _id(key))
                self._pinned.pop(key, None)
            else:
                db.execute("INSERT OR REPLACE INTO pinned VALUES (?,?,?,?)", (*_id(key), _PIN.dump_json(pin)))
                self._pinned[key] = pin

    def prune_round(self) -> PruneRound:
        rows = self._all("SELECT kind, namespace, name, allowed FROM prune")
        held = frozenset(_key(r) for r in rows if r[3] is None)
        allowed = {_key(r): r[3] for r in rows if r[3] is not None}
        row = self._one("SELECT value FROM settings WHERE name='prune'")
        size, since, limits = orjson.loads(row[0]) if row is not None else (0, 0.0, None)
        return PruneRound(held, allowed, size, since, PruneLimits(*limits) if limits else None)

    def put_prune_round(self, decided: PruneRound) -> None:
        rows: list[tuple[object, ...]] = [(*_id(k), None) for k in decided.held]
        rows += [(*_id(k), t) for k, t in decided.allowed.items()]
        limits = [decided.limits.percent, decided.limits.count] if decided.limits else None
        hold = orjson.dumps([decided.size, decided.since, limits])
        with self._using() as db:
            db.execute("SAVEPOINT round")  # all or nothing: half a round would let removals through
            try:
                db.execute("DELETE FROM prune")
                db.executemany("INSERT OR REPLACE INTO prune VALUES (?,?,?,?)", rows)
                db.execute("INSERT OR REPLACE INTO settings VALUES ('prune', ?)", (hold,))
            except BaseException:
                db.execute("ROLLBACK TO round")
                raise
            finally:
                db.execute("RELEASE round")

    def template(self, digest: str) -> Entry | None:
        if digest not in self._templates:
            row = self._one("SELECT data FROM templates WHERE digest=?", (digest,))
            try:
                entry = None if row is None else _ENTRY.validate_json(zlib.decompress(row[0]))
            except (zlib.error, ValueError):  # written by another version
                entry = None
            self._templates[digest] = entry
        return self._templates[digest]

    def keep_template(self, entry: Entry) -> None:
        data = zlib.compress(_ENTRY.dump_json(entry), 6)
        with self._using() as db:
            db.execute("INSERT OR REPLACE INTO templates (digest, data) VALUES (?,?)", (entry.digest, data))
            db.execute(
                "DELETE FROM templates WHERE rowid <="
                " (SELECT rowid FROM templates ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
                (_TEMPLATES_KEPT,),
            )
        self._templates.clear()

    def fleet(self) -> Fleet | None:
        row = self._one("SELECT value FROM settings WHERE name='fleet'")
        try:
            return None if row is None else _FLEET.validate_json(row[0])
        except ValidationError:  # written by another version
            return None

    def put_fleet(self, fleet: Fleet) -> None:
        with self._using() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES ('fleet', ?)", (_FLEET.dump_json(fleet),))

    # -- events --

    def add_event(
        self, *, at: float, severity: Severity, reason: str, message: str, key: Key | None, revision: str
    ) -> Event:
        with self._using() as db:
            cursor = db.execute(
                "INSERT INTO events (at, severity, reason, message, kind, namespace, name, revision)"
                " VALUES (?,?,?,?,?,?,?,?)",
                (at, severity, reason, message, *_id(key), revision),
            )
            number = cursor.lastrowid or 0
            if number % 100 == 0:
                db.execute("DELETE FROM events WHERE id <= ?", (number - _EVENTS_KEPT,))
        return Event(number, at, severity, reason, message, key, revision)

    def events(self, *, after: int = 0, key: Key | None = None, limit: int = 200) -> Sequence[Event]:
        where, values = "id > ?", [after]
        if key is not None:
            where += " AND kind=? AND namespace=? AND name=?"
        order = "ASC" if after else "DESC"
        rows = self._all(
            f"SELECT id, at, severity, reason, message, kind, namespace, name, revision FROM events WHERE {where}"
            f" ORDER BY id {order} LIMIT ?",
            (*values, *(_id(key) if key is not None else ()), limit),
        )
        found = [Event(r[0], r[1], Severity(r[2]), r[3], r[4], _key(r[5:8]) if r[5] else None, r[8]) for r in rows]
        return found if after else found[::-1]

    # -- the file --

    def _load(self) -> None:
        self._templates: dict[str, Entry | None] = {}
        self._memories = dict(self._rows("memory", _MEMORY))
        self._statuses = dict(self._rows("status", _STATUS))
        self._pinned = dict(self._rows("pinned", _PIN))
        rows = self._all("SELECT kind, namespace, name FROM suspended")
        self._suspended = {_key(r) if r[0] else None for r in rows}
        rows = self._all("SELECT kind, namespace, name, digest, by, at FROM approved")
        self._approved = {_key(r): Approval(*r[3:]) for r in rows}

    def _rows(self, table: str, adapter: TypeAdapter[_T]) -> Iterator[tuple[Key, _T]]:
        for row in self._all(f"SELECT kind, namespace, name, data FROM {table}"):
            try:
                yield _key(row), adapter.validate_json(row[3])
            except ValidationError:  # written by another version: learn it again
                continue


def _id(key: Key | None) -> tuple[str, str, str]:
    return ("", "", "") if key is None else (key.kind.value, key.namespace, key.name)


def _key(row: Sequence[Any]) -> Key:
    return Key(Kind(row[0]), row[1], row[2])
