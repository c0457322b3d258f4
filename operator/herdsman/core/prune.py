"""How much may be removed in one round: the wipe guard (design §5).

A round is one *window* of time. What becomes unwanted within it counts together, so that a directory emptied file by
file counts as a whole; when it is more than the limit, all that is not yet gone is held, and stays held until each is
approved, wanted again, or gone. Approving some never lets the rest through.
"""

from collections.abc import Set
from dataclasses import dataclass, field

from herdsman.model.desired import PruneLimits
from herdsman.model.keys import Key


@dataclass(frozen=True, slots=True)
class PruneRound:
    """What was decided about removals: *held* waits for a person; *allowed* since when (s since the epoch)."""

    held: frozenset[Key] = frozenset()
    allowed: dict[Key, float] = field(default_factory=dict)


def limit(limits: PruneLimits, owned: int) -> int:
    """How many of *owned* may go in one round: the larger of count and share."""
    return max(limits.count, owned * limits.percent // 100)


def next_round(
    last: PruneRound, *, unwanted: Set[Key], owned: Set[Key], limits: PruneLimits, now: float, window: float
) -> PruneRound:
    """Decide about *unwanted* (live, ours, wanted no more) out of *owned* (live and ours). Times in seconds."""
    held = last.held & unwanted
    allowed = {k: t for k, t in last.allowed.items() if k in unwanted or now - t < window}
    new = unwanted - held - allowed.keys()
    recent = {k for k, t in allowed.items() if now - t < window}
    base = len(owned | recent)
    everything = bool(new) and not (owned - unwanted)
    if everything or len(new) + len(recent) > limit(limits, base):
        return PruneRound(held | new, allowed)
    return PruneRound(held, {**allowed, **dict.fromkeys(new, now)})


def why_held(limits: PruneLimits, *, held: int, owned: int) -> str:
    """The words beside a held removal."""
    if held >= owned:
        return f"nothing would be left of the fleet's {owned}; approve the removal if it is meant"
    return (
        f"{held} of {owned} would be removed, more than {limit(limits, owned)} at once;"
        " approve each removal, or raise spec.prune of the Fleet"
    )
