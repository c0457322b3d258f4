"""What the API answers, as types: mappings with the names that are on the wire, so that what a newer operator says
besides is there too. Those of the platform are in the words of its users, those of the operator in camel case.
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

Section = Literal["modules", "tools"]
Shelf = Literal["modules", "tools", "batch"]
"""Where a deployment is found: by its entry's section, or among those that run a script to its end."""

Word = Literal["queued", "starting", "running", "down", "complete", "failed", "error", "dead"]
Upgrade = Literal["auto", "pin", "window"]
Sort = Literal["submit_time", "-submit_time", "title", "-title", "status", "-status"]
Granularity = Literal["hour", "day", "month", "total"]
Conf = dict[str, dict[str, Any]]
"""Group, parameter, value."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list: *total* is how many there are in all, *next* leads on, "" where that was the last."""

    items: list[T]
    total: int
    next: str


# -- the catalog -------------------------------------------------------------------------------------------------------

Metadata = TypedDict(
    "Metadata",
    {
        "name": str,
        "id": str,
        "title": str,
        "summary": str,
        "tags": list[str],
        "categories": list[str],
        "tasks": list[str],
        "libraries": list[str],
        "data-type": list[str],
        "license": str | None,
        "dates": dict[str, str | None],
        "version": str,
        "description": NotRequired[str | None],
        "links": NotRequired[dict[str, str] | None],
    },
)


class Parameter(TypedDict):
    """What a user may set, and within which bounds."""

    name: str
    value: Any
    type: Literal["string", "int", "number", "bool", "list", "object"]
    description: str
    options: NotRequired[list[Any]]
    range: NotRequired[list[float | None]]
    secret: NotRequired[bool]
    required: NotRequired[bool]
    advanced: NotRequired[bool]
    generated: NotRequired[bool]
    multiline: NotRequired[bool]
    min_length: NotRequired[int]
    max_length: NotRequired[int]
    pattern: NotRequired[str]
    note: NotRequired[str]


class Refreshed(TypedDict):
    """The catalog, as it was read anew."""

    entries: int
    broken: dict[str, list[str]]
    problem: str


class Tags(TypedDict, total=False):
    """Which entries are meant: with all of *tags*, one of *tags_any*, not all of *not_tags*, none of *not_tags_any*."""

    tags: list[str]
    tags_any: list[str]
    not_tags: list[str]
    not_tags_any: list[str]


# -- deployments -------------------------------------------------------------------------------------------------------


class Resources(TypedDict):
    """What the main task asks for, or got."""

    cpu_num: int
    cpu_MHz: int
    gpu_num: int
    memory_MB: int
    disk_MB: int


class Deployment(TypedDict):
    """One deployment. *etag* is null in lists; *conf*, *upgrade* and *outdated* are there when all is asked for."""

    job_ID: str
    name: str
    status: Word
    owner: str
    title: str
    description: str
    namespace: str
    catalog: str
    batch: NotRequired[bool]
    tool_name: str | None
    docker_image: str
    docker_command: str
    submit_time: str
    resources: Resources
    endpoints: dict[str, str]
    active_endpoints: list[str] | None
    main_endpoint: str | None
    alloc_ID: str | None
    datacenter: str | None
    error_msg: str | None
    expires: str | None
    revision: str
    etag: str | None
    conf: NotRequired[Conf | None]
    upgrade: NotRequired[Upgrade | None]
    outdated: NotRequired[bool | None]
    script: NotRequired[str | None]


class Planned(TypedDict):
    """What would be done, in words."""

    action: str
    reason: str
    message: str
    changes: list[str]
    blast_radius: str
    failures: dict[str, str] | None
    warnings: str


class Preview(TypedDict):
    """What a write would come to; nothing was written."""

    plan: Planned | None
    over_quota: str
    job: dict[str, Any] | None
    spec: str
    trouble: str


class Restarted(TypedDict):
    """How many allocations were started anew."""

    restarted: int


class Wanted(TypedDict, total=False):
    """Which deployments a list shows."""

    vos: list[str]
    status: list[Word]
    catalog: str
    full_info: bool
    sort: Sort


class Order(TypedDict, total=False):
    """What is ordered, besides the entry. *expires_after* is in seconds, or like `2h30m`; a *script* makes it a batch
    job, which runs that to its end."""

    vo: str
    conf: Conf
    script: str
    title: str
    description: str
    upgrade: Upgrade
    expires_after: float | str


class Touch(TypedDict, total=False):
    """What is to be different, besides parameters."""

    title: str
    description: str
    upgrade: Upgrade
    expires_after: float | str


class Change(Touch, total=False):
    """What is to be different; *conf* replaces all of it."""

    conf: Conf


# -- the operator ------------------------------------------------------------------------------------------------------


class Key(TypedDict):
    """What a spec is called."""

    kind: str
    namespace: str
    name: str


class Condition(TypedDict):
    """One condition of a spec."""

    type: str
    status: str
    reason: str
    message: str
    since: str | None


class Spec(Key):
    """One spec and how it does."""

    ready: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    conditions: list[Condition]
    revision: str
    author: str
    path: str
    line: int
    digest: str
    version: int | None
    action: str
    changedAt: str | None
    checkedAt: str | None
    failures: int
    changes: list[str]
    labels: dict[str, str]


class Specs(TypedDict):
    """All specs that match, and what of the source could not be used."""

    fleet: str
    revision: str
    specs: list[Spec]
    rejections: list[dict[str, Any]]


class Plan(Key):
    """What would be done to one spec now."""

    action: str
    reason: str
    message: str
    changes: list[str]
    blastRadius: str
    updates: dict[str, dict[str, int]] | None
    failures: dict[str, str] | None
    warnings: str


class Resync(TypedDict):
    """A request to look again, and how far it got."""

    id: int
    done: bool
    total: int
    pending: int | None


class Record(TypedDict):
    """One line of a history."""

    at: str | None
    action: str
    reason: str
    message: str
    revision: str
    author: str
    path: str
    line: int
    digest: str
    version: int | None


class Event(TypedDict):
    """Something that happened."""

    id: int
    at: str | None
    severity: str
    reason: str
    message: str
    key: Key | None
    revision: str


class Description(TypedDict):
    """One spec, whole."""

    spec: Spec
    suspended: bool
    approved: bool
    jobModifyIndex: int
    history: list[Record]
    events: list[Event]
    deployments: list[dict[str, Any]] | None
    allocations: list[dict[str, Any]] | None
    trouble: str


class Version(TypedDict):
    """One version of a live job, and the commit that made it."""

    version: int
    at: str | None
    current: bool
    stable: bool
    ours: bool
    revision: str
    author: str
    path: str
    line: int
    digest: str
    action: str
    reason: str


class Trace(Key):
    """From a live job back to who declared it."""

    fleet: str
    live: Version
    last: Version | None
    spec: Spec | None


class RolledBack(TypedDict):
    """What a rollback did."""

    version: int | None
    revision: str
    files: list[str]
    pushed: bool


class Overview(TypedDict):
    """The fleet at a glance."""

    fleet: str
    source: str
    nomad: str
    nomadVersion: str
    revision: str
    sourceState: dict[str, Any]
    ready: bool
    trouble: dict[str, str]
    rejections: list[dict[str, Any]]
    total: int
    readyCount: int
    held: int
    suspended: int
    fleetSuspended: bool


class Whoami(TypedDict):
    """An identity."""

    owner: str
    slug: str
    subject: str
    issuer: str
    name: str
    email: str
    admin: bool
    roles: dict[str, str]


# -- statistics --------------------------------------------------------------------------------------------------------


class Amounts(TypedDict):
    """What is held at one moment."""

    cpu_num: int
    cpu_MHz: int
    gpu_num: int
    memory_MB: int
    disk_MB: int
    allocations: int


class Used(TypedDict):
    """What was used over time, in resource-hours."""

    cpu_num_h: float
    cpu_MHz_h: float
    gpu_num_h: float
    memory_MB_h: float
    disk_MB_h: float
    allocations_h: float


class UsageRow(TypedDict):
    """What was used in one piece of time."""

    start: str
    end: str
    namespace: str
    owner: str
    used: Used


class Usage(TypedDict):
    """Usage in pieces, in all, and now."""

    since: str
    until: str
    granularity: Granularity
    measured_at: str | None
    current: Amounts
    total: Used
    rows: list[UsageRow]


Summary = TypedDict(
    "Summary",
    {
        "full-agg": dict[str, int],
        "timeseries": dict[str, list[int | str]],
        "users-agg": dict[str, int | str] | None,
    },
)


class Capacity(TypedDict):
    """What there is, and what is held of it by anybody. Memory and disk are in MiB."""

    cpu_total: int
    cpu_used: int
    cpu_MHz_total: int
    cpu_MHz_used: int
    ram_total: int
    ram_used: int
    disk_total: int
    disk_used: int
    gpu_total: int
    gpu_used: int
    gpu_models: dict[str, dict[str, int]]


class Node(Capacity):
    """One node."""

    name: str
    state: str
    eligibility: str
    status: str
    type: str
    tags: str
    namespaces: list[str]
    pool: str
    jobs_num: int
    reallocations: int
    by_namespace: dict[str, Amounts]


class Datacenter(TypedDict):
    """One datacenter."""

    nodes: dict[str, Node]


class ClusterSum(Capacity):
    """All nodes together; *free* is what ready ones have left."""

    nodes: dict[str, int]
    jobs_num: int
    cpu_MHz_free: int
    cpu_free: int
    ram_free: int
    disk_free: int
    gpu_free: int


class Cluster(TypedDict):
    """The cluster, and who holds what of it."""

    datacenters: dict[str, Datacenter]
    cluster: ClusterSum
    by_namespace: dict[str, Amounts]
    updated_at: str
