"""What Nomad refuses in a task."""

import binascii
import posixpath
import re
from collections.abc import Iterator, Sequence

from herdsman.devnomad.structs.durations import go_text
from herdsman.devnomad.structs.errors import joined, nested, quoted
from herdsman.devnomad.structs.rules import affinity_errors, constraint_errors, placement_errors
from herdsman.devnomad.structs.shapes import Json
from herdsman.devnomad.structs.validate_service import task_service_errors

MIN_CPU = 1
MIN_MEMORY_MB = 10
_CHECKSUM_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
_GETTER_MODES = ("any", "file", "dir")
_CHANGE_MODES = ("noop", "signal", "script", "restart")
_HOOKS = ("prestart", "poststart", "poststop")
_PLUGIN_TYPES = ("node", "controller", "monolith")
_NUMA_AFFINITIES = ("none", "prefer", "require")
_IDENTITY_NAME = re.compile(r"[a-zA-Z0-9-_]{1,128}")
_ACTION_NAME = re.compile(r"[a-zA-Z0-9-]{1,128}")
_DEVICE_NEVER = frozenset({"distinct_hosts", "distinct_property"})
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def task_errors(task: Json, group: Json, kind: str) -> Iterator[str]:
    """A task's faults; `kind` is the job's type."""
    yield from _name_errors(task["Name"])
    if not task["Driver"]:
        yield "Missing task driver"
    yield from _time_errors(task)
    yield from joined(_resource_errors(task["Resources"]))
    yield from joined(_log_errors(task["LogConfig"], group["EphemeralDisk"]))
    yield from placement_errors(task, kind, of_a_task=True)
    networks = [*(group["Networks"] or ())[:1], *(task["Resources"]["Networks"] or ())]
    yield from joined(task_service_errors(task, networks))
    for number, artifact in enumerate(task["Artifacts"] or (), 1):
        yield from nested(f"Artifact {number} validation failed", _artifact_errors(artifact))
    if task["Vault"] is not None:
        yield from nested("Vault validation failed", _vault_errors(task["Vault"]))
    yield from _templates_errors(task)
    if task["DispatchPayload"] is not None and _escapes(task["DispatchPayload"]["File"], "task/local"):
        yield "Dispatch Payload validation failed: destination escapes allocation directory"
    yield from _lifecycle_errors(task["Lifecycle"])
    yield from _mount_errors(task, group)
    if task["CSIPluginConfig"] is not None:
        yield from _plugin_errors(task["CSIPluginConfig"])
    yield from _action_errors(task)
    yield from _identities_errors(task["Identities"] or ())
    yield from _secret_errors(task["Secrets"] or ())


def _name_errors(name: str) -> Iterator[str]:
    if not name:
        yield "Missing task name"
    if "/" in name or "\\" in name:
        yield "Task name cannot include slashes"
    elif "\0" in name:
        yield "Task name cannot include null characters"
    elif name in (".", ".."):
        yield f"Task name cannot be {quoted(name)}: its directory would be another's"


def _time_errors(task: Json) -> Iterator[str]:
    if task["KillTimeout"] < 0:
        yield "KillTimeout must be a positive value"
    if task["ShutdownDelay"] < 0:
        yield "ShutdownDelay must be a positive value"


def patience_errors(task: Json, group: Json, kind: str) -> Iterator[str]:
    """A task of a service must be stopped before its group's deployment runs out of time; told by the group."""
    deadline = group["Update"]["ProgressDeadline"] if kind == "service" and group["Update"] is not None else 0
    if 0 < deadline < task["KillTimeout"]:
        # Nomad's own spelling.
        yield (
            f"Task {task['Name']} has a kill timout ({go_text(task['KillTimeout'])}) "
            f"longer than the group's progress deadline ({go_text(deadline)})"
        )


def _resource_errors(resources: Json) -> Iterator[str]:
    if resources["Cores"] > 0 and resources["CPU"] > 0:
        yield "Task can only ask for 'cpu' or 'cores' resource, not both."
    yield from joined(_least_errors(resources))
    if resources["DiskMB"] > 0:
        yield "Task can't ask for disk resources, they have to be specified at the task group level."
    for number, device in enumerate(resources["Devices"] or (), 1):
        yield from nested(f"device {number} failed validation", _device_errors(device))
    if resources["NUMA"] is not None:
        yield from _numa_errors(resources["NUMA"], resources["Devices"] or ())
    most, memory = resources["MemoryMaxMB"], resources["MemoryMB"]
    if most > 0 and most < memory:
        yield f"MemoryMaxMB value ({most}) should be larger than MemoryMB value ({memory})"


def _least_errors(resources: Json) -> Iterator[str]:
    if resources["CPU"] < MIN_CPU and resources["Cores"] == 0:
        yield f"minimum CPU value is {MIN_CPU}; got {resources['CPU']}"
    if resources["MemoryMB"] < MIN_MEMORY_MB:
        yield f"minimum MemoryMB value is {MIN_MEMORY_MB}; got {resources['MemoryMB']}"


def _numa_errors(numa: Json, devices: Sequence[Json]) -> Iterator[str]:
    """Only devices that the task asks for can be bound, and only in three ways."""
    asked = {device["Name"] for device in devices}
    for name in numa["Devices"] or ():
        if name not in asked:
            yield f"numa device {quoted(name)} not requested as task resource"
    if numa["Affinity"] not in _NUMA_AFFINITIES:
        yield "numa affinity must be one of none, prefer, or require"


def _device_errors(device: Json) -> Iterator[str]:
    if not device["Name"]:
        yield "device name must be given as one of the following: type, vendor/type, or vendor/type/name"
    for number, constraint in enumerate(device["Constraints"] or (), 1):
        if constraint["Operand"] in _DEVICE_NEVER:
            operand = quoted(constraint["Operand"])
            yield f"Constraint {number} validation failed: using unsupported operand {operand}"
        else:
            yield from nested(f"Constraint {number} validation failed", constraint_errors(constraint))
    for number, affinity in enumerate(device["Affinities"] or (), 1):
        yield from nested(f"Affinity {number} validation failed", affinity_errors(affinity))


def _log_errors(logs: Json, disk: Json | None) -> Iterator[str]:
    if logs["MaxFiles"] < 1:
        yield f"minimum number of files is 1; got {logs['MaxFiles']}"
    if logs["MaxFileSizeMB"] < 1:
        yield f"minimum file size is 1MB; got {logs['MaxFileSizeMB']}"
    used = logs["MaxFiles"] * logs["MaxFileSizeMB"]
    if disk is not None and disk["SizeMB"] <= used:
        yield f"log storage ({used} MB) must be less than requested disk capacity ({disk['SizeMB']} MB)"


def _escapes(path: str, base: str = "task") -> bool:
    """Whether a relative path leads out of the allocation's directory."""
    return posixpath.normpath(posixpath.join(base, path.lstrip("/"))).startswith("..")


def _artifact_errors(artifact: Json) -> Iterator[str]:
    if not artifact["GetterSource"]:
        yield "source must be specified"
    if artifact["GetterMode"] not in _GETTER_MODES:
        known = ", ".join(_GETTER_MODES)
        yield f"invalid artifact mode {quoted(artifact['GetterMode'])}; must be one of: {known}"
    if _escapes(artifact["RelativeDest"]):
        yield "destination escapes allocation directory"
    checksum = (artifact["GetterOptions"] or {}).get("checksum")
    if checksum is not None and not _VARIABLE.search(checksum):
        yield from _checksum_errors(checksum.strip())


def _checksum_errors(checksum: str) -> Iterator[str]:
    kind, _, value = checksum.partition(":")
    if not checksum:
        yield "checksum value cannot be empty"
    elif checksum.count(":") != 1:
        yield f'checksum must be given as "type:value"; got {quoted(checksum)}'
    elif kind not in _CHECKSUM_BYTES:
        yield f"unsupported checksum type: {kind}"
    else:
        try:
            size = len(binascii.unhexlify(value))
        except binascii.Error:
            yield f"invalid checksum: {value}"
            return
        if size != _CHECKSUM_BYTES[kind]:
            yield f"invalid {kind} checksum: {value}"


def _vault_errors(vault: Json) -> Iterator[str]:
    mode = vault["ChangeMode"]
    if mode == "signal" and not vault["ChangeSignal"]:
        yield f"Signal must be specified when using change mode {quoted(mode)}"
    elif mode not in ("signal", "noop", "restart"):
        yield f"Unknown change mode {quoted(mode)}"
    if "root" in (vault["Policies"] or ()):
        yield 'Can not specify "root" policy'


def _templates_errors(task: Json) -> Iterator[str]:
    taken: dict[str, int] = {}
    for number, template in enumerate(task["Templates"] or (), 1):
        yield from nested(f"Template {number} validation failed", _template_errors(template))
        if (other := taken.setdefault(template["DestPath"], number)) != number:
            yield f"Template {number} has same destination as {other}"
            taken[template["DestPath"]] = other


def _template_errors(template: Json) -> Iterator[str]:
    if not template["SourcePath"] and not template["EmbeddedTmpl"]:
        yield "Must specify a source path or have an embedded template"
    if not template["DestPath"]:
        yield "Must specify a destination for the template"
    elif _escapes(template["DestPath"]):
        yield "template destination escapes allocation directory"
    yield from _template_change_errors(template)
    if template["Splay"] < 0:
        yield "Must specify positive splay value"
    perms = template["Perms"]
    if perms and not re.fullmatch(r"[0-7]{1,4}", perms):
        reason = f"strconv.ParseUint: parsing {quoted(perms)}: invalid syntax"
        yield f"Failed to parse {quoted(perms)} as octal: {reason}"
    wait = template["Wait"]
    if wait is not None and wait["Min"] is not None and wait["Max"] is not None and wait["Min"] > wait["Max"]:
        yield f"wait min {go_text(wait['Min'])} is greater than max {go_text(wait['Max'])}"


def _template_change_errors(template: Json) -> Iterator[str]:
    mode = template["ChangeMode"]
    if mode not in _CHANGE_MODES:
        yield f"Invalid change mode. Must be one of the following: {', '.join(_CHANGE_MODES)}"
    if mode == "signal":
        if not template["ChangeSignal"]:
            yield "Must specify signal value when change mode is signal"
        if template["Envvars"]:
            yield "cannot use signals with env var templates"
    if mode == "script":
        if template["ChangeScript"] is None:
            yield "must specify change script configuration value when change mode is script"
        elif not template["ChangeScript"]["Command"]:
            yield "must specify script path value when change mode is script"


def _lifecycle_errors(lifecycle: Json | None) -> Iterator[str]:
    if lifecycle is None:
        return
    if not lifecycle["Hook"]:
        yield "Lifecycle validation failed: no lifecycle hook provided"
    elif lifecycle["Hook"] not in _HOOKS:
        yield f"Lifecycle validation failed: invalid hook: {lifecycle['Hook']}"


def _mount_errors(task: Json, group: Json) -> Iterator[str]:
    for number, mount in enumerate(task["VolumeMounts"] or ()):
        if mount["Volume"] not in (group["Volumes"] or {}):
            yield f"Volume Mount ({number}) references undefined volume {mount['Volume']}"
        if mount["PropagationMode"] not in ("", "private", "host-to-task", "bidirectional"):
            reason = f"unsupported propagation mode: {quoted(mount['PropagationMode'])}"
            yield f'Volume Mount ({number}) is invalid: "{reason}"'


def _plugin_errors(plugin: Json) -> Iterator[str]:
    if not plugin["ID"]:
        yield "CSIPluginConfig must have a non-empty PluginID"
    if plugin["Type"] not in _PLUGIN_TYPES:
        known = "'node', 'controller', or 'monolith'"
        yield f"CSIPluginConfig PluginType must be one of {known}, got: {quoted(plugin['Type'])}"


def _identities_errors(identities: Sequence[Json]) -> Iterator[str]:
    seen: set[str] = set()
    for identity in identities:
        if identity["Name"] in seen:
            yield f"Identity {quoted(identity['Name'])} found more than once"
        seen.add(identity["Name"])
        yield from joined(_identity_errors(identity))


def _identity_errors(identity: Json) -> Iterator[str]:
    name, mode, signal = identity["Name"], identity["ChangeMode"], identity["ChangeSignal"]
    if not _IDENTITY_NAME.fullmatch(name):
        yield f"invalid name {quoted(name)}. Must match regex ^{_IDENTITY_NAME.pattern}$"
    for number, audience in enumerate(identity["Audience"] or (), 1):
        if not audience:
            yield f"an empty string is an invalid audience ({number})"
    if mode not in ("", "noop", "restart", "signal"):
        yield f"invalid change_mode: {mode}"
    elif mode == "signal" and not signal:
        yield 'change_signal must be specified when using change_mode="signal"'
    elif mode != "signal" and signal:
        yield f'can only use change_signal={quoted(signal)} with change_mode="signal"'
    if identity["TTL"] < 0:
        yield "ttl must be >= 0"
    if identity["Filepath"] and not identity["File"]:
        yield "file parameter must be true in order to specify filepath"


def _secret_errors(secrets: Sequence[Json]) -> Iterator[str]:
    seen: set[str] = set()
    for secret in secrets:
        if secret["Name"] in seen:
            yield f"Secret {quoted(secret['Name'])} defined multiple times"
        seen.add(secret["Name"])
        for key in ("Name", "Provider", "Path"):
            if not secret[key]:
                yield f"Secret {quoted(secret['Name'])} validation failed: secret {key.lower()} cannot be empty"


def _action_errors(task: Json) -> Iterator[str]:
    seen: set[str] = set()
    for action in task["Actions"] or ():
        name = action["Name"]
        if not _ACTION_NAME.fullmatch(name):
            yield f"Action {quoted(name)} validation failed: invalid name {quoted(name)}"
        if not action["Command"]:
            yield f"Action {quoted(name)} validation failed: command cannot be empty"
        if name in seen:
            yield f"Action {quoted(name)} defined multiple times"
        seen.add(name)
