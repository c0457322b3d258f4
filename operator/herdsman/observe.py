"""Looks at one job: gathers evidence, cheapest first, until it is known whether the live job is the wanted one.

The order is design §5, "Sameness": (1) digest and index as remembered, no call; (2) a new digest is a change, whatever
a plan says; (3) only the index moved: the live job against the one that Nomad made of our last write; (4) nothing
remembered: genuine provenance, else plan *and* comparison. Nothing is written here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2s

from herdsman.core import agree, normalize, words
from herdsman.core.health import reverted_by_nomad
from herdsman.core.ownership import owner_of
from herdsman.errors import Conflict
from herdsman.model.desired import NO_POLICY, Adopt, DesiredJob, Drift, Policy, Rerun, Stopped
from herdsman.model.memory import Memory
from herdsman.model.observed import Body, FieldChange, Forecast, JobStub, LiveJob, Provenance
from herdsman.ports import NomadReader


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a job found. *body* is what a write would send, *forecast* what Nomad says of it."""

    stub: JobStub | None
    ours: bool = False
    owner: str = ""
    adoptable: bool = False
    same: bool = False
    spec_changed: bool = False
    finished: bool = False
    halted: bool = False
    reverted: str = ""
    live: LiveJob | None = None
    body: Body | None = None
    forecast: Forecast | None = None
    changes: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Eyes:
    """Where evidence comes from. *canonical* answers the job as read after our last write, *body* what a spec wants."""

    nomad: NomadReader
    body: Callable[[DesiredJob], Body]
    canonical: Callable[[], Body | None]
    fleet: str


def lens(policy: Policy) -> str:
    """Which fields count in a comparison, as a short digest: another lens makes what is remembered worth less."""
    seen = (policy.ignore, policy.count.value, policy.stopped.value)
    if seen == (NO_POLICY.ignore, NO_POLICY.count.value, NO_POLICY.stopped.value):
        return ""
    return blake2s(repr(seen).encode(), digest_size=6).hexdigest()


def seal(wanted: DesiredJob) -> str:
    """The digest that goes into a submission: it covers the lens too, because no memory stands beside it."""
    seen = lens(wanted.policy)
    return f"{wanted.digest}.{seen}" if seen else wanted.digest


def look(wanted: DesiredJob | None, stub: JobStub | None, memory: Memory, eyes: Eyes) -> Look:
    """Everything that deciding about one job needs. *stub* is the live job as listed, None where there is none."""
    if stub is None:
        return _at_nothing(wanted, memory)
    seen = glance(wanted, stub, memory, eyes.fleet)
    if wanted is None or not (seen.ours or seen.adoptable):
        return seen
    if seen.ours and _as_remembered(wanted, stub, memory):
        return _read_back(wanted, seen, memory, eyes) if memory.unread else replace(seen, same=True)
    return _compare(wanted, seen, memory, eyes)


def glance(wanted: DesiredJob | None, stub: JobStub, memory: Memory, fleet: str) -> Look:
    """What the list alone says of a live job: whose it is, and whether Git changed since it was last in sync."""
    owner = owner_of(
        stamp=stub.stamp, create_index=stub.create_index, parent=stub.parent_id, memory=memory, fleet=fleet
    )
    if wanted is None:
        return Look(stub, owner.ours, owner.words)
    adoptable = owner.nobody and wanted.policy.adopt is not Adopt.NEVER
    spec_changed = memory.known and memory.digest != wanted.digest
    return Look(stub, owner.ours, owner.words, adoptable, spec_changed=spec_changed)


def _at_nothing(wanted: DesiredJob | None, memory: Memory) -> Look:
    if wanted is None:
        return Look(None)
    return Look(
        None,
        finished=memory.completed == wanted.digest and wanted.policy.rerun is Rerun.CHANGE,
        halted=memory.halted == wanted.digest and wanted.policy.stopped is Stopped.RESPECT,
        spec_changed=memory.digest != wanted.digest,
    )


def _as_remembered(wanted: DesiredJob, stub: JobStub, memory: Memory) -> bool:
    """Evidence (1), which costs no call."""
    if memory.digest != wanted.digest or memory.lens != lens(wanted.policy) or memory.create_index != stub.create_index:
        return False
    if memory.unread and memory.prior == stub.index:
        return True  # the write may have changed nothing: then Nomad kept what was there
    return memory.index == stub.index or wanted.policy.drift is Drift.OFF


def _read_back(wanted: DesiredJob, seen: Look, memory: Memory, eyes: Eyes) -> Look:
    """What Nomad made of our last write, to be remembered whole; not taken for ours where somebody wrote since."""
    live = eyes.nomad.job(wanted.key)
    if live is None:
        return _at_nothing(wanted, memory)
    unchanged = live.index == memory.prior  # Nomad itself found our body to be no change
    if unchanged or (live.index, live.version) == (memory.index, memory.version):
        return replace(seen, same=True, live=live)
    return _compare(wanted, seen, memory, eyes)


def _compare(wanted: DesiredJob, seen: Look, memory: Memory, eyes: Eyes) -> Look:
    """Evidence (2) to (4)."""
    assert seen.stub is not None
    live = eyes.nomad.job(wanted.key)
    if live is None:
        return _at_nothing(wanted, memory)
    seen = replace(seen, live=live)
    same_job = memory.known and memory.create_index == live.create_index
    if same_job and not seen.spec_changed and memory.lens == lens(wanted.policy):
        remembered = None if memory.unread else eyes.canonical()
        if remembered is not None:
            changes = normalize.drifted(remembered, live.body, wanted.policy)
            return replace(seen, same=True) if not changes else _differs(wanted, seen, memory, eyes, changes)
    if not (same_job and seen.spec_changed and memory.index == live.index):
        written = _last_write(live, eyes, deep=not memory.known)
        if written is not None and written.version == live.version and written.digest == seal(wanted) and not live.stop:
            return replace(seen, same=True)  # our own stop carries the digest on, and is not what is wanted
        if not memory.known:
            seen = replace(seen, spec_changed=written is not None and sealed(written) != wanted.digest)
    if wanted.policy.drift is Drift.OFF and seen.ours and not seen.spec_changed:
        return replace(seen, same=True)
    if seen.spec_changed and same_job:
        return _differs(wanted, seen, memory, eyes, ())
    return _in_full(wanted, seen, memory, eyes)


_DEPTH = 6
"""So many versions of a job does Nomad keep by default."""


def _last_write(live: LiveJob, eyes: Eyes, *, deep: bool) -> Provenance | None:
    """What stands beside the newest version that is ours: the live one, or with *deep* one before it.

    Only a provenance that names its own version is believed: others are inherited from version 0 (design §1.2).
    """
    oldest = max(0, live.version - _DEPTH) if deep else live.version
    for version in range(live.version, oldest - 1, -1):
        found = eyes.nomad.provenance(live.key, version)
        if found is not None and found.version == version and found.fleet == eyes.fleet:
            return found
    return None


def sealed(provenance: Provenance) -> str:
    """The digest without its lens."""
    return provenance.digest.partition(".")[0]


def _in_full(wanted: DesiredJob, seen: Look, memory: Memory, eyes: Eyes) -> Look:
    """Evidence (4): the plan's fields, and the comparison that sees what a plan hides."""
    assert seen.live is not None
    live = seen.live.body
    seen = _forecast(wanted, seen, eyes, stamp=_keeps_stamp(seen, memory))
    assert seen.forecast is not None
    assert seen.body is not None
    changes = words.changes(seen.forecast.diff) or agree.mismatches(seen.body, live, wanted.policy)
    if not changes:
        return replace(seen, same=True)
    if not seen.ours and wanted.policy.adopt is Adopt.IF_EQUAL:
        return replace(
            seen, adoptable=False, changes=changes, owner="nobody that Herdsman knows, and is not equal to its spec"
        )
    return _unless_reverted(wanted, replace(seen, changes=changes), memory, eyes)


def _differs(wanted: DesiredJob, seen: Look, memory: Memory, eyes: Eyes, changes: tuple[FieldChange, ...]) -> Look:
    """A difference is certain: add the plan's words and blast radius, and whether Nomad itself made it."""
    seen = _forecast(wanted, seen, eyes, stamp=_keeps_stamp(seen, memory))
    assert seen.forecast is not None
    return _unless_reverted(wanted, replace(seen, changes=words.changes(seen.forecast.diff) or changes), memory, eyes)


def _keeps_stamp(seen: Look, memory: Memory) -> bool:
    """Whether the stamp belongs into the job: adopting one that has none must not add it alone."""
    assert seen.stub is not None
    return bool(seen.stub.stamp) or (seen.ours and not memory.adopted)


def _forecast(wanted: DesiredJob, seen: Look, eyes: Eyes, *, stamp: bool) -> Look:
    """Ask Nomad what registering would do. Where allocations are replaced anyway, the stamp may come along."""
    assert seen.live is not None
    plain = normalize.spliced(eyes.body(wanted), seen.live.body, wanted.policy)
    body = normalize.stamped(plain, eyes.fleet) if stamp else plain
    forecast = eyes.nomad.plan(wanted.key, body)
    if forecast.index != seen.live.index:
        raise Conflict(f"{wanted.key} changed while it was looked at")
    if not stamp and forecast.destructive:
        body = normalize.stamped(plain, eyes.fleet)
        forecast = eyes.nomad.plan(wanted.key, body)
    return replace(seen, body=body, forecast=forecast)


def _unless_reverted(wanted: DesiredJob, seen: Look, memory: Memory, eyes: Eyes) -> Look:
    """Whether the difference is Nomad's own auto_revert of this very digest (design §1.11)."""
    assert seen.live is not None
    if memory.reverted == wanted.digest:
        return replace(seen, reverted=REVERTED)
    version = _written_version(wanted, seen.live, memory, eyes)
    if version is None or seen.live.version <= version:
        return seen
    failed = reverted_by_nomad(
        eyes.nomad.deployments(wanted.key), live_version=seen.live.version, written_version=version
    )
    return seen if failed is None else replace(seen, reverted=f"{REVERTED}: version {version}: {failed.description}")


def _written_version(wanted: DesiredJob, live: LiveJob, memory: Memory, eyes: Eyes) -> int | None:
    """The version with which this very digest was written last, None where it never was or another came after it."""
    if memory.known:
        return memory.version if memory.digest == wanted.digest else None
    if live.version == 0:
        return None
    written = _last_write(live, eyes, deep=True)
    return written.version if written is not None and sealed(written) == wanted.digest else None


REVERTED = "Nomad reverted this spec after a failed deployment; it is not tried again until it changes or is approved"
