"""When a failed allocation is replaced: at once, later, or never, by the group's reschedule policy."""

from dataclasses import dataclass
from typing import Final

from herdsman.devnomad.clock import SECOND, parse_rfc3339
from herdsman.devnomad.types import Row

WINDOW: Final = SECOND
"""A replacement due within this time is made now."""
_KEPT_EVENTS: Final = 5


@dataclass(frozen=True, slots=True)
class Due:
    """A failed allocation may be replaced, at this time."""

    at: int


def failed_at(alloc: Row) -> int:
    """When the last task of an allocation ended."""
    finished = [state["FinishedAt"] for state in (alloc["TaskStates"] or {}).values() if state["FinishedAt"]]
    return max((parse_rfc3339(each) for each in finished), default=alloc["ModifyTime"])


def due(alloc: Row, policy: Row | None) -> Due | None:
    """When this allocation is to be replaced; none where its policy has no attempt left."""
    if alloc["ClientStatus"] != "failed" or alloc["DesiredStatus"] != "run" or not enabled(policy):
        return None
    assert policy is not None
    if not policy["Unlimited"] and not _attempts_left(alloc, policy):
        return None
    return Due(failed_at(alloc) + delay(alloc, policy))


def enabled(policy: Row | None) -> bool:
    """Whether a policy allows any replacement."""
    return policy is not None and bool(policy["Unlimited"] or (policy["Attempts"] and policy["Interval"]))


def _events(alloc: Row) -> list[Row]:
    return list((alloc["RescheduleTracker"] or {}).get("Events") or ())


def _attempts_left(alloc: Row, policy: Row) -> bool:
    since = failed_at(alloc) - policy["Interval"]
    made = sum(event["RescheduleTime"] > since for event in _events(alloc))
    return bool(made < policy["Attempts"])


def delay(alloc: Row, policy: Row) -> int:
    """How long to wait: constant, doubled each time, or as the Fibonacci numbers grow."""
    base: int = policy["Delay"]
    events = _events(alloc)
    kind = policy["DelayFunction"]
    if kind not in {"exponential", "fibonacci"} or not events:
        return base
    last = events[-1]["Delay"]
    if kind == "exponential":
        wait = max(last, base) * 2
    else:
        before = events[-2]["Delay"] if len(events) > 1 else 0
        wait = max(last + before, base)
    ceiling = policy["MaxDelay"]
    if ceiling and wait > ceiling:
        # a long quiet time since the last replacement starts the series anew
        quiet = failed_at(alloc) - events[-1]["RescheduleTime"]
        return base if quiet > ceiling else ceiling
    return int(wait)


def tracker(alloc: Row, policy: Row | None, *, now: int) -> Row:
    """The history that the replacement of this allocation carries on."""
    event = {
        "RescheduleTime": now,
        "PrevAllocID": alloc["ID"],
        "PrevNodeID": alloc["NodeID"],
        "Delay": delay(alloc, policy) if policy else 0,
    }
    events = [*_events(alloc), event]
    if policy is None or policy["Unlimited"]:
        events = events[-_KEPT_EVENTS:]
    return {"Events": events, "LastReschedule": ""}
