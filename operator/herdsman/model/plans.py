"""What is to be done about one key, as a value: shown by `diff` and `plan`, carried out by `apply`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from herdsman.model.keys import Key
from herdsman.model.observed import Body, FieldChange, GroupUpdates, LiveJob, Provenance


class Action(StrEnum):
    """What a decision comes to."""

    NOTHING = "nothing"
    HOLD = "hold"
    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"  # take into our record, write nothing
    STOP = "stop"
    PURGE = "purge"


WRITES = frozenset({Action.CREATE, Action.UPDATE, Action.STOP, Action.PURGE})
"""Actions that change Nomad."""


class Reason(StrEnum):
    """Why: the codes of decisions, conditions, metrics and events. They are an interface; never rename one."""

    # decisions
    SUSPENDED = "Suspended"
    NOT_OWNED = "NotOwned"
    FLEET_CONFLICT = "FleetConflict"
    REVERTED_BY_NOMAD = "RevertedByNomad"
    ROLLED_BACK = "RolledBack"
    DEPENDENCY_NOT_READY = "DependencyNotReady"
    COMPLETED = "Completed"
    MISSING = "Missing"
    CIRCUIT_OPEN = "CircuitOpen"
    DRIFTED = "Drifted"
    NEEDS_APPROVAL = "NeedsApproval"
    OUTSIDE_WINDOW = "OutsideWindow"
    SPEC_CHANGED = "SpecChanged"
    ADOPTED = "Adopted"
    IN_SYNC = "InSync"
    ABSENT = "Absent"
    KEPT = "Kept"
    EXPIRED = "Expired"
    QUOTA_EXCEEDED = "QuotaExceeded"
    DESIRED_INCOMPLETE = "DesiredIncomplete"
    PRUNE_LIMIT = "PruneLimit"
    UNWANTED = "Unwanted"
    # what went wrong
    INVALID = "Invalid"
    CONFLICT = "Conflict"
    UNAVAILABLE = "Unavailable"
    REFUSED = "Refused"
    FORBIDDEN = "Forbidden"
    INTERNAL_ERROR = "InternalError"
    # health
    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    NEEDS_PROMOTION = "NeedsPromotion"
    PAUSED = "Paused"
    DEPLOYMENT_FAILED = "DeploymentFailed"
    NOT_PLACED = "NotPlaced"
    ALLOCATIONS_FAILING = "AllocationsFailing"
    HEALTH_TIMEOUT = "HealthTimeout"
    STOPPED = "Stopped"
    FAILED = "Failed"
    REGISTERED = "Registered"
    PENDING = "Pending"
    RUNNING = "Running"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word for one held change: it holds for this *digest* ("" for a removal), and is used up by it."""

    digest: str
    by: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Pin:
    """A person's word that a job be as its *version* was, for as long as its spec is what it was then (*digest*)."""

    digest: str
    version: int
    by: str = ""
    at: float = 0.0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the decision table, with words for a reader."""

    action: Action
    reason: Reason
    message: str = ""

    @property
    def writes(self) -> bool:
        """Whether carrying it out changes Nomad."""
        return self.action in WRITES


@dataclass(frozen=True, slots=True)
class Register:
    """Create or update a job by compare-and-set."""

    key: Key
    body: Body
    if_index: int
    provenance: Provenance
    source: str
    format: str = "json"


@dataclass(frozen=True, slots=True)
class StopJob:
    """Stop a job by compare-and-set at the index that was read."""

    live: LiveJob


@dataclass(frozen=True, slots=True)
class PurgeJob:
    """Remove a job, after reading it once more: the same job, still stopped, still this fleet's."""

    key: Key
    create_index: int
    fleet: str


@dataclass(frozen=True, slots=True)
class PutNamespace:
    """Create or replace a namespace."""

    key: Key
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteNamespace:
    """Remove a namespace in which nothing lives."""

    key: Key


@dataclass(frozen=True, slots=True)
class PutVariable:
    """Write all items of a variable by compare-and-set, those of others among them as they were read."""

    key: Key
    items: Mapping[str, str] = field(repr=False)
    if_index: int


@dataclass(frozen=True, slots=True)
class DeleteVariable:
    """Remove a variable by compare-and-set."""

    key: Key
    if_index: int


Step = Register | StopJob | PurgeJob | PutNamespace | DeleteNamespace | PutVariable | DeleteVariable


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision with all that a reader needs to judge it, and the steps that carry it out."""

    key: Key
    decision: Decision
    steps: tuple[Step, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    updates: Mapping[str, GroupUpdates] | None = None  # None: Nomad was not asked
    failures: Mapping[str, str] | None = None
    warnings: str = ""

    @property
    def destructive(self) -> int:
        """Allocations that would be replaced."""
        return sum(u.destructive for u in (self.updates or {}).values())
