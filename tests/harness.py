"""A whole operator in one thread, over the in-memory Nomad and a dict of files: nothing waits, nothing sleeps."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any

import yaml

from clocks import FakeClock
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.adapters.metrics import PrometheusMetrics
from herdsman.adapters.store import SqliteStore
from herdsman.claim import claim
from herdsman.errors import NomadError, SourceError
from herdsman.load import Bodies, Loader
from herdsman.looking import Ports
from herdsman.model.catalog import Catalog
from herdsman.model.documents import AGE_BEGINS
from herdsman.model.keys import Key
from herdsman.model.sources import Snapshot, SourceFile, SourceState
from herdsman.model.statuses import Event, Status
from herdsman.runtime.faces import Faces
from herdsman.runtime.view import FleetView
from herdsman.runtime.worker import Worker
from herdsman.runtime.workqueue import Priority, WorkQueue
from herdsman.usecases import Operator, Request
from twin import NomadTwin


def job_document(name: str, *, namespace: str = "default", policy: dict[str, Any] | None = None, **body: Any) -> str:
    """A `Job` document whose job has one group with one task; *body* overrides the job's fields."""
    job = {"Datacenters": ["dc1"], "TaskGroups": [group()]} | body
    spec: dict[str, Any] = {"job": job}
    if policy:
        spec["policy"] = policy
    metadata = {"name": name} | ({"namespace": namespace} if namespace != "default" else {})
    return yaml.safe_dump({"apiVersion": "herdsman/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def group(name: str = "g", count: int = 1, **more: Any) -> dict[str, Any]:
    """A group with one task."""
    task = {"Name": "t", "Driver": "mock_driver", "Config": {"run_for": "1h"}, "Env": {"A": "1"}}
    return {"Name": name, "Count": count, "Tasks": [task]} | more


def fleet_document(name: str = "f", **spec: Any) -> str:
    """A `Fleet` document."""
    return yaml.safe_dump({"apiVersion": "herdsman/v1", "kind": "Fleet", "metadata": {"name": name}, "spec": spec})


def sealed(text: str) -> str:
    """As if *text* were encrypted; `unseal` opens it."""
    return f"{AGE_BEGINS}\n{text[::-1]}\n-----END AGE ENCRYPTED FILE-----\n"


def unseal(text: str) -> str:
    """What was sealed. Raises `SourceError` where that is told by its text."""
    if "damaged" in text:
        raise SourceError("it is not encrypted for this operator, or was damaged")
    return text.splitlines()[1][::-1]


class Asked:
    """A request to look again that was carried out while it was made."""

    id, total, pending, done = 1, 0, set[Key](), True


class Harness:
    """The operator's parts, turned by hand: `sync` is one snapshot, one list call, and work until nothing is due."""

    def __init__(self, files: dict[str, str | bytes] | None = None, *, nomad: NomadTwin | None = None) -> None:
        self.files: dict[str, str | bytes] = files if files is not None else {}
        self.nomad = nomad or NomadTwin()
        self.clock = FakeClock()
        self.source = "dir:here"
        self.settled = True
        self.catalog = Catalog()
        self.commit = ""  # what the files belong to, where they belong to a commit
        self.store = SqliteStore(":memory:")
        self.events: list[Event] = []
        self.metrics = PrometheusMetrics()
        self.restart()

    def restart(self, *, lose_state: bool = False) -> None:
        """The process ends and another begins; with *lose_state* the file is gone too."""
        if lose_state:
            self.store = SqliteStore(":memory:")
        self.queue: WorkQueue[Key] = WorkQueue(self.clock)
        self.loader = Loader(
            fleet="default",
            store=self.store,
            catalogs=lambda snapshot: self.catalog,
            decrypt=unseal,
            clock=self.clock,
        )
        self.ports = Ports(nomad=self.nomad, store=self.store, clock=self.clock, body=Bodies(OfflineHclParser()))
        self.view = FleetView(
            desired=self.loader.nothing(), nomad=self.nomad, store=self.store, clock=self.clock, body=self.ports.body
        )
        self.faces = Faces(store=self.store, metrics=self.metrics, clock=self.clock, publish=self.events.append)
        self.worker = Worker(
            queue=self.queue,
            view=self.view,
            ports=self.ports,
            faces=self.faces,
            waited=self.metrics.waited,
            worked=self.metrics.worked,
            finished=lambda key, began: None,
        )
        self.operator = Operator(self, self.ports, source=self.source, nomad="twin")

    # -- turning it --

    def sync(self) -> None:
        """One full round."""
        self.load()
        self.relist()
        self.work()

    def load(self) -> None:
        """Read the source."""
        changed = self.view.replace(self.loader.load(self.snapshot()))
        for key in changed:
            self.queue.forget(key)
            self.view.permit(key)
            self.queue.add(key, Priority.USER)

    def snapshot(self) -> Snapshot:
        """The files as a source delivers them."""
        data = {p: t.encode() if isinstance(t, str) else t for p, t in self.files.items()}
        files = {p: SourceFile(p, d, sha256(d).hexdigest()) for p, d in data.items()}
        revision = sha256(repr(sorted(data.items())).encode()).hexdigest()[:12]
        return Snapshot(revision, files, settled=self.settled, commit=self.commit)

    def relist(self) -> None:
        """List Nomad, claim the fleet, and look at everything; a Nomad that does not answer is waited for."""
        for _ in range(20):
            try:
                self.view.relist()
                self.view.claimed = claim(self.nomad, fleet=self.view.desired.fleet.name, source=self.source)
                break
            except NomadError:
                continue
        for key in self.view.all_keys():
            self.queue.add(key)

    def hint(self, *keys: Key) -> None:
        """Nomad's event stream names *keys*."""
        mine = [k for k in keys if self.view.concerns(k)]
        self.view.touch(mine)
        for key in mine:
            self.queue.add(key, Priority.DRIFT)

    def work(self, most: int = 5000) -> None:
        """Look at keys until none is due; what is delayed by less than a resync ripens."""
        for _ in range(most):
            item = self.queue.get(timeout=0)
            if item is None:
                if not self._ripen():
                    return
                continue
            self.worker.work(item)
            self.queue.done(item.key)
        raise AssertionError("the queue does not come to rest")

    def _ripen(self) -> bool:
        """Let time pass until the next delayed key is due, if that is within 20 s."""
        wait = self.queue.next_due()
        if wait is None or wait > 20:
            return False
        self.clock.advance(max(0.0, wait) + 0.001)
        return True

    # -- usecases.Running --

    @property
    def source_state(self) -> SourceState:
        return SourceState(Snapshot("test", {}), files=len(self.files))

    @property
    def ready(self) -> bool:
        return True

    def trouble(self) -> dict[str, str]:
        return {}

    def resync(self, keys: Any = None, *, with_source: bool = False) -> Request:
        for key in keys if keys is not None else self.view.all_keys():
            self.view.touch([key])
            self.view.permit(key)
            self.queue.add(key, Priority.USER)
        self.work()
        return Asked()

    def news(self) -> None:
        self.load()

    def request(self, number: int) -> Request | None:
        return None

    def listen(self) -> AbstractContextManager[Any]:
        raise AssertionError("nobody listens here")

    # -- what a test asks --

    def status(self, key: Key) -> Status:
        """The status of *key*, which must have one."""
        status = self.store.status(key)
        assert status is not None, f"{key} has no status"
        return status

    def reason(self, key: Key) -> str:
        """Why *key* is Ready or not."""
        reason = self.status(key).reason
        return reason.value if reason else ""

    def writes_during(self, act: Callable[[], object]) -> list[tuple[str, Key | str]]:
        """What *act* wrote to Nomad."""
        before = len(self.nomad.writes)
        act()
        return self.nomad.writes[before:]
