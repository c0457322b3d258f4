"""What the allocations of each node take up, kept as allocations come and go so that nobody has to add it up."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from herdsman.devnomad.types import Row

K = TypeVar("K", int, str)
CLIENT_TERMINAL: Final = frozenset({"complete", "failed", "lost"})
SERVER_TERMINAL: Final = frozenset({"stop", "evict"})


def client_terminal(alloc: Row) -> bool:
    """Whether nothing of the allocation runs any more."""
    return alloc["ClientStatus"] in CLIENT_TERMINAL


def server_terminal(alloc: Row) -> bool:
    """Whether the allocation is meant to stop."""
    return alloc["DesiredStatus"] in SERVER_TERMINAL


def terminal(alloc: Row) -> bool:
    """Whether the allocation is over, or is meant to be."""
    return server_terminal(alloc) or client_terminal(alloc)


@dataclass(slots=True)
class NodeUsage:
    """What is taken of one node."""

    cpu: int = 0
    memory: int = 0
    disk: int = 0
    ports: Counter[int] = field(default_factory=Counter)
    devices: Counter[str] = field(default_factory=Counter)
    cores: Counter[int] = field(default_factory=Counter)

    def copy(self) -> "NodeUsage":
        """A copy that a plan may change."""
        return NodeUsage(
            self.cpu,
            self.memory,
            self.disk,
            Counter(self.ports),
            Counter(self.devices),
            Counter(self.cores),
        )

    def add(self, alloc: Row) -> None:
        """Take what the allocation needs."""
        self._count(alloc, 1)

    def remove(self, alloc: Row) -> None:
        """Give back what the allocation took."""
        self._count(alloc, -1)

    def _count(self, alloc: Row, sign: int) -> None:
        resources = alloc["AllocatedResources"]
        for task in resources["Tasks"].values():
            self.cpu += sign * task["Cpu"]["CpuShares"]
            self.memory += sign * task["Memory"]["MemoryMB"]
            _bump(self.cores, task["Cpu"].get("ReservedCores") or (), sign)
            _bump(self.ports, _task_ports(task), sign)
            for device in task["Devices"] or ():
                _bump(self.devices, device["DeviceIDs"], sign)
        shared = resources["Shared"]
        self.disk += sign * shared["DiskMB"]
        _bump(self.ports, (port["Value"] for port in shared["Ports"] or ()), sign)


def _task_ports(task: Row) -> Iterator[int]:
    for network in task["Networks"] or ():
        for port in (network.get("ReservedPorts") or []) + (network.get("DynamicPorts") or []):
            yield port["Value"]


def _bump(counter: Counter[K], keys: Iterable[K], sign: int) -> None:
    for key in keys:
        counter[key] += sign
        if not counter[key]:
            del counter[key]


class Usage:
    """Usage by node."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeUsage] = {}

    def of(self, node_id: str) -> NodeUsage:
        """What is taken of this node."""
        return self._nodes.setdefault(node_id, NodeUsage())

    def replace(self, old: Row | None, new: Row | None) -> None:
        """An allocation changed."""
        was, is_now = _counts(old), _counts(new)
        if (
            was
            and is_now
            and old is not None
            and new is not None
            and old["AllocatedResources"] is new["AllocatedResources"]
        ):
            return
        if was and old is not None:
            self.of(old["NodeID"]).remove(old)
        if is_now and new is not None:
            self.of(new["NodeID"]).add(new)


def _counts(alloc: Row | None) -> bool:
    return alloc is not None and not terminal(alloc)
