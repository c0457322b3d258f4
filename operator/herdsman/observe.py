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
from herdsman.errors import Conflict
from herdsman.model.desired import NO_POLICY, Adopt, DesiredJob, Drift, Policy, Rerun
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
    ours, owner = ownership(stub, memory, eyes.fleet)
    if wanted is None or stub.is_child:
        return Look(stub, ours and not stub.is_child, owner)
    adoptable = not ours and not stub.stamp and wanted.policy.adopt is not Adopt.NEVER
    if not ours and not adoptable:
        return Look(stub, ours, owner)
    seen = Look(stub, ours, owner, adoptable, spec_changed=memory.known and memory.digest != wanted.digest)
    if ours and _as_remembered(wanted, stub, memory):
        return _read_back(wanted, seen, memory, eyes) if memory.unread else replace(seen, same=True)
    return _compare(wanted, seen, memory, eyes)


def _at_nothing(wanted: DesiredJob | None, memory: Memory) -> Look:
    if wanted is None:
        return Look(None)
    finished = bool(memory.completed) and memory.completed == wanted.digest and wanted.policy.rerun is Rerun.CHANGE
    return Look(None, finished=finished, spec_changed=memory.digest != wanted.digest)


def ownership(stub: JobStub, memory: Memory, fleet: str) -> tuple[bool, str]:
    """Whether a live job is ours, and whose it is: the stamp says so, or our record of the very same job."""
    if stub.is_child:
        return False, f"the job {stub.parent_id}, which launched it"
    if stub.stamp:
        return stub.stamp == fleet, f"the fleet {stub.stamp}"
    if memory.owned and memory.create_index == stub.create_index:
        return True, f"the fleet {fleet}"
    return False, "nobody that Herdsman knows"


def _as_remembered(wanted: DesiredJob, stub: JobStub, memory: Memory) -> bool:
    """Evidence (1), which costs no call."""
    if memory.digest != wanted.digest or memory.lens != lens(wanted.policy) or memory.create_index != stub.create_index:
        return False
    return memory.index == stub.index or wanted.policy.drift is Drift.OFF


def _read_back(wanted: DesiredJob, seen: Look, memory: Memory, eyes: Eyes) -> Look:
    """What Nomad made of our last write, to be remembered whole; not taken for ours where somebody wrote since."""
    live = eyes.nomad.job(wanted.key)
    if live is None:
        return _at_nothing(wanted, memory)
    if (live.index, live.version) != (memory.index, memory.version):
        return _compare(wanted, seen, memory, eyes)
    return replace(seen, same=True, live=live)


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
        provenance = eyes.nomad.provenance(wanted.key, live.version)
        genuine = provenance is not None and _genuine(provenance, live, eyes.fleet)
        if genuine and provenance is not None and provenance.digest == seal(wanted) and not live.stop:
            return replace(seen, same=True)  # our own stop carries the digest on, and is not what is wanted
        if not memory.known:
            seen = replace(seen, spec_changed=_git_moved(provenance, wanted))
    if seen.spec_changed and same_job:
        return _differs(wanted, seen, memory, eyes, ())
    return _in_full(wanted, seen, memory, eyes)


def _genuine(provenance: Provenance, live: LiveJob, fleet: str) -> bool:
    """Whether what stands beside the live version was written with it (design §1.2)."""
    return provenance.version == live.version and provenance.fleet == fleet


def _git_moved(provenance: Provenance | None, wanted: DesiredJob) -> bool:
    """With nothing remembered: whether Git, and not somebody else, is known to have changed the job."""
    return provenance is not None and provenance.digest.partition(".")[0] not in ("", wanted.digest)


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
        return replace(seen, adoptable=False, changes=changes, owner=f"{seen.owner} and is not equal to the spec")
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
    if memory.known and (memory.digest != wanted.digest or seen.live.version <= memory.version):
        return seen
    if seen.live.version == 0 or not normalize.deploys(seen.live.body):
        return seen
    for failed in eyes.nomad.deployments(wanted.key):
        if reverted_by_nomad([failed], live_version=seen.live.version, written_version=failed.version):
            provenance = eyes.nomad.provenance(wanted.key, failed.version)
            if provenance is None or provenance.version != failed.version:
                continue
            if provenance.digest.partition(".")[0] == wanted.digest:
                return replace(seen, reverted=f"{REVERTED}: version {failed.version}: {failed.description}")
    return seen


REVERTED = "Nomad reverted this spec after a failed deployment; it is not tried again until it changes or is approved"
