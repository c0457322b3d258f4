"""Whether a group's change replaces its allocations or is made in place.

Replaced is whatever a running task could not take over: what it runs, with what, and where. Counts, priorities,
constraints, services without Connect, update and restart policies, kill timeouts and most of the logs change in place.
"""

from collections.abc import Iterator
from typing import Any

from herdsman.devnomad.structs.shapes import Json

_JOB = ("Meta", "Affinities", "Spreads")
_GROUP = ("EphemeralDisk", "Consul", "Volumes")
_TASK = (
    "Driver",
    "User",
    "Config",
    "Env",
    "Artifacts",
    "Vault",
    "Consul",
    "Templates",
    "CSIPluginConfig",
    "VolumeMounts",
    "Identity",
    "Identities",
    "Schedule",
    "Secrets",
)
_RESOURCES = ("CPU", "Cores", "MemoryMB", "MemoryMaxMB", "SecretsMB", "Devices", "NUMA")
_NETWORK = ("Mode", "MBits", "Hostname", "DNS", "CNI")


def needs_replacement(old_job: Json, new_job: Json, group_name: str) -> bool:
    """Whether the allocations of this group must be replaced; both jobs in stored form."""
    old, new = _named(old_job["TaskGroups"], group_name), _named(new_job["TaskGroups"], group_name)
    if old is None or new is None:
        return old is not new
    if old == new and not _differ(old_job, new_job, _JOB):
        return False
    before, after = old["Tasks"] or (), new["Tasks"] or ()
    if len(before) != len(after) or _differ(old, new, _GROUP) or _placed(old_job, old) != _placed(new_job, new):
        return True
    if _networks(old["Networks"]) != _networks(new["Networks"]) or _meshed(old) != _meshed(new):
        return True
    if _renders(old) != _renders(new):
        return True
    return any(
        other is None or _task_replaced(task, other) or _meta(old_job, old, task) != _meta(new_job, new, other)
        for task, other in ((task, _named(after, task["Name"])) for task in before)
    )


def _named(blocks: Any, name: str) -> Json | None:
    return next((block for block in blocks or () if block["Name"] == name), None)


def _differ(old: Json, new: Json, keys: tuple[str, ...]) -> bool:
    return any(old[key] != new[key] for key in keys)


def _task_replaced(old: Json, new: Json) -> bool:
    if old == new:
        return False
    if _differ(old, new, _TASK) or _differ(old["Resources"], new["Resources"], _RESOURCES):
        return True
    if _networks(old["Resources"]["Networks"]) != _networks(new["Resources"]["Networks"]):
        return True
    return _renders(old) != _renders(new) or old["LogConfig"]["Disabled"] != new["LogConfig"]["Disabled"]


def _renders(block: Json) -> bool:
    return bool(block["RestartPolicy"] and block["RestartPolicy"]["RenderTemplates"])


def _meta(job: Json, group: Json, task: Json) -> Json:
    """A task's metadata as it sees them: its own, over its group's, over its job's."""
    return {**(job["Meta"] or {}), **(group["Meta"] or {}), **(task["Meta"] or {})}


def _placed(job: Json, group: Json) -> list[list[str]]:
    """Preferences of placement, from all levels, in no order."""
    levels = (job, group, *(group["Tasks"] or ()))
    return [
        sorted(repr(sorted(one.items())) for level in levels for one in level.get(key) or ())
        for key in ("Affinities", "Spreads")
    ]


def _networks(networks: Any) -> list[tuple[Any, ...]]:
    return [(*(network.get(key) for key in _NETWORK), list(_ports(network))) for network in networks or ()]


def _ports(network: Json) -> Iterator[Json]:
    """Ports as they are asked for: a dynamic one has no value yet."""
    for port in network.get("ReservedPorts") or ():
        yield port | {"Static": True}
    for port in network.get("DynamicPorts") or ():
        yield port | {"Value": 0}


def _meshed(group: Json) -> dict[str, tuple[Any, ...]]:
    """Services in the mesh: their proxy is part of the allocation."""
    meshed = (service for service in group["Services"] or () if service["Connect"] is not None)
    return {service["Name"]: (service["Connect"], service["PortLabel"]) for service in meshed}
