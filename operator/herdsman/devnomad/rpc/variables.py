"""Variables, their check-and-set, and the locks on them.

A lock ends by release, or by itself when it was not renewed for its TTL; then nobody gets it for its delay.
"""

import asyncio
import re
from typing import Final

from herdsman.devnomad.clock import HOUR, SECOND, duration_text, now_ns
from herdsman.devnomad.durations import DurationError, as_ns
from herdsman.devnomad.errors import BadRequest, Conflict, NotFound, Refused
from herdsman.devnomad.ids import new_id
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.types import Row

MAX_SIZE: Final = 64 * 1024
_PATH: Final = re.compile(r"[a-zA-Z0-9\-_~/]{1,128}")
_DEFAULT: Final = 15 * SECOND
_SHORTEST, _LONGEST = 10 * SECOND, 24 * HOUR
_LOCKED: Final = "attempting to modify locked variable"
_KINDS: Final = {int: "number", float: "number", bool: "bool", dict: "object", list: "array"}
_HIDDEN: Final = frozenset({"_ttl", "_delay"})


def shown(row: Row, *, items: bool = True) -> Row:
    """A variable as the API shows it: without what is empty."""
    out = {key: row[key] for key in ("Namespace", "Path", "CreateIndex", "CreateTime", "ModifyIndex", "ModifyTime")}
    if items:
        out["Items"] = row["Items"]
    if row["Lock"] is not None:
        out["Lock"] = {key: value for key, value in row["Lock"].items() if key not in _HIDDEN}
    return out


def stub(row: Row) -> Row:
    """A variable as a list shows it."""
    return shown(row, items=False)


class Variables:
    """Requests about variables."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._delayed: dict[tuple[str, str], int] = {}
        """Until when nobody may lock a variable whose lock ran out."""

    def resume(self) -> None:
        """Time the locks that a former server left."""
        for row in self._store.variables:
            if row["Lock"] is not None:
                self._time(row)

    def stop(self) -> None:
        """Let go of all timers."""
        for timer in self._timers.values():
            timer.cancel()

    # -- reading ---------------------------------------------------------------------------------------------------
    def _get(self, namespace: str, path: str) -> Row | None:
        return self._store.variables.get((namespace, path))

    # -- writing ---------------------------------------------------------------------------------------------------
    def put(self, namespace: str, path: str, body: Row, *, cas: int | None) -> Row:
        """Write a variable; a locked one only for the holder of its lock."""
        items = body.get("Items") or {}
        if not items:
            raise BadRequest("variable missing required Items object")
        self._check(namespace, path, items)
        old = self._get(namespace, path)
        lock_id = (body.get("Lock") or {}).get("ID") or ""
        if old is not None and old["Lock"] is not None and old["Lock"]["ID"] != lock_id:
            raise Conflict(_blank(namespace, path))
        if cas is not None and (old["ModifyIndex"] if old else 0) != cas:
            raise Conflict(shown(old) if old else _blank(namespace, path))
        lock = None
        if old is not None and old["Lock"] is not None:
            # a write without the lock's times puts them back to the default: so Nomad does
            lock = _lock(lock_id, body.get("Lock") or {})
        return shown(self._store_row(namespace, path, items, lock=lock))

    def delete(self, namespace: str, path: str, *, cas: int | None) -> int:
        """Remove a variable; answers the index."""
        _check_path(path)
        old = self._get(namespace, path)
        if old is not None and old["Lock"] is not None:
            raise Conflict(_blank(namespace, path))
        if cas is not None and (old["ModifyIndex"] if old else 0) != cas:
            raise Conflict(shown(old) if old else _blank(namespace, path))
        with self._store.write("") as txn:
            txn.delete(self._store.variables, (namespace, path))
        return txn.index

    def _check(self, namespace: str, path: str, items: Row) -> None:
        _check_path(path)
        if namespace not in self._store.namespaces:
            raise BadRequest(f'RPC Error:: 400,variable "{path}" is in nonexistent namespace "{namespace}"')
        wrong = next((value for value in items.values() if not isinstance(value, str)), None)
        if wrong is not None:
            found = _KINDS.get(type(wrong), "null")
            raise BadRequest(
                f"json: cannot unmarshal {found} into Go struct field VariableDecrypted.Items of type string"
            )
        if sum(len(key.encode()) + len(value.encode()) for key, value in items.items()) > MAX_SIZE:
            raise BadRequest("RPC Error:: 400,variables are limited to 64KiB in total size")

    def _store_row(self, namespace: str, path: str, items: Row, *, lock: Row | None) -> Row:
        old, now = self._get(namespace, path), now_ns()
        with self._store.write("") as txn:
            row = {
                "Namespace": namespace,
                "Path": path,
                "Items": items,
                "Lock": lock,
                "CreateIndex": old["CreateIndex"] if old else txn.index,
                "CreateTime": old["CreateTime"] if old else now,
                "ModifyIndex": txn.index,
                "ModifyTime": now,
            }
            txn.put(self._store.variables, (namespace, path), row)
        return row

    # -- locks -----------------------------------------------------------------------------------------------------
    def acquire(self, namespace: str, path: str, body: Row) -> Row:
        """Lock a variable, making it where it is not there; what it holds stays where the request brings nothing."""
        items = body.get("Items") or {}
        self._check(namespace, path, items)
        key, old = (namespace, path), self._get(namespace, path)
        wanted = body.get("Lock") or {}
        held = old["Lock"]["ID"] if old is not None and old["Lock"] is not None else ""
        if held and held != wanted.get("ID"):
            raise Conflict(_blank(namespace, path))
        if self._delayed.get(key, 0) > now_ns():
            raise Conflict(_blank(namespace, path))
        self._delayed.pop(key, None)
        lock = _lock(held or new_id(), wanted)
        row = self._store_row(namespace, path, items or (old["Items"] if old else {}), lock=lock)
        self._time(row)
        return shown(row)

    def renew(self, namespace: str, path: str, body: Row) -> Row:
        """Keep a lock for another TTL."""
        row = self._held(namespace, path, body)
        self._time(row)
        return shown(row, items=False)

    def release(self, namespace: str, path: str, body: Row) -> Row:
        """Give a lock back."""
        if body.get("Items"):
            raise BadRequest("cannot perform lock-release operation with items")
        row = self._held(namespace, path, body)
        self._untime((namespace, path))
        return shown(self._store_row(namespace, path, row["Items"], lock=None), items=False)

    def _held(self, namespace: str, path: str, body: Row) -> Row:
        _check_path(path)
        lock_id = (body.get("Lock") or {}).get("ID") or ""
        if not lock_id:
            raise BadRequest("variable lock missing ID")
        row = self._get(namespace, path)
        if row is None:
            raise NotFound("variable doesn't exist")
        if row["Lock"] is None:
            raise Refused("attempting to renew or release a variable that is not locked", status=409)
        if row["Lock"]["ID"] != lock_id:
            raise Refused(_LOCKED, status=409)
        return row

    def _time(self, row: Row) -> None:
        key = (row["Namespace"], row["Path"])
        self._untime(key)
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(row["Lock"]["_ttl"] / SECOND, self._expire, key, row["Lock"]["ID"])

    def _untime(self, key: tuple[str, str]) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _expire(self, key: tuple[str, str], lock_id: str) -> None:
        self._timers.pop(key, None)
        row = self._get(*key)
        if row is not None and row["Lock"] is not None and row["Lock"]["ID"] == lock_id:
            self._delayed[key] = now_ns() + row["Lock"]["_delay"]
            self._store_row(*key, row["Items"], lock=None)


def _lock(lock_id: str, wanted: Row) -> Row:
    try:
        ttl, delay = as_ns(wanted.get("TTL")), as_ns(wanted.get("LockDelay"))
    except DurationError as error:
        raise BadRequest(str(error)) from error
    ttl, delay = ttl or _DEFAULT, delay or _DEFAULT
    if not _SHORTEST <= ttl <= _LONGEST:
        raise BadRequest(
            f"RPC Error:: 400,TTL must be between {_SHORTEST // SECOND} seconds and {_LONGEST // HOUR} hours"
        )
    if delay < 0 or delay > _LONGEST:
        raise BadRequest("RPC Error:: 400,lock delay must be positive and at most 24 hours")
    return {
        "TTL": duration_text(ttl),
        "LockDelay": duration_text(delay),
        "ID": lock_id,
        "_ttl": ttl,
        "_delay": delay,
    }


def _blank(namespace: str, path: str) -> Row:
    """How a conflict shows a variable that it does not show."""
    return {
        "Namespace": namespace,
        "Path": path,
        "CreateIndex": 0,
        "CreateTime": 0,
        "ModifyIndex": 0,
        "ModifyTime": 0,
    }


def _check_path(path: str) -> None:
    if not _PATH.fullmatch(path):
        raise BadRequest(f'RPC Error:: 400,invalid path "{path}"')
    parts = path.split("/")
    if parts[0] == "nomad" and not (len(parts) > 1 and parts[1] in {"jobs", "job-templates"}):
        raise BadRequest(
            'RPC Error:: 400,only paths at "nomad/jobs" or "nomad/job-templates" and below are valid paths under the '
            'top-level "nomad" directory'
        )
