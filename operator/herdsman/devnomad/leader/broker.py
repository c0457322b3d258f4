"""Who is evaluated next: by priority, one evaluation of a job at a time, and only the newest of those that wait.

Evaluations with a time wait for it; those that found no room wait until some is freed.
"""

import asyncio
import heapq
from typing import Final

from herdsman.devnomad.clock import SECOND, now_ns
from herdsman.devnomad.state.events import Change
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.state.usage import terminal
from herdsman.devnomad.types import JobKey, Row

_REST: Final = 0.25
"""Seconds between two looks at all that wait for room: where much comes and goes, each look is work for all of them."""
_SUPERSEDED: Final = "canceled after more recent eval was processed"


class Broker:
    """The queue of evaluations. It listens to the store: what is written as pending comes here by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ready: list[tuple[int, int, str, JobKey]] = []
        self._busy: dict[JobKey, list[Row]] = {}
        """Jobs with an evaluation that is ready or under way, and those that wait behind it."""
        self._blocked: dict[JobKey, str] = {}
        self._unblocking: asyncio.TimerHandle | None = None
        self._unblock_from = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    # -- what the store tells --------------------------------------------------------------------------------------
    def changed(self, _index: int, changes: list[Change]) -> None:
        """A write: queue new evaluations, and those that waited for room where some was freed."""
        freed = False
        for change in changes:
            if change.table == "evals":
                self._eval_changed(change)
            elif change.table == "allocs":
                freed = freed or _freed(change)
            elif change.table in {"nodes", "settings"}:
                freed = True
                self._wake.set()
        if freed and self._blocked and self._unblocking is None:
            loop = asyncio.get_running_loop()
            self._unblocking = loop.call_at(max(self._unblock_from, loop.time()), self._unblock)

    def _eval_changed(self, change: Change) -> None:
        row, old = change.new, change.old
        if row is None:
            self._forget(change.row)
        elif row["Status"] == "pending" and (old is None or old["Status"] != "pending"):
            self.enqueue(row)
        elif row["Status"] == "blocked":
            self.block(row)
        elif row["Status"] in {"complete", "canceled", "failed"}:
            self._forget(row)

    def _forget(self, row: Row) -> None:
        if self._blocked.get(_key(row)) == row["ID"]:
            del self._blocked[_key(row)]
        timer = self._timers.pop(row["ID"], None)
        if timer is not None:
            timer.cancel()

    def _unblock(self) -> None:
        self._unblocking = None
        self._unblock_from = asyncio.get_running_loop().time() + _REST
        waiting, self._blocked = self._blocked, {}
        for eval_id in waiting.values():
            row = self._store.evals.get(eval_id)
            if row is not None and row["Status"] == "blocked":
                self.enqueue(row)

    # -- the queue -------------------------------------------------------------------------------------------------
    def enqueue(self, row: Row) -> None:
        """Add an evaluation."""
        wait = (row["WaitUntil"] or 0) - now_ns()
        if wait > 0:
            loop = asyncio.get_running_loop()
            self._timers[row["ID"]] = loop.call_later(wait / SECOND, self._due, row)
            return
        key = _key(row)
        if key in self._busy:
            self._busy[key].append(row)
        else:
            self._busy[key] = []
            self._push(row)

    def block(self, row: Row) -> None:
        """Let an evaluation wait for room."""
        self._blocked[_key(row)] = row["ID"]

    def _due(self, row: Row) -> None:
        self._timers.pop(row["ID"], None)
        current = self._store.evals.get(row["ID"])
        if current is not None and current["Status"] == "pending":
            self.enqueue({**current, "WaitUntil": None})

    def _push(self, row: Row) -> None:
        heapq.heappush(self._ready, (-row["Priority"], row["CreateIndex"], row["ID"], _key(row)))
        self._wake.set()

    async def next(self) -> Row:
        """The evaluation to work on now; `done` must follow."""
        while True:
            while self._ready and not (self._store.setting("scheduler") or {}).get("PauseEvalBroker"):
                _, _, eval_id, key = heapq.heappop(self._ready)
                row = self._store.evals.get(eval_id)
                if row is not None:
                    return row
                self._release(key)  # somebody deleted it
            self._wake.clear()
            await self._wake.wait()

    def done(self, row: Row) -> None:
        """An evaluation was worked on."""
        self._release(_key(row))

    def _release(self, key: JobKey) -> None:
        """The newest evaluation of a job that waited is next; older ones are superseded."""
        waiting = self._busy.pop(key, [])
        if not waiting:
            return
        waiting.sort(key=lambda each: each["ModifyIndex"])
        *older, newest = waiting
        superseded = [current for each in older if (current := self._store.evals.get(each["ID"])) is not None]
        superseded = [each for each in superseded if each["Status"] == "pending" and each["ID"] != newest["ID"]]
        self._busy[key] = []
        self._push(newest)
        if superseded:
            self._cancel(superseded)

    def _cancel(self, rows: list[Row]) -> None:
        with self._store.write() as txn:
            for row in rows:
                cancelled = {**row, "Status": "canceled", "StatusDescription": _SUPERSEDED, "ModifyIndex": txn.index}
                txn.put(self._store.evals, row["ID"], cancelled)

    def resume(self) -> None:
        """Queue what a former server left undone."""
        for row in list(self._store.evals):
            if row["Status"] == "pending":
                self.enqueue(row)
            elif row["Status"] == "blocked":
                self.block(row)

    def stop(self) -> None:
        """Let go of all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._unblocking is not None:
            self._unblocking.cancel()

    def figures(self) -> dict[str, int]:
        """How much waits where."""
        return {
            "ready": len(self._ready),
            "pending": sum(len(rows) for rows in self._busy.values()),
            "blocked": len(self._blocked),
            "waiting": len(self._timers),
        }


def _key(row: Row) -> JobKey:
    return row["Namespace"], row["JobID"]


def _freed(change: Change) -> bool:
    old, new = change.old, change.new
    return old is not None and not terminal(old) and (new is None or terminal(new))
