"""From a complete parsed job to what the server stores.

The server knows fewer keys (`tables` says which) and a few defaults of its own: datacenters, host networks, the
default workload identity, names of services and checks. Values that it keeps by itself (status, versions, indexes,
times) are zero here.
"""

import re
from collections.abc import Iterator, Mapping

from herdsman.devnomad.structs.shapes import JOB, SHAPES, Json

_SERVER_KEPT: Mapping[str, object] = {
    "ParentID": "",
    "Dispatched": False,
    "NomadTokenID": "",
    "Status": "",
    "StatusDescription": "",
    "Stable": False,
    "Version": 0,
    "SubmitTime": 0,
    "CreateIndex": 0,
    "ModifyIndex": 0,
    "JobModifyIndex": 0,
    "VersionTag": None,
}
# What counts as unsaid even where it was said to be nothing.
_DEFAULTS: Mapping[str, object] = {"Region": "global", "Namespace": "default", "NodePool": "default", "Priority": 50}
_UPDATE_OF_A_JOB = ("Stagger", "MaxParallel")
_ZERO_UPDATE = SHAPES["UpdateStrategy"].keep({})
_DEFAULT_IDENTITY = "default"
_AUDIENCE = "nomadproject.io"
_IDENTITY = SHAPES["WorkloadIdentity"].keep({}) | {"Name": _DEFAULT_IDENTITY}
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def store(job: Json) -> Json:
    """The stored form of a complete parsed job (which is completed further on the way)."""
    for policy in _policies(job):
        # A policy must say its most; the server marks that this one does not.
        policy["Max"] = -1 if policy["Max"] is None else policy["Max"]
    kept = JOB.keep(job)
    kept.update(_SERVER_KEPT)
    for key, value in _DEFAULTS.items():
        kept[key] = kept[key] or value
    kept["Datacenters"] = kept["Datacenters"] or ["*"]
    # The groups have inherited it; of the job's own update block only the rolling of old is kept.
    update = kept["Update"] or _ZERO_UPDATE
    kept["Update"] = _ZERO_UPDATE | {key: update[key] for key in _UPDATE_OF_A_JOB}
    if kept["ParameterizedJob"] is not None:
        kept["ParameterizedJob"]["Payload"] = kept["ParameterizedJob"]["Payload"] or "optional"
    if kept["Periodic"] is not None:
        kept["Periodic"]["Specs"] = kept["Periodic"]["Specs"] or []
    for group in kept["TaskGroups"] or ():
        _group(group, kept)
    return kept


def _policies(job: Json) -> Iterator[Json]:
    for group in job["TaskGroups"] or ():
        if group["Scaling"] is not None:
            yield group["Scaling"]
        for task in group["Tasks"] or ():
            yield from task["ScalingPolicies"] or ()


def _group(group: Json, job: Json) -> None:
    for network in group["Networks"] or ():
        _network(network)
    for service in group["Services"] or ():
        _service(service, job, group)
    target = {"Namespace": job["Namespace"], "Job": job["ID"], "Group": group["Name"]}
    if group["Scaling"] is not None:
        _scaling(group["Scaling"], target)
    for task in group["Tasks"] or ():
        settle_identities(task)
        for network in task["Resources"]["Networks"] or ():
            _network(network)
        for service in task["Services"] or ():
            _service(service, job, group, task=task)
        for policy in task["ScalingPolicies"] or ():
            _scaling(policy, target | {"Task": task["Name"]})
        if task["Vault"] is not None:
            task["Vault"]["ChangeSignal"] = task["Vault"]["ChangeSignal"].upper()


def _scaling(policy: Json, target: dict[str, str]) -> None:
    policy.update({"ID": "", "Target": target, "CreateIndex": 0, "ModifyIndex": 0})


def _network(network: Json) -> None:
    for key in ("ReservedPorts", "DynamicPorts"):
        for port in network.get(key) or ():
            port["HostNetwork"] = port.get("HostNetwork") or "default"


def settle_identities(task: Json) -> None:
    """A task has Nomad's own identity always, whatever else it asks for."""
    named = [identity for identity in task["Identities"] or () if identity["Name"] not in ("", _DEFAULT_IDENTITY)]
    if len(named) != len(task["Identities"] or ()):
        unnamed = [identity for identity in task["Identities"] if identity not in named]
        task["Identity"] = task["Identity"] or unnamed[-1]
        task["Identities"] = named or None
    if task["Identity"] is None:
        task["Identity"] = _IDENTITY | {"Audience": [_AUDIENCE]}
        if not named:
            return
    for identity in (task["Identity"], *named):
        _identity(identity)


def _identity(identity: Json) -> None:
    identity["Name"] = identity["Name"] or _DEFAULT_IDENTITY
    if identity["Name"] == _DEFAULT_IDENTITY:
        identity["Audience"] = [_AUDIENCE]
    identity["ChangeSignal"] = identity["ChangeSignal"].upper()


def _service(service: Json, job: Json, group: Json, *, task: Json | None = None) -> None:
    name = "group" if task is None else task["Name"]
    words = {
        "JOB": job["Name"],
        "TASKGROUP": group["Name"],
        "TASK": name,
        "BASE": f"{job['Name']}-{group['Name']}-{name}",
    }
    service["Name"] = _VARIABLE.sub(lambda m: words.get(m[1], m[0]), service["Name"])
    consul = (task or {}).get("Consul") or group["Consul"] or {}
    native = service["Provider"] == "nomad"
    service["Namespace"] = job["Namespace"] if native else consul.get("Namespace") or "default"
    for check in service["Checks"] or ():
        check["Name"] = check["Name"] or f'service: "{service["Name"]}" check'
        if task is not None:
            check["TaskName"] = check["TaskName"] or name
    if service["Identity"] is not None:
        identity = service["Identity"]
        parts = filter(None, (service["TaskName"] or (task and name), service["Name"], service["PortLabel"]))
        identity["Name"] = identity["Name"] or f"consul-service_{'-'.join(parts)}"
        identity["ServiceName"] = service["Name"]
        _identity(identity)
