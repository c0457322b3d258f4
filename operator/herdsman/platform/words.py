"""The one word for how a deployment does, and the true reason for it: an ordered table, first match wins.

`queued` waits for something that may come: capacity, a quota, another spec. `error` is what can never be, as things
are declared. `dead` is what its owner or its time has ended.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from herdsman.model.desired import Order
from herdsman.model.placements import Placement, TaskState
from herdsman.model.plans import Reason
from herdsman.model.statuses import ConditionType, Status


class Word(StrEnum):
    """How a deployment does."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    DOWN = "down"
    COMPLETE = "complete"
    FAILED = "failed"
    ERROR = "error"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The word, and why: for `running` only what holds back a change of it."""

    word: Word
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the word depends on. *placement* is the allocation that counts, *main* its main task."""

    order: Order
    status: Status | None
    rejected: str = ""
    ended: str = ""  # its time is over
    placement: Placement | None = None
    main: str = ""
    batch: bool = False

    @property
    def reason(self) -> Reason | None:
        """The code of the last look at it."""
        return self.status.reason if self.status is not None else None

    @property
    def client(self) -> str:
        """What Nomad says of the allocation."""
        return self.placement.client if self.placement is not None else ""

    @property
    def task(self) -> TaskState | None:
        """How the main task does; of several without a main one, the one that is worst off."""
        tasks = self.placement.tasks if self.placement is not None else {}
        if self.main in tasks:
            return tasks[self.main]
        return next((t for t in tasks.values() if t.failed), next(iter(tasks.values()), None))

    @property
    def said(self) -> str:
        """What the last look found, in words."""
        if self.status is None:
            return ""
        for kind in (ConditionType.READY, ConditionType.HEALTHY, ConditionType.SYNCED):
            condition = self.status.condition(kind)
            if condition is not None and condition.message:
                return condition.message
        return ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    when: Callable[[Facts], bool]
    word: Word
    why: Callable[[Facts], str]


_LIVE: Final = frozenset({"pending", "running", "unknown"})

_NEVER: Final = frozenset({Reason.INVALID, Reason.REFUSED, Reason.FORBIDDEN, Reason.NOT_OWNED})
"""What no waiting mends."""

_HELD: Final = frozenset(
    {
        Reason.QUOTA_EXCEEDED,
        Reason.DEPENDENCY_NOT_READY,
        Reason.NEEDS_APPROVAL,
        Reason.OUTSIDE_WINDOW,
        Reason.CIRCUIT_OPEN,
        Reason.REVERTED_BY_NOMAD,
        Reason.ROLLED_BACK,
        Reason.FLEET_CONFLICT,
        Reason.SUSPENDED,
        Reason.DRIFTED,
        *_NEVER,
    }
)
"""What of a deployment that runs is worth a word: its change waits, or will never be."""

_FAILING: Final = frozenset({Reason.DEPLOYMENT_FAILED, Reason.ALLOCATIONS_FAILING, Reason.HEALTH_TIMEOUT})


def _held(f: Facts) -> str:
    return f.rejected or (f.said if f.reason in _HELD else "")


def _last_words(f: Facts) -> str:
    task = f.task
    said = task.last_event if task is not None and task.last_event else ""
    return said or (f.placement.last_event if f.placement is not None else "") or f.said or f"Nomad says: {f.client}"


def _say(text: str) -> Callable[[Facts], str]:
    return lambda f: text


def _main_is(f: Facts, *states: str) -> bool:
    task = f.task
    return task is not None and task.state in states


def never_fits(words: str) -> bool:
    """Whether a scheduler's *words* say that no node could ever take it: all are ruled out, none is merely full."""
    ruled_out = "ruled out" in words
    return ruled_out and not any(short in words for short in (" left", " full", "quota reached", "no node is eligible"))


ROWS: Final[tuple[Row, ...]] = (
    Row(lambda f: bool(f.ended) and f.client not in _LIVE, Word.DEAD, lambda f: f.ended),
    Row(
        lambda f: f.order.stopped and f.client not in _LIVE,
        Word.DEAD,
        _say("stopped by its owner; start it to let it run again"),
    ),
    # A node that Nomad lost sight of: what ran on it may well run on, but nobody knows, and nobody gets there.
    Row(
        lambda f: f.client == "unknown",
        Word.DOWN,
        _say("its node lost the connection; it is waited for, and nothing is lost yet"),
    ),
    Row(lambda f: f.client == "running" and _main_is(f, "running"), Word.RUNNING, _held),
    Row(
        lambda f: f.client == "running" and _main_is(f, "dead") and bool(f.task and f.task.failed),
        Word.FAILED,
        _last_words,
    ),
    Row(lambda f: f.client == "running" and not _main_is(f, "pending"), Word.RUNNING, _held),
    Row(lambda f: f.client in ("running", "pending"), Word.STARTING, lambda f: _held(f) or _last_words(f)),
    Row(lambda f: bool(f.rejected), Word.ERROR, lambda f: f.rejected),
    Row(lambda f: f.reason in _NEVER, Word.ERROR, lambda f: f.said),
    Row(lambda f: f.reason is Reason.COMPLETED, Word.COMPLETE, lambda f: ""),
    Row(lambda f: f.reason is Reason.FAILED, Word.FAILED, _last_words),
    Row(lambda f: f.reason is Reason.NOT_PLACED and never_fits(f.said), Word.ERROR, lambda f: f.said),
    Row(lambda f: f.reason is Reason.NOT_PLACED, Word.QUEUED, lambda f: f.said),
    Row(lambda f: f.reason in _HELD, Word.QUEUED, lambda f: f.said),
    Row(lambda f: f.reason is Reason.STOPPED, Word.DEAD, lambda f: f.said or "stopped"),
    Row(lambda f: f.client == "complete" and f.batch, Word.COMPLETE, lambda f: ""),
    Row(lambda f: f.client == "failed", Word.FAILED, _last_words),
    # What the loop knows before anybody looked where the allocations are.
    Row(lambda f: f.placement is None and f.status is not None and f.status.ready, Word.RUNNING, _held),
    Row(lambda f: f.placement is None and f.reason in _FAILING, Word.FAILED, lambda f: f.said),
    Row(lambda f: f.placement is None and f.reason is Reason.PROGRESSING, Word.STARTING, lambda f: f.said),
    Row(lambda f: f.client == "lost", Word.DOWN, _say("its node is lost; another place is looked for")),
    Row(lambda f: f.status is None, Word.QUEUED, _say("ordered a moment ago, and not looked at yet")),
    Row(lambda f: True, Word.QUEUED, lambda f: f.said),
)


def judge(facts: Facts) -> Verdict:
    """The first row that holds."""
    row = next(row for row in ROWS if row.when(facts))
    return Verdict(row.word, discreet(row.why(facts)))


_TOGETHER: Final = re.compile(r"the namespace has [\d,]+ of ([\d,]+ [^,;]+)")


def discreet(words: str) -> str:
    """Words about a quota without how much others have: of a namespace that is full, its owners learn just that."""
    return _TOGETHER.sub(r"the namespace leaves no room within its \1", words)


def chosen(placements: Sequence[Placement]) -> Placement | None:
    """The allocation that counts: one that nobody can reach, else one that runs, else the newest."""
    newest = sorted(placements, key=lambda p: (p.version, p.created, p.id), reverse=True)
    for client in ("unknown", "running", "pending"):
        found = next((p for p in newest if p.client == client), None)
        if found is not None:
            return found
    return newest[0] if newest else None
