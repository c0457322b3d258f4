"""Canonical forms: as a real Nomad answered them, and as its documentation says for what was not recorded."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from devnomad.structs.jobs import SECOND, group, job, made_up_jobs, stored, task, with_group, with_task
from devnomad.structs.replay import SERVER_KEPT, answer, disagreements, recording, steps
from herdsman.devnomad.structs.canonical import canonicalize, canonicalize_api
from herdsman.devnomad.structs.decode import decode_job
from herdsman.devnomad.structs.shapes import JOB

JOBSPECS = [step["step"] for step in recording("jobspec_blocks")]
CREATED = ["canonical_form_rich", "canonical_form_batch", "canonical_form_system"]
CREATED += ["canonical_form_periodic", "canonical_form_parameterized", "job_lifecycle"]
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND


@pytest.mark.parametrize("name", JOBSPECS)
def test_the_tables_know_every_key_of_a_parsed_job(name: str) -> None:
    """Completing a parsed job's keys changes nothing: none is missing from the tables, none is too many."""
    parsed = answer("jobspec_blocks", name)
    assert disagreements(parsed, JOB.fill(decode_job(parsed))) == []


@pytest.mark.parametrize("name", JOBSPECS)
def test_a_parsed_job_is_canonicalised_as_recorded(name: str) -> None:
    """The plain answer of the parser, canonicalised, is its canonical answer."""
    parsed = answer("jobspec_blocks", name)
    assert disagreements(answer("jobspec_blocks_canonical", name), canonicalize_api(parsed)) == []


def test_the_smallest_parsed_job_is_canonicalised_as_recorded() -> None:
    """So is the smallest job."""
    assert disagreements(answer("parse_hcl", "canonical"), canonicalize_api(answer("parse_hcl", "minimal"))) == []


@pytest.mark.parametrize("scenario", CREATED)
def test_a_registered_job_is_stored_as_recorded(scenario: str) -> None:
    """What a register sends is read back as a real Nomad stores it."""
    sent = next(step.body["Job"] for step in steps(scenario) if step.name == "create")
    want = answer(scenario, "read")
    assert disagreements(want, stored(sent), drop=SERVER_KEPT) == []


@pytest.mark.parametrize("name", JOBSPECS)
def test_a_stored_job_stays_as_it_is(name: str) -> None:
    """Registering what was read back changes nothing, whatever blocks the job has."""
    once = stored(answer("jobspec_blocks", name))
    assert canonicalize(decode_job(once)) == once


@given(made_up_jobs())
def test_canonicalising_twice_is_canonicalising_once(raw: dict[str, Any]) -> None:
    """Both forms are final, for any job, and plain JSON; the input stays as it was."""
    decoded = decode_job(raw)
    before = json.dumps(decoded)
    parsed, once = canonicalize_api(decoded), canonicalize(decoded)
    assert json.dumps(decoded) == before
    assert canonicalize_api(parsed) == parsed
    assert canonicalize(once) == once
    assert canonicalize(json.loads(json.dumps(once))) == once
    assert canonicalize(parsed) == once


UPDATE = {"MaxParallel": 1, "HealthCheck": "checks", "MinHealthyTime": 10 * SECOND, "HealthyDeadline": 5 * MINUTE}
UPDATE |= {"ProgressDeadline": 10 * MINUTE, "Stagger": 30 * SECOND, "Canary": 0, "AutoRevert": False}
UPDATE |= {"AutoPromote": False}
SERVICE_RESTART = {"Attempts": 2, "Interval": 30 * MINUTE, "Delay": 15 * SECOND, "Mode": "fail"}
SERVICE_RESTART |= {"RenderTemplates": False}
BATCH_RESTART = SERVICE_RESTART | {"Attempts": 3, "Interval": 24 * HOUR}
NEVER = {"Attempts": 0, "Delay": 0, "DelayFunction": "", "Interval": 0, "MaxDelay": 0, "Unlimited": False}


@pytest.mark.parametrize(
    ("kind", "restart", "update", "rescheduled", "migrates"),
    [
        ("service", SERVICE_RESTART, UPDATE, True, True),
        ("system", SERVICE_RESTART, UPDATE, False, False),
        ("batch", BATCH_RESTART, None, True, False),
        ("sysbatch", BATCH_RESTART, None, True, False),
    ],
)
def test_a_groups_policies_follow_the_jobs_type(
    kind: str, restart: object, update: object, rescheduled: object, migrates: object
) -> None:
    """Every type of job has its own defaults of restart, update, reschedule and migrate."""
    found = stored(job(Type=kind))["TaskGroups"][0]
    assert found["RestartPolicy"] == restart
    assert found["Tasks"][0]["RestartPolicy"] == restart
    assert found["Update"] == update
    assert (found["ReschedulePolicy"] is not None) == rescheduled
    assert (found["Migrate"] is not None) == migrates


def _group(wanted: dict[str, Any]) -> dict[str, Any]:
    return stored(wanted)["TaskGroups"][0]


def _task(wanted: dict[str, Any]) -> dict[str, Any]:
    return _group(wanted)["Tasks"][0]


DEFAULTS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], Any], Any]] = {
    "all datacenters": (job(Datacenters=None), lambda j: stored(j)["Datacenters"], ["*"]),
    "the default pool": (job(), lambda j: stored(j)["NodePool"], "default"),
    "what is said to be nothing": (
        job(Region="", Namespace="", NodePool="", Priority=0),
        lambda j: [stored(j)[key] for key in ("Region", "Namespace", "NodePool", "Priority")],
        ["global", "default", "default", 50],
    ),
    "the ID as name": (job(Name=None), lambda j: stored(j)["Name"], "j"),
    "no batch that never reschedules": (job(Type="odd"), lambda j: _group(j)["ReschedulePolicy"], NEVER),
    "the job's update under the group's": (
        job(Update={"MaxParallel": 4, "Canary": 1}, TaskGroups=[group(Update={"Canary": 2})]),
        lambda j: _group(j)["Update"],
        UPDATE | {"MaxParallel": 4, "Canary": 2},
    ),
    "the job's reschedule under the group's": (
        job(Reschedule={"Attempts": 3, "Unlimited": False}, TaskGroups=[group(ReschedulePolicy={"Attempts": 4})]),
        lambda j: (_group(j)["ReschedulePolicy"]["Attempts"], _group(j)["ReschedulePolicy"]["Unlimited"]),
        (4, False),
    ),
    "the job's migrate under the group's": (
        job(Migrate={"MaxParallel": 3}, TaskGroups=[group(Migrate={"HealthCheck": "task_states"})]),
        lambda j: (_group(j)["Migrate"]["MaxParallel"], _group(j)["Migrate"]["HealthCheck"]),
        (3, "task_states"),
    ),
    "the group's restart under the task's": (
        with_group(RestartPolicy={"Attempts": 7}, Tasks=[task(RestartPolicy={"Mode": "delay"})]),
        lambda j: _task(j)["RestartPolicy"],
        SERVICE_RESTART | {"Attempts": 7, "Mode": "delay"},
    ),
    "the least of a scaling policy as count": (
        with_group(Count=None, Scaling={"Min": 3, "Max": 5}),
        lambda j: _group(j)["Count"],
        3,
    ),
    "the count as the least of a scaling policy": (
        with_group(Count=2, Scaling={"Max": 5}),
        lambda j: _group(j)["Scaling"],
        {
            "ID": "",
            "Type": "horizontal",
            "Target": {"Namespace": "default", "Job": "j", "Group": "g"},
            "Policy": None,
            "Min": 2,
            "Max": 5,
            "Enabled": True,
            "CreateIndex": 0,
            "ModifyIndex": 0,
        },
    ),
    "a scaling policy without a most is marked": (
        with_group(Scaling={"Min": 1}),
        lambda j: _group(j)["Scaling"]["Max"],
        -1,
    ),
    "a disconnect strategy": (
        with_group(Disconnect={}),
        lambda j: _group(j)["Disconnect"],
        {"LostAfter": 0, "StopOnClientAfter": None, "Replace": True, "Reconcile": "best_score"},
    ),
    "host networks of ports": (
        with_group(Networks=[{"DynamicPorts": [{"Label": "a"}], "ReservedPorts": [{"Label": "b", "Value": 9}]}]),
        lambda j: _group(j)["Networks"],
        [
            {
                "DynamicPorts": [{"Label": "a", "HostNetwork": "default"}],
                "ReservedPorts": [{"Label": "b", "Value": 9, "HostNetwork": "default"}],
            }
        ],
    ),
    "cores instead of a share": (
        with_task(Resources={"Cores": 2}),
        lambda j: [_task(j)["Resources"][key] for key in ("CPU", "Cores", "MemoryMB")],
        [0, 2, 300],
    ),
    "one device": (
        with_task(Resources={"Devices": [{"Name": "gpu"}]}),
        lambda j: _task(j)["Resources"]["Devices"][0]["Count"],
        1,
    ),
    "a signal in capitals": (
        with_task(Templates=[{"DestPath": "a", "ChangeMode": "signal", "ChangeSignal": "sighup"}]),
        lambda j: _task(j)["Templates"][0]["ChangeSignal"],
        "SIGHUP",
    ),
    "the hang-up signal": (
        with_task(Templates=[{"DestPath": "a", "ChangeMode": "signal"}]),
        lambda j: _task(j)["Templates"][0]["ChangeSignal"],
        "SIGHUP",
    ),
    "a template's script": (
        with_task(Templates=[{"DestPath": "a", "ChangeMode": "script", "ChangeScript": {"Command": "/c"}}]),
        lambda j: _task(j)["Templates"][0]["ChangeScript"],
        {"Command": "/c", "Args": None, "Timeout": 5 * SECOND, "FailOnError": False, "RunOnFirstRender": False},
    ),
    "a file artifact's place": (
        with_task(Artifacts=[{"GetterSource": "https://example.org/x/y.txt", "GetterMode": "file"}]),
        lambda j: _task(j)["Artifacts"][0]["RelativeDest"],
        "local/y.txt",
    ),
    "Vault": (
        with_task(Vault={}),
        lambda j: _task(j)["Vault"],
        {
            "Policies": None,
            "Role": "",
            "Namespace": "",
            "Cluster": "default",
            "Env": True,
            "DisableFile": False,
            "ChangeMode": "restart",
            "ChangeSignal": "SIGHUP",
            "AllowTokenExpiration": False,
        },
    ),
    "Nomad's own identity among others": (
        with_task(Identities=[{"Name": "aws", "Audience": ["sts"]}, {"Name": "default", "Env": True}]),
        lambda j: (_task(j)["Identity"]["Env"], [one["Name"] for one in _task(j)["Identities"]]),
        (True, ["aws"]),
    ),
    "Nomad's audience for its own identity": (
        with_task(Identity={"Audience": ["other"], "File": True}),
        lambda j: [_task(j)["Identity"][key] for key in ("Name", "Audience", "File")],
        ["default", ["nomadproject.io"], True],
    ),
    "weights of preferences": (
        job(Affinities=[{"LTarget": "a", "RTarget": "b", "Operand": "="}], Spreads=[{"Attribute": "a"}]),
        lambda j: (stored(j)["Affinities"][0]["Weight"], stored(j)["Spreads"][0]["Weight"]),
        (50, 50),
    ),
    "a restart of checks under the check's own": (
        with_group(
            Services=[
                {
                    "CheckRestart": {"Limit": 3, "Grace": 9 * SECOND},
                    "Checks": [{"Type": "tcp"}, {"Type": "tcp", "CheckRestart": {"Limit": 5}}],
                }
            ]
        ),
        lambda j: [check["CheckRestart"] for check in _group(j)["Services"][0]["Checks"]],
        [
            {"Limit": 3, "Grace": 9 * SECOND, "IgnoreWarnings": False},
            {"Limit": 5, "Grace": 9 * SECOND, "IgnoreWarnings": False},
        ],
    ),
    "empty is null": (
        with_task(Env={}, Meta={}, Config={}, Constraints=[]),
        lambda j: [_task(j)[key] for key in ("Env", "Meta", "Config", "Constraints")],
        [None] * 4,
    ),
    "a payload may come with a dispatch": (
        job(Type="batch", ParameterizedJob={}),
        lambda j: stored(j)["ParameterizedJob"]["Payload"],
        "optional",
    ),
    "a schedule in UTC": (
        job(Type="batch", Periodic={"Spec": "@daily"}),
        lambda j: stored(j)["Periodic"],
        {
            "Enabled": True,
            "Spec": "@daily",
            "Specs": [],
            "SpecType": "cron",
            "ProhibitOverlap": False,
            "TimeZone": "UTC",
        },
    ),
    "values of the server": (
        job(Version=7, Status="running", CreateIndex=9, SubmitTime=5, Stable=True, Dispatched=True, ParentID="p"),
        lambda j: [stored(j)[key] for key in ("Version", "Status", "CreateIndex", "SubmitTime", "Stable", "ParentID")],
        [0, "", 0, 0, False, ""],
    ),
}


@pytest.mark.parametrize(("wanted", "look", "want"), DEFAULTS.values(), ids=DEFAULTS)
def test_defaults_are_as_documented(
    wanted: dict[str, Any], look: Callable[[dict[str, Any]], Any], want: object
) -> None:
    """What a block leaves out takes the documented default, or what the block around it says."""
    assert look(wanted) == want


@pytest.mark.parametrize(
    ("written", "in_group", "in_task"),
    [
        ("", "j-g", "j-g-t"),
        ("${JOB}-${TASKGROUP}", "j-g", "j-g"),
        ("${BASE}-x", "j-g-group-x", "j-g-t-x"),
        ("${TASK}", "group", "t"),
        ("${NOMAD_ALLOC_ID}", "${NOMAD_ALLOC_ID}", "${NOMAD_ALLOC_ID}"),
    ],
)
def test_names_of_services_are_filled_in(written: str, in_group: str, in_task: str) -> None:
    """Job, group and task are put into a service's name; other variables wait for the client."""
    checks = [{"Type": "tcp"}, {"Type": "tcp", "Name": "mine"}]
    service = {"Name": written, "Provider": "nomad", "Checks": checks}
    found = _group(with_group(Services=[service], Tasks=[task(Services=[service])]))
    of_group, of_task = found["Services"][0], found["Tasks"][0]["Services"][0]
    assert of_group["Name"] == in_group
    assert of_task["Name"] == in_task
    assert [check["Name"] for check in of_task["Checks"]] == [f'service: "{in_task}" check', "mine"]
    assert [check["TaskName"] for check in (of_group["Checks"][0], of_task["Checks"][0])] == ["", "t"]


def test_a_service_lives_in_its_providers_namespace() -> None:
    """Nomad's services are in the job's namespace, Consul's in that of the group's Consul block."""
    services = [{"Name": "a", "Provider": "nomad"}, {"Name": "b", "Provider": "consul"}]
    plain = stored(job(Namespace="n", TaskGroups=[group(Services=services)]))["TaskGroups"][0]
    spaced = stored(job(Namespace="n", TaskGroups=[group(Services=services, Consul={"Namespace": "c"})]))
    assert [service["Namespace"] for service in plain["Services"]] == ["n", "default"]
    assert [service["Namespace"] for service in spaced["TaskGroups"][0]["Services"]] == ["n", "c"]
