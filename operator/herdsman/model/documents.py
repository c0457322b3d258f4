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
    DeploymentId,
    Duration,
    EntryId,
    FleetName,
    Glob,
    Instant,
    ItemName,
    JobFile,
    JobId,
    NamespaceName,
    Strict,
    Texts,
    Unfit,
    VariableName,
    VariablePath,
    Written,
    seconds_of,
)
from herdsman.model.keys import Key, job_key, namespace_key, variable_key
from herdsman.model.observed import STAMP
from herdsman.model.policies import FleetPolicy, JobPolicy, NamespacePolicy, VariablePolicy
from herdsman.model.quotas import Quotas

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


class DeploymentMetadata(Metadata):
    """What the deployment is called, and where it lives."""

    name: DeploymentId = Field(description="The job's ID in Nomad, and a part of its services' names and hosts.")
    namespace: NamespaceName = Field(default="default", description="The Nomad namespace that the job lives in.")


class VariableMetadata(Metadata):
    """Where the variable is to be found."""

    name: VariablePath = Field(description="The variable's path in Nomad, like nomad/jobs/web.")
    namespace: NamespaceName = Field(default="default", description="The Nomad namespace that it lives in.")


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


Amount = Annotated[int, Field(ge=0, le=2**53)] | None


class AllowanceSpec(Strict):
    """How much there may be at most. What is left out is not limited."""

    deployments: Amount = Field(default=None, description="Deployments, those too that are stopped.")
    cpu: Amount = Field(default=None, description="MHz of shared CPU.")
    cores: Amount = Field(default=None, description="Reserved CPU cores.")
    memory: Amount = Field(default=None, description="MB of memory.")
    disk: Amount = Field(default=None, description="MB of ephemeral disk.")
    gpu: Amount = Field(default=None, description="GPUs.")

    def limits(self) -> dict[str, int]:
        """What is limited."""
        return {name: limit for name in type(self).model_fields if (limit := getattr(self, name)) is not None}


class QuotaSpec(Strict):
    """How much the deployments of the namespace may ask for: the oldest come first, what runs is never stopped."""

    namespace: AllowanceSpec = Field(default=AllowanceSpec(), description="All deployments together.")
    owner: AllowanceSpec = Field(default=AllowanceSpec(), description="The deployments of each owner.")

    def quotas(self) -> Quotas:
        """What it says, as a value."""
        return Quotas(self.namespace.limits(), self.owner.limits())


class NamespaceSpec(Strict):
    """A Nomad namespace."""

    description: str = Field(default="", max_length=256, description="What it is for; shown in Nomad's UI.")
    meta: Texts = Field(default_factory=dict, description="Key and value texts that Nomad keeps with the namespace.")
    quotas: QuotaSpec | None = Field(
        default=None, description="How much of the namespace its deployments may have; Herdsman sees to it, not Nomad."
    )
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


def _check_waits(key: Key, policy: JobPolicy | None) -> None:
    """Raises `Unfit` where the job *key* would wait for itself."""
    if policy is not None and any(d.key(key.namespace) == key for d in policy.depends_on):
        raise Unfit("a job cannot wait for itself", at=("spec", "policy", "dependsOn"))


class JobDocument(Strict):
    """A Nomad job that is kept as it is written here."""

    model_config = ConfigDict(title="Job")
    api_version: Literal["herdsman/v1"] = Field(description="The version of this format.")
    kind: Literal["Job"] = Field(description="What the document declares.")
    metadata: JobMetadata
    spec: JobSpec

    @model_validator(mode="after")
    def _not_itself(self) -> "JobDocument":
        _check_waits(self.key, self.spec.policy)
        return self

    @property
    def key(self) -> Key:
        """Its identity."""
        return job_key(self.metadata.namespace, self.metadata.name)


# -- Deployment --------------------------------------------------------------------------------------------------------


def _owner(text: str) -> str:
    if not text or len(text) > 512 or not text.isprintable():
        raise Unfit("expected one line of 1 to 512 characters", "like 4711@https://issuer.example.org")
    return text


class DeploymentSpec(Strict):
    """An instance of a catalog entry, and whose it is."""

    catalog: EntryId = Field(description="The entry that it is made from: modules/… or tools/…")
    owner: Annotated[str, AfterValidator(_owner)] = Field(
        description="Whose it is, like 4711@https://issuer.example.org; quotas count by it. Changing it means another"
        " job for most entries."
    )
    title: str = Field(default="", max_length=256, description="What its owner calls it.")
    description: str = Field(default="", max_length=4096, description="What it is for.")
    parameters: Mapping[str, Mapping[str, Any] | None] = Field(
        default_factory=dict,
        description="What the entry's user.yaml lets a user set: group, parameter, value. What is left out is as there."
        " Secrets are age-encrypted texts; they become a Nomad variable, never a part of the job.",
    )
    created_at: Instant | None = Field(
        default=None, description="When it was ordered. Of two that a quota does not hold, the older is deployed."
    )
    expires_after: Duration | None = Field(
        default=None, description="How long after createdAt it is removed, though its spec is still there."
    )
    stopped: bool = Field(default=False, description="true: it does not run, until it is false again.")
    upgrade: Annotated[desired.Upgrade, Written] = Field(
        default=desired.Upgrade.AUTO,
        description="A new version of the entry: auto takes it over at once (default), window when a sync window of the"
        " Fleet is open, pin never: template stays.",
    )
    template: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")] | None = Field(
        default=None, description="The digest of the entry's version that it was ordered from; upgrade: pin needs it."
    )
    node_type: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        default="compute", description="The type of node that it asks for, where nodes are labelled."
    )
    priority: Annotated[int, Field(ge=1, le=100)] = Field(default=50, description="The job's priority.")
    policy: JobPolicy | None = Field(default=None, description="How the job is kept.")

    @model_validator(mode="after")
    def _sound(self) -> "DeploymentSpec":
        if self.expires_after is not None and self.created_at is None:
            raise Unfit("missing", "expiresAfter counts from it", at=("createdAt",))
        if self.upgrade is desired.Upgrade.PIN and self.template is None:
            raise Unfit("missing", "upgrade: pin needs the digest to stay at", at=("template",))
        return self

    @property
    def created(self) -> float | None:
        """When it was ordered, s since the epoch."""
        return seconds_of(self.created_at) if self.created_at is not None else None

    @property
    def expires(self) -> float | None:
        """When it is wanted no more, s since the epoch."""
        created = self.created
        return None if created is None or self.expires_after is None else created + self.expires_after


class DeploymentDocument(Strict):
    """An instance of a catalog entry: one Nomad job, made from the entry and a user's parameters."""

    model_config = ConfigDict(title="Deployment")
    api_version: Literal["herdsman/v1"] = Field(description="The version of this format.")
    kind: Literal["Deployment"] = Field(description="What the document declares.")
    metadata: DeploymentMetadata
    spec: DeploymentSpec

    @model_validator(mode="after")
    def _not_itself(self) -> "DeploymentDocument":
        _check_waits(self.key, self.spec.policy)
        return self

    @property
    def key(self) -> Key:
        """Its identity: that of its job."""
        return job_key(self.metadata.namespace, self.metadata.name)


# -- Variable ----------------------------------------------------------------------------------------------------------

AGE_BEGINS: Final = "-----BEGIN AGE ENCRYPTED FILE-----"


def is_encrypted(value: object) -> bool:
    """Whether *value* is a text that was encrypted with age, in its armoured form."""
    return isinstance(value, str) and value.lstrip().startswith(AGE_BEGINS)


def _armoured(text: str) -> str:
    if not is_encrypted(text):
        raise Unfit("expected a text that was encrypted with age", "write the answer of: age --armor -r RECIPIENT")
    return text


class VariableSpec(Strict):
    """A Nomad variable. Items that others put there are left alone."""

    items: Mapping[ItemName, str] = Field(
        default_factory=dict, description="Its items. Git remembers them for ever: secrets belong under encrypted."
    )
    encrypted: Mapping[ItemName, Annotated[str, AfterValidator(_armoured)]] = Field(
        default_factory=dict, description="Items whose texts are encrypted for the operator's age recipient."
    )
    allow_plain: bool = Field(
        default=False, description="true: items may stand in clear although their names look like those of secrets."
    )
    policy: VariablePolicy | None = Field(default=None, description="How this variable is kept.")

    @model_validator(mode="after")
    def _has_items(self) -> "VariableSpec":
        if not self.items and not self.encrypted:
            raise Unfit("expected items, or encrypted ones", "Nomad keeps no empty variable", at=("items",))
        for name in self.items.keys() & self.encrypted.keys():
            raise Unfit("stands under items, too", "keep one", at=("encrypted", name))
        for name in self.items.keys() | self.encrypted.keys():
            if name == STAMP:
                raise Unfit(f"{STAMP} is Herdsman's own", "take another name", at=("items",))
        return self


class VariableDocument(Strict):
    """A Nomad variable. Jobs whose identity may read it without a policy wait for it without saying so."""

    model_config = ConfigDict(title="Variable")
    api_version: Literal["herdsman/v1"] = Field(description="The version of this format.")
    kind: Literal["Variable"] = Field(description="What the document declares.")
    metadata: VariableMetadata
    spec: VariableSpec

    @property
    def key(self) -> Key:
        """Its identity."""
        return variable_key(self.metadata.namespace, self.metadata.name)


Document = FleetDocument | JobDocument | NamespaceDocument | DeploymentDocument | VariableDocument

KINDS: Final[Mapping[str, type[Document]]] = {
    "Fleet": FleetDocument,
    "Job": JobDocument,
    "Namespace": NamespaceDocument,
    "Deployment": DeploymentDocument,
    "Variable": VariableDocument,
}
"""Which class a document's `kind` stands for."""
