"""A whole operator turned by hand, with faces that listen: what the pages are tested over."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from queue import Queue
from typing import Any

from fastapi import FastAPI

from harness import Harness, fleet_document, job_document
from herdsman.api.app import create_app
from herdsman.bootstrap import served
from herdsman.dashboard.pages import add_dashboard
from herdsman.model.desired import Position
from herdsman.model.keys import Key, job_key
from herdsman.model.plans import Reason
from herdsman.model.statuses import Condition, ConditionType, Event, Severity, Status, Truth
from herdsman.runtime.broadcast import Broadcast

WEB, HELD, DEEP = job_key("default", "web"), job_key("default", "held"), job_key("default", "a/b?c#d%e")

APPROVE = {"destructive": "approve"}


class Fleet(Harness):
    """A harness whose events reach those who listen, and whose readiness a test decides."""

    def __init__(self, files: dict[str, str | bytes] | None = None) -> None:
        self.broadcast = Broadcast[Event]()
        self.troubles: dict[str, str] = {}
        self.resynced: list[tuple[Any, bool]] = []
        self._told = 0
        self._listening, self._listeners = threading.Condition(), 0
        super().__init__({"fleet.yaml": fleet_document(), **(files or {})})

    def work(self, most: int = 5000) -> None:
        super().work(most)
        for event in self.events[self._told :]:
            self.broadcast.send(event)
        self._told = len(self.events)

    @property
    def ready(self) -> bool:
        return not self.troubles

    def trouble(self) -> dict[str, str]:
        return self.troubles

    def resync(self, keys: Any = None, *, with_source: bool = False) -> Any:
        self.resynced.append((keys, with_source))
        return super().resync(keys, with_source=with_source)

    @contextmanager
    def listen(self) -> "Iterator[Queue[Event | None]]":
        with self.broadcast.listen() as coming:
            self._count(1)
            try:
                yield coming
            finally:
                self._count(-1)

    def _count(self, more: int) -> None:
        with self._listening:
            self._listeners += more
            self._listening.notify_all()

    def wait_for_listeners(self, number: int) -> None:
        """Block until that many follow the events."""
        with self._listening:
            assert self._listening.wait_for(lambda: self._listeners == number, 10), f"{self._listeners} listen"

    def app(self) -> FastAPI:
        """The application as the composition root makes it."""
        app = create_app(self.operator, metrics=self.metrics.text)
        add_dashboard(app, self.operator)
        return app

    @contextmanager
    def at_an_address(self, listen: str = "127.0.0.1:0") -> Iterator[str]:
        """A real server, while the block runs."""
        self.broadcast = Broadcast[Event]()
        with served(self.app(), listen) as address:
            try:
                yield address
            finally:
                self.broadcast.close()

    def put(self, status: Status) -> None:
        """A status that no look made."""
        self.store.put_status(status)

    def happened(
        self, reason: str, message: str, *, key: Key | None = None, severity: Severity = Severity.NORMAL
    ) -> None:
        """An event, kept and told."""
        now = self.clock.now().timestamp()
        self.broadcast.send(
            self.store.add_event(at=now, severity=severity, reason=reason, message=message, key=key, revision="r1")
        )


def small_fleet() -> Fleet:
    """Three jobs: one in sync, one with a hard name, one whose change waits for approval; and one file is no YAML."""
    fleet = Fleet(
        {
            "web.yaml": job_document("web"),
            "deep.yaml": job_document(DEEP.name),
            "held.yaml": job_document("held", policy=APPROVE),
            "broken.yaml": "kind: }\n",
        }
    )
    fleet.sync()
    fleet.files["held.yaml"] = job_document("held", policy=APPROVE, Meta={"a": "b"})
    fleet.sync()
    return fleet


def status(
    name: str = "job",
    *,
    namespace: str = "default",
    ready: Truth = Truth.TRUE,
    reason: Reason = Reason.HEALTHY,
    message: str = "",
    suspended: bool = False,
    **more: Any,
) -> Status:
    """A status of a job; *more* are further fields."""
    conditions = {
        ConditionType.READY: Condition(ready, reason, message, since=1_767_000_000.0),
        ConditionType.SUSPENDED: Condition(Truth.TRUE if suspended else Truth.FALSE, reason),
    }
    made = Status(job_key(namespace, name), conditions, digest="d1", position=Position(f"jobs/{name}.yaml", 1))
    return replace(made, **more)
