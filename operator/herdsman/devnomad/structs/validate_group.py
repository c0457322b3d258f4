"""What Nomad refuses in a group."""

from collections.abc import Iterator

from herdsman.devnomad.structs import rules
from herdsman.devnomad.structs.errors import joined, nested, quoted
from herdsman.devnomad.structs.shapes import Json
from herdsman.devnomad.structs.validate_service import group_service_errors, script_check_errors
from herdsman.devnomad.structs.validate_task import patience_errors, task_errors

MIN_DISK_MB = 10
_MAX_PORT = 65_535
_UPDATED = frozenset({"service", "system"})
_READERS = frozenset({"single-node-reader-only", "multi-node-reader-only"})
_ONE_WRITER = frozenset({"single-node-writer", "multi-node-single-writer"})


def group_errors(group: Json, kind: str) -> Iterator[str]:
    """A group's faults; `kind` is the job's type."""
    if not group["Name"]:
        yield "Missing task group name"
    elif "\0" in group["Name"]:
        yield "Task group name contains null character"
    if group["Count"] < 0:
        yield "Task group count can't be negative"
    if not group["Tasks"]:
        yield "Missing tasks for task group"
    yield from _disconnect_errors(group, kind)
    yield from rules.placement_errors(group, kind)
    yield from joined(rules.restart_errors(group["RestartPolicy"]))
    yield from _policy_errors(group, kind)
    yield from _names_errors(group)
    for name, volume in (group["Volumes"] or {}).items():
        yield from nested(f"Task group volume validation for {name} failed", _volume_errors(volume, group, kind))
    yield from nested("Task group network validation failed", _network_errors(group))
    services, tasks = group["Services"] or (), group["Tasks"] or ()
    yield from nested("Task group service validation failed", group_service_errors(services, tasks))
    yield from nested("Task group service check validation failed", script_check_errors(services, group["Name"]))
    yield from nested("Task group scaling policy validation failed", _scaling_errors(group, kind))
    for task in tasks:
        yield from nested(f"Task {task['Name']} validation failed", task_errors(task, group, kind))
        yield from patience_errors(task, group, kind)


def _disconnect_errors(group: Json, kind: str) -> Iterator[str]:
    longest, stop, disconnect = (
        group["MaxClientDisconnect"],
        group["StopAfterClientDisconnect"],
        group["Disconnect"],
    )
    if longest is not None and stop is not None:
        yield "max_client_disconnect and stop_after_client_disconnect cannot be used together"
    if longest is not None and longest < 0:
        yield "max_client_disconnect cannot be negative"
    if disconnect is None:
        return
    if longest is not None and disconnect["LostAfter"] > 0:
        yield "using both lost_after and max_client_disconnect is not allowed"
    if stop is not None and disconnect["StopOnClientAfter"] is not None:
        yield "using both stop_after_client_disconnect and stop_on_client_after is not allowed"
    if group["PreventRescheduleOnLost"] and disconnect["Replace"] is not None:
        yield "using both prevent_reschedule_on_lost and replace is not allowed"
    yield from joined(rules.disconnect_errors(disconnect, kind))


def _policy_errors(group: Json, kind: str) -> Iterator[str]:
    reschedule, update, migrate = group["ReschedulePolicy"], group["Update"], group["Migrate"]
    if kind == "system":
        if reschedule is not None:
            yield "System jobs should not have a reschedule policy"
    elif reschedule is not None:
        yield from joined(rules.reschedule_errors(reschedule))
    if group["EphemeralDisk"]["SizeMB"] < MIN_DISK_MB:
        yield f"minimum DiskMB value is {MIN_DISK_MB}; got {group['EphemeralDisk']['SizeMB']}"
    if update is not None:
        if kind not in _UPDATED:
            yield f"Job type {quoted(kind)} does not allow update block"
        yield from joined(rules.update_errors(update))
    if migrate is not None and kind != "service":
        yield f"Job type {quoted(kind)} does not allow migrate block"
    elif migrate is not None:
        yield from joined(rules.migrate_errors(migrate))


def _names_errors(group: Json) -> Iterator[str]:
    known: dict[str, int] = {}
    tasks = group["Tasks"] or ()
    for number, task in enumerate(tasks, 1):
        name = task["Name"]
        if not name:
            yield f"Task {number} missing name"
        elif known.setdefault(name, number) != number:
            yield f"Task {number} redefines '{name}' from task {known[name]}"
    if sum(task["Leader"] for task in tasks) > 1:
        yield "Only one task may be marked as leader"


def _volume_errors(volume: Json, group: Json, kind: str) -> Iterator[str]:
    if volume["Type"] not in ("host", "csi"):
        yield f"volume has unrecognized type {volume['Type']}"
        return
    if not volume["Source"]:
        yield "volume has an empty source"
    if volume["PerAlloc"]:
        if kind in ("system", "sysbatch"):
            yield "volume cannot be per_alloc for system or sysbatch jobs"
        if group["Update"] is not None and group["Update"]["Canary"] > 0:
            yield "volume cannot be per_alloc when canaries are in use"
    yield from _csi_errors(volume, group["Count"]) if volume["Type"] == "csi" else _host_errors(volume)


def _host_errors(volume: Json) -> Iterator[str]:
    if volume["MountOptions"] is not None:
        yield "host volumes cannot have mount options"


def _csi_errors(volume: Json, count: int) -> Iterator[str]:
    access, attachment = volume["AccessMode"], volume["AttachmentMode"]
    if not attachment:
        yield "CSI volumes must have an attachment mode"
    elif attachment == "block-device" and volume["MountOptions"] is not None:
        yield "block devices cannot have mount options"
    if not access:
        yield "CSI volumes must have an access mode"
    elif access in _READERS and not volume["ReadOnly"]:
        yield f"{access} volumes must be read-only"
    elif access in _ONE_WRITER and count > 1 and not volume["PerAlloc"] and not volume["ReadOnly"]:
        yield f"volume with {access} access mode allows only one writer: {count}"


def _network_errors(group: Json) -> Iterator[str]:
    labels: set[str] = set()
    static: dict[tuple[str, int], str] = {}
    for network in group["Networks"] or ():
        for port in _ports(network):
            yield from _port_errors(port, network)
            yield from _taken_errors(port, "taskgroup network", labels, static)
        hostname = network.get("Hostname") or ""
        if hostname and "${" not in hostname and not _is_domain(hostname):
            yield "Hostname is not a valid DNS name"
    for task in group["Tasks"] or ():
        for network in task["Resources"]["Networks"] or ():
            for port in _ports(network):
                yield from _taken_errors(port, task["Name"], labels, static)


def _ports(network: Json) -> Iterator[Json]:
    yield from network.get("ReservedPorts") or ()
    yield from network.get("DynamicPorts") or ()


def _taken_errors(port: Json, owner: str, labels: set[str], static: dict[tuple[str, int], str]) -> Iterator[str]:
    label, value = port["Label"], port.get("Value", 0)
    if label in labels:
        yield f"Port label {label} already in use by taskgroup network"
    labels.add(label)
    if not value:
        return
    place = (port.get("HostNetwork", "default"), value)
    if place in static and not port.get("IgnoreCollision"):
        yield f"Static port {value} already reserved by {static[place]}"
    elif value > _MAX_PORT:
        yield f"Port {label} ({value}) cannot be greater than {_MAX_PORT}"
    else:
        static[place] = f"{owner}:{label}"


def _port_errors(port: Json, network: Json) -> Iterator[str]:
    label, to, mode = quoted(port["Label"]), port.get("To", 0), network.get("Mode", "")
    if to < -1:
        yield f"Port {label} cannot be mapped to negative value {to}"
    elif to > _MAX_PORT:
        yield f"Port {label} cannot be mapped to a port ({to}) greater than {_MAX_PORT}"
    if port.get("IgnoreCollision") and mode not in ("", "host"):
        yield f"Port {label} collision may not be ignored on non-host network mode {quoted(mode)}"


def _is_domain(name: str) -> bool:
    labels = name.removesuffix(".").split(".")
    return len(name) <= 254 and all(0 < len(label) <= 63 for label in labels)


def _scaling_errors(group: Json, kind: str) -> Iterator[str]:
    policy, count = group["Scaling"], group["Count"]
    if policy is None:
        return
    if kind == "system":
        yield "System jobs may not have a scaling block"
    least, most = policy["Min"], policy["Max"]
    if most < 0:
        yield "Scaling policy invalid: maximum count must be specified and non-negative"
        return
    if most < least:
        yield "Scaling policy invalid: maximum count must not be less than minimum count"
    if least < 0:
        yield "Scaling policy invalid: minimum count must be specified and non-negative"
    if most < count:
        yield "Scaling policy invalid: task group count must not be greater than maximum count in scaling policy"
    if count < least:
        yield "Scaling policy invalid: task group count must not be less than minimum count in scaling policy"
