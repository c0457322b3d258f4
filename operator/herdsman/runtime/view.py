"""What the process knows of a fleet as a whole: what is wanted, what is listed, what forbids a change.

The wanted side is replaced whole by each snapshot, the listed side by each list call; workers hold whichever they
started with. A key that an event named is *stale* until somebody looks: its stub is then read anew.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from herdsman.core import prune
from herdsman.core.ownership import owner_of
from herdsman.core.retry import at, circuit
from herdsman.errors import Refused
from herdsman.model.desired import Desired, DesiredJob, Prune, Wanted
from herdsman.model.keys import JOB_VARIABLES, Key, Kind, job_key, namespace_key, own_variable
from herdsman.model.observed import Body, JobStub, LiveNamespace
from herdsman.model.plans import Reason
from herdsman.model.scene import Scene
from herdsman.ports import Clock, Nomad, StatusStore
from herdsman.runtime.admission import Admission

PRUNE_WINDOW = 60.0
_OLD = -1  # an index that no variable has
UNCLAIMED = "it is not known yet whose the fleet's name is"
UNSETTLED = "the source is still being written to; removals wait until it rests"


@dataclass(slots=True)
class Listed:
    """The live side at one list call. *at* is the monotonic time at which the call began."""

    stubs: dict[Key, JobStub] = field(default_factory=dict)
    namespaces: Mapping[Key, LiveNamespace] = field(default_factory=dict)
    variables: Mapping[Key, int] | None = None  # their indexes, None where nobody may list them
    at: float = 0.0
    complete: bool = False  # whether a list call ever succeeded


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Nomad refused, in its words, and until when (monotonic s) it is not asked again."""

    digest: str
    words: str
    until: float


class FleetView:
    """Wanted and listed, side by side. Safe from any thread."""

    def __init__(
        self,
        *,
        desired: Desired,
        nomad: Nomad,
        store: StatusStore,
        clock: Clock,
        body: Callable[[DesiredJob], Body] = lambda wanted: {},
    ) -> None:
        self._lock = threading.RLock()
        self._nomad, self._store, self._clock = nomad, store, clock
        self._desired = desired
        self._dependents: dict[Key, list[Key]] = {}
        self._listed = Listed()
        self._stale: dict[Key, float] = {}
        self._round = store.prune_round()
        self._owned = 0
        self._users: dict[Key, list[Key]] = {}  # who needed a key, of those that no spec declares any more
        self._corrections: dict[Key, tuple[float, ...]] = {}
        self._claim: tuple[str, str] | None = None
        self._refusals: dict[Key, Refusal] = {}
        self._admission = Admission(store=store, clock=clock, body=body)
        self.loaded = False  # whether a snapshot was ever understood

    # -- the wanted side --

    @property
    def desired(self) -> Desired:
        """What the last snapshot asks for."""
        return self._desired

    def replace(self, desired: Desired) -> set[Key]:
        """Take a new snapshot's wishes; the answer is every key whose wishes changed."""
        with self._lock:
            before, first = self._desired, not self.loaded
            self._desired, self.loaded = desired, True
            self._dependents = {}
            for key, wanted in desired.wanted.items():
                for need in wanted.depends_on:
                    self._dependents.setdefault(need, []).append(key)
            self._decide_removals()
        self._admission.renew()
        if first or before.fleet != desired.fleet:
            return self.all_keys()
        changed = _changed(before, desired) | self.held_by_quota()
        if before.settled != desired.settled or before.unread != desired.unread:
            changed |= self.all_keys() - desired.wanted.keys()
        return changed

    def held_by_quota(self, namespace: str | None = None) -> set[Key]:
        """Whom a quota holds, as far as the last looks knew; where something changes, they may be let in."""
        statuses = self._store.statuses().items()
        held = {k for k, s in statuses if s.reason is Reason.QUOTA_EXCEEDED}
        return held if namespace is None else {k for k in held if k.namespace == namespace}

    def dependents(self, key: Key) -> list[Key]:
        """The wanted keys that wait for *key*."""
        return self._dependents.get(key, [])

    # -- the listed side --

    def relist(self) -> None:
        """Replace the listed side by a fresh one. Raises `NomadError`; what was listed then stays."""
        began = self._clock.monotonic()
        listing = self._nomad.listing()
        kinds = {k.kind for k in (*self._desired.wanted, *self._store.memories())}
        namespaces = self._nomad.namespaces() if Kind.NAMESPACE in kinds else {}
        variables = self._list_variables() if Kind.VARIABLE in kinds else None
        with self._lock:
            self._listed = Listed(dict(listing.stubs), namespaces, variables, began, complete=True)
            self._stale = {k: t for k, t in self._stale.items() if t >= began}
            self._decide_removals()
        self._admission.renew()

    def _list_variables(self) -> Mapping[Key, int] | None:
        """Their indexes. A token that may read some, but list none, is asked for each of them."""
        try:
            return self._nomad.variables()
        except Refused:
            return None

    @property
    def listed(self) -> bool:
        """Whether Nomad was ever listed."""
        return self._listed.complete

    @property
    def listed_at(self) -> float:
        """When the last list call began, monotonic s."""
        return self._listed.at

    def touch(self, keys: Iterable[Key]) -> None:
        """Something happened to *keys*: what is listed of them may be old."""
        now = self._clock.monotonic()
        with self._lock:
            self._stale.update(dict.fromkeys(keys, now))

    def stub(self, key: Key) -> JobStub | None:
        """The job as listed, read anew where it is stale. Raises `NomadError`."""
        with self._lock:
            if key not in self._stale:
                return self._listed.stubs.get(key)
            marked = self._stale[key]
        fresh = self._nomad.stub(key)
        with self._lock:
            if self._stale.get(key) == marked:
                del self._stale[key]
            if fresh is None:
                self._listed.stubs.pop(key, None)
            else:
                self._listed.stubs[key] = fresh
        return fresh

    def gone(self, key: Key) -> None:
        """*key* was removed: nobody needs to wait for the next list to know it."""
        with self._lock:
            self._listed.stubs.pop(key, None)
            self._listed.namespaces = {k: n for k, n in self._listed.namespaces.items() if k != key}
            if self._listed.variables is not None:
                self._listed.variables = {k: n for k, n in self._listed.variables.items() if k != key}
            self._corrections.pop(key, None)
        self._admission.renew()

    def variable_index(self, key: Key) -> int | None:
        """The index of a variable as listed, 0 where there is none, and None where it may be another by now."""
        with self._lock:
            listed = self._listed.variables
            if listed is None:
                return None
            if self._stale.pop(key, None) is not None:
                self._listed.variables = {**listed, key: _OLD}
                return None
            index = listed.get(key, 0)
            return None if index == _OLD else index

    def namespace(self, key: Key) -> LiveNamespace | None:
        """The namespace as listed, read anew where it is stale. Raises `NomadError`."""
        marked = self._stale.get(key)
        if marked is not None:
            fresh = self._nomad.namespaces()
            with self._lock:
                self._listed.namespaces = fresh
                if self._stale.get(key) == marked:
                    del self._stale[key]
        return self._listed.namespaces.get(key)

    def all_keys(self) -> set[Key]:
        """Every key that may call for work: wanted, rejected, remembered, or live and ours."""
        with self._lock:
            memories = self._store.memories()
            return {
                *self._desired.wanted,
                *self._desired.frozen,
                *memories,
                *self._store.statuses(),
                *self._owned_jobs(),
                *(k for k, n in self._listed.namespaces.items() if n.stamp == self._desired.fleet.name),
            }

    def concerns(self, key: Key) -> bool:
        """Whether an event about *key* is any of our business."""
        with self._lock:
            if key in self._desired.wanted or key in self._desired.frozen or self._store.memory(key).owned:
                return True
            stub = self._listed.stubs.get(key)
            return stub is not None and stub.stamp == self._desired.fleet.name

    def _owned_jobs(self) -> set[Key]:
        fleet, memory = self._desired.fleet.name, self._store.memory
        return {
            k
            for k, s in self._listed.stubs.items()
            if owner_of(
                stamp=s.stamp, create_index=s.create_index, parent=s.parent_id, memory=memory(k), fleet=fleet
            ).ours
        }

    # -- what forbids a change --

    @property
    def claimed(self) -> str | None:
        """Why nothing may be written, "" where the fleet's name is ours, None where nobody asked for this name yet."""
        claim = self._claim
        return claim[1] if claim is not None and claim[0] == self._desired.fleet.name else None

    @claimed.setter
    def claimed(self, words: str | None) -> None:
        self._claim = None if words is None else (self._desired.fleet.name, words)

    def claims(self, fleet: str, words: str) -> None:
        """What was found about the name *fleet*: by the time of the answer the fleet may have another."""
        self._claim = (fleet, words)

    def scene(self, key: Key) -> Scene:
        """The surroundings of *key* now, all of one snapshot."""
        desired, claim = self._desired, self._claim
        found = claim[1] if claim is not None and claim[0] == desired.fleet.name else UNCLAIMED
        claimed = desired.blocked or found
        wanted, expired = desired.wanted.get(key), self._expired(key)
        if wanted is not None and expired:
            return Scene(
                desired,
                claimed,
                dependents=self._needed_by(key),
                unread="" if desired.settled else UNSETTLED,  # it may just be given more time
                limited=self._limited_by_time(key),
                refused=self._refused(key, ""),
                expired=expired,
            )
        if wanted is not None:
            return Scene(
                desired,
                claimed,
                dependency=self._dependency(wanted, desired),
                circuit=self._circuit(key),
                refused=self._refused(key, wanted.digest),
                over_quota=self._over_quota(wanted, desired),
            )
        return Scene(
            desired,
            claimed,
            dependents=self._needed_by(key),
            unread=self._unread(key),
            limited=self._limited(key),
            refused=self._refused(key, ""),
        )

    def _expired(self, key: Key) -> str:
        """Why what is declared of *key* is wanted no more, "" where it is."""
        wanted = self._desired.wanted.get(key)
        ends = wanted.expires if wanted is not None else None
        return f"its time ended at {at(ends)}" if ends is not None and self.now() >= ends else ""

    def now(self) -> float:
        """The time of day, s since the epoch."""
        return self._clock.now().timestamp()

    def _over_quota(self, wanted: Wanted, desired: Desired) -> str:
        if not isinstance(wanted, DesiredJob) or wanted.order is None:
            return ""
        home = namespace_key(wanted.key.namespace)
        if home not in desired.wanted:
            # a mistake in the document that limits shall not lift the limits
            path = self._store.memory(home).path
            broken = next((f.path for f in desired.unread if f.path == path), "")
            if home in desired.frozen or broken:
                return f"the quotas of {home} are not known: {desired.frozen.get(home) or f'{broken} cannot be read'}"
        return self._admission.why_held(wanted, desired, self._listed.stubs)

    def _dependency(self, wanted: Wanted, desired: Desired) -> str:
        for need in wanted.depends_on:
            other, status = desired.wanted.get(need), self._store.status(need)
            if other is None:
                return f"waits for {need}, which no valid spec declares"
            if status is None or not status.ready or status.digest != other.digest:
                return f"waits for {need} to be Ready"
        return ""

    def _needed_by(self, key: Key) -> str:
        """What must be gone before *key* may go."""
        with self._lock:
            stubs = self._listed.stubs
            if key.kind is Kind.NAMESPACE:
                inside = sorted(str(k) for k, s in stubs.items() if k.namespace == key.name and s.status != "dead")
                return f"waits until nothing lives in it: {', '.join(inside[:3])}" if inside else ""
            reader = self._reader(key)
            if reader is not None and reader in stubs and not stubs[reader].stop:
                return self._still_read(reader)
            users = [k for k in self._users.get(key, ()) if k in stubs and not stubs[k].stop]
        return f"waits for the removal of {users[0]}" if users else ""

    def _reader(self, key: Key) -> Key | None:
        """The job that brought the variable *key* along."""
        if key.kind is not Kind.VARIABLE or not self._store.memory(key).attached:
            return None
        return job_key(key.namespace, key.name.removeprefix(f"{JOB_VARIABLES}/"))

    def _still_read(self, job: Key) -> str:
        """Why the secrets of a live *job* cannot go yet."""
        wanted, memory = self._desired.wanted.get(job), self._store.memory(job)
        if wanted is None or self._expired(job):
            ours = memory.owned or self._listed.stubs[job].stamp == self._desired.fleet.name
            return f"waits for the removal of {job}" if ours else ""
        return f"waits until {job} no longer reads it" if memory.digest != wanted.digest else ""

    def needs(self, key: Key) -> tuple[Key, ...]:
        """What a key that is wanted no more needed while it was: its going may set them free."""
        own = own_variable(key)
        attached = (own,) if key.kind is Kind.JOB and self._store.memory(own).attached else ()
        return (*(need for need, users in self._users.items() if key in users), *attached)

    def _unread(self, key: Key) -> str:
        """Which file may still declare *key*: the one that last did, or any whose text holds its name (design §4)."""
        path = self._store.memory(key).path
        name = key.name.encode()
        for file in self._desired.unread:
            if file.path == path:
                return f"{file.path}, which declared it, cannot be understood"
            if file.text is None:
                return f"{file.path} cannot be read, and may declare it"
            if any(form in file.text for form in (name, key.name.encode("utf-16-le"), key.name.encode("utf-16-be"))):
                return f"{file.path} cannot be understood, and names it"
        return "" if self._desired.settled else UNSETTLED

    def _limited(self, key: Key) -> str:
        with self._lock:
            if key in self._round.allowed or not self._to_be_removed(key):
                return ""
            if self._store.memory(key).attached:
                return ""  # its job was let go
            held = self._round.held
            if key not in held and self._listed.complete:
                self._decide_removals()
                held = self._round.held
                if key in self._round.allowed:
                    return ""
        return prune.why_held(self._desired.fleet.prune, held=len(held), owned=max(self._owned, len(held)))

    def _limited_by_time(self, key: Key) -> str:
        """Removals by time are meant, and count for no round. But a clock that went wrong must not empty a fleet."""
        with self._lock:
            jobs = self._owned_jobs()
            over = {k for k in jobs if self._expired(k)}
            limits = self._desired.fleet.prune
            if key not in over or over != jobs or len(over) <= prune.limit(limits, len(jobs)):
                return ""
        return prune.why_held(limits, held=len(over), owned=len(jobs))

    def _decide_removals(self) -> None:
        """Judge all removals together, as soon as both sides are known and the source rests."""
        if not (self.loaded and self._listed.complete and self._desired.settled):
            return
        owned = self._owned_jobs() | {
            k for k, n in self._listed.namespaces.items() if n.stamp == self._desired.fleet.name
        }
        owned |= {k for k in self._listed.variables or () if self._counts(k)}
        owned = {k for k in owned if not self._expired(k)}  # what goes by time is nothing that a fleet would keep
        self._owned = len(owned)
        self._users = {}
        for key, memory in self._store.memories().items():
            if memory.needs and key not in self._desired.wanted:
                for need in memory.needs:
                    self._users.setdefault(need, []).append(key)
        unwanted = {k for k in owned if self._to_be_removed(k)}
        decided = prune.next_round(
            self._round,
            unwanted=unwanted,
            owned=owned,
            limits=self._desired.fleet.prune,
            now=self._clock.now().timestamp(),
            window=PRUNE_WINDOW,
        )
        if decided != self._round:
            self._round = decided
            self._store.put_prune_round(decided)

    def _counts(self, variable: Key) -> bool:
        """Whether the removal of a variable counts: one that goes with its job does not."""
        memory = self._store.memory(variable)
        return memory.owned and not memory.attached

    def _to_be_removed(self, key: Key) -> bool:
        desired, memory = self._desired, self._store.memory(key)
        if key in desired.wanted or key in desired.frozen or memory.suspend or self._store.is_suspended(key):
            return False
        return (memory.prune or desired.fleet.policy.prune) is not Prune.KEEP and not self._unread(key)

    def _circuit(self, key: Key) -> str:
        return circuit(self._corrections.get(key, ()), now=self._clock.monotonic())

    def _refused(self, key: Key, digest: str) -> str:
        refusal = self._refusals.get(key)
        if refusal is None or refusal.digest != digest or self._clock.monotonic() >= refusal.until:
            return ""
        return refusal.words

    def refused(self, key: Key, digest: str, words: str, wait: float) -> None:
        """Nomad refused *digest*: for *wait* seconds nobody asks again, unless a person or the spec says so."""
        with self._lock:
            self._refusals[key] = Refusal(digest, words, self._clock.monotonic() + wait)

    def permit(self, key: Key) -> None:
        """Ask again, whatever was refused."""
        with self._lock:
            self._refusals.pop(key, None)

    def permit_all(self) -> None:
        """Ask again for everything."""
        with self._lock:
            self._refusals.clear()

    def corrected(self, key: Key) -> None:
        """Count one correction of what somebody else did to *key*."""
        with self._lock:
            times = (*self._corrections.get(key, ()), self._clock.monotonic())
            self._corrections[key] = times[-20:]

    def renewed(self, key: Key) -> None:
        """Its spec changed: earlier corrections count no more."""
        with self._lock:
            self._corrections.pop(key, None)


def _changed(before: Desired, after: Desired) -> set[Key]:
    keys = before.wanted.keys() | after.wanted.keys()
    changed = {k for k in keys if _wish(before, k) != _wish(after, k)}
    changed |= {k for k in before.frozen.keys() | after.frozen.keys() if before.frozen.get(k) != after.frozen.get(k)}
    return changed


def _wish(desired: Desired, key: Key) -> object:
    """What of a wish makes a difference: not where it stands, so that a moved file causes no work but a new status."""
    wanted = desired.wanted.get(key)
    if wanted is None:
        return None
    return (wanted.digest, wanted.policy, wanted.depends_on, wanted.origin.position, wanted.expires)
