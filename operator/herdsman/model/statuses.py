"""What a reader sees of one key: conditions with reason codes, and how it came to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from herdsman.model.desired import NOWHERE, Position
from herdsman.model.keys import Key
from herdsman.model.plans import Action, Reason


class ConditionType(StrEnum):
    """The conditions of a spec (design §5)."""

    READY = "Ready"
    SYNCED = "Synced"
    HEALTHY = "Healthy"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"


class Truth(StrEnum):
    """The value of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. *since* is when its status last changed, s since the epoch."""

    status: Truth
    reason: Reason
    message: str = ""
    since: float = 0.0


class ErrorClass(StrEnum):
    """Failures by what happens next (design §5)."""

    CONFLICT = "conflict"
    TRANSIENT = "transient"
    REFUSED = "refused"
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Health:
    """How the live job does. *settled* is the version whose deployment is known to have ended well, or -1; *completed*
    says that a batch job has ended, well or not."""

    status: Truth
    reason: Reason
    message: str = ""
    settled: int = -1
    completed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one look at one key: the one value behind status, event, metric and log line."""

    key: Key
    action: Action
    reason: Reason
    message: str = ""
    error: ErrorClass | None = None
    wrote: bool = False
    attempted: Action | None = None  # the write that an error broke off
    drift: bool = False  # whether it corrected, or held back from correcting, what somebody else did
    retry_after: float | None = None  # s, where the far side named it
    digest: str = ""
    version: int | None = None
    health: Health | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """All that is known about one key, for readers."""

    key: Key
    conditions: Mapping[ConditionType, Condition] = field(default_factory=dict)
    digest: str = ""
    revision: str = ""
    author: str = ""
    position: Position = NOWHERE
    version: int | None = None
    action: Action = Action.NOTHING  # the last one that changed something
    changed_at: float = 0.0  # when that was
    checked_at: float = 0.0  # the last look, s since the epoch; kept in memory only
    failures: int = 0  # looks in a row that ended in an error
    changes: tuple[str, ...] = ()
    wanted: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type, None where it was never judged."""
        return self.conditions.get(kind)

    @property
    def reason(self) -> Reason | None:
        """Why it is Ready or not, None where nobody looked yet."""
        condition = self.conditions.get(ConditionType.READY)
        return condition.reason if condition is not None else None

    @property
    def ready(self) -> bool:
        """Whether it is in sync and healthy."""
        condition = self.conditions.get(ConditionType.READY)
        return condition is not None and condition.status is Truth.TRUE


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a key's history: what was done to it, and from which revision."""

    key: Key
    at: float  # s since the epoch
    action: Action
    reason: Reason
    message: str
    revision: str
    digest: str
    version: int | None
    author: str = ""
    position: Position = NOWHERE


class Severity(StrEnum):
    """How loud an event is."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed, told once. *id* grows; *key* is None where the whole fleet is meant."""

    id: int
    at: float
    severity: Severity
    reason: str
    message: str
    key: Key | None = None
    revision: str = ""
