"""What allocations take, for how long, and what nodes have to give.

An allocation holds its resources from the moment at which Nomad placed it until its last task ended, whatever its tasks
do meanwhile: a restart frees nothing. Both ends are Nomad's own words, so that whoever looks, and however seldom, finds
the same figures. Amounts over time are whole numbers of unit times milliseconds: pieces add up to the whole exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from herdsman.model.keys import Key

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Amounts:
    """Resources: of a node, of an allocation; or, times milliseconds, what was used over time."""

    cpu_mhz: int = 0
    cores: int = 0  # reserved for the allocation alone; their MHz are in `cpu_mhz` as well
    gpus: int = 0
    memory_mb: int = 0
    disk_mb: int = 0
    allocations: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.cpu_mhz + other.cpu_mhz,
            self.cores + other.cores,
            self.gpus + other.gpus,
            self.memory_mb + other.memory_mb,
            self.disk_mb + other.disk_mb,
            self.allocations + other.allocations,
        )

    def times(self, factor: int) -> "Amounts":
        """So many of them; for a duration in milliseconds, what that comes to."""
        return Amounts(
            self.cpu_mhz * factor,
            self.cores * factor,
            self.gpus * factor,
            self.memory_mb * factor,
            self.disk_mb * factor,
            self.allocations * factor,
        )

    def largest(self, other: "Amounts") -> "Amounts":
        """The larger of both, one resource at a time."""
        return Amounts(
            max(self.cpu_mhz, other.cpu_mhz),
            max(self.cores, other.cores),
            max(self.gpus, other.gpus),
            max(self.memory_mb, other.memory_mb),
            max(self.disk_mb, other.disk_mb),
            max(self.allocations, other.allocations),
        )


NOTHING = Amounts()


class Evidence(IntEnum):
    """How an allocation's end is known; the higher, the better."""

    GONE = 0  # it was missing from a list before anybody saw its end: it was last seen then
    LIVE = 1  # it has not ended
    MODIFIED = 2  # it has, and Nomad wrote so then: its node was lost, or no task ever ran
    FINISHED = 3  # its tasks say when the last of them ended


@dataclass(frozen=True, slots=True)
class Sighting:
    """One allocation as a list of Nomad showed it. Times are milliseconds since the epoch."""

    id: str
    job: Key
    group: str
    node: str  # ID
    index: int  # ModifyIndex: the same means that nothing changed
    created: int
    ended: int | None
    evidence: Evidence
    amounts: Amounts
    gpu_models: Mapping[str, int] = field(default_factory=dict)
    moved: bool = False  # another allocation took its place


@dataclass(frozen=True, slots=True)
class Span:
    """What is remembered of one allocation: what it holds, and from when to when. *end* is None while it lives."""

    id: str
    namespace: str
    job: str
    owner: str
    start: int
    end: int | None
    evidence: Evidence
    index: int
    amounts: Amounts


class Granularity(StrEnum):
    """How long the pieces are that usage is told in. All begin and end in UTC."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures may be seen: None means everybody's."""

    namespaces: frozenset[str] | None = None
    owner: str | None = None

    def covers(self, namespace: str, owner: str) -> bool:
        """Whether figures of *owner* in *namespace* are among them."""
        return (self.namespaces is None or namespace in self.namespaces) and self.owner in (None, owner)


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Usage of *scope* from *since* to before *until*, in milliseconds since the epoch, in pieces.

    Owners and namespaces are told apart unless that is not wanted.
    """

    since: int
    until: int
    granularity: Granularity = Granularity.DAY
    scope: Scope = EVERYTHING
    by_owner: bool = True
    by_namespace: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One piece of time of one namespace and owner, "" where they are not told apart."""

    start: int
    end: int
    namespace: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one slot used, in unit times milliseconds."""

    slot: Slot
    used: Amounts


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The answer to a query. What lives is counted until *measured*, when it was last seen."""

    query: UsageQuery
    rows: Sequence[UsageRow]
    current: Amounts  # what the scope holds now
    measured: int


class NodeState(StrEnum):
    """What can be done with a node."""

    READY = "ready"
    DRAINED = "drained"  # it answers, and takes nothing new
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Node:
    """One client node. *capacity* is what is left for allocations after what the node keeps for itself."""

    id: str
    name: str
    datacenter: str
    pool: str
    status: str
    eligible: bool
    draining: bool
    index: int
    capacity: Amounts
    gpu_models: Mapping[str, int] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> NodeState:
        """What can be done with it."""
        if self.status != "ready":
            return NodeState.DOWN
        return NodeState.READY if self.eligible and not self.draining else NodeState.DRAINED


@dataclass(frozen=True, slots=True)
class Holding:
    """What one owner in one namespace holds on one node."""

    namespace: str
    owner: str
    amounts: Amounts
    gpu_models: Mapping[str, int]
    jobs: int
    moved: int  # allocations whose place another has taken


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A node and who holds what of it."""

    node: Node
    holdings: Sequence[Holding]

    @property
    def used(self) -> Amounts:
        """What is held in all."""
        return sum((h.amounts for h in self.holdings), NOTHING)


@dataclass(frozen=True, slots=True)
class Occupation:
    """All nodes at one moment. *astray* is held on nodes that Nomad lists no more."""

    at: int
    nodes: Sequence[NodeUse]
    astray: Sequence[Holding] = ()


Column = Sequence[int | str]


@dataclass(frozen=True, slots=True)
class Summary:
    """The three tables of one namespace: column by column, as they were written, or as we count them.

    Whole resource-days in *full* and *users*; in *timeseries* what was held on the average of each day.
    """

    full: Mapping[str, int]
    timeseries: Mapping[str, Column]  # `date` among them
    users: Mapping[str, Mapping[str, int]]  # by owner
