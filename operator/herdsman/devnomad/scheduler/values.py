"""The values that scheduling is about: the world it sees, and what it decides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from herdsman.devnomad.ids import new_id
from herdsman.devnomad.state import deployments
from herdsman.devnomad.state.usage import NodeUsage
from herdsman.devnomad.types import Row

NOT_NEEDED: Final = "alloc not needed due to job update"
MIGRATING: Final = "alloc is being migrated"
UPDATING: Final = "alloc is being updated due to job update"
LOST: Final = "alloc is lost since its node is down"
TAINTED: Final = "alloc not needed as node is tainted"
RESCHEDULED: Final = "alloc was rescheduled because it failed"


@dataclass(frozen=True, slots=True)
class World:
    """What an evaluation looks at."""

    now: int
    job: Row | None
    allocs: Sequence[Row]
    deployment: Row | None
    nodes: Mapping[str, Row]
    usage: Callable[[str], NodeUsage]
    evaluation: Row
    settings: Row

    @property
    def stopped(self) -> bool:
        """Whether the job is gone or stopped."""
        return self.job is None or bool(self.job["Stop"])


@dataclass(slots=True)
class Desired:
    """What is wanted of a group's allocations, in numbers: `DesiredTGUpdates` of a plan."""

    ignore: int = 0
    place: int = 0
    migrate: int = 0
    stop: int = 0
    in_place: int = 0
    destructive: int = 0
    canary: int = 0
    preemptions: int = 0
    disconnect: int = 0
    reconnect: int = 0
    reschedule_now: int = 0
    reschedule_later: int = 0

    def as_row(self) -> dict[str, int]:
        """As the API shows it."""
        return {
            "Ignore": self.ignore,
            "Place": self.place,
            "Migrate": self.migrate,
            "Stop": self.stop,
            "InPlaceUpdate": self.in_place,
            "DestructiveUpdate": self.destructive,
            "Canary": self.canary,
            "Preemptions": self.preemptions,
            "Disconnect": self.disconnect,
            "Reconnect": self.reconnect,
            "RescheduleNow": self.reschedule_now,
            "RescheduleLater": self.reschedule_later,
        }


@dataclass(frozen=True, slots=True)
class Stop:
    """An allocation that is to stop, and why."""

    alloc: Row
    why: str
    client_status: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """An allocation that is to be placed."""

    name: str
    group: str
    previous: Row | None = None
    canary: bool = False
    reschedule: bool = False
    replaces: Stop | None = None
    """Stops only where the placement succeeds: a destructive update never leaves a hole."""
    job: Row | None = None
    """The version to place, where it is not the current one."""
    node_id: str = ""
    """The only node it may go to (system jobs)."""


@dataclass(slots=True)
class Decision:
    """What should change, before anybody asks where there is room."""

    desired: dict[str, Desired] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    in_place: list[Row] = field(default_factory=list)
    deployment: Row | None = None
    """A new deployment, or the current one with more groups."""
    deployment_updates: list["DeploymentUpdate"] = field(default_factory=list)
    later: list["Later"] = field(default_factory=list)


def new_deployment(world: World) -> Row:
    """A deployment of the job's current version, with no group in it yet."""
    job = world.job
    assert job is not None
    return {
        "ID": new_id(),
        "Namespace": job["Namespace"],
        "JobID": job["ID"],
        "JobVersion": job["Version"],
        "JobModifyIndex": job["ModifyIndex"],
        "JobSpecModifyIndex": job["JobModifyIndex"],
        "JobCreateIndex": job["CreateIndex"],
        "IsMultiregion": False,
        "TaskGroups": {},
        "Status": "running",
        "StatusDescription": deployments.RUNNING,
        "EvalPriority": world.evaluation["Priority"],
    }


def new_group_state(strategy: Row, **more: int) -> Row:
    """Where a group of a deployment stands at its beginning."""
    return {
        "AutoRevert": bool(strategy.get("AutoRevert")),
        "AutoPromote": bool(strategy.get("AutoPromote")),
        "ProgressDeadline": strategy.get("ProgressDeadline") or 0,
        "RequireProgressBy": None,
        "Promoted": False,
        "PlacedCanaries": None,
        "DesiredCanaries": 0,
        "DesiredTotal": 0,
        "PlacedAllocs": 0,
        "HealthyAllocs": 0,
        "UnhealthyAllocs": 0,
        **more,
    }


@dataclass(frozen=True, slots=True)
class DeploymentUpdate:
    """A deployment that goes into another state."""

    deployment_id: str
    status: str
    description: str


@dataclass(frozen=True, slots=True)
class Later:
    """Failed allocations that are to be replaced, but not yet."""

    at: int
    allocs: tuple[Row, ...]


@dataclass(slots=True)
class Plan:
    """What is written: the decision, with a node for everything that found room."""

    evaluation: Row
    job: Row | None
    stops: list[Stop] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)
    """Allocations that stay, with changes."""
    placements: list[Row] = field(default_factory=list)
    deployment: Row | None = None
    deployment_updates: list[DeploymentUpdate] = field(default_factory=list)
    desired: dict[str, Desired] = field(default_factory=dict)
    failed: dict[str, Row] = field(default_factory=dict)
    queued: dict[str, int] = field(default_factory=dict)
    followups: list[Row] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (
            self.stops or self.updates or self.placements or self.deployment is not None or self.deployment_updates
        )
