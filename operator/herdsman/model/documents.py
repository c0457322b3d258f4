"""Spec files' documents: what a person may write, kind by kind, strictly.

Unknown fields are refused and nothing is converted silently: YAML has types. The descriptions are what an editor
shows beside a field; `core.schema` makes JSON Schemas of them. A new kind is one more class in `KINDS`.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from herdsman.model import desired
from herdsman.model.fields import (
    Duration,
    FleetName,
    Glob,
    JobFile,
    JobId,
    NamespaceName,
    Strict,
    Texts,
    Unfit,
    VariableName,
    Written,
)
from herdsman.model.keys import Key, job_key, namespace_key
from herdsman.model.policies import FleetPolicy, JobPolicy, NamespacePolicy

API_VERSION: Final = "herdsman/v1"


# -- metadata ----------------------------------------------------------------------------------------------------------


class Metadata(Strict):
    """What a document is called, and what people and tools note on it."""

    labels: Texts = Field(
        default_factory=dict,
        description="Short texts to find and group specs by (`herdsman get -l team=web`). They never reach Nomad.",
    )
    annotations: Texts = Field(
        default_factory=dict, description="Longer notes of people and tools. They never reach Nomad."
    )


class FleetMetadata(Metadata):
    """What the fleet is called."""

    name: FleetName = Field(
        description="The fleet's name. Its jobs carry it as a stamp: under another name it owns none of them."
    )


class NamespaceMetadata(Metadata):
    """What the namespace is called."""

    name: NamespaceName = Field(description="The namespace's name in Nomad.")


class JobMetadata(Metadata):
    """What the job is called, and where it lives."""

    name: JobId = Field(
        description="The job's ID in Nomad. Renaming it means another job: the new one starts, the old one is pruned."
    )
    namespace: NamespaceName = Field(default="default", description="The Nomad namespace that the job lives in.")


# -- Fleet -------------------------------------------------------------------------------------------------------------


def _schedule(text: str) -> str:
    if len(text.split()) != 5:
        raise Unfit("expected five fields: minute, hour, day of month, month, day of week", "like 0 22 * * MON-FRI")
    try:
        next(CronSim(text, datetime(2000, 1, 1)))  # noqa: DTZ001  only whether it ever fires
    except StopIteration:
        raise Unfit("a schedule that never comes due") from None
    except CronSimError as error:
        raise Unfit(f"not a cron schedule: {str(error).lower()}", "like 0 22 * * MON-FRI") from None
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        close = _zones().get(name.lower())
        hint = f'did you mean "{close}"?' if close else "names are like Europe/Berlin or UTC"
        raise Unfit("not a known time zone", hint) from None
    return name


@cache
def _zones() -> dict[str, str]:
    """All time zones, by their names in lower case."""
    return {zone.lower(): zone for zone in sorted(available_timezones())}


class WindowSpec(Strict):
    """A time in which updates may replace allocations, for specs with `destructive: window`."""

    schedule: Annotated[str, AfterValidator(_schedule)] = Field(
        description="When it opens: a cron schedule of five fields, like `0 22 * * MON-FRI`."
    )
    duration: Duration = Field(description="How long it stays open.")
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="The time zone of the schedule, like Europe/Berlin."
    )
    deny: bool = Field(default=False, description="true: nothing is replaced in this time, whatever other windows say.")


class PruneSpec(Strict):
    """How much may be removed in one round without asking: the larger of the two, and never everything."""

    max_percent: int = Field(default=20, ge=0, le=100, description="Share of the fleet's jobs, in percent.")
    max_count: int = Field(default=5, ge=0, le=1_000_000, description="Number of jobs.")


def _at_least_one(globs: tuple[str, ...]) -> tuple[str, ...]:
    if not globs:
        raise Unfit("may not be empty", "leave it out for all namespaces")
    return globs


class FleetSpec(Strict):
    """What holds for all specs of this source."""

    policy: FleetPolicy | None = Field(default=None, description="The policy of every spec that says nothing else.")
    prune: PruneSpec = Field(
        default=PruneSpec(), description="The guard against an empty checkout: what is beyond it waits for approval."
    )
    windows: Annotated[tuple[WindowSpec, ...], Written] = Field(
        default=(), description="When updates that replace allocations may run, for specs with `destructive: window`."
    )
    namespaces: Annotated[tuple[Glob, ...], Written, AfterValidator(_at_least_one)] = Field(
        default=("*",),
        description="The namespaces that this fleet may touch, as patterns with * and ?.",
        json_schema_extra={"minItems": 1},
    )


class FleetDocument(Strict):
    """The fleet: one per source. It names the fleet and sets what holds for all of its specs."""

    model_config = ConfigDict(title="Fleet")
    api_version: Literal["herdsman/v1"] = Field(description="The version of this format.")
    kind: Literal["Fleet"] = Field(description="What the document declares.")
    metadata: FleetMetadata
    spec: FleetSpec = FleetSpec()

    @property
    def key(self) -> None:
        """A fleet has no counterpart in Nomad that could be reconciled."""
        return

    def fleet(self) -> desired.Fleet:
        """What it says, as a value."""
        spec = self.spec
        return desired.Fleet(
            name=self.metadata.name,
            policy=spec.policy.over(desired.Policy()) if spec.policy else desired.Policy(),
            prune=desired.PruneLimits(percent=spec.prune.max_percent, count=spec.prune.max_count),
            windows=tuple(desired.Window(w.schedule, w.duration, w.time_zone, w.deny) for w in spec.windows),
            namespaces=spec.namespaces,
        )


# -- Namespace ---------------------------------------------------------------------------------------------------------


class NamespaceSpec(Strict):
    """A Nomad namespace."""

    description: str = Field(default="", max_length=256, description="What it is for; shown in Nomad's UI.")
    meta: Texts = Field(default_factory=dict, description="Key and value texts that Nomad keeps with the namespace.")
    policy: NamespacePolicy | None = Field(default=None, description="How this namespace is kept.")


class NamespaceDocument(Strict):
    """A Nomad namespace. Jobs that live in it wait for it without saying so."""

    model_config = ConfigDict(title="Namespace")
    api_version: Literal["herdsman/v1"] = Field(description="The version of this format.")
    kind: Literal["Namespace"] = Field(description="What the document declares.")
    metadata: NamespaceMetadata
    spec: NamespaceSpec = NamespaceSpec()

    @property
    def key(self) -> Key:
        """Its identity."""
        return namespace_key(self.metadata.name)


# -- Job ---------------------------------------------------------------------------------------------------------------


class JobSpec(Strict):
    """A Nomad job: exactly one of `hcl`, `file` and `job` says what it is."""

    hcl: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The job as an HCL2 jobspec, right here: `hcl: |` and the text, indented, below it."
    )
    file: JobFile | None = Field(
        default=None,
        description="The job in a file of its own: HCL2 (.hcl, .nomad) or JSON in the API's form (.json)."
        " The path starts at this file's folder and may only lead down.",
    )
    job: bytes | None = Field(
        default=None,
        description="The job in the form of Nomad's API, as YAML. Durations may be written like 30s."
        " ID, Name and Namespace come from the metadata.",
    )
    variables: Mapping[VariableName, Any] = Field(
        default_factory=dict,
        description="Values for the HCL2 variables that the jobspec declares. They never become syntax.",
    )
    policy: JobPolicy | None = Field(default=None, description="How this job is kept.")

    @model_validator(mode="after")
    def _one_source(self) -> "JobSpec":
        found = [name for name in ("hcl", "file", "job") if getattr(self, name) is not None]
        if len(found) != 1:
            raise Unfit(
                f"expected exactly one of hcl, file and job, found {' and '.join(found) or 'none'}",
                "hcl: an inline jobspec, file: one beside this file, job: the API's form as YAML",
            )
        if self.variables and (self.job is not None or (self.file or "").endswith(".json")):
            raise Unfit("variables feed HCL2 jobspecs; a job in the API's form has none", "remove variables")
        return self


class JobDocument(Strict):
    """A Nomad job that is kept as it is written here."""

    model_config = ConfigDict(title="Job")
    api_version: Literal["herdsman/v1"] = Field(description="The version of this format.")
    kind: Literal["Job"] = Field(description="What the document declares.")
    metadata: JobMetadata
    spec: JobSpec

    @model_validator(mode="after")
    def _not_itself(self) -> "JobDocument":
        policy = self.spec.policy
        if policy is not None and any(d.key(self.metadata.namespace) == self.key for d in policy.depends_on):
            raise Unfit("a job cannot wait for itself", at=("spec", "policy", "dependsOn"))
        return self

    @property
    def key(self) -> Key:
        """Its identity."""
        return job_key(self.metadata.namespace, self.metadata.name)


Document = FleetDocument | JobDocument | NamespaceDocument

KINDS: Final[Mapping[str, type[Document]]] = {
    "Fleet": FleetDocument,
    "Job": JobDocument,
    "Namespace": NamespaceDocument,
}
"""Which class a document's `kind` stands for."""
