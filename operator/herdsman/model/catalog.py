"""The catalog: what can be deployed, what a user may set of it, and what a cluster adds.

An entry is three files: `metadata.yaml` says what it is, `user.yaml` which parameters it has, `nomad.hcl` what runs. A
parameter is an HCL2 variable of the same name, and so is a *fact*: what the platform knows of a deployment (`Facts`)
and of the cluster (`Site`). A secret is no variable: it is an item of the Nomad variable at `Facts.secrets_path`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from herdsman.model.desired import HclSource, Position, Rejection

METADATA: Final = "metadata.yaml"
PARAMETERS: Final = "user.yaml"
JOBSPEC: Final = "nomad.hcl"
FILES: Final = (METADATA, PARAMETERS, JOBSPEC)
"""The files of an entry; each must be there."""

SECTIONS: Final = ("modules", "tools")
"""The folders of a catalog that hold entries."""

ENTRY_NAME: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
PARAMETER_NAME: Final = r"[A-Za-z][A-Za-z0-9_]{0,63}"
DEPLOYMENT_ID: Final = r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?"
"""A deployment's ID is its job's ID and, behind a port's label, a host's and a service's name: 63 characters in all."""


# -- parameters --------------------------------------------------------------------------------------------------------


class Kind(StrEnum):
    """What sort of value a parameter takes."""

    STRING = "string"
    INT = "int"
    NUMBER = "number"
    BOOL = "bool"
    LIST = "list"
    OBJECT = "object"


class Resource(StrEnum):
    """What of a node a parameter asks for: cores, MB of memory, MB of disk, GPUs, or a model of GPU."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    GPU = "gpu"
    GPU_MODEL = "gpu_model"


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends belong to it; None is no end."""

    low: float | None = None
    high: float | None = None

    def __contains__(self, value: float) -> bool:
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return self.low is not None and self.high is not None and self.low > self.high

    def within(self, other: "Range") -> "Range":
        """What is in both."""
        lows = [end for end in (self.low, other.low) if end is not None]
        highs = [end for end in (self.high, other.high) if end is not None]
        return Range(max(lows, default=None), min(highs, default=None))

    def nearest(self, value: float) -> float:
        """*value*, or the end of the range that is closest to it."""
        if self.low is not None and value < self.low:
            return self.low
        return self.high if self.high is not None and value > self.high else value


@dataclass(frozen=True, slots=True)
class Rule:
    """Which values are allowed. Lengths are characters of a text, or elements of a list."""

    kind: Kind
    options: tuple[Any, ...] = ()
    range: Range = Range()
    pattern: str = ""
    example: str = ""
    min_length: int = 0
    max_length: int = 0
    multiline: bool = False
    interpolate: bool = False
    items: "Rule | None" = None
    fields: Mapping[str, "Field"] = field(default_factory=dict)

    @property
    def free_text(self) -> bool:
        """Whether any text may be given, as far as the form of it allows."""
        return self.kind is Kind.STRING and not self.options


@dataclass(frozen=True, slots=True)
class Field:
    """A part of an object."""

    name: str
    rule: Rule
    description: str = ""
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Another parameter's values with which a parameter means something."""

    group: str
    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a user may set. *default* is what holds where nobody does.

    A *display* parameter is for people and never reaches the job. A *batch* one is a script: a deployment that has it
    runs it once instead of what it runs else. *note* says who narrowed the range.
    """

    group: str
    key: str
    name: str
    rule: Rule
    default: Any
    description: str = ""
    required: bool = False
    secret: bool = False
    generate: int = 0
    advanced: bool = False
    display: bool = False
    batch: bool = False
    resource: Resource | None = None
    depends: tuple[Condition, ...] = ()
    note: str = ""

    @property
    def path(self) -> str:
        """How people name it."""
        return f"{self.group}.{self.key}"


# -- entries -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an entry is. *links* are by what they lead to, *created* and *updated* are dates like 2026-01-31."""

    title: str
    summary: str
    description: str = ""
    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    data_types: tuple[str, ...] = ()
    licence: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A `variable` block of a jobspec. *type* is written as there."""

    name: str
    type: str
    required: bool
    line: int


@dataclass(frozen=True, slots=True)
class Use:
    """A place in a jobspec that names a variable or a function; *volatile* where it gives another result each time."""

    name: str
    line: int
    column: int
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """What can be told of a jobspec without its variables: what it declares, and what it uses."""

    variables: tuple[Variable, ...] = ()
    references: tuple[Use, ...] = ()
    functions: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a jobspec has no outline."""

    message: str
    line: int = 0
    column: int = 0
    hint: str = ""


Groups = Mapping[str, Mapping[str, Parameter]]


@dataclass(frozen=True)
class Entry:
    """One module or tool. *folder* is where its files stand; *digest* is of all three."""

    section: str
    name: str
    folder: str
    metadata: Metadata
    groups: Groups
    hcl: str
    outline: Outline
    digest: str

    @property
    def id(self) -> str:
        """How a deployment names it: `modules/hello-web`."""
        return f"{self.section}/{self.name}"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, in the order of the file."""
        return tuple(parameter for group in self.groups.values() for parameter in group.values())

    @property
    def secrets(self) -> tuple[Parameter, ...]:
        """Those that must not stand in the job."""
        return tuple(parameter for parameter in self.parameters if parameter.secret)

    @cached_property
    def script(self) -> Parameter | None:
        """The one that makes a deployment a batch job, where there is one."""
        return next((parameter for parameter in self.parameters if parameter.batch), None)

    def is_batch(self, values: Mapping[str, Mapping[str, Any] | None]) -> bool:
        """Whether a deployment with those *values* is a batch job."""
        return self.script is not None and bool((values.get(self.script.group) or {}).get(self.script.key))


@dataclass(frozen=True, slots=True)
class Catalog:
    """Entries by ID, and what is wrong with the files of those that are *broken*: not there, or as they last were.

    *problem* is why this is not the newest state.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    broken: Mapping[str, tuple[Rejection, ...]] = field(default_factory=dict)
    problem: str = ""

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """All that is wrong."""
        return tuple(rejection for _, rejections in sorted(self.broken.items()) for rejection in rejections)

    def over(self, other: "Catalog") -> "Catalog":
        """Both; of two entries with one ID this catalog's."""
        hidden = self.entries.keys() | self.broken.keys()
        theirs = {id_: entry for id_, entry in other.entries.items() if id_ not in hidden}
        broken = {id_: rejections for id_, rejections in other.broken.items() if id_ not in hidden}
        problems = [problem for problem in (self.problem, other.problem) if problem]
        return Catalog({**theirs, **self.entries}, {**broken, **self.broken}, "; ".join(problems))


# -- what the platform adds --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """How far the parameters of one namespace may go; *gpu_models* are those that there are, None where unknown."""

    namespace: str = ""
    cpu: Range = Range()
    memory: Range = Range()
    disk: Range = Range()
    gpu: Range = Range()
    gpu_models: tuple[str, ...] | None = None

    def range(self, resource: Resource) -> Range:
        """The range of what can be counted."""
        return {Resource.CPU: self.cpu, Resource.MEMORY: self.memory, Resource.DISK: self.disk}.get(resource, self.gpu)


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Site:
    """What a cluster is like. Each field is an HCL2 variable of that name.

    *domain* is what the hosts of deployments end in. *registry* is where images come from, *platform_registry* those
    that the platform itself adds; empty means what the container engine takes. *labelled_nodes* says that nodes have
    the metadata `status`, `type`, `namespace` (a list), `tags` and `domain`, so that jobs can ask for them.
    *disk_quotas* says that the container engine can limit a container's disk. *notify_url* is told when a deployment
    starts.
    """

    domain: str = "localhost"
    registry: str = ""
    platform_registry: str = ""
    service_provider: str = "nomad"
    labelled_nodes: bool = False
    disk_quotas: bool = False
    notify_url: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the platform knows of a deployment. Each field is an HCL2 variable of that name.

    All of them are constants of a deployment's life: a change of most of them replaces its allocations.
    """

    deployment_id: str
    namespace: str
    owner: str
    catalog_entry: str
    node_type: str = "compute"
    priority: int = 50

    @property
    def secrets_path(self) -> str:
        """The Nomad variable for the secrets: one that the job's own identity may read without a policy."""
        return f"nomad/jobs/{self.deployment_id}"


SECRETS_PATH: Final = "secrets_path"
SECRETS_GIVEN: Final = "secrets_given"
"""The HCL2 variable that tells which secrets have a value, so that a jobspec can leave out what needs them."""

_HCL_TYPES: Final = {str: "string", int: "number", bool: "bool"}

FACTS: Final[Mapping[str, str]] = {
    **{fact.name: _HCL_TYPES[fact.type] for part in (Facts, Site) for fact in fields(part)},  # type: ignore[index]
    SECRETS_PATH: "string",
    SECRETS_GIVEN: "list(string)",
}
"""Every fact and its type in HCL. No parameter may be called like one."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """All parameters of a deployment: given, or by default.

    *secrets* has every secret of the entry, empty where there is none; *generate* are those that whoever writes the
    Nomad variable makes up, at that length, unless it holds one already.
    """

    values: Mapping[str, Mapping[str, Any]]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    generate: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One deployment's job before it is parsed, and what belongs into the Nomad variable at *secrets_path* first.

    Whoever writes that variable, in the job's namespace, writes *items*, and one of its own for each of *generate* that
    it does not hold yet. Where *needs_variable* is false, the job reads none.
    """

    source: HclSource
    resolved: Resolved
    secrets_path: str

    @property
    def items(self) -> Mapping[str, str]:
        """The secrets that were given. To be written, never shown."""
        return {key: secret for key, secret in self.resolved.secrets.items() if secret}

    @property
    def generate(self) -> Mapping[str, int]:
        """The secrets that are to be made up, and how long."""
        return self.resolved.generate

    @property
    def needs_variable(self) -> bool:
        """Whether the job's templates wait for the variable."""
        return bool(self.items or self.generate)


def place(folder: str, file: str, line: int = 0, column: int = 0) -> Position:
    """A place in a file of an entry."""
    return Position(f"{folder}/{file}" if folder else file, line, column)
