"""What a snapshot asks for: policies, fleets, jobs, namespaces, and what of it could not be understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from herdsman.model.keys import Key
from herdsman.model.quotas import Quotas


class Drift(StrEnum):
    """What to do when somebody else changed the live job."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


class CountSource(StrEnum):
    """Whose count holds in groups with an enabled `scaling` block."""

    LIVE = "live"
    GIT = "git"


class Stopped(StrEnum):
    """What to do when somebody stopped the live job."""

    REVERT = "revert"
    RESPECT = "respect"


class Prune(StrEnum):
    """What becomes of a job that is wanted no more."""

    PURGE = "purge"
    STOP = "stop"
    KEEP = "keep"


class Adopt(StrEnum):
    """Whether a job that is nobody's may be taken over."""

    NEVER = "never"
    IF_EQUAL = "if-equal"
    ALWAYS = "always"


class Destructive(StrEnum):
    """When an update that replaces allocations may run."""

    ALLOW = "allow"
    WINDOW = "window"
    APPROVE = "approve"


class Upgrade(StrEnum):
    """When a deployment follows its catalog entry to a new version."""

    AUTO = "auto"
    PIN = "pin"
    WINDOW = "window"


class Rerun(StrEnum):
    """Whether a finished batch job that Nomad forgot is run again."""

    CHANGE = "change"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Policy:
    """How one spec is kept. Durations are in seconds."""

    drift: Drift = Drift.ENFORCE
    ignore: tuple[str, ...] = ()
    count: CountSource = CountSource.LIVE
    stopped: Stopped = Stopped.REVERT
    prune: Prune = Prune.PURGE
    adopt: Adopt = Adopt.NEVER
    destructive: Destructive = Destructive.ALLOW
    rerun: Rerun = Rerun.CHANGE
    suspend: bool = False
    health_timeout: float = 600.0
    retry_interval: float | None = None


NO_POLICY = Policy()
"""What holds where nobody says anything."""


@dataclass(frozen=True, slots=True)
class PruneLimits:
    """How much may be removed in one round without being asked: the larger of the two, and never all."""

    percent: int = 20
    count: int = 5


@dataclass(frozen=True, slots=True)
class Window:
    """A sync window: opens by a cron *schedule* in *time_zone* and lasts *duration* seconds."""

    schedule: str
    duration: float
    time_zone: str = "UTC"
    deny: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """What one source declares for one Nomad cluster. *namespaces* are glob patterns of what it may touch."""

    name: str = "default"
    policy: Policy = NO_POLICY
    prune: PruneLimits = PruneLimits()
    windows: tuple[Window, ...] = ()
    namespaces: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source. *line* and *column* count from 1; 0 means the whole file."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.path, *(str(n) for n in (self.line, self.column) if n)])


NOWHERE = Position("")
"""Where nothing is known of a place."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A piece of input that could not be used, said to a person: where, which field, what was expected, what to do.

    *key* is set where the identity of what it declares is known in spite of the error.
    """

    position: Position
    message: str
    field: str = ""
    hint: str = ""
    key: Key | None = None

    def __str__(self) -> str:
        where = f"{self.position}: {self.field}" if self.field else str(self.position)
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a desired thing was declared."""

    position: Position
    revision: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class HclSource:
    """An HCL2 jobspec before it is parsed. *offset* is the line of the spec file where inline text begins, less one."""

    text: str
    variables: Mapping[str, Any]
    path: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody ordered from the catalog: all that a reader is told of a `Deployment`, and no secret.

    *entry* is like `modules/hello-web`, *template* the digest of the version of it that the job is made from, *latest*
    that of the catalog's; they are empty where there is none. *created* and *expires* are s since the epoch; *values*
    are the parameters, as given until they could be checked; *secrets* are the names of those that have a value. A
    *batch* one runs a script to its end.
    """

    key: Key
    entry: str
    owner: str
    title: str = ""
    description: str = ""
    created: float | None = None
    expires: float | None = None
    stopped: bool = False
    upgrade: Upgrade = Upgrade.AUTO
    template: str = ""
    latest: str = ""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    batch: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    position: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class DesiredJob:
    """A wanted job. Exactly one of *body* (canonical JSON, without stamp) and *hcl* is set.

    *digest* covers what decides the job, body or HCL text with its variables, and nothing that merely says where it
    stands: the same job in a moved file has the same digest. *order* is there where a `Deployment` declares the job; a
    *stopped* one is wanted, but not running; after *expires* (s since the epoch) it is wanted no more.
    """

    key: Key
    digest: str
    policy: Policy
    origin: Origin
    body: bytes | None = None
    hcl: HclSource | None = None
    depends_on: tuple[Key, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    order: Order | None = None

    @property
    def stopped(self) -> bool:
        """Whether its spec says that it shall not run."""
        return self.order is not None and self.order.stopped

    @property
    def expires(self) -> float | None:
        """When it is wanted no more, s since the epoch."""
        return self.order.expires if self.order is not None else None


@dataclass(frozen=True, slots=True)
class DesiredNamespace:
    """A wanted Nomad namespace."""

    key: Key
    digest: str
    policy: Policy
    origin: Origin
    description: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[Key, ...] = ()
    quotas: Quotas | None = None

    @property
    def expires(self) -> None:
        """A namespace is wanted until its spec is gone."""
        return


@dataclass(frozen=True, slots=True)
class DesiredVariable:
    """A wanted Nomad variable: the *items* that it must have, beside those of others.

    Of a secret to *generate*, only the length is known; one that the live variable has already stays. *digest* is of
    what stands in the spec, where secrets are encrypted: nobody can try out guesses against it. An *attached* one
    comes and goes with a job.
    """

    key: Key
    digest: str
    policy: Policy
    origin: Origin
    items: Mapping[str, str] = field(default_factory=dict, repr=False)
    generate: Mapping[str, int] = field(default_factory=dict)
    depends_on: tuple[Key, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    attached: bool = False
    expires: float | None = None


Wanted = DesiredJob | DesiredNamespace | DesiredVariable


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that could not be understood, so that nobody knows what it declares. *text* is None where unread."""

    path: str
    text: bytes | None


@dataclass(frozen=True, slots=True)
class Desired:
    """All that one snapshot asks for. *frozen* are keys whose own spec was rejected: their jobs stay as they are.

    *orders* are all deployments that can be read, those among them too that were rejected.
    """

    revision: str
    fleet: Fleet
    wanted: Mapping[Key, Wanted] = field(default_factory=dict)
    rejections: tuple[Rejection, ...] = ()
    frozen: Mapping[Key, Rejection] = field(default_factory=dict)
    unread: tuple[UnreadFile, ...] = ()
    settled: bool = True
    blocked: str = ""  # why nothing may be written at all
    orders: Mapping[Key, Order] = field(default_factory=dict)
