"""How a commit fares, in one word and one line: what is told back to the host of the repository.

A commit has failed where a person has to act: something of it was not understood, or cannot be carried out. It succeeds
when all that is declared is live and well. Whatever can still come about by itself is pending.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from herdsman.model.desired import Desired
from herdsman.model.keys import Key
from herdsman.model.plans import Reason
from herdsman.model.statuses import ConditionType, Status, Truth
from herdsman.model.writes import CommitState

_NAMED: Final = 3
"""So many specs are named in the line; the others are counted."""

_ILL: Final = frozenset(
    {Reason.DEPLOYMENT_FAILED, Reason.HEALTH_TIMEOUT, Reason.FAILED, Reason.ALLOCATIONS_FAILING, Reason.INVALID}
)
"""Reasons for which a spec is not Ready that do not go by themselves."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is told of a commit."""

    state: CommitState
    words: str


def verdict(desired: Desired, statuses: Mapping[Key, Status]) -> Verdict:
    """How the commit fares that *desired* was read from."""
    if desired.rejections:
        first = desired.rejections[0]
        more = f", and {len(desired.rejections) - 1} more" if len(desired.rejections) > 1 else ""
        return Verdict(CommitState.FAILURE, f"not understood: {first.position}: {first.message}{more}")
    failed: list[str] = []
    waiting: list[str] = []
    for key, wanted in sorted(desired.wanted.items()):
        status = statuses.get(key)
        if status is None or status.digest != wanted.digest or status.reason is None:
            waiting.append(key.name)
        elif _is_stuck(status):
            failed.append(f"{key.name} ({status.reason})")
        elif not status.ready:
            waiting.append(f"{key.name} ({status.reason})")
    if failed:
        return Verdict(CommitState.FAILURE, f"not live: {_some(failed)}")
    if waiting:
        return Verdict(CommitState.PENDING, f"{len(waiting)} of {len(desired.wanted)} to go: {_some(waiting)}")
    return Verdict(CommitState.SUCCESS, f"all {len(desired.wanted)} specs are live")


def _is_stuck(status: Status) -> bool:
    stalled = status.condition(ConditionType.STALLED)
    return status.reason in _ILL or (stalled is not None and stalled.status is Truth.TRUE)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
