"""Where the allocations of jobs are and how their tasks do: what a user is told of a deployment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from herdsman.model.keys import Key


@dataclass(frozen=True, slots=True)
class TaskState:
    """How one task does: *state* is `pending`, `running` or `dead`, *last_event* its last word."""

    state: str
    failed: bool = False
    last_event: str = ""


@dataclass(frozen=True, slots=True)
class PortAddress:
    """Where a port of an allocation is reached on its node."""

    host: str
    port: int


NO_TASKS: Final[Mapping[str, TaskState]] = {}


@dataclass(frozen=True, slots=True)
class Placement:
    """One allocation. *client* and *desired* are Nomad's words, *created* is in ns since the epoch, *cpu_mhz* is what
    each task got."""

    id: str
    job: Key
    group: str
    node: str  # ID
    client: str
    desired: str
    version: int = 0
    created: int = 0
    tasks: Mapping[str, TaskState] = field(default_factory=dict)
    cpu_mhz: Mapping[str, int] = field(default_factory=dict)
    ports: Mapping[str, PortAddress] = field(default_factory=dict)
    last_event: str = ""
