"""Whether an allocation of a deployment is healthy: its tasks run, and go on running, for long enough."""

from dataclasses import dataclass
from typing import Final

from herdsman.devnomad.clock import duration_text, parse_rfc3339
from herdsman.devnomad.types import Row

FAILED_TASK: Final = "Unhealthy because of failed task"


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be said now: healthy, unhealthy with a reason, or (none of both) look again at `again`."""

    healthy: bool | None
    reason: str = ""
    again: int = 0


def read(group: Row, states: Row, *, strategy: Row, since: int, now: int, checks_pass_since: int | None) -> Reading:
    """Judge an allocation by its task states; `since` is when its deployment placed it."""
    if any(state["Failed"] and state["State"] == "dead" for state in states.values()):
        return Reading(healthy=False, reason=FAILED_TASK)
    deadline = since + strategy["HealthyDeadline"]
    started = _running_since(group, states)
    if started is None or checks_pass_since is None:
        if now >= deadline:
            return Reading(healthy=False, reason=_too_late(strategy, started))
        return Reading(healthy=None, again=deadline)
    good_since = max(started, checks_pass_since, since)
    if now - good_since >= strategy["MinHealthyTime"]:
        return Reading(healthy=True)
    if now >= deadline:
        return Reading(healthy=False, reason=_too_late(strategy, started))
    return Reading(healthy=None, again=min(deadline, good_since + strategy["MinHealthyTime"]))


def _too_late(strategy: Row, started: int | None) -> str:
    deadline = duration_text(strategy["HealthyDeadline"])
    if started is None:
        return f"Task not running by healthy_deadline of {deadline}"
    wanted = duration_text(strategy["MinHealthyTime"])
    return f"Task not running for min_healthy_time of {wanted} by healthy_deadline of {deadline}"


def _running_since(group: Row, states: Row) -> int | None:
    """Since when all tasks are as they should be; none while one is not."""
    latest = 0
    for task in group["Tasks"]:
        state = states.get(task["Name"])
        if state is None:
            return None
        hook = task["Lifecycle"] or {}
        if hook.get("Hook") == "poststop":
            continue
        if hook and not hook.get("Sidecar"):
            if state["State"] != "dead":
                return None
            continue
        if state["State"] != "running" or not state["StartedAt"]:
            return None
        latest = max(latest, parse_rfc3339(state["StartedAt"]))
    return latest
