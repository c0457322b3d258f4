"""How far a change reaches: plans counted by what they would do to what runs.

A reader who decides about a change asks this first: is anything stopped, removed, or replaced, and how much of it?
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from herdsman.core.words import blast_radius
from herdsman.model.observed import GroupUpdates
from herdsman.model.plans import Action, Plan, Reason


class Effect(StrEnum):
    """What one plan comes to, the gravest first."""

    PURGE = "purge"
    STOP = "stop"
    DESTRUCTIVE = "destructive"
    FAILED = "failed"
    HELD = "held"
    IN_PLACE = "in-place"
    CREATE = "create"
    ADOPT = "adopt"
    NOTHING = "nothing"


FAILURES = frozenset({Reason.UNAVAILABLE, Reason.REFUSED, Reason.FORBIDDEN, Reason.CONFLICT, Reason.INTERNAL_ERROR})
"""Reasons beside *nothing* that say that a plan could not be made."""

_EFFECTS = {
    Action.PURGE: Effect.PURGE,
    Action.STOP: Effect.STOP,
    Action.HOLD: Effect.HELD,
    Action.CREATE: Effect.CREATE,
    Action.ADOPT: Effect.ADOPT,
}


@dataclass(frozen=True, slots=True)
class Blast:
    """The blast radius of many plans. *replaced* counts allocations; *held* counts plans by reason."""

    creates: int = 0
    in_place: int = 0
    destructive: int = 0
    replaced: int = 0
    stops: int = 0
    purges: int = 0
    adopts: int = 0
    failed: int = 0
    held: Mapping[Reason, int] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether anything would be done, or waits to be: taking a job into our record writes nothing."""
        return any((self.creates, self.in_place, self.destructive, self.stops, self.purges, self.held))


def effect(plan: Plan) -> Effect:
    """What carrying *plan* out comes to."""
    decision = plan.decision
    if decision.action is Action.NOTHING:
        return Effect.FAILED if decision.reason in FAILURES else Effect.NOTHING
    if decision.action is Action.UPDATE:
        return Effect.DESTRUCTIVE if replaced(plan.updates or {}) else Effect.IN_PLACE
    return _EFFECTS[decision.action]


def replaced(updates: Mapping[str, GroupUpdates]) -> int:
    """How many allocations would be replaced in the end: a plan names only the first batch of a rolling update, or the
    canaries before it, and ignores the rest for now."""
    return sum(u.destructive + u.ignore for u in updates.values() if u.destructive or u.canary)


def blast(plans: Iterable[Plan]) -> Blast:
    """The blast radius of *plans* together."""
    listed = list(plans)
    counts = Counter(effect(p) for p in listed)
    held = Counter(p.decision.reason for p in listed if effect(p) is Effect.HELD)
    return Blast(
        creates=counts[Effect.CREATE],
        in_place=counts[Effect.IN_PLACE],
        destructive=counts[Effect.DESTRUCTIVE],
        replaced=sum(replaced(p.updates or {}) for p in listed if effect(p) is Effect.DESTRUCTIVE),
        stops=counts[Effect.STOP],
        purges=counts[Effect.PURGE],
        adopts=counts[Effect.ADOPT],
        failed=counts[Effect.FAILED],
        held={reason: held[reason] for reason in sorted(held)},
    )


def summary(found: Blast) -> str:
    """One line: `1 to create, 2 to update in place, 1 to replace (3 allocations)`; nothing where nothing is due."""
    allocations = f"{found.replaced} allocation{'s' if found.replaced != 1 else ''}"
    held = ", ".join(f"{n} {reason}" for reason, n in found.held.items())
    parts = (
        (found.purges, "to purge"),
        (found.stops, "to stop"),
        (found.destructive, f"to replace ({allocations})"),
        (found.in_place, "to update in place"),
        (found.creates, "to create"),
        (found.adopts, "to adopt without a write"),
        (sum(found.held.values()), f"held ({held})"),
        (found.failed, "that cannot be judged"),
    )
    return ", ".join(f"{n} {words}" for n, words in parts if n)


def reach(plan: Plan) -> str:
    """What *plan* does to allocations, as words; for a removal or a rolling update more than a plan itself says."""
    words, total = blast_radius(plan.updates or {}), replaced(plan.updates or {})
    if total > plan.destructive:
        return f"{words}; {total} replaced in the end"
    return words
