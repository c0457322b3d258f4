"""What Nomad says now: list stubs, whole jobs, plans, deployments, allocations.

Shapes follow the Nomad HTTP API (https://developer.hashicorp.com/nomad/api-docs/jobs and its siblings); a job's
body stays a plain mapping in the API's own JSON form, because only Nomad knows all of its fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from herdsman.model.keys import Key

Body = Mapping[str, Any]
"""A job in the JSON form of the Nomad API."""

STAMP = "herdsman_fleet"
"""The key in a job's `Meta` (and a namespace's) that says whose it is. Its value never changes: design §1.1."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Allocations of a job by client state, summed over its groups (`JobSummary.Summary`)."""

    queued: int = 0
    starting: int = 0
    running: int = 0
    failed: int = 0
    complete: int = 0
    lost: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class JobStub:
    """A job as `GET /v1/jobs?meta=true` lists it: enough to know that it is in sync."""

    key: Key
    index: int  # JobModifyIndex: the token of compare-and-set
    create_index: int
    type: str
    status: str
    stop: bool
    stamp: str  # Meta[STAMP], "" where it has none
    counts: Counts = Counts()
    parent_id: str = ""
    periodic: bool = False
    parameterized: bool = False
    submit_time: int = 0  # ns since the epoch

    @property
    def is_child(self) -> bool:
        """Whether a periodic or parameterized job made it: never ours to touch (design §1.15)."""
        return bool(self.parent_id)


@dataclass(frozen=True, slots=True)
class Listing:
    """All jobs of all namespaces at one Nomad index."""

    index: int
    stubs: Mapping[Key, JobStub]


@dataclass(frozen=True, slots=True)
class LiveJob:
    """A whole job as `GET /v1/job/:id` answers it."""

    key: Key
    body: Body

    @property
    def index(self) -> int:
        """`JobModifyIndex`."""
        return int(self.body["JobModifyIndex"])

    @property
    def create_index(self) -> int:
        """`CreateIndex`: another value means another job of the same name."""
        return int(self.body.get("CreateIndex") or 0)

    @property
    def version(self) -> int:
        """`Version`."""
        return int(self.body.get("Version") or 0)

    @property
    def type(self) -> str:
        """`service`, `batch`, `system` or `sysbatch`."""
        return str(self.body.get("Type") or "service")

    @property
    def status(self) -> str:
        """`pending`, `running` or `dead`."""
        return str(self.body.get("Status") or "")

    @property
    def stop(self) -> bool:
        """Whether somebody stopped it."""
        return bool(self.body.get("Stop"))

    @property
    def stamp(self) -> str:
        """The fleet that its `Meta` names, or ""."""
        return str((self.body.get("Meta") or {}).get(STAMP, ""))

    @property
    def is_child(self) -> bool:
        """Whether a periodic or parameterized job made it."""
        return bool(self.body.get("ParentID"))

    @property
    def periodic(self) -> bool:
        """Whether it launches children by a schedule."""
        return bool(self.body.get("Periodic"))

    @property
    def parameterized(self) -> bool:
        """Whether it launches children when dispatched."""
        return bool(self.body.get("ParameterizedJob")) and not self.body.get("Dispatched")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a job version comes from, kept by Nomad in `Submission.VariableFlags` (design §1.2).

    *version* is the job version that the write was expected to make: only where it equals the live one is the rest
    believed, because a register without a submission inherits that of version 0.
    """

    fleet: str
    digest: str
    version: int
    path: str = ""
    line: int = 0
    revision: str = ""
    author: str = ""
    prune: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer to a register. *index* is Nomad's raft index of the write, not the token for the next one."""

    index: int
    evaluation: str = ""
    warnings: str = ""


@dataclass(frozen=True, slots=True)
class GroupUpdates:
    """What a plan would do to one group's allocations (`Annotations.DesiredTGUpdates`)."""

    place: int = 0
    stop: int = 0
    in_place: int = 0
    destructive: int = 0
    canary: int = 0
    migrate: int = 0
    ignore: int = 0


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One changed field, as words: *path* like `TaskGroups[web].Count`; values are already redacted."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """The server's own dry run, `POST /v1/job/:id/plan`: words and blast radius, never a verdict (design §1.14)."""

    index: int  # JobModifyIndex: 0 where the job does not exist
    diff: Mapping[str, Any] | None
    updates: Mapping[str, GroupUpdates]
    failures: Mapping[str, str] = field(default_factory=dict)  # group -> why it cannot be placed
    warnings: str = ""

    @property
    def destructive(self) -> int:
        """How many allocations would be replaced."""
        return sum(u.destructive for u in self.updates.values())


class DeploymentState(StrEnum):
    """`Status` of a Nomad deployment."""

    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    SUCCESSFUL = "successful"
    CANCELLED = "cancelled"
    PENDING = "pending"
    INITIALIZING = "initializing"
    BLOCKED = "blocked"
    UNBLOCKING = "unblocking"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a job version."""

    id: str
    version: int
    create_index: int
    state: DeploymentState
    description: str = ""
    auto_revert: bool = False
    needs_promotion: bool = False
    healthy: int = 0
    unhealthy: int = 0
    desired: int = 0


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation, as far as health and a reader need it. *last_event* is its tasks' last word."""

    id: str
    name: str
    group: str
    node: str
    version: int
    desired: str
    client: str
    last_event: str = ""
    modified: int = 0  # ns since the epoch


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation; *failures* says per group why nothing could be placed."""

    id: str
    status: str
    triggered_by: str
    description: str = ""
    failures: Mapping[str, str] = field(default_factory=dict)
    blocked: bool = False
    create_index: int = 0


@dataclass(frozen=True, slots=True)
class LiveNamespace:
    """A Nomad namespace; *body* is the API's own form, written back whole so that nothing of others is lost."""

    key: Key
    body: Mapping[str, Any]

    @property
    def description(self) -> str:
        """`Description`."""
        return str(self.body.get("Description") or "")

    @property
    def meta(self) -> Mapping[str, str]:
        """`Meta`, the stamp included."""
        return dict(self.body.get("Meta") or {})

    @property
    def stamp(self) -> str:
        """The fleet that its `Meta` names, or ""."""
        return str(self.meta.get(STAMP, ""))


@dataclass(frozen=True, slots=True)
class VariableItems:
    """A Nomad variable: its items, and the index for compare-and-set (0 where it does not exist)."""

    items: Mapping[str, str] = field(repr=False)
    index: int
    create_index: int = 0


@dataclass(frozen=True, slots=True)
class Hint:
    """Something may have changed: look at these keys, or, with *relist*, at everything. Never more than a hint.

    *indexes* has the raft index at which a job itself changed; a key without one is named for what became of its
    evaluations, deployments or allocations.
    """

    keys: Sequence[Key] = ()
    relist: bool = False
    reason: str = ""
    indexes: Mapping[Key, int] = field(default_factory=dict)
