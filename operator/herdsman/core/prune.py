"""How much may be removed in one round: the wipe guard (design §5).

A round is one *window* of time. What becomes unwanted within it counts together, so that a directory emptied file by
file counts as a whole; when it is more than the limit, all that is not yet gone is held, and stays held until each is
approved, wanted again, or gone, or until the limits are raised above what was held. Approving some never lets the
rest through, and neither does a fleet that grows.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from herdsman.model.desired import PruneLimits
from herdsman.model.keys import Key


@dataclass(frozen=True, slots=True)
class PruneRound:
    """What was decided about removals: *held* waits for a person; *allowed* since when (s since the epoch).

    *size* is how much was too much when the hold began, *since* when that was, *limits* what it was held against.
    """

    held: frozenset[Key] = frozenset()
    allowed: Mapping[Key, float] = field(default_factory=dict)
    size: int = 0
    since: float = 0.0
    limits: PruneLimits | None = None


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
    most = limit(limits, len(owned | recent))
    everything = not owned - unwanted
    size = last.size if held else 0
    if held and last.limits not in (None, limits) and not everything and size + len(new) <= most:
        return PruneRound(frozenset(), {**allowed, **dict.fromkeys(held | new, now)})
    together = len(new) + len(recent) + (len(held) if now - last.since < window else 0)
    if new and (everything or together > most):
        return PruneRound(held | new, allowed, max(size + len(new), together), now, limits)
    allowed |= dict.fromkeys(new, now)
    return PruneRound(held, allowed, size, last.since, last.limits) if held else PruneRound(held, allowed)


def why_held(limits: PruneLimits, *, held: int, owned: int) -> str:
    """The words beside a held removal."""
    most = limit(limits, owned)
    if held >= owned:
        return f"nothing would be left of the fleet's {owned}; approve the removal if it is meant"
    if held <= most:
        return (
            f"with what went or waits already, more than {most} of {owned} would be removed at once;"
            " approve each removal, or raise spec.prune of the Fleet"
        )
    return (
        f"{held} of {owned} would be removed, more than {most} at once;"
        " approve each removal, or raise spec.prune of the Fleet"
    )
