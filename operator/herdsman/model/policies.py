"""The policy blocks of documents: how a spec is kept, and what it waits for."""

from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from herdsman.model import desired, names
from herdsman.model.fields import Duration, IgnorePath, NamespaceName, Strict, Unfit, Written
from herdsman.model.keys import Key, Kind, job_key, namespace_key, variable_key
from herdsman.model.paths import EXAMPLES


class Dependency(Strict):
    """Something that must be Ready first."""

    kind: Annotated[Kind, Written] = Field(default=Kind.JOB, description="What it is.")
    name: str = Field(min_length=1, description="What it is called.")
    namespace: NamespaceName | None = Field(
        default=None, description="Where it lives; left out, where the depending spec does."
    )

    @model_validator(mode="after")
    def _sound(self) -> "Dependency":
        if self.kind is Kind.JOB:
            _check_job_id(self.name)
        elif self.kind is Kind.VARIABLE:
            if len(self.name) > 128 or not names.fits(names.PATH, self.name):
                raise Unfit("not a path for a Nomad variable", at=("name",))
        elif self.namespace is not None:
            raise Unfit("a Namespace lives in no namespace", "remove the field", at=("namespace",))
        elif not names.fits(names.NAMESPACE, self.name):
            raise Unfit("not a name for a Nomad namespace", at=("name",))
        return self

    def key(self, namespace: str) -> Key:
        """Its key, if the depending spec lives in *namespace*."""
        if self.kind is Kind.NAMESPACE:
            return namespace_key(self.name)
        if self.kind is Kind.VARIABLE:
            return variable_key(self.namespace or namespace, self.name)
        return job_key(self.namespace or namespace, self.name)


def _check_job_id(name: str) -> None:
    try:
        names.check_job_id(name)
    except ValueError as error:
        raise Unfit(str(error), at=("name",)) from None


def _short_dependency(value: object) -> object:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict | Dependency):
        return value
    raise Unfit("expected the name of a job, or a mapping with kind, name and namespace")


Dependencies = Annotated[tuple[Annotated[Dependency, BeforeValidator(_short_dependency)], ...], Written]


class FleetPolicy(Strict):
    """How specs are kept. What is left out comes from the fleet, and there from Herdsman's defaults."""

    drift: Annotated[desired.Drift, Written] | None = Field(
        default=None,
        description="Somebody else changed the live job: enforce puts it right (default), warn tells, off looks away.",
    )
    ignore: Annotated[tuple[IgnorePath, ...], Written] | None = Field(
        default=None,
        description=f"Fields that belong to somebody else: the live value is kept. Paths like {EXAMPLES}.",
    )
    count: Annotated[desired.CountSource, Written] | None = Field(
        default=None,
        description="Whose count holds in autoscaled groups: live, the autoscaler's (default), or git.",
    )
    stopped: Annotated[desired.Stopped, Written] | None = Field(
        default=None,
        description="Somebody stopped the live job: revert starts it again (default), respect leaves it stopped.",
    )
    prune: Annotated[desired.Prune, Written] | None = Field(
        default=None,
        description="The spec is gone: purge stops and removes the job (default), stop only stops it, keep leaves it.",
    )
    adopt: Annotated[desired.Adopt, Written] | None = Field(
        default=None,
        description="Take over a live job that is nobody's: never (default), if-equal to the spec, or always.",
    )
    destructive: Annotated[desired.Destructive, Written] | None = Field(
        default=None,
        description="Updates that replace allocations: allow (default), only in a sync window, or when approved.",
    )
    rerun: Annotated[desired.Rerun, Written] | None = Field(
        default=None,
        description="A finished batch job runs again on a change of its spec (default), or always once forgotten.",
    )
    suspend: bool | None = Field(
        default=None, description="true: hands off; nothing is compared or changed until it is false again."
    )
    health_timeout: Duration | None = Field(
        default=None,
        description="How long a change may take to become healthy (default 10m).",
    )
    retry_interval: Duration | None = Field(
        default=None, description="A fixed time between attempts after a passing failure, instead of growing ones."
    )

    def over(self, base: desired.Policy) -> desired.Policy:
        """*base* with what is set here."""
        return replace(base, **{k: v for k in _POLICY_FIELDS if (v := getattr(self, k, None)) is not None})


_POLICY_FIELDS: Final = tuple(desired.Policy.__dataclass_fields__)


class JobPolicy(FleetPolicy):
    """How this job is kept. What is left out comes from the fleet, and there from Herdsman's defaults."""

    depends_on: Dependencies = Field(
        default=(),
        description="Specs that must be Ready before this one is created or changed: names of jobs in its namespace,"
        " or mappings with kind, name and namespace.",
    )


class _PlainPolicy(Strict):
    """What namespaces and variables have in common: they do not run."""

    prune: Literal["purge", "keep"] | None
    adopt: Annotated[desired.Adopt, Written] | None
    suspend: bool | None

    def over(self, base: desired.Policy) -> desired.Policy:
        """*base* with what is set here."""
        return replace(
            base,
            prune=base.prune if self.prune is None else desired.Prune(self.prune),
            adopt=base.adopt if self.adopt is None else self.adopt,
            suspend=base.suspend if self.suspend is None else self.suspend,
        )


class VariablePolicy(_PlainPolicy):
    """How this variable is kept. What is left out comes from the fleet, and there from Herdsman's defaults."""

    drift: Annotated[desired.Drift, Written] | None = Field(
        default=None,
        description="Somebody else changed its items: enforce puts them right (default), warn tells, off looks away.",
    )
    prune: Literal["purge", "keep"] | None = Field(
        default=None,
        description="When the spec is gone: purge removes its items, and the variable with the last one; keep leaves"
        " them.",
    )
    adopt: Annotated[desired.Adopt, Written] | None = Field(
        default=None,
        description="Take over items that are there already and nobody's: never (default), if-equal, or always.",
    )
    suspend: bool | None = Field(
        default=None, description="true: hands off; nothing is compared or changed until it is false again."
    )
    depends_on: Dependencies = Field(default=(), description="Specs that must be Ready before this one is written.")

    def over(self, base: desired.Policy) -> desired.Policy:
        """*base* with what is set here."""
        plain = super().over(base)
        return plain if self.drift is None else replace(plain, drift=self.drift)


class NamespacePolicy(_PlainPolicy):
    """How this namespace is kept. What is left out comes from the fleet, and there from Herdsman's defaults."""

    prune: Literal["purge", "keep"] | None = Field(
        default=None, description="When the spec is gone: purge removes the namespace once it is empty, keep leaves it."
    )
    adopt: Annotated[desired.Adopt, Written] | None = Field(
        default=None,
        description="Take over a live namespace that is nobody's: never (default), if-equal to the spec, or always.",
    )
    suspend: bool | None = Field(
        default=None, description="true: hands off; nothing is compared or changed until it is false again."
    )
    depends_on: Dependencies = Field(default=(), description="Specs that must be Ready before this one is created.")
