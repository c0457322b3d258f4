"""The defaults of a parsed job: what `/v1/jobs/parse` with `Canonicalize: true` adds.

Every function here completes, in place, a block that `Shape.fill` has just made: all keys are there, and nobody else
holds it. What a group inherits from its job, and a task from its group, is settled here too.
"""

from collections.abc import Mapping
from typing import Any

from herdsman.devnomad.structs.durations import HOUR, MINUTE, SECOND
from herdsman.devnomad.structs.shapes import SHAPES, Json

_UPDATE: Mapping[str, object] = {
    "Stagger": 30 * SECOND,
    "MaxParallel": 1,
    "HealthCheck": "checks",
    "MinHealthyTime": 10 * SECOND,
    "HealthyDeadline": 5 * MINUTE,
    "ProgressDeadline": 10 * MINUTE,
    "Canary": 0,
    "AutoRevert": False,
    "AutoPromote": False,
}
_MIGRATE: Mapping[str, object] = {
    "MaxParallel": 1,
    "HealthCheck": "checks",
    "MinHealthyTime": 10 * SECOND,
    "HealthyDeadline": 5 * MINUTE,
}
_RESTART_SERVICE: Mapping[str, object] = {
    "Interval": 30 * MINUTE,
    "Attempts": 2,
    "Delay": 15 * SECOND,
    "Mode": "fail",
    "RenderTemplates": False,
}
_RESTART_BATCH = {**_RESTART_SERVICE, "Interval": 24 * HOUR, "Attempts": 3}
_RESCHEDULE_NEVER: Mapping[str, object] = {
    "Attempts": 0,
    "Interval": 0,
    "Delay": 0,
    "DelayFunction": "",
    "MaxDelay": 0,
    "Unlimited": False,
}
_RESCHEDULE: Mapping[str, Mapping[str, object]] = {
    "service": {
        "Attempts": 0,
        "Interval": 0,
        "Delay": 30 * SECOND,
        "DelayFunction": "exponential",
        "MaxDelay": HOUR,
        "Unlimited": True,
    },
    "batch": {
        "Attempts": 1,
        "Interval": 24 * HOUR,
        "Delay": 5 * SECOND,
        "DelayFunction": "constant",
        "MaxDelay": 0,
        "Unlimited": False,
    },
}
_EPHEMERAL_DISK: Mapping[str, object] = {"Sticky": False, "Migrate": False, "SizeMB": 300}
_LOGS: Mapping[str, object] = {"MaxFiles": 10, "MaxFileSizeMB": 10, "Disabled": False}
_RESOURCES: Mapping[str, object] = {"CPU": 100, "Cores": 0, "MemoryMB": 300}
_PERIODIC: Mapping[str, object] = {
    "Enabled": True,
    "Spec": "",
    "SpecType": "cron",
    "ProhibitOverlap": False,
    "TimeZone": "UTC",
}
_TEMPLATE: Mapping[str, object] = {
    "SourcePath": "",
    "DestPath": "",
    "EmbeddedTmpl": "",
    "ChangeMode": "restart",
    "Once": False,
    "Splay": 5 * SECOND,
    "Perms": "0644",
    "LeftDelim": "{{",
    "RightDelim": "}}",
    "Envvars": False,
    "VaultGrace": 0,
    "ErrMissingKey": False,
}
_CHANGE_SCRIPT: Mapping[str, object] = {
    "Command": "",
    "Timeout": 5 * SECOND,
    "FailOnError": False,
    "RunOnFirstRender": False,
}
_WAIT: Mapping[str, object] = {"Min": 5 * SECOND, "Max": 4 * MINUTE}
_ARTIFACT: Mapping[str, object] = {"GetterSource": "", "GetterMode": "any", "GetterInsecure": False}
_VAULT: Mapping[str, object] = {
    "Namespace": "",
    "Env": True,
    "DisableFile": False,
    "ChangeMode": "restart",
    "ChangeSignal": "SIGHUP",
    "AllowTokenExpiration": False,
}
_VOLUME_MOUNT: Mapping[str, object] = {"ReadOnly": False, "PropagationMode": "private", "SELinuxLabel": ""}
_JOB: Mapping[str, object] = {
    "ID": "",
    "ParentID": "",
    "Namespace": "default",
    "Priority": 50,
    "Stop": False,
    "Region": "global",
    "NodePool": "",
    "Type": "service",
    "AllAtOnce": False,
    "ConsulNamespace": "",
    "VaultNamespace": "",
    "NomadTokenID": "",
    "Status": "",
    "StatusDescription": "",
    "Stable": False,
    "Version": 0,
    "CreateIndex": 0,
    "ModifyIndex": 0,
    "JobModifyIndex": 0,
}
_SERVICE: Mapping[str, object] = {
    "AddressMode": "auto",
    "OnUpdate": "require_healthy",
    "Provider": "consul",
    "Cluster": "default",
}
_NULL_UPDATE = SHAPES["UpdateStrategy"].fill({})
_NULL_MIGRATE = SHAPES["MigrateStrategy"].fill({})
_NULL_RESCHEDULE = SHAPES["ReschedulePolicy"].fill({})
_NULL_DISK = SHAPES["EphemeralDisk"].fill({})
_NULL_LOGS = SHAPES["LogConfig"].fill({})
_NULL_RESOURCES = SHAPES["Resources"].fill({})
_UPDATED_BY_DEPLOYMENT = frozenset({"service", "system"})
_RESTARTED_AS_SERVICE = frozenset({"service", "system"})


def complete(job: Json) -> None:
    """A whole job."""
    _absent(job, _JOB)
    if job["Name"] is None:
        job["Name"] = job["ID"]
    if job["Periodic"] is not None:
        _absent(job["Periodic"], _PERIODIC)
        job["Periodic"]["Specs"] = job["Periodic"]["Specs"] or []
    if job["Update"] is not None:
        _absent(job["Update"], _UPDATE)
    elif job["Type"] in _UPDATED_BY_DEPLOYMENT:
        job["Update"] = dict(_UPDATE)
    if job["Multiregion"] is not None:
        _multiregion(job["Multiregion"])
    for group in job["TaskGroups"] or ():
        _group(group, job)
    _weigh(job)


def _absent(block: Json, defaults: Mapping[str, object]) -> None:
    for key, value in defaults.items():
        if block[key] is None:
            block[key] = value


def _empty(block: Json, defaults: Mapping[str, object]) -> None:
    for key, value in defaults.items():
        if not block[key]:
            block[key] = value


def _merged(outer: Json | None, inner: Json | None) -> Json | None:
    """The inner block over the outer one: what the inner says holds."""
    if outer is None:
        return inner
    return outer | {key: value for key, value in (inner or {}).items() if value is not None}


def _weigh(place: Json) -> None:
    for key in ("Affinities", "Spreads"):
        for preference in place.get(key) or ():
            if preference["Weight"] is None:
                preference["Weight"] = 50


def _multiregion(block: Json) -> None:
    block["Strategy"] = _merged({"MaxParallel": 0, "OnFailure": ""}, block["Strategy"])
    block["Regions"] = block["Regions"] or []
    for region in block["Regions"]:
        region["Count"] = 1 if region["Count"] is None else region["Count"]
        region["Datacenters"] = region["Datacenters"] or []
        region["Meta"] = region["Meta"] or {}


def _group(group: Json, job: Json) -> None:
    scaling = group["Scaling"]
    if group["Name"] is None:
        group["Name"] = ""
    if group["Count"] is None:
        group["Count"] = 1 if scaling is None or scaling["Min"] is None else scaling["Min"]
    if scaling is not None:
        _absent(scaling, {"Enabled": True, "Min": group["Count"]})
        _empty(scaling, {"Type": "horizontal"})
    if group["EphemeralDisk"] is None:
        group["EphemeralDisk"] = _NULL_DISK.copy()
    _absent(group["EphemeralDisk"], _EPHEMERAL_DISK)
    _group_policies(group, job)
    if group["Consul"] is not None:
        _empty(group["Consul"], {"Cluster": "default"})
    if group["Disconnect"] is not None:
        _absent(group["Disconnect"], {"LostAfter": 0, "Replace": True, "Reconcile": "best_score"})
    for task in group["Tasks"] or ():
        complete_task(task, group, job)
    for service in group["Services"] or ():
        _service(service, f"{job['Name']}-{group['Name']}")
    _weigh(group)


def _group_policies(group: Json, job: Json) -> None:
    """What a group takes from its job, and from the job's type."""
    kind = job["Type"]
    if group["Update"] is not None or (job["Update"] is not None and any(job["Update"].values())):
        group["Update"] = _merged(job["Update"], group["Update"])
        _absent(group["Update"] or {}, _UPDATE)
    group["ReschedulePolicy"] = _merged(job["Reschedule"], group["ReschedulePolicy"])
    if group["ReschedulePolicy"] is None and kind != "system":
        group["ReschedulePolicy"] = _NULL_RESCHEDULE.copy()
    if group["ReschedulePolicy"] is not None:
        _absent(group["ReschedulePolicy"], _RESCHEDULE.get(kind, _RESCHEDULE_NEVER))
    group["Migrate"] = _merged(job["Migrate"], group["Migrate"])
    if group["Migrate"] is None and kind == "service":
        group["Migrate"] = _NULL_MIGRATE.copy()
    if group["Migrate"] is not None:
        _absent(group["Migrate"], _MIGRATE)
    restart = _RESTART_SERVICE if kind in _RESTARTED_AS_SERVICE else _RESTART_BATCH
    group["RestartPolicy"] = _merged(dict(restart), group["RestartPolicy"])


def complete_task(task: Json, group: Json, job: Json) -> None:
    """A whole task of a group that has its own defaults already."""
    if task["KillTimeout"] is None:
        task["KillTimeout"] = 5 * SECOND
    _task_means(task)
    task["RestartPolicy"] = _merged(group["RestartPolicy"], task["RestartPolicy"])
    for template in task["Templates"] or ():
        _template(template)
    for artifact in task["Artifacts"] or ():
        _artifact(artifact)
    if task["Vault"] is not None:
        _absent(task["Vault"], _VAULT)
        _empty(task["Vault"], {"Cluster": "default"})
    if task["Consul"] is not None:
        _empty(task["Consul"], {"Cluster": "default"})
    for mount in task["VolumeMounts"] or ():
        _absent(mount, _VOLUME_MOUNT)
    if "CSIPluginConfig" in task and not task["CSIPluginConfig"]["HealthTimeout"]:
        task["CSIPluginConfig"]["HealthTimeout"] = 30 * SECOND
    for policy in task["ScalingPolicies"] or ():
        _absent(policy, {"Enabled": True})
    for service in task["Services"] or ():
        _service(service, f"{job['Name']}-{group['Name']}-{task['Name']}")
    _weigh(task)


def _task_means(task: Json) -> None:
    """Resources and logs, of a task or of a sidecar task."""
    if task["Resources"] is None:
        task["Resources"] = _NULL_RESOURCES.copy()
    resources = task["Resources"]
    if resources["CPU"] is None and resources["Cores"]:
        resources["CPU"] = 0
    _absent(resources, _RESOURCES)
    if resources["NUMA"] is not None:
        _empty(resources["NUMA"], {"Affinity": "none"})
    for device in resources["Devices"] or ():
        if device["Count"] is None:
            device["Count"] = 1
        _weigh(device)
    if task["LogConfig"] is None:
        task["LogConfig"] = _NULL_LOGS.copy()
    _absent(task["LogConfig"], _LOGS)


def _template(template: Json) -> None:
    _absent(template, _TEMPLATE)
    signal = template["ChangeSignal"]
    if signal is None:
        template["ChangeSignal"] = "SIGHUP" if template["ChangeMode"] == "signal" else ""
    else:
        template["ChangeSignal"] = signal.upper()
    if template["ChangeScript"] is not None:
        _absent(template["ChangeScript"], _CHANGE_SCRIPT)
        template["ChangeScript"]["Args"] = template["ChangeScript"]["Args"] or []
    if template["Wait"] is not None:
        _absent(template["Wait"], _WAIT)


def _artifact(artifact: Json) -> None:
    _absent(artifact, _ARTIFACT)
    if artifact["RelativeDest"] is None:
        source = artifact["GetterSource"]
        single = artifact["GetterMode"] == "file"
        artifact["RelativeDest"] = f"local/{source.rsplit('/', 1)[-1]}" if single else "local/"


def _service(service: Json, name: str) -> None:
    _empty(service, _SERVICE)
    if not service["Name"]:
        service["Name"] = name
    for key in ("Meta", "CanaryMeta", "TaggedAddresses"):
        service[key] = service[key] or None
    for check in service["Checks"] or ():
        _check(check, service)
    if service["Connect"] is not None:
        _connect(service["Connect"])


def _check(check: Json, service: Json) -> None:
    restart = service["CheckRestart"]
    if restart is not None:
        own: dict[str, Any] = {k: v for k, v in (check["CheckRestart"] or {}).items() if v}
        check["CheckRestart"] = restart | own
    if check["CheckRestart"] is not None and check["CheckRestart"]["Grace"] is None:
        check["CheckRestart"]["Grace"] = SECOND
    for key in ("SuccessBeforePassing", "FailuresBeforeCritical", "FailuresBeforeWarning"):
        check[key] = max(check[key], 0)
    if not check["OnUpdate"]:
        check["OnUpdate"] = service["OnUpdate"]


def _connect(connect: Json) -> None:
    if connect["SidecarTask"] is not None:
        task = connect["SidecarTask"]
        _task_means(task)
        _absent(task, {"KillTimeout": 5 * SECOND, "ShutdownDelay": 0})
    gateway = connect["Gateway"]
    if gateway is None:
        return
    if gateway["Proxy"] is not None:
        _absent(gateway["Proxy"], {"ConnectTimeout": 5 * SECOND})
    for listener in (gateway["Ingress"] or {}).get("Listeners") or ():
        _empty(listener, {"Protocol": "tcp"})
