"""One Nomad namespace, one look: the same table and the same proof as for jobs, with less to observe.

Nomad keeps no index to write a namespace by and deletes one whose jobs have ended, so both are guarded here: a write
reads the namespace first and keeps all that it does not declare, a removal waits until nothing lives in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from herdsman.apply import apply
from herdsman.core.decide import Facts, decide
from herdsman.core.normalize import differences
from herdsman.core.words import sentence
from herdsman.errors import Conflict, NomadError
from herdsman.looking import Ports, approves, failed, with_wishes
from herdsman.model.desired import Adopt, DesiredNamespace, Drift, Prune, Wanted
from herdsman.model.keys import Key
from herdsman.model.memory import Memory
from herdsman.model.observed import STAMP, FieldChange, LiveNamespace
from herdsman.model.plans import Action, DeleteNamespace, Plan, PutNamespace, Reason, Step
from herdsman.model.scene import Scene
from herdsman.model.statuses import Health, Outcome, Truth
from herdsman.ports import NomadReader


@dataclass(frozen=True, slots=True)
class NamespaceLook:
    """What one look at a namespace found. *changes* lead from the live one to the wanted one."""

    live: LiveNamespace | None
    ours: bool
    adoptable: bool
    changes: tuple[FieldChange, ...]


def reconcile(key: Key, *, scene: Scene, live: LiveNamespace | None, ports: Ports) -> Outcome:
    """Look at the namespace *key*, listed as *live*, and do what is due."""
    wanted, plan = scene.desired.wanted.get(key), None
    try:
        plan = consider(key, scene=scene, live=live, ports=ports)
        if plan.steps:
            _fresh(key, live, ports.nomad)
        apply(plan, ports.nomad)
    except NomadError as error:
        return failed(key, error, wanted=wanted, plan=plan)
    return _settle(plan, wanted, ports)


def consider(key: Key, *, scene: Scene, live: LiveNamespace | None, ports: Ports) -> Plan:
    """The plan for the namespace *key*, carried out by nobody yet."""
    wanted, memory, approval = scene.desired.wanted.get(key), ports.store.memory(key), ports.store.approval(key)
    suspended = (wanted.policy.suspend if wanted is not None else memory.suspend) or ports.store.is_suspended(key)
    return _planned(
        key, scene=scene, live=live, memory=memory, suspended=suspended, approved=approves(approval, wanted)
    )


def _settle(plan: Plan, wanted: Wanted | None, ports: Ports) -> Outcome:
    key, decision, memory = plan.key, plan.decision, ports.store.memory(plan.key)
    if plan.steps:
        ports.store.approve(key, None)
    if decision.action is Action.PURGE:
        ports.store.forget(key)
    elif wanted is not None and decision.action is not Action.HOLD:
        after = with_wishes(replace(memory, digest=wanted.digest), wanted)
        if after != memory:
            ports.store.remember(key, after)
    return Outcome(
        key,
        decision.action,
        decision.reason,
        decision.message,
        wrote=bool(plan.steps),
        drift=bool(plan.changes) and memory.digest == (wanted.digest if wanted is not None else ""),
        digest=wanted.digest if wanted is not None else "",
        health=None if decision.action is Action.PURGE else Health(Truth.TRUE, Reason.HEALTHY),
        changes=tuple(sentence(c) for c in plan.changes),
    )


def look(wanted: DesiredNamespace | None, live: LiveNamespace | None, fleet: str) -> NamespaceLook:
    """Compare what a namespace declares with what there is; all that it does not declare is left alone."""
    if live is None:
        return NamespaceLook(None, ours=False, adoptable=False, changes=())
    ours = live.stamp == fleet
    adoptable = bool(wanted) and not live.stamp and wanted is not None and wanted.policy.adopt is not Adopt.NEVER
    changes = differences(_declared(live.body), _declared(wished(wanted, live, fleet))) if wanted is not None else ()
    if adoptable and wanted is not None and wanted.policy.adopt is Adopt.IF_EQUAL:
        adoptable = all(c.path == f"Meta[{STAMP}]" for c in changes)
    return NamespaceLook(live, ours, adoptable, changes)


def _declared(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"Description": body.get("Description") or "", "Meta": dict(body.get("Meta") or {})}


def wished(wanted: DesiredNamespace, live: LiveNamespace | None, fleet: str) -> dict[str, Any]:
    """The body to write: the live one with description and meta as declared, and the stamp, which is free here."""
    body = {k: v for k, v in (live.body if live is not None else {}).items() if k not in ("CreateIndex", "ModifyIndex")}
    meta = {**wanted.meta, STAMP: fleet}
    return {**body, "Name": wanted.key.name, "Description": wanted.description, "Meta": meta}


def _planned(
    key: Key, *, scene: Scene, live: LiveNamespace | None, memory: Memory, suspended: bool, approved: bool
) -> Plan:
    """The plan for the namespace *key*."""
    fleet = scene.desired.fleet
    wanted = scene.desired.wanted.get(key)
    wanted = wanted if isinstance(wanted, DesiredNamespace) else None
    seen = look(wanted, live, fleet.name)
    prune = wanted.policy.prune if wanted is not None else memory.prune or fleet.policy.prune
    rejection = scene.desired.frozen.get(key)
    decision = decide(
        Facts(
            wanted=wanted is not None,
            frozen=f"{rejection}; the live namespace stays as it is" if rejection is not None else "",
            suspended=suspended,
            warn_only=wanted is not None and wanted.policy.drift is not Drift.ENFORCE,
            keep=prune is not Prune.PURGE,
            live=live is not None,
            ours=seen.ours,
            same=live is not None and not seen.changes,
            spec_changed=wanted is not None and memory.digest != wanted.digest,
            owner=f"the fleet {live.stamp}" if live is not None and live.stamp else "nobody that Herdsman knows",
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
    return Plan(key, decision, _steps(decision.action, key, wanted, live, fleet.name), seen.changes)


def _steps(
    action: Action, key: Key, wanted: DesiredNamespace | None, live: LiveNamespace | None, fleet: str
) -> tuple[Step, ...]:
    match action:
        case Action.CREATE | Action.UPDATE if wanted is not None:
            return (PutNamespace(key, wished(wanted, live, fleet)),)
        case Action.PURGE:
            return (DeleteNamespace(key),)
        case _:
            return ()


def _fresh(key: Key, live: LiveNamespace | None, nomad: NomadReader) -> None:
    """The proof before a write: the namespace is still what it was decided on."""
    now = nomad.namespaces().get(key)
    if (now.body if now else None) != (live.body if live else None):
        raise Conflict(f"{key} changed while it was looked at")
