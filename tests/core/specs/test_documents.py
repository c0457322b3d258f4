"""What documents mean: policies over policies, the fleet as a value, dependencies as keys."""

from typing import Any

import pytest
from pydantic import ValidationError

from herdsman.model.desired import (
    Adopt,
    CountSource,
    Destructive,
    Drift,
    Fleet,
    Policy,
    Prune,
    PruneLimits,
    Rerun,
    Stopped,
    Window,
)
from herdsman.model.documents import KINDS, Document, FleetDocument, JobDocument
from herdsman.model.keys import job_key, namespace_key
from herdsman.model.policies import FleetPolicy, JobPolicy, NamespacePolicy


def document(kind: str, spec: dict[str, Any], **metadata: Any) -> Document:
    return KINDS[kind].model_validate(
        {"apiVersion": "herdsman/v1", "kind": kind, "metadata": {"name": "a", **metadata}, "spec": spec}
    )


ALL = {
    "drift": "warn",
    "ignore": ["Meta.owner"],
    "count": "git",
    "stopped": "respect",
    "prune": "stop",
    "adopt": "if-equal",
    "destructive": "approve",
    "rerun": "always",
    "suspend": True,
    "healthTimeout": "1m30s",
    "retryInterval": 7,
}

ALL_MEANT = Policy(
    drift=Drift.WARN,
    ignore=("Meta.owner",),
    count=CountSource.GIT,
    stopped=Stopped.RESPECT,
    prune=Prune.STOP,
    adopt=Adopt.IF_EQUAL,
    destructive=Destructive.APPROVE,
    rerun=Rerun.ALWAYS,
    suspend=True,
    health_timeout=90.0,
    retry_interval=7.0,
)


def test_a_policy_has_every_field_of_the_policy_it_makes() -> None:
    """Nothing that Herdsman can do is beyond a person's reach, and nothing is promised that it cannot."""
    assert set(FleetPolicy.model_fields) == set(Policy.__dataclass_fields__)
    assert set(JobPolicy.model_fields) == {*Policy.__dataclass_fields__, "depends_on"}
    assert FleetPolicy.model_validate(ALL).over(Policy()) == ALL_MEANT


@pytest.mark.parametrize("field", ALL)
def test_each_field_is_laid_over_the_base_alone(field: str) -> None:
    """What a spec sets wins over the fleet, what it leaves out stays the fleet's."""
    name = "".join("_" + c.lower() if c.isupper() else c for c in field)
    made = JobPolicy.model_validate({field: ALL[field]}).over(Policy())
    assert getattr(made, name) == getattr(ALL_MEANT, name)
    assert JobPolicy.model_validate({}).over(ALL_MEANT) == ALL_MEANT


def test_false_and_empty_win_over_the_base_too() -> None:
    """Setting a field to false or to an empty list is setting it."""
    made = JobPolicy.model_validate({"suspend": False, "ignore": []}).over(ALL_MEANT)
    assert (made.suspend, made.ignore) == (False, ())


def test_a_namespace_policy_leaves_the_rest_to_the_base() -> None:
    """Only prune, adopt and suspend make sense for a namespace."""
    spec = {"prune": "keep", "adopt": "always", "suspend": True}
    made = NamespacePolicy.model_validate(spec).over(Policy(drift=Drift.OFF))
    assert made == Policy(drift=Drift.OFF, prune=Prune.KEEP, adopt=Adopt.ALWAYS, suspend=True)
    assert NamespacePolicy.model_validate({}).over(ALL_MEANT) == ALL_MEANT


def test_a_fleet_is_a_value() -> None:
    """Every field of a Fleet document arrives."""
    fleet = document(
        "Fleet",
        {
            "policy": {"drift": "off"},
            "prune": {"maxPercent": 50, "maxCount": 0},
            "windows": [
                {"schedule": "0 22 * * MON-FRI", "duration": "6h", "timeZone": "Europe/Madrid"},
                {"schedule": "0 0 1 * *", "duration": 60, "deny": True},
            ],
            "namespaces": ["team-*", "x?"],
        },
        name="pay_1",
    )
    assert isinstance(fleet, FleetDocument)
    assert fleet.fleet() == Fleet(
        name="pay_1",
        policy=Policy(drift=Drift.OFF),
        prune=PruneLimits(50, 0),
        windows=(
            Window("0 22 * * MON-FRI", 21600.0, "Europe/Madrid"),
            Window("0 0 1 * *", 60.0, "UTC", deny=True),
        ),
        namespaces=("team-*", "x?"),
    )
    assert fleet.key is None


def test_an_empty_fleet_is_the_default_fleet() -> None:
    """A Fleet that only has a name changes nothing else."""
    fleet = FleetDocument.model_validate(
        {"apiVersion": "herdsman/v1", "kind": "Fleet", "metadata": {"name": "default"}}
    )
    assert fleet.fleet() == Fleet()


def test_dependencies_are_keys() -> None:
    """A text names a job in the same namespace, a mapping whatever it says."""
    job = document(
        "Job",
        {
            "hcl": "x",
            "policy": {
                "dependsOn": [
                    "b",
                    "c/d",
                    {"name": "e", "namespace": "other"},
                    {"kind": "Job", "name": "f"},
                    {"kind": "Namespace", "name": "g"},
                ]
            },
        },
        namespace="team",
    )
    assert isinstance(job, JobDocument)
    assert job.key == job_key("team", "a")
    assert job.spec.policy is not None
    assert [d.key("team") for d in job.spec.policy.depends_on] == [
        job_key("team", "b"),
        job_key("team", "c/d"),
        job_key("other", "e"),
        job_key("team", "f"),
        namespace_key("g"),
    ]


def test_a_namespace_has_a_key_without_a_namespace() -> None:
    """A namespace lives in no namespace."""
    assert document("Namespace", {"description": "x", "meta": {"a": "b"}}).key == namespace_key("a")


def test_documents_do_not_change() -> None:
    """A document is a value."""
    with pytest.raises(ValidationError):
        document("Job", {"hcl": "x"}).kind = "Fleet"  # type: ignore[assignment,misc]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), (30, 30.0), (0.5, 0.5), ("1h30m", 5400.0), ("250ms", 0.25)]
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    """Go's form, or a number of seconds."""
    assert FleetPolicy.model_validate({"healthTimeout": text}).health_timeout == seconds


@pytest.mark.parametrize("value", [0, -1, "0s", 1e300, "100000h", True, [], {}, "5", float("1e-400")])
def test_other_durations_are_refused(value: object) -> None:
    """No time at all, or more than ten years, is a mistake."""
    with pytest.raises(ValidationError):
        FleetPolicy.model_validate({"healthTimeout": value})
