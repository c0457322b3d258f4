"""One key, one look: observe, decide, plan, apply, report. Everything that may fail is in `ports`, everything that is
decided is in `core`; what comes out is an `Outcome`, never an exception of the far side.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import orjson

from herdsman.apply import apply
from herdsman.core import normalize, windows
from herdsman.core.decide import Facts, decide
from herdsman.core.health import judge, questions
from herdsman.core.ownership import owner_of
from herdsman.core.plan import job_plan
from herdsman.core.quota import demand_of
from herdsman.core.words import blast_radius, sentence
from herdsman.errors import Conflict, NomadError, Refused
from herdsman.looking import Ports, approves, failed, with_wishes
from herdsman.model.desired import (
    NO_POLICY,
    DesiredJob,
    Destructive,
    Drift,
    Policy,
    Prune,
    Stopped,
)
from herdsman.model.keys import Key
from herdsman.model.memory import Memory
from herdsman.model.observed import STAMP, Body, JobStub, LiveJob, Provenance, Registered
from herdsman.model.plans import Action, Pin, Plan, Reason, Register
from herdsman.model.quotas import ONE
from herdsman.model.scene import Scene
from herdsman.model.statuses import ConditionType, Health, Outcome, Truth
from herdsman.observe import Eyes, Look, glance, lens, look, seal, sealed


@dataclass(frozen=True, slots=True)
class Seen:
    """A plan with what it stands on."""

    plan: Plan
    look: Look
    memory: Memory
    wanted: DesiredJob | None


def reconcile_job(key: Key, *, scene: Scene, stub: JobStub | None, ports: Ports) -> Outcome:
    """Look at the job *key*, listed as *stub*, and do what is due."""
    wanted, plan = scene.wanted(key), None
    try:
        seen = consider(key, scene=scene, stub=stub, ports=ports)
        plan = seen.plan
        registered = apply(plan, ports.nomad)
        plan = None
        return _settle(seen, registered, ports)
    except NomadError as error:
        return failed(key, error, wanted=wanted, plan=plan)


def consider(key: Key, *, scene: Scene, stub: JobStub | None, ports: Ports, preview: bool = False) -> Seen:
    """The plan for *key*, carried out by nobody yet. With *preview*, Nomad is asked for words about creates too."""
    wanted = scene.wanted(key)
    wanted = wanted if isinstance(wanted, DesiredJob) else None
    fleet = scene.desired.fleet.name
    memory = _recalled(key, wanted, stub, fleet, ports)
    if wanted is not None and memory.rested and not wanted.stopped:
        wanted = replace(wanted, policy=replace(wanted.policy, stopped=Stopped.REVERT))
    blind = _suspended(key, wanted, memory, ports) or bool(scene.claimed or scene.refused)
    blind = blind or (wanted is not None and wanted.stopped)
    eyes = Eyes(ports.nomad, ports.body, lambda: ports.store.canonical(key), fleet)
    seen = _unlooked(wanted, stub, memory, fleet) if blind else look(wanted, stub, memory, eyes)
    facts = _facts(key, wanted, seen, memory, scene, ports)
    decision = decide(facts)
    live, body, forecast = seen.live, seen.body, seen.forecast
    if decision.action is Action.CREATE and wanted is not None:
        body = normalize.stamped(ports.body(wanted), fleet)
        forecast = ports.nomad.plan(key, body) if preview else None
    if decision.action in (Action.STOP, Action.PURGE):
        live = _proven(key, stub, memory, fleet, ports)
    if decision.reason is Reason.ROLLED_BACK and decision.writes:
        assert wanted is not None
        return _rolling_back(Seen(Plan(key, decision), seen, memory, wanted), fleet, ports)
    plan = job_plan(
        key,
        decision,
        wanted=wanted,
        live=live,
        body=body,
        forecast=forecast,
        changes=seen.changes,
        fleet=fleet,
        seal=seal(wanted) if wanted else "",
    )
    return Seen(plan, replace(seen, live=live), memory, wanted)


def _rolling_back(seen: Seen, fleet: str, ports: Ports) -> Seen:
    """The plan that makes a job what an earlier version was; with that version's provenance, because it is that again.

    Raises `Refused` where Nomad has forgotten the version.
    """
    key, wanted = seen.plan.key, seen.wanted
    pin = ports.store.pin(key)
    assert wanted is not None
    assert pin is not None
    live = ports.nomad.job(key)
    earlier = next((v for v in ports.nomad.versions(key) if v.version == pin.version), None)
    if live is None or earlier is None:
        raise Refused(
            f"Nomad does not remember version {pin.version} of {key} any more",
            hint="roll the spec in Git back, or approve what Git says now",
        )
    before = ports.nomad.provenance(key, pin.version)
    if before is None or before.version != pin.version:  # somebody else made that version
        before = Provenance(fleet=fleet, digest=_FOREIGN, version=pin.version)
    provenance = replace(before, version=live.version + 1)
    source = orjson.dumps(earlier.body, option=orjson.OPT_SORT_KEYS).decode()
    step = Register(key, {**earlier.body, "Stop": False}, live.index, provenance, source)
    changes = normalize.drifted(live.body, earlier.body, wanted.policy)
    return replace(seen, plan=replace(seen.plan, steps=(step,), changes=changes), look=replace(seen.look, live=live))


_FOREIGN = "none"
"""The digest of a version that no spec of ours asked for."""


def _recalled(key: Key, wanted: DesiredJob | None, stub: JobStub | None, fleet: str, ports: Ports) -> Memory:
    """What is remembered. Of a job that is wanted no more, Nomad may know what the store has lost: how to remove it."""
    memory = ports.store.memory(key)
    if wanted is not None or stub is None or memory.prune is not None or stub.stamp != fleet:
        return memory
    live = ports.nomad.job(key)
    provenance = ports.nomad.provenance(key, live.version) if live is not None else None
    if provenance is None:
        return memory
    known = provenance.prune in [p.value for p in Prune]
    return replace(memory, path=provenance.path, prune=Prune(provenance.prune) if known else None)


def _unlooked(wanted: DesiredJob | None, stub: JobStub | None, memory: Memory, fleet: str) -> Look:
    """What is known without asking of a job that must not be touched."""
    if stub is None:
        return Look(None, spec_changed=wanted is not None and memory.digest != wanted.digest)
    return glance(wanted, stub, memory, fleet)


def _proven(key: Key, stub: JobStub | None, memory: Memory, fleet: str, ports: Ports) -> LiveJob:
    """The job that is about to go, read once more: a removal is never decided on a list alone."""
    live = ports.nomad.job(key)
    if live is None or stub is None or live.index != stub.index:
        raise Conflict(f"{key} changed while it was looked at")
    parent = str(live.body.get("ParentID") or "")
    if not owner_of(stamp=live.stamp, create_index=live.create_index, parent=parent, memory=memory, fleet=fleet).ours:
        raise Conflict(f"{key} is not this fleet's any more")
    return live


def _suspended(key: Key, wanted: DesiredJob | None, memory: Memory, ports: Ports) -> bool:
    by_spec = wanted.policy.suspend if wanted is not None else memory.suspend
    return by_spec or ports.store.is_suspended(key)


def _facts(key: Key, wanted: DesiredJob | None, seen: Look, memory: Memory, scene: Scene, ports: Ports) -> Facts:
    policy = wanted.policy if wanted is not None else _last_wishes(memory, scene)
    approval = ports.store.approval(key)
    approved = approves(approval, scene.desired.wanted.get(key))
    pin = None if approved else _pinned(key, wanted, ports)
    rejection = scene.desired.frozen.get(key)
    unapproved, closed = ("", "") if approved else _forbidden(policy, seen, scene, ports)
    return Facts(
        wanted=wanted is not None,
        frozen=f"{rejection}; the live job stays as it is" if rejection is not None else "",
        suspended=_suspended(key, wanted, memory, ports),
        warn_only=policy.drift is Drift.WARN,
        keep=policy.prune is Prune.KEEP and not scene.expired,
        stop_only=policy.prune is Prune.STOP and not scene.expired,
        halt=wanted is not None and wanted.stopped,
        expired=scene.expired,
        live=seen.stub is not None,
        ours=seen.ours,
        stopped=seen.stub is not None and seen.stub.stop,
        halted=seen.halted,
        finished=seen.finished,
        same=seen.stub.stop if wanted is not None and wanted.stopped and seen.stub is not None else seen.same,
        spec_changed=seen.spec_changed,
        owner=seen.owner,
        claimed=scene.claimed,
        reverted="" if approved else seen.reverted,
        rolled_back=_rollback(pin) if pin is not None else "",
        rollback_due=pin is not None and not pin.done,
        over_quota=scene.over_quota if scene.over_quota and _grows(wanted, seen, memory, ports) else "",
        dependency=scene.dependency,
        circuit="" if approved else scene.circuit,
        refused=scene.refused,
        unapproved=unapproved,
        closed=closed,
        unread=scene.unread,
        limited="" if approved else scene.limited,
        dependents=scene.dependents,
        adoptable=seen.adoptable,
    )


def _pinned(key: Key, wanted: DesiredJob | None, ports: Ports) -> Pin | None:
    """A person's rollback, where it is of the spec as it still stands."""
    pin = ports.store.pin(key)
    return pin if pin is not None and wanted is not None and pin.digest == wanted.digest else None


def _rollback(pin: Pin) -> str:
    by = f" by {pin.by}" if pin.by else ""
    return f"rolled back to version {pin.version}{by}; held until its spec changes or is approved"


def _grows(wanted: DesiredJob | None, seen: Look, memory: Memory, ports: Ports) -> bool:
    """Whether a write would take more than the job has now: what runs is not stopped for a quota, nor kept from
    changes that ask for nothing."""
    if seen.stub is None or seen.stub.stop or wanted is None or memory.ended:
        return True
    has = demand_of(seen.live.body) if seen.live is not None else memory.demand or ONE
    asks = demand_of(ports.body(wanted))
    return asks.most(has) != has


def _last_wishes(memory: Memory, scene: Scene) -> Policy:
    """The policy of a job whose spec is gone: as its spec last said, else as the fleet says."""
    default = scene.desired.fleet.policy
    return default if memory.prune is None else replace(default, prune=memory.prune)


def _forbidden(policy: Policy, seen: Look, scene: Scene, ports: Ports) -> tuple[str, str]:
    """Why a destructive update may not run now: it wants approval, or its window is closed."""
    if seen.forecast is None or not seen.forecast.destructive or policy.destructive is Destructive.ALLOW:
        return "", ""
    radius = blast_radius(seen.forecast.updates)
    if policy.destructive is Destructive.APPROVE:
        return f"replaces allocations ({radius}); waits for approval", ""
    now = ports.clock.now()
    if windows.is_open(scene.desired.fleet.windows, now):
        return "", ""
    opening = windows.next_opening(scene.desired.fleet.windows, now)
    when = f"opens {opening.isoformat(timespec='minutes')}" if opening else "the Fleet declares none that is open"
    return "", f"replaces allocations ({radius}); waits for its window: {when}"


def _settle(seen: Seen, registered: Registered | None, ports: Ports) -> Outcome:
    """After the write: read back what Nomad made of it, remember it, and say what came of it."""
    decision, key = seen.plan.decision, seen.plan.key
    wrote = decision.writes and bool(seen.plan.steps)
    if wrote:
        ports.store.approve(key, None)
        pin = ports.store.pin(key) if decision.reason is Reason.ROLLED_BACK else None
        ports.store.put_pin(key, None if pin is None else replace(pin, done=True))
    memory = _remember(seen, registered, ports)
    health = _health(seen, memory, wrote, ports)
    if health is not None and (health.settled != memory.settled or health.completed):
        memory = replace(
            memory,
            settled=max(health.settled, memory.settled),
            completed=memory.digest if health.completed else memory.completed,
        )
    if memory != ports.store.memory(key) and decision.action is not Action.PURGE:
        ports.store.remember(key, memory)
    return Outcome(
        key,
        decision.action,
        decision.reason,
        _message(seen.plan),
        wrote=wrote,
        drift=_is_drift(seen),
        digest=seen.wanted.digest if seen.wanted else "",
        version=memory.version if memory.known or memory.index else None,
        health=health,
        changes=tuple(sentence(c) for c in seen.plan.changes),
    )


def _message(plan: Plan) -> str:
    radius = blast_radius(plan.updates or {})
    return f"{plan.decision.message} ({radius})" if radius and plan.decision.writes else plan.decision.message


def _is_drift(seen: Seen) -> bool:
    """Whether somebody else made the difference."""
    wanted, look_ = seen.wanted, seen.look
    if wanted is None or look_.same or look_.spec_changed or not seen.memory.known:
        return False
    return seen.plan.decision.writes or seen.plan.decision.reason in (Reason.DRIFTED, Reason.CIRCUIT_OPEN)


def _remember(seen: Seen, registered: Registered | None, ports: Ports) -> Memory:
    """The evidence after this look."""
    key, wanted, decision = seen.plan.key, seen.wanted, seen.plan.decision
    if decision.action is Action.PURGE:
        ports.store.forget(key)
        return Memory()
    if wanted is None:
        return seen.memory
    memory = with_wishes(seen.memory, wanted)
    if decision.reason is Reason.REVERTED_BY_NOMAD:
        return replace(memory, reverted=wanted.digest)
    if decision.action in (Action.CREATE, Action.UPDATE):
        return _as_written(seen, memory, wanted, registered, ports)
    if decision.action is Action.STOP:
        return _as_stopped(seen, memory, wanted, registered)
    if wanted.stopped and decision.reason is Reason.STOPPED:
        return replace(memory, digest=wanted.digest, rested=True)
    if decision.action is Action.ADOPT or (decision.reason is Reason.IN_SYNC and seen.look.live is not None):
        live = seen.look.live
        assert live is not None
        unread = not seen.memory.known or seen.memory.unread or seen.memory.digest != wanted.digest
        memory = _as_found(memory, wanted, live)
        if unread or decision.action is Action.ADOPT:
            ports.store.remember(key, memory, normalize.canonical(live.body))
    return memory


def _as_found(memory: Memory, wanted: DesiredJob, live: LiveJob) -> Memory:
    return replace(
        memory,
        digest=wanted.digest,
        **_ordered(wanted, live.body),
        lens=lens(wanted.policy),
        index=live.index,
        create_index=live.create_index,
        version=live.version,
        count=normalize.allocations_wanted(live.body),
        deploys=normalize.deploys(live.body),
        unread=False,
        prior=-1,
        halted=wanted.digest if live.stop else "",
        rested=False,
        owned=True,
        adopted=memory.adopted or not live.stamp,
        settled=memory.settled if memory.create_index == live.create_index else -1,
    )


def _as_written(seen: Seen, memory: Memory, wanted: DesiredJob, registered: Registered | None, ports: Ports) -> Memory:
    """The evidence right after a write. What Nomad made of it is read back at the next look, before anything is judged
    by it: writes go first where many are due."""
    step = next(s for s in seen.plan.steps if isinstance(s, Register))
    assert registered is not None
    live = seen.look.live
    return replace(
        memory,
        digest=sealed(step.provenance),  # after a rollback, that of the spec as it was
        **_ordered(wanted, step.body),
        lens=lens(wanted.policy),
        index=registered.index,
        create_index=live.create_index if live is not None else registered.index,
        version=step.provenance.version,
        unread=True,
        prior=step.if_index or -1,
        owned=True,
        adopted=STAMP not in (step.body.get("Meta") or {}),
        settled=memory.settled if live is not None else -1,
        reverted="",
        completed="",
        halted="",
        rested=False,
        written=ports.clock.now().timestamp(),
    )


def _ordered(wanted: DesiredJob, body: Body) -> dict[str, Any]:
    """What is kept of a job that somebody ordered from the catalog."""
    return {} if wanted.order is None else {"demand": demand_of(body), "template": wanted.order.template}


def _as_stopped(seen: Seen, memory: Memory, wanted: DesiredJob, registered: Registered | None) -> Memory:
    """Stopped as its spec says: to run again is then a change of its spec, not drift."""
    live = seen.look.live
    assert live is not None
    index, version = (registered.index, live.version + 1) if registered is not None else (live.index, live.version)
    return replace(
        memory,
        digest=wanted.digest,
        index=index,
        create_index=live.create_index,
        version=version,
        unread=True,
        owned=True,
        rested=True,
    )


def _health(seen: Seen, memory: Memory, wrote: bool, ports: Ports) -> Health | None:
    """How the live job does; None where there is none of ours."""
    if wrote and seen.plan.decision.action in (Action.CREATE, Action.UPDATE):
        return Health(Truth.UNKNOWN, Reason.PROGRESSING, "just written")
    stub = seen.look.stub
    if seen.wanted is not None and seen.wanted.stopped and seen.plan.decision.reason is Reason.STOPPED:
        return Health(Truth.TRUE, Reason.STOPPED, seen.plan.decision.message)
    if seen.plan.decision.reason in (Reason.COMPLETED, Reason.STOPPED):
        return None  # as it was when Nomad still knew it
    if stub is None and seen.plan.decision.reason is Reason.SUSPENDED and seen.wanted is not None:
        return Health(Truth.FALSE, Reason.MISSING, "not there, and not created while it is suspended")
    if stub is None or not (seen.look.ours or seen.plan.decision.action is Action.ADOPT):
        return None
    asked, key, nomad = questions(stub, memory), seen.plan.key, ports.nomad
    patience = seen.wanted.policy.health_timeout if seen.wanted else NO_POLICY.health_timeout
    return judge(
        stub,
        memory,
        deployments=nomad.deployments(key) if asked.deployments else (),
        evaluations=nomad.evaluations(key) if asked.evaluations else (),
        allocations=nomad.allocations(key) if asked.allocations else (),
        written=ports.clock.now().timestamp() - memory.written if memory.written else math.inf,
        waited=_waited(key, memory, ports),
        timeout=patience,
    )


def _waited(key: Key, memory: Memory, ports: Ports) -> float:
    """How long the job has not been healthy, or how long ago it was written, whichever is shorter, in s."""
    status, now = ports.store.status(key), ports.clock.now().timestamp()
    before = status.condition(ConditionType.HEALTHY) if status is not None else None
    if before is None:
        return max(0.0, now - memory.written) if memory.written else 0.0  # nobody knows: be patient from now on
    if before.reason is Reason.HEALTH_TIMEOUT and before.since >= memory.written:
        return math.inf  # patience ended already
    ill_since = now if before.status is Truth.TRUE else before.since
    return max(0.0, now - max(memory.written, ill_since))
