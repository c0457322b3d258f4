"""One Nomad variable, one look: the same table and the same proof as for jobs; several may keep items in one variable.

A variable has no metadata, so one item of it says whose it is and which of its items are ours. All other items belong
to others: they are written back as they were read, by compare-and-set, and a variable is only removed with its last
item. Values are compared here and told nowhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from herdsman.apply import apply
from herdsman.core.decide import Facts, decide
from herdsman.core.redact import CHANGED, MASK
from herdsman.core.words import sentence
from herdsman.errors import NomadError
from herdsman.looking import Ports, approves, failed, with_wishes
from herdsman.model.desired import Adopt, DesiredVariable, Drift, Prune, Wanted
from herdsman.model.keys import Key
from herdsman.model.memory import Memory
from herdsman.model.observed import STAMP, FieldChange, Registered, VariableItems
from herdsman.model.plans import Action, DeleteVariable, Plan, PutVariable, Reason, Step
from herdsman.model.scene import Scene
from herdsman.model.statuses import Health, Outcome, Truth
from herdsman.ports import NomadReader

NO_ITEMS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class VariableLook:
    """What one look at a variable found. *items* are those that it should have, and *left* those of others."""

    live: VariableItems | None  # None where it was not read, because nothing can have changed
    exists: bool
    ours: bool = False
    owner: str = ""
    adoptable: bool = False
    same: bool = False
    items: Mapping[str, str] = field(default_factory=dict, repr=False)
    left: Mapping[str, str] = field(default_factory=dict, repr=False)
    changes: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class VariablePlan:
    """A plan with what it stands on."""

    plan: Plan
    look: VariableLook


def reconcile(key: Key, *, scene: Scene, index: int | None, ports: Ports) -> Outcome:
    """Look at the variable *key*, listed at *index*, and do what is due."""
    wanted, planned = scene.wanted(key), None
    try:
        planned = _look_at(key, scene=scene, index=index, ports=ports)
        registered = apply(planned.plan, ports.nomad)
    except NomadError as error:
        return failed(key, error, wanted=wanted, plan=planned.plan if planned is not None else None)
    return _settle(planned, wanted, registered, ports)


def consider(key: Key, *, scene: Scene, index: int | None, ports: Ports) -> Plan:
    """The plan for the variable *key*, carried out by nobody yet."""
    return _look_at(key, scene=scene, index=index, ports=ports).plan


def _look_at(key: Key, *, scene: Scene, index: int | None, ports: Ports) -> VariablePlan:
    wanted, memory = scene.wanted(key), ports.store.memory(key)
    wanted = wanted if isinstance(wanted, DesiredVariable) else None
    suspended = (wanted.policy.suspend if wanted is not None else memory.suspend) or ports.store.is_suspended(key)
    if suspended or scene.claimed:
        seen = VariableLook(None, exists=bool(index) or memory.owned, ours=memory.owned)
    else:
        seen = look(
            key,
            wanted,
            index=index,
            memory=memory,
            nomad=ports.nomad,
            fleet=scene.desired.fleet.name,
            secret=ports.secret,
        )
    approved = approves(ports.store.approval(key), scene.desired.wanted.get(key))
    plan = _planned(key, scene=scene, seen=seen, memory=memory, suspended=suspended, approved=approved)
    return VariablePlan(plan, seen)


def _settle(planned: VariablePlan, wanted: Wanted | None, registered: Registered | None, ports: Ports) -> Outcome:
    plan, seen = planned.plan, planned.look
    key, decision, memory = plan.key, plan.decision, ports.store.memory(plan.key)
    if plan.steps:
        ports.store.approve(key, None)
    if decision.action is Action.PURGE:
        ports.store.forget(key)
    elif isinstance(wanted, DesiredVariable) and decision.action is not Action.HOLD:
        after = with_wishes(replace(memory, attached=wanted.attached), wanted)
        if registered is not None or seen.live is not None:
            after = replace(
                after,
                digest=wanted.digest,
                index=registered.index if registered is not None else seen.live.index if seen.live else 0,
                create_index=_created(seen, registered),
                owned=True,
                keys=tuple(sorted(wanted.items.keys() | wanted.generate.keys())),
            )
        if after != memory:
            ports.store.remember(key, after)
    return Outcome(
        key,
        decision.action,
        decision.reason,
        decision.message,
        wrote=bool(plan.steps),
        drift=bool(plan.changes) and wanted is not None and memory.digest == wanted.digest,
        digest=wanted.digest if wanted is not None else "",
        health=None if wanted is None or decision.action is Action.HOLD else Health(Truth.TRUE, Reason.HEALTHY),
        changes=tuple(sentence(c) for c in plan.changes),
    )


def _created(seen: VariableLook, registered: Registered | None) -> int:
    if seen.live is not None and seen.live.index:
        return seen.live.create_index
    return registered.index if registered is not None else 0


def stamp(fleet: str, names: Mapping[str, object]) -> str:
    """The text of the item that says whose a variable is, and which items are its: `default: password user`."""
    return f"{fleet}: {' '.join(sorted(names))}"


def look(
    key: Key,
    wanted: DesiredVariable | None,
    *,
    index: int | None,
    memory: Memory,
    nomad: NomadReader,
    fleet: str,
    secret: Callable[[int], str],
) -> VariableLook:
    """Compare what a variable should hold with what it holds. *index* is as it was listed, None where unknown."""
    if wanted is not None and memory.known and memory.digest == wanted.digest and index and index == memory.index:
        return VariableLook(None, exists=True, ours=True, same=True)
    live = nomad.variable(key.name, namespace=key.namespace)
    if not live.index:
        items = _wished(wanted, NO_ITEMS, NO_ITEMS, fleet, secret)
        return VariableLook(live, exists=False, items=items)
    holder, _, names = live.items.get(STAMP, "").partition(":")
    recorded = memory.owned and memory.create_index == live.create_index
    mine = set(names.split()) if holder == fleet else set(memory.keys) if recorded else set()
    left = {name: text for name, text in live.items.items() if name not in mine and name != STAMP}
    ours = holder == fleet or (not holder and recorded)
    items = _wished(wanted, live.items, left, fleet, secret)
    found = VariableLook(live, exists=True, ours=ours, items=items, left=left, changes=_changes(live.items, items))
    if ours or wanted is None:
        return replace(found, same=not found.changes, owner=f"the fleet {holder or fleet}")
    return replace(found, same=False, owner=_whose(holder), adoptable=not holder and _adoptable(wanted, left, items))


def _wished(
    wanted: DesiredVariable | None,
    live: Mapping[str, str],
    left: Mapping[str, str],
    fleet: str,
    secret: Callable[[int], str],
) -> dict[str, str]:
    """All items that the variable should have. A generated secret that it has already is left as it is."""
    if wanted is None:
        return dict(left)
    made = {name: live.get(name) or secret(length) for name, length in wanted.generate.items()}
    ours = {**wanted.items, **made}
    return {**left, **ours, STAMP: stamp(fleet, ours)}


def _changes(live: Mapping[str, str], items: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """Which items differ; of their values nothing."""
    return tuple(
        FieldChange(
            f"Items[{name}]",
            MASK if name in live else "",
            "" if name not in items else CHANGED if name in live else MASK,
        )
        for name in sorted(live.keys() | items.keys())
        if live.get(name) != items.get(name)
    )


def _whose(holder: str) -> str:
    return f"the fleet {holder}" if holder else "nobody that Herdsman knows; to take its items over, set policy.adopt"


def _adoptable(wanted: DesiredVariable, left: Mapping[str, str], items: Mapping[str, str]) -> bool:
    """Whether nothing of others is touched, or the policy says that it may be."""
    shared = left.keys() & (wanted.items.keys() | wanted.generate.keys())
    if not shared or wanted.policy.adopt is Adopt.ALWAYS:
        return True
    return wanted.policy.adopt is Adopt.IF_EQUAL and all(left[name] == items[name] for name in shared)


def _planned(key: Key, *, scene: Scene, seen: VariableLook, memory: Memory, suspended: bool, approved: bool) -> Plan:
    """The plan for the variable *key*."""
    wanted = scene.wanted(key)
    wanted = wanted if isinstance(wanted, DesiredVariable) else None
    policy = wanted.policy if wanted is not None else scene.desired.fleet.policy
    prune = policy.prune if wanted is not None else memory.prune or policy.prune
    rejection = scene.desired.frozen.get(key)
    changed = wanted is not None and memory.digest != wanted.digest
    ignored = policy.drift is Drift.OFF and seen.ours and not changed
    decision = decide(
        Facts(
            wanted=wanted is not None,
            frozen=f"{rejection}; the live variable stays as it is" if rejection is not None else "",
            suspended=suspended,
            warn_only=policy.drift is not Drift.ENFORCE,
            keep=prune is not Prune.PURGE and not scene.expired,
            expired=scene.expired,
            live=seen.exists,
            ours=seen.ours,
            same=seen.same or ignored,
            spec_changed=changed,
            owner=seen.owner,
            claimed=scene.claimed,
            dependency=scene.dependency,
            circuit="" if approved else scene.circuit,
            refused=scene.refused,
            unread=scene.unread,
            limited="" if approved else scene.limited,
            dependents=scene.dependents,
            adoptable=seen.adoptable,
        )
    )
    return Plan(key, decision, _steps(decision.action, key, seen), seen.changes)


def _steps(action: Action, key: Key, seen: VariableLook) -> tuple[Step, ...]:
    if action not in (Action.CREATE, Action.UPDATE, Action.PURGE):
        return ()
    assert seen.live is not None
    if action is Action.PURGE and not seen.left:
        return (DeleteVariable(key, seen.live.index),)
    return (PutVariable(key, seen.items, seen.live.index),)
