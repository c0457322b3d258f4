"""The live side of a fleet as one value: what `herdsman export --live` writes and `herdsman diff --against` reads.

It holds what the operator would ask of Nomad and of its own records, so that the same decisions can be taken where
there is neither. What may be a secret is in it only as a seal (`core.sealing`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from herdsman.model.keys import Key
from herdsman.model.memory import Memory
from herdsman.model.observed import Body, JobStub, Provenance
from herdsman.model.plans import Pin

FORMAT = "herdsman.export/v1"
"""What a file of this kind says it is. A reader takes no other; fields may be added without a new number."""


@dataclass(frozen=True, slots=True)
class Header:
    """What holds for the whole file. *salt* is that of the seals, in hex; *taken* is an ISO time, in UTC."""

    fleet: str
    taken: str
    salt: str
    nomad_version: str = ""
    source: str = ""
    revision: str = ""
    suspended: bool = False  # the whole fleet, by a person


@dataclass(frozen=True, slots=True)
class ExportedJob:
    """One job. Without *stub* it does not live; with a stub and no *body* only its name and its owner are known."""

    key: Key
    stub: JobStub | None = None
    body: Body | None = None
    provenance: Provenance | None = None  # of the newest version that the fleet wrote
    memory: Memory = field(default_factory=Memory)
    suspended: bool = False
    pin: Pin | None = None  # the version that a person rolled it back to


@dataclass(frozen=True, slots=True)
class ExportedNamespace:
    """One namespace. Without *body* it is somebody else's, or not there: *live* says which."""

    key: Key
    body: Body | None = None
    live: bool = True
    memory: Memory = field(default_factory=Memory)
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class ExportedVariable:
    """One variable. With *index* 0 it is not there. Every item is sealed, but for the one that says whose it is."""

    key: Key
    index: int = 0
    create_index: int = 0
    items: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory: Memory = field(default_factory=Memory)
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """The live side of a fleet at one moment. *closed* says that there are no namespaces but those listed."""

    header: Header
    jobs: Mapping[Key, ExportedJob] = field(default_factory=dict)
    namespaces: Mapping[Key, ExportedNamespace] = field(default_factory=dict)
    variables: Mapping[Key, ExportedVariable] = field(default_factory=dict)
    closed: bool = True
