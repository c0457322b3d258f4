"""From what came of a look to what a reader sees: the one place where conditions are set.

Log line, metric, event and history are other renderings of the same `Outcome`; they are made from the pair of statuses,
so that nothing is told twice (`runtime.faces`).
"""

from dataclasses import replace

from herdsman.model.desired import Rejection, Wanted
from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import Condition, ConditionType, ErrorClass, Health, Outcome, Status, Truth

_C = ConditionType


def report(
    before: Status | None,
    outcome: Outcome,
    *,
    wanted: Wanted | None,
    rejection: Rejection | None,
    now: float,
) -> Status:
    """The status after *outcome*. Times only move where a condition's status did."""
    last = before or Status(outcome.key)
    verdicts = _verdicts(last, outcome, wanted=wanted is not None)
    status = replace(
        last,
        conditions={t: _kept(last.condition(t), c, now) for t, c in verdicts.items()},
        checked_at=now,
        failures=last.failures + 1 if outcome.error else 0,
        wanted=(wanted is not None or rejection is not None) and outcome.reason is not Reason.EXPIRED,
        version=last.version if outcome.version is None else outcome.version,
        changes=outcome.changes,
    )
    if wanted is not None:
        origin = wanted.origin
        status = replace(
            status,
            digest=wanted.digest,
            position=origin.position,
            author=origin.author,
            labels=getattr(wanted, "labels", {}),
            revision=origin.revision if status.digest != wanted.digest or not status.revision else status.revision,
        )
    elif rejection is not None:
        status = replace(status, position=rejection.position)
    if outcome.wrote or outcome.action is Action.ADOPT:
        status = replace(status, action=outcome.action, changed_at=now)
    return status


def _kept(last: Condition | None, new: Condition, now: float) -> Condition:
    """*new*, with the time at which its status came to be what it is."""
    return replace(new, since=last.since if last is not None and last.status is new.status else now)


def _verdicts(last: Status, outcome: Outcome, *, wanted: bool) -> dict[ConditionType, Condition]:
    synced = _synced(last, outcome)
    healthy = _healthy(last, outcome.health)
    stalled = outcome.error is ErrorClass.REFUSED or outcome.reason in _STALLED
    suspended = outcome.reason is Reason.SUSPENDED
    return {
        _C.READY: _ready(synced, healthy, outcome, wanted=wanted),
        _C.SYNCED: synced,
        _C.HEALTHY: healthy,
        _C.STALLED: Condition(
            Truth.TRUE if stalled else Truth.FALSE, outcome.reason, outcome.message if stalled else ""
        ),
        _C.SUSPENDED: Condition(Truth.TRUE if suspended else Truth.FALSE, outcome.reason),
    }


_STALLED = frozenset(
    {
        Reason.INVALID,
        Reason.REVERTED_BY_NOMAD,
        Reason.CIRCUIT_OPEN,
        Reason.FLEET_CONFLICT,
        Reason.NOT_OWNED,
        Reason.REFUSED,
    }
)
"""Holds that mean that something is wrong, and that a person has to see to it."""


def _synced(last: Status, outcome: Outcome) -> Condition:
    if outcome.error in (ErrorClass.TRANSIENT, ErrorClass.CONFLICT, ErrorClass.BUG):
        return Condition(Truth.UNKNOWN, outcome.reason, outcome.message)
    if outcome.error is ErrorClass.REFUSED:
        return Condition(Truth.FALSE, outcome.reason, outcome.message)
    if outcome.reason is Reason.SUSPENDED:
        return last.condition(_C.SYNCED) or Condition(Truth.UNKNOWN, outcome.reason, outcome.message)
    if outcome.action is Action.HOLD or outcome.reason is Reason.ROLLED_BACK:  # what is live is not what Git says
        return Condition(Truth.FALSE, outcome.reason, outcome.message)
    reason = outcome.reason if outcome.reason in (Reason.COMPLETED, Reason.KEPT, Reason.STOPPED) else Reason.IN_SYNC
    return Condition(Truth.TRUE, reason, "" if reason is Reason.IN_SYNC else outcome.message)


def _healthy(last: Status, health: Health | None) -> Condition:
    if health is None:
        return last.condition(_C.HEALTHY) or Condition(Truth.UNKNOWN, Reason.PENDING, "")
    return Condition(health.status, health.reason, health.message)


def _ready(synced: Condition, healthy: Condition, outcome: Outcome, *, wanted: bool) -> Condition:
    if (not wanted or outcome.reason is Reason.EXPIRED) and outcome.action is not Action.HOLD:
        return Condition(Truth.FALSE, outcome.reason, outcome.message)
    for part in (synced, healthy):
        if part.status is not Truth.TRUE:
            return Condition(part.status, part.reason, part.message)
    return Condition(Truth.TRUE, healthy.reason if healthy.reason is not Reason.REGISTERED else Reason.HEALTHY, "")


def differs(before: Status | None, after: Status) -> bool:
    """Whether a reader would see a difference: what was only looked at again is not written again."""
    return before is None or replace(before, checked_at=0.0) != replace(after, checked_at=0.0)
