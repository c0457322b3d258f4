"""What a spec is called: kind, namespace and name, never the file that it stands in (design §4)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The kinds of spec that have a counterpart in Nomad, and so a key of their own."""

    JOB = "Job"
    NAMESPACE = "Namespace"
    VARIABLE = "Variable"

    __hash__ = str.__hash__  # keys are hashed all the time, and an Enum's own hash is a call into Python


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Identity of one thing to reconcile. A `Job` has its ID for a *name*, a `Variable` its path; a `Namespace` has an
    empty *namespace*."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"


def job_key(namespace: str, job_id: str) -> Key:
    """The key of a Nomad job."""
    return Key(Kind.JOB, namespace, job_id)


def namespace_key(name: str) -> Key:
    """The key of a Nomad namespace."""
    return Key(Kind.NAMESPACE, "", name)


def variable_key(namespace: str, path: str) -> Key:
    """The key of a Nomad variable."""
    return Key(Kind.VARIABLE, namespace, path)


JOB_VARIABLES: Final = "nomad/jobs"
"""Below this path, a job's own identity may read what carries its ID, without a policy."""


def own_variable(job: Key) -> Key:
    """The variable that all tasks of *job*, and no other job, may read."""
    return variable_key(job.namespace, f"{JOB_VARIABLES}/{job.name}")
