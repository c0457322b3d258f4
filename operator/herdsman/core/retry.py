"""When to look again: one switch over the outcome (design §5, "Errors by what happens next")."""

from datetime import UTC, datetime

from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import ErrorClass, Outcome, Truth

FIRST = 1.0
LONGEST = 300.0
PROBE = 600.0
WATCH = 5.0
CONFLICTS_AT_ONCE = 3


def delay(outcome: Outcome, *, failures: int, chance: float, retry_interval: float | None = None) -> float | None:
    """Seconds until the key is due again, None where the next resync is soon enough.

    *failures* counts looks in a row that ended in an error, this one included; *chance* is in [0, 1).
    """
    match outcome.error:
        case None:
            return _after_success(outcome)
        case ErrorClass.CONFLICT if failures <= CONFLICTS_AT_ONCE:
            return 0.0
        case ErrorClass.REFUSED:
            return PROBE * (1 + chance / 10)
        case ErrorClass.TRANSIENT if retry_interval is not None:
            return max(retry_interval, outcome.retry_after or 0.0)
        case _:
            return max(outcome.retry_after or 0.0, backoff(failures, chance))


def backoff(failures: int, chance: float) -> float:
    """Exponential with jitter: between half and all of `FIRST · 2^(failures-1)`, at most `LONGEST`."""
    return float(min(LONGEST, FIRST * 2 ** min(failures - 1, 16)) * (0.5 + chance / 2))


def _after_success(outcome: Outcome) -> float | None:
    if outcome.action is Action.STOP:
        return None
    if outcome.reason is Reason.DEPENDENCY_NOT_READY:
        return 30.0  # its becoming Ready wakes it; this is for a lost wake-up
    if outcome.reason is Reason.OUTSIDE_WINDOW:
        return 60.0
    health = outcome.health
    if health is not None and health.status is Truth.UNKNOWN and health.reason is not Reason.RUNNING:
        return WATCH  # a batch job that runs may do so for days; an event tells its end
    return None


def corrections(times: tuple[float, ...], *, now: float, within: float = 300.0) -> tuple[float, ...]:
    """The *times* (s) of corrections that still count."""
    return tuple(t for t in times if now - t < within)


def circuit(times: tuple[float, ...], *, now: float, most: int = 10, within: float = 300.0) -> str:
    """Why a key is left alone, or "": two writers that undo each other are a fight nobody wins."""
    if len(corrections(times, now=now, within=within)) < most:
        return ""
    return (
        f"corrected {most} times within {within / 60:g} min: something else keeps changing it;"
        " find it, or approve one more correction"
    )


def at(seconds: float) -> str:
    """A time as readers write it: UTC, to the second."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
