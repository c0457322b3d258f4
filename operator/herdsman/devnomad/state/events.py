"""The event stream: what each write changed, as Nomad words it, kept in a ring of the last hundred batches.

One write makes one batch. A stream that asks for an index is given the first batch at or after it, or the last one
there is where the index lies ahead: the ring promises nothing, it wakes people up.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from herdsman.devnomad.types import Row

RING_SIZE: Final = 100
EVERY: Final = "*"


@dataclass(frozen=True, slots=True)
class Change:
    """One row of one table, before and after a write."""

    table: str
    old: Row | None
    new: Row | None

    @property
    def row(self) -> Row:
        """The row as it is, or as it was where it is gone."""
        row = self.new if self.new is not None else self.old
        assert row is not None
        return row


class Batch:
    """The events of one write, worded when somebody wants to see them."""

    def __init__(self, index: int, kind: str, changes: Sequence[Change]) -> None:
        self.index = index
        self._kind, self._changes = kind, changes

    @cached_property
    def events(self) -> tuple[Row, ...]:
        """The events, as Nomad words them."""
        return tuple(_event(self._kind, change, index=self.index) for change in self._changes)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a stream wants: topics with their keys, and the namespaces it may see (`*` for all)."""

    topics: Mapping[str, frozenset[str]]
    namespaces: frozenset[str]

    def wants(self, event: Row) -> bool:
        """Whether this event belongs into the stream."""
        namespace = event["Namespace"]
        if namespace and EVERY not in self.namespaces and namespace not in self.namespaces:
            return False
        return any(_matches(keys, event) for keys in self._keys(event["Topic"]))

    def _keys(self, topic: str) -> Iterable[frozenset[str]]:
        return (keys for keys in (self.topics.get(topic), self.topics.get(EVERY)) if keys)


def _matches(keys: frozenset[str], event: Row) -> bool:
    if EVERY in keys or event["Key"] in keys:
        return True
    return any(key in keys for key in event["FilterKeys"] or ())


class EventRing:
    """The last hundred batches, and those who wait for the next."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, Batch]] = deque(maxlen=RING_SIZE)
        self._count = 0
        self._more: asyncio.Future[None] | None = None
        self._closed = False

    def append(self, batch: Batch) -> None:
        """Add a batch and wake the streams."""
        self._batches.append((self._count, batch))
        self._count += 1
        self._wake()

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
        self._more = None

    def start(self, index: int) -> int:
        """The position at which a stream that asks for `index` begins (0: everything still here)."""
        for position, batch in self._batches:
            if batch.index >= index:
                return position
        return max(self._count - 1, 0) if index and self._batches else self._count

    async def follow(self, position: int, *, heartbeat: float) -> AsyncIterator[Sequence[Batch]]:
        """Batches from a position on; every `heartbeat` seconds an empty sequence among them."""
        loop = asyncio.get_running_loop()
        beat = loop.time() + heartbeat
        while not self._closed:
            ready = [batch for at, batch in self._batches if at >= position]
            if ready:
                position = self._count
                yield ready
            left = beat - loop.time()
            if left <= 0 or (not ready and not await self._wait(left)):
                beat = loop.time() + heartbeat
                yield ()

    async def _wait(self, timeout: float) -> bool:
        if self._more is None:
            self._more = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait((self._more,), timeout=timeout)
        return bool(done)


def told(changes: Iterable[Change]) -> list[Change]:
    """The changes that make events."""
    return [
        change
        for change in changes
        if change.table in _WORDING and (change.new is not None or change.table in _TELLS_DELETION)
    ]


_TELLS_DELETION: Final = frozenset({"jobs", "nodes", "services", "policies", "tokens", "roles", "pools"})


def _event(kind: str, change: Change, *, index: int) -> Row:
    topic, key, filters, name = _WORDING[change.table]
    row = change.row
    payload: Row = {name: _payload(change.table, row)}
    if change.table == "jobs" and change.new is None:
        payload["Deleted"] = True
    return {
        "Topic": topic,
        "Type": _type(kind, change),
        "Key": row[key],
        "Namespace": row.get("Namespace", ""),
        "FilterKeys": [row.get(each) or "" for each in filters] or None,
        "Index": index,
        "Payload": payload,
    }


def _type(kind: str, change: Change) -> str:
    if change.table == "services":
        return "ServiceDeregistration" if change.new is None else "ServiceRegistration"
    if change.table in {"policies", "tokens", "roles", "pools"}:
        noun = {"policies": "ACLPolicy", "tokens": "ACLToken", "roles": "ACLRole", "pools": "NodePool"}[change.table]
        return f"{noun}{'Deleted' if change.new is None else 'Upserted'}"
    return kind


_WORDING: Final[Mapping[str, tuple[str, str, tuple[str, ...], str]]] = {
    "jobs": ("Job", "ID", (), "Job"),
    "evals": ("Evaluation", "ID", ("JobID", "DeploymentID"), "Evaluation"),
    "allocs": ("Allocation", "ID", ("JobID", "DeploymentID"), "Allocation"),
    "deployments": ("Deployment", "ID", ("JobID",), "Deployment"),
    "nodes": ("Node", "ID", (), "Node"),
    "services": ("Service", "ID", ("JobID", "ServiceName"), "Service"),
    "policies": ("ACLPolicy", "Name", (), "ACLPolicy"),
    "tokens": ("ACLToken", "AccessorID", (), "ACLToken"),
    "roles": ("ACLRole", "ID", (), "ACLRole"),
    "pools": ("NodePool", "Name", (), "NodePool"),
}


def _payload(table: str, row: Row) -> Row:
    """A row as its event carries it: secrets and the copy of the job are left out."""
    if table in {"allocs", "evals"}:
        return {key: value for key, value in row.items() if key != "Job" and (value or value is False)}
    if table in {"tokens", "nodes"}:
        return {**row, "SecretID": ""}
    return row
