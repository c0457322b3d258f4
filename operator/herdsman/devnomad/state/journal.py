"""State on disk: a log of changed rows, one line a write, which is replayed at the next start.

The log is written anew at each start, and when it has grown to a multiple of what it says. A line that was cut off by
a sudden end is the last one, and is forgotten. An allocation's copy of its job is not written; it is found by version.
"""

import fcntl
import logging
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from herdsman.devnomad.state.events import Change
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.state.tables import Key, Table
from herdsman.devnomad.state.usage import client_terminal
from herdsman.devnomad.types import Row

_NAME: Final = "state.log"
_LOCK: Final = "lock"
_GROWN: Final = 32 * 1024 * 1024
_NOT_KEPT: Final = frozenset({"services"})
"""What running allocations make again by themselves."""
_log = logging.getLogger("devnomad.journal")


class StateInUse(Exception):
    """Another server works in this directory."""


class Journal:
    """The log of one directory."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _NAME
        self._lock = (folder / _LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise StateInUse(f"another embedded Nomad works in {folder}; stop it, or choose another --state") from error
        self._file: BinaryIO | None = None
        self._grown = 0
        self._store: Store | None = None

    # -- start -----------------------------------------------------------------------------------------------------
    def load(self, store: Store) -> None:
        """Fill an empty store with what the log says, and go on logging what it writes."""
        self._store = store
        if self._path.exists():
            with self._path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    self._replay(store, line, number)
        self._attach_jobs(store)
        self._rewrite()
        store.listeners.insert(0, self._changed)

    def _replay(self, store: Store, line: bytes, number: int) -> None:
        try:
            entry = orjson.loads(line)
            index, changes = entry["index"], entry["changes"]
        except (orjson.JSONDecodeError, LookupError, TypeError):
            _log.warning("line %d of %s is cut off; it is left out", number, self._path)
            return
        store.index = max(store.index, index)
        for name, key, row in changes:
            table = store.tables.get(name)
            if table is not None:
                table.put(_key(key), row)
                table.index = max(table.index, index)

    @staticmethod
    def _attach_jobs(store: Store) -> None:
        """Give allocations their job back; those whose version is forgotten are forgotten too."""
        for alloc in list(store.allocs):
            version = alloc.pop("JobVersion")
            key = (alloc["Namespace"], alloc["JobID"])
            alloc["Job"] = store.versions.get((*key, version)) or store.jobs.get(key)
            if alloc["Job"] is None or alloc["NodeID"] not in store.nodes:
                store.allocs.put(alloc["ID"], None)
            elif not client_terminal(alloc):
                store.usage.replace(None, alloc)

    # -- writing ---------------------------------------------------------------------------------------------------
    def _changed(self, index: int, changes: list[Change]) -> None:
        entries = [
            [change.table, key_of(change.table, change.row), _kept(change)]
            for change in changes
            if _keeps(change.table)
        ]
        if entries and self._file is not None:
            try:
                self._grown += self._file.write(_line(index, entries))
                self._file.flush()
                if self._grown > _GROWN:
                    self._rewrite()
            except OSError as error:
                _log.error("cannot write %s: %s; nothing more is kept", self._path, error.strerror)
                self._file = None

    def _rewrite(self) -> None:
        """Write the log anew: every row once."""
        assert self._store is not None
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(_line(self._store.index, []))
            for table in self._store.tables.values():
                if _keeps(table.name):
                    _write_table(file, table)
        if self._file is not None:
            self._file.close()
        fresh.replace(self._path)
        self._file = self._path.open("ab")
        self._grown = 0

    def close(self) -> None:
        """Let go of the directory."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.close()


def _keeps(table: str) -> bool:
    return table not in _NOT_KEPT


def _kept(change: Change) -> Row | None:
    return None if change.new is None else _without_job(change.table, change.new)


def _without_job(table: str, row: Row) -> Row:
    if table != "allocs":
        return row
    kept = {key: value for key, value in row.items() if key != "Job"}
    kept["JobVersion"] = row["Job"]["Version"]
    return kept


def _write_table(file: BinaryIO, table: Table) -> None:
    for key, row in table.items():
        entry = [table.name, key, _without_job(table.name, row)]
        file.write(_line(row.get("ModifyIndex") or table.index, [entry]))
    file.write(_line(table.index, []))


def _line(index: int, changes: list[list[Any]]) -> bytes:
    return orjson.dumps({"index": index, "changes": changes}) + b"\n"


def _key(key: Any) -> Key:
    return tuple(key) if isinstance(key, list) else key


_KEY_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "jobs": ("Namespace", "ID"),
    "versions": ("Namespace", "ID", "Version"),
    "submissions": ("Namespace", "JobID", "Version"),
    "summaries": ("Namespace", "JobID"),
    "variables": ("Namespace", "Path"),
    "scaling_events": ("Namespace", "JobID"),
    "launches": ("Namespace", "ID"),
    "pools": ("Name",),
    "namespaces": ("Name",),
    "policies": ("Name",),
    "tokens": ("AccessorID",),
    "settings": ("Name",),
}


def key_of(table: str, row: Row) -> Key:
    """The key under which a row is stored."""
    fields = _KEY_FIELDS.get(table, ("ID",))
    return row[fields[0]] if len(fields) == 1 else tuple(row[field] for field in fields)
