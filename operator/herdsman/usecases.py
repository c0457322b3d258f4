"""Commands and queries that API, CLI and dashboard share. A command enqueues a key or keeps a wish; nothing else.

What the running operator must offer for that is `Running`; `runtime.service.Service` is it.
"""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import attrgetter
from queue import Queue
from typing import Protocol

from herdsman.errors import NomadError, UnknownError, UsageError
from herdsman.model.desired import Desired, Rejection
from herdsman.model.keys import Key, Kind
from herdsman.model.memory import Memory
from herdsman.model.observed import Allocation, Deployment, JobStub, LiveNamespace
from herdsman.model.plans import Action, Approval, Decision, Plan, Reason
from herdsman.model.scene import Scene
from herdsman.model.statuses import ConditionType, Event, Record, Status, Truth
from herdsman.reconcile import Ports, consider, consider_namespace, failed


class Request(Protocol):
    """A request to look again, and how far it got."""

    id: int
    total: int
    pending: set[Key] | None

    @property
    def done(self) -> bool:
        """Whether every key was looked at."""
        ...


class Surroundings(Protocol):
    """What is known of the fleet as a whole."""

    claimed: str | None

    @property
    def desired(self) -> Desired:
        """What is wanted."""
        ...

    def scene(self, key: Key) -> Scene:
        """What forbids a change of *key*."""
        ...

    def stub(self, key: Key) -> JobStub | None:
        """The live job."""
        ...

    def namespace(self, key: Key) -> LiveNamespace | None:
        """The live namespace."""
        ...

    def all_keys(self) -> set[Key]:
        """Every key that may call for work."""
        ...


class Running(Protocol):
    """The operator, running."""

    @property
    def view(self) -> Surroundings:
        """The fleet as a whole."""
        ...

    @property
    def ready(self) -> bool:
        """Whether the first full look is over and both sides answer."""
        ...

    def trouble(self) -> Mapping[str, str]:
        """What keeps it from being ready."""
        ...

    def resync(self, keys: Iterable[Key] | None = None, *, with_source: bool = False) -> Request:
        """Look again now."""
        ...

    def request(self, number: int) -> Request | None:
        """An earlier request to look again."""
        ...

    def listen(self) -> AbstractContextManager["Queue[Event | None]"]:
        """A queue of every event from now on, while the block runs; None in it means that no more will come."""
        ...


@dataclass(frozen=True, slots=True)
class Overview:
    """The fleet at a glance."""

    fleet: str
    source: str
    nomad: str
    nomad_version: str
    revision: str
    ready: bool
    trouble: Mapping[str, str]
    rejections: Sequence[Rejection]
    total: int
    ready_count: int
    held: int
    suspended: int
    fleet_suspended: bool


@dataclass(frozen=True, slots=True)
class Description:
    """One spec, with all that is known of it. What Nomad could not be asked for is None, *trouble* says why."""

    status: Status
    memory: Memory
    history: Sequence[Record]
    events: Sequence[Event]
    deployments: Sequence[Deployment] | None
    allocations: Sequence[Allocation] | None
    suspended: bool
    approval: Approval | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which specs are meant; empty fields match everything, *name* may be a glob."""

    kind: Kind | None = None
    namespace: str = ""
    name: str = ""
    ready: bool | None = None

    def matches(self, status: Status) -> bool:
        """Whether *status* is meant."""
        key = status.key
        return (
            (self.kind is None or key.kind is self.kind)
            and (not self.namespace or key.namespace == self.namespace)
            and (not self.name or fnmatch.fnmatchcase(key.name, self.name))
            and (self.ready is None or status.ready is self.ready)
        )


class Operator:
    """Everything that a face may ask for."""

    def __init__(self, running: Running, ports: Ports, *, source: str, nomad: str) -> None:
        self._running, self._ports = running, ports
        self._source, self._nomad, self.nomad_version = source, nomad, ""

    # -- queries --

    def overview(self) -> Overview:
        """The fleet at a glance."""
        desired, statuses = self._running.view.desired, self._ports.store.statuses().values()
        suspended = self._ports.store.is_suspended(None)
        return Overview(
            fleet=desired.fleet.name,
            source=self._source,
            nomad=self._nomad,
            nomad_version=self.nomad_version,
            revision=desired.revision,
            ready=self._running.ready,
            trouble=self._running.trouble(),
            rejections=desired.rejections,
            total=len(statuses),
            ready_count=sum(s.ready for s in statuses),
            held=sum(is_held(s) for s in statuses),
            suspended=sum(is_suspended(s) for s in statuses),
            fleet_suspended=suspended,
        )

    def statuses(self, wanted: Filter | None = None) -> list[Status]:
        """The specs that *wanted* means, by key."""
        found = self._ports.store.statuses()
        keys = sorted(found, key=attrgetter("kind", "namespace", "name"))  # as keys compare, but in C
        return [found[k] for k in keys if wanted is None or wanted.matches(found[k])]

    def describe(self, key: Key) -> Description:
        """One spec whole. Raises `UnknownError` where nothing is known of it."""
        store, status = self._ports.store, self._known(key)
        deployments: Sequence[Deployment] | None = None
        allocations: Sequence[Allocation] | None = None
        trouble = ""
        if key.kind is Kind.JOB:
            try:
                deployments = self._ports.nomad.deployments(key)
                allocations = self._ports.nomad.allocations(key)
            except NomadError as error:
                trouble = str(error)
        return Description(
            status=status,
            memory=store.memory(key),
            history=store.history(key, limit=20),
            events=store.events(key=key, limit=20),
            deployments=deployments,
            allocations=allocations,
            suspended=store.is_suspended(key),
            approval=store.approval(key),
            trouble=trouble,
        )

    def plan(self, keys: Iterable[Key] | None = None) -> list[Plan]:
        """What would be done now, by key: the same value that the loop carries out, carried out by nobody."""
        chosen = sorted(self._running.view.all_keys() if keys is None else keys)
        return [self._preview(k) for k in chosen]

    def _preview(self, key: Key) -> Plan:
        view = self._running.view
        try:
            scene = view.scene(key)
            if key.kind is Kind.NAMESPACE:
                return consider_namespace(key, scene=scene, live=view.namespace(key), ports=self._ports)
            return consider(key, scene=scene, stub=view.stub(key), ports=self._ports, preview=True).plan
        except NomadError as error:
            outcome = failed(key, error, wanted=None)
            return Plan(key, Decision(Action.NOTHING, outcome.reason, outcome.message))

    def events(self, *, after: int = 0, key: Key | None = None, limit: int = 200) -> Sequence[Event]:
        """What happened, oldest first."""
        return self._ports.store.events(after=after, key=key, limit=limit)

    def listen(self) -> AbstractContextManager["Queue[Event | None]"]:
        """Every event from now on: see `Running.listen`."""
        return self._running.listen()

    # -- commands --

    def resync(self, keys: Sequence[Key] | None = None, *, with_source: bool = False) -> Request:
        """Look again now. Raises `UnknownError` for a key that nobody knows."""
        for key in keys or ():
            self._known(key)
        return self._running.resync(keys, with_source=with_source)

    def request(self, number: int) -> Request:
        """An earlier request to look again. Raises `UnknownError` where it is forgotten."""
        found = self._running.request(number)
        if found is None:
            raise UnknownError(
                f"no resync has the number {number}", hint="the operator may have been started anew since"
            )
        return found

    def suspend(self, key: Key | None, *, suspended: bool) -> None:
        """Suspend or resume one spec, or with None the whole fleet."""
        if key is not None:
            self._known(key)
        self._ports.store.suspend(key, suspended=suspended)
        self._running.resync(None if key is None else [key])

    def approve(self, key: Key, *, by: str, seen: str | None = None) -> Status:
        """Let the change that is held for *key* through, once; with *seen*, only if it is still that digest's.

        Raises `UsageError` where none is held, or where none can be approved.
        """
        status = self._known(key)
        if not is_held(status):
            raise UsageError(f"nothing is held for {key}", hint=f"it is {status.reason or 'not looked at yet'}")
        if status.reason not in APPROVABLE:
            raise UsageError(f"{key} is held by {status.reason}, which no approval ends", hint=_message(status))
        if seen is not None and seen != status.digest:
            raise UsageError(f"the change of {key} is another by now", hint="look at it again, then approve")
        now = self._ports.clock.now().timestamp()
        self._ports.store.approve(key, Approval(status.digest if status.wanted else "", by, now))
        self._running.resync([key])
        return status

    def held(self) -> list[Status]:
        """Every spec whose change waits for a person."""
        return [s for s in self.statuses() if is_held(s) and s.reason in APPROVABLE]

    def _known(self, key: Key) -> Status:
        status = self._ports.store.status(key)
        if status is None:
            raise UnknownError(f"no spec is known as {key}", hint="herdsman get lists all of them")
        return status


APPROVABLE = frozenset(
    {
        Reason.NEEDS_APPROVAL,
        Reason.OUTSIDE_WINDOW,
        Reason.PRUNE_LIMIT,
        Reason.REVERTED_BY_NOMAD,
        Reason.CIRCUIT_OPEN,
    }
)
"""Holds that end when a person approves the change."""

_HELD = APPROVABLE | {
    Reason.NOT_OWNED,
    Reason.FLEET_CONFLICT,
    Reason.DEPENDENCY_NOT_READY,
    Reason.DRIFTED,
    Reason.INVALID,
    Reason.DESIRED_INCOMPLETE,
}


def is_held(status: Status) -> bool:
    """Whether a change of it waits for something."""
    return status.reason in _HELD


def is_suspended(status: Status) -> bool:
    """Whether a person or its spec suspended it, as far as the last look knew."""
    condition = status.condition(ConditionType.SUSPENDED)
    return condition is not None and condition.status is Truth.TRUE


def _message(status: Status) -> str:
    return next((c.message for c in status.conditions.values() if c.reason is status.reason and c.message), "")
