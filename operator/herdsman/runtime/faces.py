"""One outcome, told four ways: metric, history, event and log line. Nothing is told twice.

An event is made where a condition moved or where something was written; what was merely looked at again is silent.
Messages carry no durations, so that the same trouble is the same text.
"""

from collections.abc import Callable
from typing import Any

import structlog

from herdsman.errors import StoreError
from herdsman.model.keys import Key
from herdsman.model.plans import Action, Reason
from herdsman.model.statuses import (
    Condition,
    ConditionType,
    ErrorClass,
    Event,
    Outcome,
    Record,
    Severity,
    Status,
    Truth,
)
from herdsman.ports import Clock, Metrics, StatusStore

_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.STOP: "stopped",
    Action.PURGE: "purged",
    Action.ADOPT: "adopted",
}
_LOUD = frozenset({Truth.FALSE})
_QUIET = frozenset({Reason.DEPENDENCY_NOT_READY, Reason.SUSPENDED, Reason.KEPT})  # waiting is not trouble


class Faces:
    """Tells what came of each look. *publish* gets every event, for those who follow along."""

    def __init__(self, *, store: StatusStore, metrics: Metrics, clock: Clock, publish: Callable[[Event], None]) -> None:
        self._store, self._metrics, self._clock, self._publish = store, metrics, clock, publish
        self._log = structlog.get_logger("herdsman")

    def tell(self, before: Status | None, after: Status, outcome: Outcome, *, seconds: float, revision: str) -> None:
        """Tell *outcome*, which led from *before* to *after* and took *seconds*."""
        self._measure(before, outcome, seconds)
        if outcome.wrote or outcome.action is Action.ADOPT:
            self._tell_action(outcome, after, revision)
        elif (condition := _moved(before, after)) is not None:
            self._tell_condition(outcome.key, condition, outcome, revision)
        else:
            self._log.debug("looked", **_bound(outcome), seconds=round(seconds, 4))

    def announce(self, reason: str, message: str, *, severity: Severity, revision: str = "", **more: Any) -> None:
        """Tell something about the fleet as a whole; also when the state file cannot be written."""
        try:
            self._event(None, severity, reason, message, revision)
        except StoreError as error:
            self._log.error(str(error))
        (self._log.warning if severity is Severity.WARNING else self._log.info)(message, reason=reason, **more)

    def _measure(self, before: Status | None, outcome: Outcome, seconds: float) -> None:
        self._metrics.reconciled(_result(outcome), seconds)
        if outcome.error is not None:
            self._metrics.failed(outcome.error.value)
        if outcome.drift and (outcome.wrote or _newly(before, outcome)):
            self._metrics.drifted()
        if outcome.wrote:
            self._metrics.acted(outcome.action.value, "success")
        elif outcome.attempted is not None:
            self._metrics.acted(outcome.attempted.value, "error")

    def _tell_action(self, outcome: Outcome, after: Status, revision: str) -> None:
        word = _DONE[outcome.action]
        self._store.append(
            Record(
                outcome.key,
                self._clock.now().timestamp(),
                outcome.action,
                outcome.reason,
                outcome.message,
                revision,
                outcome.digest,
                outcome.version,
                after.author,
                after.position,
            )
        )
        severity = Severity.WARNING if outcome.drift else Severity.NORMAL
        message = f"{word}: {outcome.message}" if outcome.message else word
        self._event(outcome.key, severity, outcome.reason.value, message, revision)
        self._log.info(word, **_bound(outcome), revision=revision, changes=list(outcome.changes[:20]))

    def _tell_condition(self, key: Key, condition: Condition, outcome: Outcome, revision: str) -> None:
        quiet = condition.reason in _QUIET
        severity = Severity.WARNING if condition.status in _LOUD and not quiet else Severity.NORMAL
        self._event(key, severity, condition.reason.value, condition.message, revision)
        line = {**_bound(outcome), "reason": condition.reason.value, "ready": condition.status.value}
        if outcome.error is ErrorClass.BUG:
            self._log.error(condition.message, **line)
        elif severity is Severity.WARNING or outcome.error is not None:
            self._log.warning(condition.message or condition.reason.value, **line)
        else:
            self._log.info(condition.message or condition.reason.value, **line)

    def _event(self, key: Key | None, severity: Severity, reason: str, message: str, revision: str) -> None:
        now = self._clock.now().timestamp()
        self._publish(
            self._store.add_event(at=now, severity=severity, reason=reason, message=message, key=key, revision=revision)
        )


def _moved(before: Status | None, after: Status) -> Condition | None:
    """The Ready condition, where it is not what it was; the suspension, where that moved."""
    for kind in (ConditionType.READY, ConditionType.SUSPENDED):
        old, new = before.condition(kind) if before else None, after.condition(kind)
        if new is not None and (old is None or (old.status, old.reason) != (new.status, new.reason)):
            if kind is ConditionType.SUSPENDED and (old is None or old.status is new.status):
                continue
            return new
    return None


def _newly(before: Status | None, outcome: Outcome) -> bool:
    """Whether drift that is only warned of was not known at the last look."""
    last = before.condition(ConditionType.SYNCED) if before else None
    return last is None or last.reason is not outcome.reason


def _result(outcome: Outcome) -> str:
    if outcome.error is ErrorClass.CONFLICT:
        return "requeue"
    if outcome.error is not None:
        return "error"
    return "held" if outcome.action is Action.HOLD else "success"


def _bound(outcome: Outcome) -> dict[str, Any]:
    bound: dict[str, Any] = {"key": str(outcome.key), "reason": outcome.reason.value}
    if outcome.version is not None:
        bound["version"] = outcome.version
    if outcome.error is not None:
        bound["error"] = outcome.error.value
    return bound
