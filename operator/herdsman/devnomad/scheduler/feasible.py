"""Which nodes may hold a group at all, whatever is free on them: the first thing that speaks against a node."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from herdsman.devnomad.scheduler import operands, targets
from herdsman.devnomad.types import Row

NETWORK_MODES: Final = frozenset({"", "none", "host", "bridge"})


def group_constraints(group: Row) -> Iterator[Row]:
    """The constraints of a group and its tasks."""
    yield from group["Constraints"] or ()
    for task in group["Tasks"]:
        yield from task["Constraints"] or ()


def reason_against(node: Row, job: Row, group: Row) -> str | None:
    """Why this node may not hold the group, as Nomad words it; none where it may."""
    for constraint in job["Constraints"] or ():
        if not holds(constraint, node):
            return describe(constraint)
    if not _has_drivers(node, group):
        return "missing drivers"
    for constraint in group_constraints(group):
        if not holds(constraint, node):
            return describe(constraint)
    if not _has_volumes(node, group):
        return "missing compatible host volumes"
    if not _has_devices(node, group):
        return "missing devices"
    if any((network.get("Mode") or "") not in NETWORK_MODES for network in group["Networks"] or ()):
        return "missing network"
    return None


def holds(constraint: Row, node: Row) -> bool:
    """Whether a constraint holds on a node; those about other allocations are judged elsewhere."""
    operand = constraint["Operand"] or "="
    if operand in operands.NODE_WIDE:
        return True
    left = targets.resolve(constraint["LTarget"], node)
    return operands.check(operand, left, targets.resolve(constraint["RTarget"], node))


def describe(constraint: Row) -> str:
    """A constraint in the words of `ConstraintFiltered`."""
    return f"{constraint['LTarget']} {constraint['Operand'] or '='} {constraint['RTarget']}"


def _has_drivers(node: Row, group: Row) -> bool:
    drivers = node["Drivers"]
    return all(drivers.get(task["Driver"], {}).get("Healthy") for task in group["Tasks"])


def _has_volumes(node: Row, group: Row) -> bool:
    offered = node["HostVolumes"] or {}
    for volume in (group["Volumes"] or {}).values():
        if volume.get("Type") != "host":
            continue
        found = offered.get(volume["Source"])
        if found is None or (found["ReadOnly"] and not volume.get("ReadOnly")):
            return False
    return True


# -- devices -------------------------------------------------------------------------------------------------------
def _has_devices(node: Row, group: Row) -> bool:
    return all(
        sum(len(healthy_instances(device)) for device in matching_devices(node, request)) >= (request["Count"] or 1)
        for request in device_requests(group)
    )


def device_requests(group: Row) -> Iterator[Row]:
    """The devices that the tasks of a group ask for."""
    for task in group["Tasks"]:
        yield from task["Resources"]["Devices"] or ()


def matching_devices(node: Row, request: Row) -> list[Row]:
    """The device groups of a node that fit a request (`gpu`, `nvidia/gpu`, `nvidia/gpu/T4`) and its constraints."""
    return [
        device
        for device in node["NodeResources"]["Devices"] or ()
        if _named(device, request["Name"])
        and all(_device_holds(constraint, device) for constraint in request["Constraints"] or ())
    ]


def healthy_instances(device: Row) -> list[str]:
    """The IDs of the instances that can be used."""
    return [instance["ID"] for instance in device["Instances"] if instance["Healthy"]]


def _named(device: Row, wanted: str) -> bool:
    parts = wanted.split("/", 2)
    if len(parts) == 1:
        return bool(device["Type"] == parts[0])
    names = (device["Vendor"], device["Type"], device["Name"])
    return list(names[: len(parts)]) == parts


def _device_holds(constraint: Row, device: Row) -> bool:
    left = _device_value(constraint["LTarget"], device)
    right = _device_value(constraint["RTarget"], device)
    if isinstance(left, str) and isinstance(right, str):
        a, b = quantity(left), quantity(right)
        if a is not None and b is not None and a.unit == b.unit:
            return operands.check(constraint["Operand"] or "=", str(a.value), str(b.value))
    return operands.check(constraint["Operand"] or "=", left, right)


def device_affinity_holds(affinity: Row, device: Row) -> bool:
    """Whether a device is what an affinity prefers."""
    return _device_holds(affinity, device)


def _device_value(target: str, device: Row) -> str | None:
    name = target.removeprefix("${").removesuffix("}")
    if name == target:
        return target
    known = {"device.vendor": "Vendor", "device.type": "Type", "device.model": "Name"}.get(name)
    if known:
        return str(device[known])
    if name == "device.ids":
        return ",".join(healthy_instances(device))
    attribute = (device["Attributes"] or {}).get(name.removeprefix("device.attr."))
    return None if attribute is None else _attribute_text(attribute)


def _attribute_text(attribute: Row) -> str:
    value = next(
        (attribute[kind] for kind in ("Int", "Float", "String", "Bool") if attribute.get(kind) is not None), ""
    )
    unit = attribute.get("Unit") or ""
    return f"{value} {unit}".strip()


class Quantity:
    """A number with a unit, brought to the unit's base."""

    def __init__(self, value: float, unit: str) -> None:
        self.value, self.unit = value, unit


_UNITS: Final[Mapping[str, tuple[float, str]]] = {
    "": (1, ""),
    "B": (1, "B"),
    **{f"{prefix}B": (1000.0**power, "B") for power, prefix in enumerate("kMGTPE", start=1)},
    **{f"{prefix}iB": (1024.0**power, "B") for power, prefix in enumerate("KMGTPE", start=1)},
    "MHz": (1e6, "Hz"),
    "GHz": (1e9, "Hz"),
    "mW": (1e-3, "W"),
    "W": (1, "W"),
    "kW": (1e3, "W"),
    "MW": (1e6, "W"),
}
_QUANTITY: Final = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z/]*)\s*$")


def quantity(text: str) -> Quantity | None:
    """A text like `2 GiB` as bytes; none where it is no quantity."""
    found = _QUANTITY.match(text)
    if found is None or found[2] not in _UNITS:
        return None
    factor, base = _UNITS[found[2]]
    return Quantity(float(found[1]) * factor, base)


# -- where a job may go --------------------------------------------------------------------------------------------
def ready_nodes(nodes: Iterable[Row], job: Row) -> list[Row]:
    """The nodes that take new work, in the job's datacenters and node pool."""
    return [node for node in nodes if takes_work(node) and in_datacenter(node, job) and in_pool(node, job)]


def takes_work(node: Row) -> bool:
    """Whether a node is ready, eligible and not draining."""
    return bool(
        node["Status"] == "ready" and node["SchedulingEligibility"] == "eligible" and node["DrainStrategy"] is None
    )


def in_datacenter(node: Row, job: Row) -> bool:
    """Whether one of the job's datacenters (they may hold `*`) is the node's."""
    return any(_glob(pattern).fullmatch(node["Datacenter"]) for pattern in job["Datacenters"] or ("*",))


def in_pool(node: Row, job: Row) -> bool:
    """Whether the node is in the job's node pool."""
    return job["NodePool"] in {"all", node["NodePool"]}


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))
