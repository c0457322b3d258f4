"""What is refused at register, in the words of the recordings and of Nomad's documented rules."""

from typing import Any

import pytest
from hypothesis import given

from devnomad.structs.jobs import SECOND, group, job, made_up_jobs, stored, task, with_group, with_task
from devnomad.structs.replay import Step, steps
from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.decode import DecodeError, decode_job
from herdsman.devnomad.structs.validate import error_text, validate, warning_text

SCENARIOS = ["job_lifecycle", "list_jobs", "canonical_form_rich", "canonical_form_batch", "canonical_form_system"]
SCENARIOS += ["canonical_form_periodic", "canonical_form_parameterized", "plan_edits", "plan_edits_rich"]
SCENARIOS += ["register_errors", "deployment_succeeds", "deployment_fails_and_reverts", "raw_exec_runs_for_real"]
# What the server knows and the job does not: namespaces, the path of the request, a job without ID.
OF_THE_SERVER = ("Job ID does not match", "Job ID hasn't been provided", "Job must be specified", "nonexistent")


def _recorded() -> list[Step]:
    asked = [step for name in SCENARIOS for step in steps(name) if isinstance(step.body, dict) and "Job" in step.body]
    return [step for step in asked if not any(text in str(step.answer) for text in OF_THE_SERVER)]


def _judged(raw: object) -> str:
    try:
        verdict = validate(canonicalize(decode_job(raw)))
    except DecodeError as e:
        return str(e)
    return error_text(verdict.errors) if verdict.errors else warning_text(verdict.warnings)


@pytest.mark.parametrize("step", _recorded(), ids=lambda step: step.title)
def test_jobs_are_judged_as_recorded(step: Step) -> None:
    """Refused with the recorded text, or taken with the recorded warnings."""
    want = step.answer if isinstance(step.answer, str) else step.answer.get("Warnings", "")
    assert _judged(step.body["Job"]) == want


def inside(*path: str) -> str:
    """The last text as an error within the others."""
    *outer, text = path
    for prefix in reversed(outer):
        text = (f"{prefix}: " if prefix else "") + f"1 error occurred:\n\t* {text}\n\n"
    return text


def in_group(*path: str) -> str:
    """An error of the group, as it is told."""
    return inside("Task group g validation failed", *path)


def in_task(*path: str) -> str:
    """An error of the task, as it is told."""
    return in_group("Task t validation failed", *path)


OPERAND = {"LTarget": "${a}", "RTarget": "b", "Operand": "="}
CHECK = {"Type": "tcp", "Interval": 10 * SECOND, "Timeout": SECOND, "Name": "c"}
NETWORK, SERVICES = "Task group network validation failed", "Task group service validation failed"
SCALING = "Task group scaling policy validation failed"
RESTART = {"Attempts": 1, "Interval": 60 * SECOND, "Delay": SECOND, "Mode": "fail"}
LIMITED = {"Attempts": 5, "Interval": 60 * SECOND, "Delay": 30 * SECOND, "DelayFunction": "constant", "MaxDelay": 0}


def serving(check: dict[str, Any], **service: Any) -> dict[str, Any]:
    """A job whose service has this check."""
    found = {"Name": "s", "Provider": "nomad", "PortLabel": "a", "Checks": [CHECK | check]} | service
    return with_group(Services=[found], Networks=[{"DynamicPorts": [{"Label": "a"}]}])


def of_service(*path: str) -> str:
    """An error of the group's service, as it is told."""
    return in_group(SERVICES, "Service[0] s validation failed", *path)


def of_check(text: str) -> str:
    """An error of a check, as it is told."""
    return of_service(f"Check c invalid: {text}")


def of_volume(text: str) -> str:
    """An error of a volume, as it is told."""
    return in_group("Task group volume validation for v failed", text)


JOBS = {
    "a null in the ID": (job(ID="a\0b", Name="x"), "Job ID contains a null character"),
    "a null in the name": (job(Name="a\0b"), "Job Name contains a null character"),
    "an empty datacenter": (job(Datacenters=[""]), "Job datacenter must be non-empty string"),
    "a negative priority": (job(Priority=-1), "job priority must be between [1, 100]"),
    "a payload": (job(Payload="aGk="), "job can't be submitted with a payload, only dispatched"),
    "a core job": (job(Type="core"), "job type cannot be core"),
    "regions": (job(Multiregion={"Regions": [{"Name": "west"}]}), "Multiregion jobs are unlicensed."),
    "a long description": (
        job(UI={"Description": "x" * 1001}),
        "UI description must be under 1000 characters, currently 1001",
    ),
    "two of a system job": (
        job(Type="system", TaskGroups=[group(Count=2)]),
        "Job task group g has count 2. Count cannot exceed 1 with system scheduler",
    ),
    "a system job's spread": (
        job(Type="system", Spreads=[{"Attribute": "a"}]),
        "System jobs may not have a spread block",
    ),
    "a system job's affinity": (
        job(Type="system", Affinities=[OPERAND]),
        "System jobs may not have an affinity block",
    ),
    "a periodic service": (
        job(Periodic={"Spec": "@daily"}),
        'Periodic can only be used with "batch" or "sysbatch" scheduler',
    ),
    "a parameterized service": (
        job(ParameterizedJob={}),
        'Parameterized job can only be used with "batch" or "sysbatch" scheduler',
    ),
    "no schedule": (job(Type="batch", Periodic={}), inside("", "Must specify a spec")),
    "two kinds of schedule": (
        job(Type="batch", Periodic={"Spec": "@daily", "Specs": ["@weekly"]}),
        inside("", "Only cron or crons may be used"),
    ),
    "a broken schedule": (
        job(Type="batch", Periodic={"Spec": "61 * * * *"}),
        inside("", "Invalid cron spec \"61 * * * *\": syntax error in minute field: '61'"),
    ),
    "no such time zone": (
        job(Type="batch", Periodic={"Spec": "@daily", "TimeZone": "Nowhere/Land"}),
        inside("", 'Invalid time zone "Nowhere/Land": unknown time zone Nowhere/Land'),
    ),
    "an odd payload": (
        job(Type="batch", ParameterizedJob={"Payload": "maybe"}),
        inside("", 'Unknown payload requirement: "maybe"'),
    ),
    "keys required and optional": (
        job(Type="batch", ParameterizedJob={"MetaRequired": ["a", "b"], "MetaOptional": ["b"]}),
        inside("", "Required and optional meta keys should be disjoint. Following keys exist in both: [b]"),
    ),
    "stopping a system job": (
        job(Type="system", TaskGroups=[group(StopAfterClientDisconnect=1)]),
        "stop_after_client_disconnect can only be set in batch and service jobs",
    ),
    "Vault where there is none": (
        with_task(Vault={"Policies": ["a"]}),
        'Vault "default" not enabled but used in the job',
    ),
    "a sidecar without network": (
        with_group(Services=[{"Name": "s", "Connect": {"SidecarService": {}}}]),
        'Consul Connect sidecars require exactly 1 network, found 0 in group "g"',
    ),
    "a sidecar in the host network": (
        with_group(Networks=[{"Mode": "host"}], Services=[{"Name": "s", "Connect": {"SidecarService": {}}}]),
        'Consul Connect sidecar requires bridge network, found "host" in group "g"',
    ),
}

PLACEMENT = {
    "no left side": ({"LTarget": ""}, "No LTarget provided but is required by constraint"),
    "no right side": ({"RTarget": ""}, 'Operator "=" requires an RTarget'),
    "an odd operand": ({"Operand": "near"}, 'Unknown constraint type "near"'),
    "an empty set": ({"Operand": "set_contains", "RTarget": ""}, "Set contains constraint requires an RTarget"),
    "a value of what is set": ({"Operand": "is_set"}, 'Operator "is_set" does not support an RTarget'),
    "a broken pattern": (
        {"Operand": "regexp", "RTarget": "a["},
        "Regular expression failed to compile: error parsing regexp: missing closing ]: `[`",
    ),
    "a broken version": ({"Operand": "version"}, "Version constraint is invalid: Malformed constraint: b"),
    "a broken semver": ({"Operand": "semver"}, "Semver constraint is invalid: Malformed constraint: b"),
    "a broken count": (
        {"Operand": "distinct_property"},
        'Failed to convert RTarget "b" to uint64: strconv.ParseUint: parsing "b": invalid syntax',
    ),
    "a count of none": (
        {"Operand": "distinct_property", "RTarget": "0"},
        "Distinct Property must have an allowed count of 1 or greater: 0 < 1",
    ),
}

GROUPS = {
    "a zero weight": (
        with_group(Affinities=[OPERAND | {"Weight": 0}]),
        in_group("Affinity 1 validation failed", "Affinity weight cannot be zero"),
    ),
    "too heavy": (
        with_group(Affinities=[OPERAND | {"Weight": 101}]),
        in_group("Affinity 1 validation failed", "Affinity weight must be within the range [-100,100]"),
    ),
    "an odd affinity": (
        with_group(Affinities=[OPERAND | {"Operand": "near"}]),
        in_group("Affinity 1 validation failed", 'Unknown affinity operator "near"'),
    ),
    "a spread of more than all": (
        with_group(Spreads=[{"Attribute": "a", "SpreadTarget": [{"Value": "x", "Percent": 60}, {"Percent": 50}]}]),
        in_group(
            "Spread 1 validation failed", "Sum of spread target percentages must not be greater than 100%; got 110%"
        ),
    ),
    "a spread target twice": (
        with_group(Spreads=[{"Attribute": "a", "SpreadTarget": [{"Value": "x"}, {"Value": "x"}]}]),
        in_group("Spread 1 validation failed", 'Spread target value "x" already defined'),
    ),
    "an odd restart mode": (
        with_group(RestartPolicy=RESTART | {"Mode": "odd"}),
        in_group("", 'Unsupported restart mode: "odd"'),
    ),
    "no restarts after a delay": (
        with_group(RestartPolicy=RESTART | {"Mode": "delay", "Attempts": 0}),
        in_group("", 'Restart policy "delay" with 0 attempts is ambiguous'),
    ),
    "restarts in no time": (
        with_group(RestartPolicy=RESTART | {"Interval": SECOND}),
        in_group("", "Interval can not be less than 5s (got 1s)"),
    ),
    "more restarts than time": (
        with_group(RestartPolicy=RESTART | {"Attempts": 9, "Delay": 30 * SECOND}),
        in_group("", "Nomad can't restart the TaskGroup 9 times in an interval of 1m0s with a delay of 30s"),
    ),
    "a system job's reschedule": (
        job(Type="system", TaskGroups=[group(ReschedulePolicy={"Unlimited": True})]),
        in_group("System jobs should not have a reschedule policy"),
    ),
    "a hasty reschedule": (
        with_group(ReschedulePolicy={"Delay": SECOND}),
        in_group("", "Delay cannot be less than 5s (got 1s)"),
    ),
    "an odd delay function": (
        with_group(ReschedulePolicy={"DelayFunction": "odd"}),
        in_group("", 'Invalid delay function "odd", must be one of ["constant" "exponential" "fibonacci"]'),
    ),
    "a disk too small": (
        with_group(EphemeralDisk={"SizeMB": 9}, Tasks=[task(LogConfig={"MaxFiles": 1, "MaxFileSizeMB": 1})]),
        in_group("minimum DiskMB value is 10; got 9"),
    ),
    "a batch job's update": (
        job(Type="batch", TaskGroups=[group(Update={"MaxParallel": 1})]),
        in_group('Job type "batch" does not allow update block'),
    ),
    "a batch job's migration": (
        job(Type="batch", TaskGroups=[group(Migrate={"MaxParallel": 1})]),
        in_group('Job type "batch" does not allow migrate block'),
    ),
    "healthy after the deadline": (
        with_group(Update={"MinHealthyTime": 600 * SECOND}),
        in_group("", "Minimum healthy time must be less than healthy deadline: 10m0s > 5m0s"),
    ),
    "a deadline after progress": (
        with_group(Update={"HealthyDeadline": 600 * SECOND}),
        in_group("", "Healthy deadline must be less than progress deadline: 10m0s > 10m0s"),
    ),
    "promotion without canary": (
        with_group(Update={"AutoPromote": True}),
        in_group("", "Auto Promote requires a Canary count greater than zero"),
    ),
    "an odd health check": (
        with_group(Update={"HealthCheck": "odd"}),
        in_group("", 'Invalid health check given: "odd"'),
    ),
    "an odd migration check": (
        with_group(Migrate={"HealthCheck": "odd"}),
        in_group("", 'Invalid HealthCheck: "odd"'),
    ),
    "two leaders": (
        with_group(Tasks=[task(Leader=True), task("u", Leader=True)]),
        in_group("Only one task may be marked as leader"),
    ),
    "lost and stopped": (
        with_group(Disconnect={"LostAfter": SECOND, "StopOnClientAfter": SECOND}),
        in_group("", "Disconnect.LostAfter and Disconnect.StopOnClientAfter are mutually exclusive"),
    ),
    "an odd reconciling": (
        with_group(Disconnect={"Reconcile": "odd"}),
        in_group("", "Disconnect.Reconcile option is invalid"),
    ),
    "lost in two ways": (
        with_group(MaxClientDisconnect=SECOND, Disconnect={"LostAfter": SECOND}),
        in_group("using both lost_after and max_client_disconnect is not allowed"),
    ),
    "more than the policy's most": (
        with_group(Count=3, Scaling={"Min": 1, "Max": 2}),
        in_group(
            SCALING,
            "Scaling policy invalid: task group count must not be greater than maximum count in scaling policy",
        ),
    ),
    "less than the policy's least": (
        with_group(Count=1, Scaling={"Min": 2, "Max": 3}),
        in_group(
            SCALING, "Scaling policy invalid: task group count must not be less than minimum count in scaling policy"
        ),
    ),
    "a policy without a most": (
        with_group(Scaling={"Min": 1}),
        in_group(SCALING, "Scaling policy invalid: maximum count must be specified and non-negative"),
    ),
    "a port twice": (
        with_group(Networks=[{"DynamicPorts": [{"Label": "a"}, {"Label": "a"}]}]),
        in_group(NETWORK, "Port label a already in use by taskgroup network"),
    ),
    "a static port twice": (
        with_group(Networks=[{"ReservedPorts": [{"Label": "a", "Value": 80}, {"Label": "b", "Value": 80}]}]),
        in_group(NETWORK, "Static port 80 already reserved by taskgroup network:a"),
    ),
    "a port too high": (
        with_group(Networks=[{"ReservedPorts": [{"Label": "a", "Value": 70_000}]}]),
        in_group(NETWORK, "Port a (70000) cannot be greater than 65535"),
    ),
    "a port mapped too high": (
        with_group(Networks=[{"DynamicPorts": [{"Label": "a", "To": 70_000}]}]),
        in_group(NETWORK, 'Port "a" cannot be mapped to a port (70000) greater than 65535'),
    ),
    "a bad hostname": (
        with_group(Networks=[{"Mode": "bridge", "Hostname": "a..b"}]),
        in_group(NETWORK, "Hostname is not a valid DNS name"),
    ),
    "an odd volume": (with_group(Volumes={"v": {"Type": "odd"}}), of_volume("volume has unrecognized type odd")),
    "a volume of nothing": (with_group(Volumes={"v": {"Type": "host"}}), of_volume("volume has an empty source")),
    "options of a host volume": (
        with_group(Volumes={"v": {"Type": "host", "Source": "s", "MountOptions": {}}}),
        of_volume("host volumes cannot have mount options"),
    ),
    "a plugin's volume without attachment": (
        with_group(Volumes={"v": {"Type": "csi", "Source": "s", "AccessMode": "multi-node-multi-writer"}}),
        of_volume("CSI volumes must have an attachment mode"),
    ),
    "two writers for one": (
        with_group(
            Count=2,
            Volumes={
                "v": {
                    "Type": "csi",
                    "Source": "s",
                    "AccessMode": "single-node-writer",
                    "AttachmentMode": "file-system",
                }
            },
        ),
        of_volume("volume with single-node-writer access mode allows only one writer: 2"),
    ),
}

SERVED = {
    "a bad name": (
        with_group(Services=[{"Name": "no_good", "Provider": "nomad"}]),
        in_group(
            SERVICES,
            "Service[0] no_good validation failed",
            "Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes and must "
            'be no longer than 63 characters: "no_good"',
        ),
    ),
    "an odd provider": (
        with_group(Services=[{"Name": "s", "Provider": "odd"}]),
        of_service('Service provider must be "consul", or "nomad"; not "odd"'),
    ),
    "two providers": (
        with_group(Services=[{"Name": "s", "Provider": "nomad"}, {"Name": "r", "Provider": "consul"}]),
        in_group(SERVICES, "Multiple service providers used: task group services must use the same provider"),
    ),
    "an odd address mode": (
        with_group(Services=[{"Name": "s", "Provider": "nomad", "AddressMode": "odd"}]),
        of_service('Service address_mode must be "auto", "host", or "driver"; not "odd"'),
    ),
    "a driver's address in a group": (
        with_group(Services=[{"Name": "s", "Provider": "nomad", "AddressMode": "driver"}]),
        in_group(
            SERVICES,
            'service "s" cannot use address_mode="driver", only services defined in a "task" block can use this mode',
        ),
    ),
    "a mesh without Consul": (
        with_group(Services=[{"Name": "s", "Provider": "nomad", "Connect": {"Native": True}}]),
        of_service("Service with provider nomad cannot include Connect blocks"),
    ),
    "no port": (
        serving({}, PortLabel=""),
        of_service('Check c invalid: check requires a port but neither check nor service "s" have a port'),
    ),
    "an odd check": (serving({"Type": "odd"}), of_check('invalid check type ("odd"), must be one of http, tcp')),
    "no path": (serving({"Type": "http"}), of_check("http type must have http path")),
    "a whole address": (
        serving({"Type": "http", "Path": "http://x/"}),
        of_check("http type must have relative http path"),
    ),
    "no interval": (
        serving({"Interval": 0}),
        of_check("missing required value interval. Interval cannot be less than 1s"),
    ),
    "too short an interval": (serving({"Interval": 1}), of_check("interval (1ns) cannot be lower than 1s")),
    "too short a timeout": (
        serving({"Timeout": 1}),
        of_check("timeout (1ns) is lower than required minimum timeout 1s"),
    ),
    "an automatic check": (
        serving({"AddressMode": "auto"}),
        of_check('invalid address_mode "auto" - auto only valid for services'),
    ),
    "restarting what is ignored": (
        serving({"OnUpdate": "ignore", "CheckRestart": {"Limit": 1}}),
        of_check('on_update value "ignore" is not compatible with check_restart'),
    ),
    "exposing": (serving({"Expose": True}), of_check("expose may only be set for Consul service checks")),
    "a script nowhere": (
        serving({"Type": "script", "Command": "/c"}, Provider="consul"),
        in_group("Task group service check validation failed", "Service [g]->s or Check c must specify task parameter"),
    ),
    "a script in no such task": (
        serving({"Type": "script", "Command": "/c", "TaskName": "u"}, Provider="consul"),
        in_group(SERVICES, "Check c invalid: refers to non-existent task u"),
    ),
}

TASKS = {
    "a slash": (
        with_group(Tasks=[task("a/b")]),
        in_group("Task a/b validation failed", "Task name cannot include slashes"),
    ),
    "patience beyond the deadline": (
        with_task(KillTimeout=700 * SECOND),
        in_group("Task t has a kill timout (11m40s) longer than the group's progress deadline (10m0s)"),
    ),
    "negative patience": (with_task(KillTimeout=-1), in_task("KillTimeout must be a positive value")),
    "a negative delay": (with_task(ShutdownDelay=-1), in_task("ShutdownDelay must be a positive value")),
    "cores and a share": (
        with_task(Resources={"CPU": 20, "Cores": 1, "MemoryMB": 16}),
        in_task("", "Task can only ask for 'cpu' or 'cores' resource, not both."),
    ),
    "no processor": (
        with_task(Resources={"CPU": 0, "MemoryMB": 16}),
        in_task("", "", "minimum CPU value is 1; got 0"),
    ),
    "too little memory": (
        with_task(Resources={"CPU": 20, "MemoryMB": 9}),
        in_task("", "", "minimum MemoryMB value is 10; got 9"),
    ),
    "most below least": (
        with_task(Resources={"CPU": 20, "MemoryMB": 16, "MemoryMaxMB": 15}),
        in_task("", "MemoryMaxMB value (15) should be larger than MemoryMB value (16)"),
    ),
    "a disk of its own": (
        with_task(Resources={"CPU": 20, "MemoryMB": 16, "DiskMB": 5}),
        in_task("", "Task can't ask for disk resources, they have to be specified at the task group level."),
    ),
    "logs beyond the disk": (
        with_task(LogConfig={"MaxFiles": 100, "MaxFileSizeMB": 10}),
        in_task("", "log storage (1000 MB) must be less than requested disk capacity (300 MB)"),
    ),
    "no logs": (
        with_task(LogConfig={"MaxFiles": 0}),
        in_task("", "minimum number of files is 1; got 0"),
    ),
    "distinct hosts for a task": (
        with_task(Constraints=[{"Operand": "distinct_hosts"}]),
        in_task("Constraint 1 has disallowed Operand at task level: distinct_hosts"),
    ),
    "a port that is not there": (
        with_task(Services=[{"Name": "s", "Provider": "nomad", "PortLabel": "x"}]),
        in_task("", 'port label "x" referenced by services s does not exist'),
    ),
    "a service twice": (
        with_task(Services=[{"Name": "s", "Provider": "nomad"}] * 2),
        in_task("", 'service "s" is duplicate'),
    ),
    "an artifact from nowhere": (
        with_task(Artifacts=[{}]),
        in_task("Artifact 1 validation failed", "source must be specified"),
    ),
    "an artifact outside": (
        with_task(Artifacts=[{"GetterSource": "a", "RelativeDest": "../../x"}]),
        in_task("Artifact 1 validation failed", "destination escapes allocation directory"),
    ),
    "a checksum without kind": (
        with_task(Artifacts=[{"GetterSource": "a", "GetterOptions": {"checksum": "abc"}}]),
        in_task("Artifact 1 validation failed", 'checksum must be given as "type:value"; got "abc"'),
    ),
    "a checksum too short": (
        with_task(Artifacts=[{"GetterSource": "a", "GetterOptions": {"checksum": "md5:ab"}}]),
        in_task("Artifact 1 validation failed", "invalid md5 checksum: ab"),
    ),
    "an empty template": (
        with_task(Templates=[{"DestPath": "a"}]),
        in_task("Template 1 validation failed", "Must specify a source path or have an embedded template"),
    ),
    "a template to nowhere": (
        with_task(Templates=[{"EmbeddedTmpl": "a"}]),
        in_task("Template 1 validation failed", "Must specify a destination for the template"),
    ),
    "an odd change mode": (
        with_task(Templates=[{"EmbeddedTmpl": "a", "DestPath": "b", "ChangeMode": "odd"}]),
        in_task(
            "Template 1 validation failed",
            "Invalid change mode. Must be one of the following: noop, signal, script, restart",
        ),
    ),
    "a template twice": (
        with_task(Templates=[{"EmbeddedTmpl": "a", "DestPath": "b"}] * 2),
        in_task("Template 2 has same destination as 1"),
    ),
    "no hook": (with_task(Lifecycle={}), in_task("Lifecycle validation failed: no lifecycle hook provided")),
    "an odd hook": (
        with_task(Lifecycle={"Hook": "odd"}),
        in_task("Lifecycle validation failed: invalid hook: odd"),
    ),
    "a volume that is not there": (
        with_task(VolumeMounts=[{"Volume": "v"}]),
        in_task("Volume Mount (0) references undefined volume v"),
    ),
    "a nameless device": (
        with_task(Resources={"CPU": 20, "MemoryMB": 16, "Devices": [{}]}),
        in_task(
            "",
            "device 1 failed validation",
            "device name must be given as one of the following: type, vendor/type, or vendor/type/name",
        ),
    ),
    "an action twice": (
        with_task(Actions=[{"Name": "a", "Command": "c"}] * 2),
        in_task('Action "a" defined multiple times'),
    ),
    "an odd plugin": (
        with_task(CSIPluginConfig={"ID": "p", "Type": "odd"}),
        in_task("CSIPluginConfig PluginType must be one of 'node', 'controller', or 'monolith', got: \"odd\""),
    ),
}

REFUSED = JOBS | GROUPS | SERVED | TASKS


@pytest.mark.parametrize(("wanted", "want"), REFUSED.values(), ids=REFUSED)
def test_a_fault_is_named_in_nomads_words(wanted: dict[str, Any], want: str) -> None:
    """One fault, one error, within the errors of the blocks around it."""
    assert validate(stored(wanted)).errors == (want,)


@pytest.mark.parametrize(("edit", "want"), PLACEMENT.values(), ids=PLACEMENT)
def test_a_constraints_fault_is_named(edit: dict[str, Any], want: str) -> None:
    """A constraint is checked by its operand."""
    found = validate(stored(job(Constraints=[OPERAND | edit]))).errors
    assert found == (inside("Constraint 1 validation failed", want),)


@pytest.mark.parametrize("operand", ["=", "!=", "<", ">=", "is", "not"])
def test_comparisons_are_taken(operand: str) -> None:
    """Nothing is wrong with the documented comparisons."""
    assert validate(stored(job(Constraints=[OPERAND | {"Operand": operand}]))).errors == ()


@pytest.mark.parametrize(
    ("edit", "possible", "needed"),
    [
        ({}, 'Nomad can only make 2 attempts in 1m0s with initial delay 30s and delay function "constant"', "2m30s"),
        (
            {"DelayFunction": "exponential", "MaxDelay": 60 * SECOND},
            "Nomad can only make 1 attempts in 1m0s with initial delay 30s, "
            'delay function "exponential", and delay ceiling 1m0s',
            "4m0s",
        ),
        (
            {"DelayFunction": "fibonacci", "MaxDelay": 60 * SECOND},
            "Nomad can only make 4 attempts in 1m0s with initial delay 30s, "
            'delay function "fibonacci", and delay ceiling 1m0s',
            "2m0s",
        ),
    ],
)
def test_attempts_must_fit_into_their_interval(edit: dict[str, Any], possible: str, needed: str) -> None:
    """A limited reschedule policy says how many attempts there is time for, and how much time all would need."""
    policy = {"Unlimited": False} | LIMITED | edit
    hint = f"Set the interval to at least {needed} to accommodate 5 attempts"
    want = in_group(f"2 errors occurred:\n\t* {possible}\n\t* {hint}\n\n")
    assert validate(stored(with_group(ReschedulePolicy=policy))).errors == (want,)


def test_vault_may_be_there() -> None:
    """Where the cluster has Vault, a task may use it."""
    assert validate(stored(with_task(Vault={"Policies": ["a"]})), vault=True).errors == ()


SERVICE = [{"Name": "s", "Provider": "nomad"}]
WARNED = {
    "nothing": (with_group(), []),
    "services without delay": (
        with_group(Services=SERVICE),
        ['group "g" defines services, but neither the group nor any of its tasks have shutdown_delay set'],
    ),
    "services with the group's delay": (with_group(Services=SERVICE, ShutdownDelay=SECOND), []),
    "services with a task's delay": (with_group(Services=SERVICE, Tasks=[task(ShutdownDelay=SECOND)]), []),
    "more memory": (
        with_task(Resources={"CPU": 20, "MemoryMB": 16, "MemoryMaxMB": 32}),
        [
            'Memory oversubscription is not enabled; Task "g.t" memory_max value will be ignored. '
            "Update the Scheduler Configuration to allow oversubscription."
        ],
    ),
    "all at once": (
        with_group(Count=2, Update={"MaxParallel": 3}),
        [
            inside(
                'Group "g" has warnings',
                "Update max parallel count is greater than task group count (3 > 2). "
                "A destructive change would result in the simultaneous replacement of all allocations.",
            )
        ],
    ),
    "half a promotion": (
        job(TaskGroups=[group(Update={"AutoPromote": True, "Canary": 1}), group("h")]),
        ["auto_promote must be true for all groups to enable automatic promotion"],
    ),
    "an old way to wait": (
        with_group(MaxClientDisconnect=SECOND),
        [inside('Group "g" has warnings', "MaxClientDisconnect will be deprecated favor of Disconnect.LostAfter")],
    ),
}


@pytest.mark.parametrize(("wanted", "want"), WARNED.values(), ids=WARNED)
def test_a_doubt_is_named(wanted: dict[str, Any], want: list[str]) -> None:
    """Warnings do not refuse a job."""
    verdict = validate(stored(wanted))
    assert verdict.errors == ()
    assert list(verdict.warnings) == want


def test_memory_may_be_oversubscribed() -> None:
    """Where the scheduler allows it, there is nothing to warn of."""
    wanted = with_task(Resources={"CPU": 20, "MemoryMB": 16, "MemoryMaxMB": 32})
    assert validate(stored(wanted), oversubscription=True).warnings == ()


@given(made_up_jobs())
def test_any_job_can_be_judged(raw: dict[str, Any]) -> None:
    """Whatever a job says, there is a verdict, and every part of it is a text."""
    verdict = validate(canonicalize(decode_job(raw)))
    assert all(isinstance(text, str) and text for text in (*verdict.errors, *verdict.warnings))


@pytest.mark.parametrize(
    ("found", "errors", "warnings"),
    [
        ([], "", ""),
        (["a"], "1 error occurred:\n\t* a\n\n", "1 warning:\n\n* a"),
        (["a", "b"], "2 errors occurred:\n\t* a\n\t* b\n\n", "2 warnings:\n\n* a\n* b"),
    ],
)
def test_several_are_told_as_one_text(found: list[str], errors: str, warnings: str) -> None:
    """Errors and warnings each have Nomad's form of a list."""
    assert (error_text(found), warning_text(found)) == (errors, warnings)


NUMA = {"CPU": 0, "Cores": 1, "MemoryMB": 20}


@pytest.mark.parametrize(
    ("more", "want"),
    [
        (
            {"Resources": NUMA | {"NUMA": {"Affinity": "near"}}},
            ("", "numa affinity must be one of none, prefer, or require"),
        ),
        (
            {"Resources": NUMA | {"NUMA": {"Affinity": "prefer", "Devices": ["nvidia/gpu"]}}},
            ("", 'numa device "nvidia/gpu" not requested as task resource'),
        ),
        ({"Identities": [{"Name": "a b"}]}, ("", 'invalid name "a b". Must match regex ^[a-zA-Z0-9-_]{1,128}$')),
        ({"Identities": [{"Name": "a", "Audience": ["x", ""]}]}, ("", "an empty string is an invalid audience (2)")),
        ({"Identities": [{"Name": "a", "ChangeMode": "wave"}]}, ("", "invalid change_mode: wave")),
        ({"Identities": [{"Name": "a", "TTL": -1}]}, ("", "ttl must be >= 0")),
        ({"Identities": [{"Name": "a"}, {"Name": "a"}]}, ('Identity "a" found more than once',)),
        (
            {"Secrets": [{"Name": "s", "Provider": "", "Path": "p"}]},
            ('Secret "s" validation failed: secret provider cannot be empty',),
        ),
        (
            {"Secrets": [{"Name": "s", "Provider": "nomad", "Path": "p"}] * 2},
            ('Secret "s" defined multiple times',),
        ),
    ],
)
def test_newer_blocks_of_a_task_are_judged(more: dict[str, Any], want: tuple[str, ...]) -> None:
    """NUMA, identities and secrets are checked like the rest of a task."""
    assert _judged(with_task(**more)) == inside("", in_task(*want)).removeprefix(": ")


@pytest.mark.parametrize("name", [".", ".."])
def test_a_task_has_a_directory_of_its_own(name: str) -> None:
    """A task is not named like a way up."""
    assert "its directory would be another's" in _judged(with_task(Name=name))


def test_a_numa_block_without_affinity_has_none() -> None:
    """What is not said is `none`, and no fault."""
    resources = NUMA | {"NUMA": {"Devices": []}}
    assert _judged(with_task(Resources=resources)) == ""
    assert canonicalize(decode_job(with_task(Resources=resources)))["TaskGroups"][0]["Tasks"][0]["Resources"][
        "NUMA"
    ] == {
        "Affinity": "none",
        "Devices": None,
    }


def test_a_job_has_so_many_allocations_at_most() -> None:
    """The counts of all groups together stay below the server's limit."""
    assert _judged(with_group(Count=50_001)) == inside(
        "", "total count was greater than configured job_max_count: 50001 > 50000"
    )
