"""What a group takes of a node (`AllocatedResources`), and the dimension that runs out where it does not fit."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from herdsman.devnomad.scheduler import feasible
from herdsman.devnomad.state.usage import NodeUsage
from herdsman.devnomad.types import Row

_TRIES: Final = 20


class Exhausted(Exception):
    """The node has no room; `dimension` is what runs out."""

    def __init__(self, dimension: str) -> None:
        super().__init__(dimension)
        self.dimension = dimension


@dataclass(frozen=True, slots=True)
class Fit:
    """A group on a node: what it takes, and how much of the node is then taken (0 to 1)."""

    resources: Row
    cpu_share: float
    memory_share: float


def fit(node: Row, group: Row, usage: NodeUsage, *, oversubscribe: bool = False) -> Fit:
    """Give the group what it asks for; `Exhausted` where something runs out."""
    ports = _Ports(node, usage)
    shared_network, shared_ports = _group_network(node, group, ports)
    devices = _Devices(node, usage)
    cores = _Cores(node, usage)
    tasks = {
        task["Name"]: _task(node, task, ports=ports, devices=devices, cores=cores, oversubscribe=oversubscribe)
        for task in group["Tasks"]
    }
    disk = (group["EphemeralDisk"] or {}).get("SizeMB") or 0
    cpu = usage.cpu + sum(task["Cpu"]["CpuShares"] for task in tasks.values())
    memory = usage.memory + sum(task["Memory"]["MemoryMB"] for task in tasks.values())
    limits = _limits(node)
    for taken, limit, dimension in (
        (cpu, limits.cpu, "cpu"),
        (memory, limits.memory, "memory"),
        (usage.disk + disk, limits.disk, "disk"),
    ):
        if taken > limit:
            raise Exhausted(dimension)
    resources = {
        "Tasks": tasks,
        "TaskLifecycles": {task["Name"]: task["Lifecycle"] for task in group["Tasks"]},
        "Shared": {"Networks": shared_network, "DiskMB": disk, "Ports": shared_ports},
    }
    return Fit(resources, cpu / limits.cpu if limits.cpu else 1.0, memory / limits.memory if limits.memory else 1.0)


@dataclass(frozen=True, slots=True)
class _Limits:
    cpu: int
    memory: int
    disk: int


def _limits(node: Row) -> _Limits:
    have, reserved = node["NodeResources"], node["ReservedResources"]
    return _Limits(
        have["Cpu"]["CpuShares"] - reserved["Cpu"]["CpuShares"],
        have["Memory"]["MemoryMB"] - reserved["Memory"]["MemoryMB"],
        have["Disk"]["DiskMB"] - reserved["Disk"]["DiskMB"],
    )


def _task(node: Row, task: Row, *, ports: "_Ports", devices: "_Devices", cores: "_Cores", oversubscribe: bool) -> Row:
    asked = task["Resources"]
    reserved = cores.take(asked["Cores"] or 0)
    shares = len(reserved) * cores.shares if reserved else asked["CPU"] or 0
    return {
        "Cpu": {"CpuShares": shares, "ReservedCores": reserved or None},
        "Memory": {
            "MemoryMB": asked["MemoryMB"] or 0,
            "MemoryMaxMB": (asked["MemoryMaxMB"] or 0) if oversubscribe else 0,
        },
        "Networks": [_network(node, network, ports)[0] for network in asked["Networks"] or ()] or None,
        "Devices": [devices.take(request) for request in asked["Devices"] or ()] or None,
    }


# -- ports ---------------------------------------------------------------------------------------------------------
class _Ports:
    """The ports of a node that one placement takes."""

    def __init__(self, node: Row, usage: NodeUsage) -> None:
        resources = node["NodeResources"]
        self._low, self._high = resources["MinDynamicPort"], resources["MaxDynamicPort"]
        self._blocked = set(_reserved(node))
        self._used = usage.ports
        self._taken: set[int] = set()

    def reserve(self, port: Row) -> int:
        """Take the port that was asked for."""
        value: int = port["Value"]
        if not port.get("IgnoreCollision") and self._in_use(value):
            raise Exhausted(f"network: reserved port collision {port['Label']}={value}")
        self._taken.add(value)
        return value

    def pick(self) -> int:
        """Take any free port of the dynamic range."""
        for _ in range(_TRIES):
            value = random.randint(self._low, self._high)  # noqa: S311 - any free port will do
            if not self._in_use(value):
                self._taken.add(value)
                return value
        free = next((value for value in range(self._low, self._high + 1) if not self._in_use(value)), None)
        if free is None:
            raise Exhausted("network: dynamic port selection failed")
        self._taken.add(free)
        return free

    def _in_use(self, value: int) -> bool:
        return value in self._taken or value in self._used or value in self._blocked


def _reserved(node: Row) -> Iterator[int]:
    """The ports that a node keeps for itself: `22,80,8500-8600`."""
    for part in (node["ReservedResources"]["Networks"]["ReservedHostPorts"] or "").split(","):
        low, _, high = part.strip().partition("-")
        if low:
            yield from range(int(low), int(high or low) + 1)


def _group_network(node: Row, group: Row, ports: _Ports) -> tuple[list[Row] | None, list[Row] | None]:
    networks = group["Networks"] or ()
    given = [_network(node, network, ports) for network in networks[:1]]
    return [network for network, _ in given] or None, [port for _, taken in given for port in taken] or None


def _network(node: Row, network: Row, ports: _Ports) -> tuple[Row, list[Row]]:
    address = node["Attributes"]["unique.network.ip-address"]
    reserved = [_port(port, ports.reserve(port)) for port in network.get("ReservedPorts") or ()]
    dynamic = [_port(port, ports.pick()) for port in network.get("DynamicPorts") or ()]
    taken = {
        **network,
        "Device": "lo",
        "IP": address,
        "ReservedPorts": reserved or None,
        "DynamicPorts": dynamic or None,
    }
    labelled = [
        {
            "Label": port["Label"],
            "Value": port["Value"],
            "To": port["To"],
            "HostIP": address,
            "IgnoreCollision": bool(port.get("IgnoreCollision")),
        }
        for port in reserved + dynamic
    ]
    return taken, labelled


def _port(port: Row, value: int) -> Row:
    to = port.get("To") or 0
    return {**port, "Value": value, "To": value if to == -1 else to}


# -- devices and cores ---------------------------------------------------------------------------------------------
class _Devices:
    """The devices of a node that one placement takes."""

    def __init__(self, node: Row, usage: NodeUsage) -> None:
        self._node, self._used = node, usage.devices
        self._taken: set[str] = set()

    def take(self, request: Row) -> Row:
        """Take as many instances as asked for, from the group of devices that fits best."""
        wanted = request["Count"] or 1
        for device in self._preferred(request):
            free = [each for each in feasible.healthy_instances(device) if not self._in_use(each)]
            if len(free) >= wanted:
                self._taken.update(free[:wanted])
                return {
                    "Vendor": device["Vendor"],
                    "Type": device["Type"],
                    "Name": device["Name"],
                    "DeviceIDs": free[:wanted],
                }
        raise Exhausted("devices: no devices match request")

    def _preferred(self, request: Row) -> list[Row]:
        affinities = request["Affinities"] or ()

        def weight(device: Row) -> int:
            liked = (each["Weight"] or 0 for each in affinities if feasible.device_affinity_holds(each, device))
            return -int(sum(liked))

        return sorted(feasible.matching_devices(self._node, request), key=weight)

    def _in_use(self, instance: str) -> bool:
        return instance in self._taken or instance in self._used


class _Cores:
    """The processor cores that one placement reserves."""

    def __init__(self, node: Row, usage: NodeUsage) -> None:
        cpu = node["NodeResources"]["Cpu"]
        self._free: Iterable[int] = (core for core in cpu["ReservableCpuCores"] or () if core not in usage.cores)
        self.shares: int = cpu["CpuShares"] // max(cpu["TotalCpuCores"], 1)

    def take(self, count: int) -> list[int]:
        """Take so many whole cores."""
        taken = [core for core, _ in zip(self._free, range(count), strict=False)] if count else []
        if len(taken) < count:
            raise Exhausted("cores")
        return taken
