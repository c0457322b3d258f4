"""Commands and queries that API, CLI and dashboard share. A command enqueues a key or keeps a wish; nothing else.

What the running operator must offer for that is `Running`; `runtime.service.Service` is it.
"""

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import attrgetter
from queue import Queue
from typing import Protocol

from herdsman import namespaces, rollback, variables
from herdsman.core.webhooks import is_genuine
from herdsman.errors import NomadError, UnknownError, UsageError
from herdsman.looking import Ports, failed
from herdsman.model.desired import Desired, DesiredJob, Rejection
from herdsman.model.keys import Key, Kind
from herdsman.model.memory import Memory
from herdsman.model.observed import Allocation, Deployment, JobStub, LiveJob, LiveNamespace, Provenance
from herdsman.model.plans import Action, Approval, Decision, Pin, Plan, Reason
from herdsman.model.scene import Scene
from herdsman.model.sources import SourceState
from herdsman.model.statuses import ConditionType, Event, Record, Status, Truth
from herdsman.model.writes import Author, WriteRequest, Written
from herdsman.ports import SpecWriter
from herdsman.reconcile import consider


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

    def variable_index(self, key: Key) -> int | None:
        """The index of the live variable, None where it is not known."""
        ...

    def all_keys(self) -> set[Key]:
        """Every key that may call for work."""
        ...


class Running(Protocol):
    """The operator, running."""

    @property
    def source_state(self) -> SourceState:
        """How the source does."""
        ...

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

    def news(self) -> None:
        """The source has news."""
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
    source_state: SourceState
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


class Webhooks:
    """Git servers that say that there is news. *secret* answers what they prove to know, "" for nobody."""

    def __init__(
        self, secret: Callable[[], str], news: Callable[[], None], count: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._secret, self._news, self._count = secret, news, count

    def take(self, provider: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Go and see, if the sender knows the secret; the answer is whether it does."""
        genuine = is_genuine(provider, headers, body, secret=self._secret())
        self._count(provider, "accepted" if genuine else "refused")
        if genuine:
            self._news()
        return genuine


@dataclass(frozen=True, slots=True)
class JobVersion:
    """One version of a live job, and where it comes from: None where none of our writes made it. *at* is s since the
    epoch; *record* is what was done then, where the history still knows."""

    version: int
    at: float
    current: bool
    stable: bool
    provenance: Provenance | None
    record: Record | None


@dataclass(frozen=True, slots=True)
class Trace:
    """From a live job back to who declared it. *last* is the newest version that one of our writes made."""

    key: Key
    live: JobVersion
    last: JobVersion | None
    stamp: str
    status: Status | None


class Operator:
    """Everything that a face may ask for."""

    def __init__(
        self, running: Running, ports: Ports, *, source: str, nomad: str, writer: SpecWriter | None = None
    ) -> None:
        self._running, self._ports, self._writer = running, ports, writer
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
            source_state=self._running.source_state,
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

    def history(self, key: Key, *, limit: int = 50) -> Sequence[Record]:
        """What was done to one spec, newest first. Raises `UnknownError`."""
        self._known(key)
        return self._ports.store.history(key, limit=limit)

    def versions(self, key: Key) -> list[JobVersion]:
        """Every version of a job that Nomad remembers, newest first, with its commit. Raises `NomadError`."""
        nomad = self._ports.nomad
        records = {r.version: r for r in reversed(self._ports.store.history(key, limit=200)) if r.version is not None}
        live = nomad.versions(key)
        return [self._version(v, v is live[0], records.get(v.version)) for v in live]

    def _version(self, live: LiveJob, current: bool, record: Record | None) -> JobVersion:
        found = self._ports.nomad.provenance(live.key, live.version)
        genuine = found if found is not None and found.version == live.version else None  # one without inherits
        at = float(live.body.get("SubmitTime") or 0) / 1e9
        fits = record is not None and genuine is not None and genuine.digest.startswith(record.digest)
        stable = bool(live.body.get("Stable"))
        return JobVersion(live.version, at, current, stable, genuine, record if fits else None)

    def trace(self, key: Key) -> Trace:
        """From a live job, ours or not, back to file and commit. Raises `UnknownError`, `NomadError`."""
        versions = self.versions(key)
        if not versions:
            raise UnknownError(f"Nomad has no job {key.name} in namespace {key.namespace}")
        live = self._ports.nomad.job(key)
        last = next((v for v in versions if v.provenance is not None), None)
        return Trace(key, versions[0], last, live.stamp if live is not None else "", self._ports.store.status(key))

    def plan(self, keys: Iterable[Key] | None = None) -> list[Plan]:
        """What would be done now, by key: the same value that the loop carries out, carried out by nobody."""
        chosen = sorted(self._running.view.all_keys() if keys is None else keys)
        return [self._preview(k) for k in chosen]

    def _preview(self, key: Key) -> Plan:
        view = self._running.view
        try:
            scene = view.scene(key)
            if key.kind is Kind.NAMESPACE:
                return namespaces.consider(key, scene=scene, live=view.namespace(key), ports=self._ports)
            if key.kind is Kind.VARIABLE:
                return variables.consider(key, scene=scene, index=view.variable_index(key), ports=self._ports)
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

    def pin(self, key: Key, *, to: str, by: str) -> JobVersion:
        """Make the job what it was as *to*, a version or a commit, at once; held until its spec changes.

        Raises `UnknownError` and `UsageError` where there is no such version, or none to go back from.
        """
        status = self._known(key)
        found = self.version_of(key, to)
        if found.current:
            raise UsageError(f"{key} is at version {found.version} already")
        now = self._ports.clock.now().timestamp()
        self._ports.store.put_pin(key, Pin(status.digest, found.version, by, now))
        self._running.resync([key])
        return found

    def rollback(self, key: Key, *, to: str, author: Author, request_id: str) -> tuple[Written, list[str]]:
        """Write a commit that declares *key* as it was at *to*, a commit or a version; and what files it changes.

        Raises `UnknownError`, `UsageError`, and what the writer raises.
        """
        status = self._known(key)
        if self._writer is None:
            raise UsageError(
                "the specs of this fleet are written to by nobody here",
                hint="restore the file yourself, or use --now to put the job right until you have",
            )
        revision, earlier_path = self._declared_at(status, to)
        others = {w.hcl.path for w in self._running.view.desired.wanted.values() if isinstance(w, DesiredJob) and w.hcl}
        mine = self._running.view.desired.wanted.get(key)
        shared = others - {status.position.path, getattr(getattr(mine, "hcl", None), "path", "")}
        changes = rollback.edits(
            key,
            path=status.position.path or earlier_path,
            earlier_path=earlier_path,
            revision=revision,
            writer=self._writer,
            shared=shared,
        )
        message = f"Roll {key} back to {revision[:12]}"
        written = self._writer.write(WriteRequest(changes, author, message, request_id))
        self._running.news()
        return written, [edit.path for edit in changes]

    def _declared_at(self, status: Status, to: str) -> tuple[str, str]:
        """Commit and path of the spec as *to* names it. A commit that changed something else has it where it is now."""
        for record in self._ports.store.history(status.key, limit=200):
            if to == str(record.version) or (len(to) >= _SHORTEST and record.revision.startswith(to)):
                return record.revision, record.position.path or status.position.path
        if to.isdigit() and len(to) < _SHORTEST and status.key.kind is Kind.JOB:
            found = self.version_of(status.key, to).provenance
            if found is None or not found.revision:
                raise UnknownError(f"no commit made version {to} of {status.key}", hint="name a commit")
            return found.revision, found.path
        return to, status.position.path

    def version_of(self, key: Key, to: str) -> JobVersion:
        """The version of a job that *to* names: by its number, or by the commit that made it. Raises `UnknownError`."""
        versions = self.versions(key)
        for version in versions:
            revision = version.provenance.revision if version.provenance is not None else ""
            if to == str(version.version) or (len(to) >= _SHORTEST and revision.startswith(to)):
                return version
        known = ", ".join(str(v.version) for v in versions) or "none"
        raise UnknownError(f"Nomad remembers no version {to} of {key}", hint=f"it remembers {known}")

    def held(self) -> list[Status]:
        """Every spec whose change waits for a person."""
        return [s for s in self.statuses() if is_held(s) and s.reason in APPROVABLE]

    def _known(self, key: Key) -> Status:
        status = self._ports.store.status(key)
        if status is None:
            raise UnknownError(f"no spec is known as {key}", hint="herdsman get lists all of them")
        return status


_SHORTEST = 7
"""Digits of a commit ID that are not taken for the number of a version."""

APPROVABLE = frozenset(
    {
        Reason.ROLLED_BACK,
        Reason.NEEDS_APPROVAL,
        Reason.OUTSIDE_WINDOW,
        Reason.PRUNE_LIMIT,
        Reason.REVERTED_BY_NOMAD,
        Reason.CIRCUIT_OPEN,
    }
)
"""Holds that end when a person approves the change."""

_HELD = APPROVABLE | {
    Reason.QUOTA_EXCEEDED,
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
