"""What deployments ask for, and which of them a namespace's quotas hold: decided for all at once, oldest first.

What runs is never stopped: it keeps its place, whatever the quotas are now. The others follow by age, and each that
still fits is let in, so that one which never will holds nobody up. Everything comes from what is desired, so requests
that come in at the same time cannot all pass.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from herdsman.model.keys import Key
from herdsman.model.observed import Body
from herdsman.model.quotas import NOTHING, ONE, Demand, Quotas

# -- what a job asks for -----------------------------------------------------------------------------------------------

_CPU, _MEMORY, _DISK = 100, 300, 300
"""What Nomad gives where nothing is said, in MHz and MB:
https://developer.hashicorp.com/nomad/docs/job-specification/resources"""


def demand_of(body: Body) -> Demand:
    """What all allocations of a job ask for together, at most at one time."""
    groups = (_of_group(group) for group in body.get("TaskGroups") or ())
    return sum(groups, start=ONE)


def _of_group(group: Mapping[str, Any]) -> Demand:
    count = group.get("Count")
    times = 1 if count is None else int(count)
    disk = (group.get("EphemeralDisk") or {}).get("SizeMB")
    one = replace(_of_tasks(group.get("Tasks") or ()), disk=_DISK if disk is None else int(disk))
    return Demand(**{name: amount * times for name, amount in one.named()})


def _of_tasks(tasks: Iterable[Mapping[str, Any]]) -> Demand:
    """Tasks that end before others begin do not add up: those before the main ones, and those after them."""
    stages: dict[str, Demand] = dict.fromkeys(("before", "main", "after", "throughout"), NOTHING)
    for task in tasks:
        stage = _stage(task.get("Lifecycle") or {})
        stages[stage] += _of_task(task.get("Resources") or {})
    return stages["main"].most(stages["before"]).most(stages["after"]) + stages["throughout"]


def _stage(lifecycle: Mapping[str, Any]) -> str:
    match lifecycle.get("Hook"):
        case "prestart":
            return "throughout" if lifecycle.get("Sidecar") else "before"
        case "poststop":
            return "after"
        case _:
            return "main"


def _of_task(resources: Mapping[str, Any]) -> Demand:
    cores = int(resources.get("Cores") or 0)
    cpu, memory = resources.get("CPU"), resources.get("MemoryMB")
    return Demand(
        cpu=0 if cores else _CPU if cpu is None else int(cpu),
        cores=cores,
        memory=_MEMORY if memory is None else int(memory),
        gpu=sum(_gpus(device) for device in resources.get("Devices") or ()),
    )


def _gpus(device: Mapping[str, Any]) -> int:
    """How many GPUs are asked for: a device is named by type, by vendor and type, or by vendor, type and model."""
    parts = str(device.get("Name") or "").split("/")
    kind = parts[0] if len(parts) == 1 else parts[1]
    count = device.get("Count")
    return (1 if count is None else int(count)) if kind == "gpu" else 0


# -- who is let in -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """One deployment: what it asks for, and what it *holds* already, running or let in; None where nothing."""

    key: Key
    owner: str
    created: float | None
    asks: Demand
    holds: Demand | None = None

    @property
    def keeps(self) -> Demand:
        """What of its demand it has already."""
        return NOTHING if self.holds is None else self.holds.least(self.asks)

    @property
    def age(self) -> tuple[bool, float, str]:
        """Older ones first; one that does not say when it was ordered never goes before one that does."""
        return self.created is None, self.created or 0.0, self.key.name


def held(claims: Iterable[Claim], quotas: Quotas) -> Mapping[Key, str]:
    """The claims of one namespace that its *quotas* do not let in, or not let grow, each with the numbers."""
    ordered = sorted(claims, key=lambda claim: claim.age)
    books = _Books(quotas)
    for claim in ordered:
        books.enter(claim.owner, claim.keeps)
    found: dict[Key, str] = {}
    for claim in ordered:
        more = claim.asks - claim.keeps
        words = "; ".join(books.exceeded(claim.owner, more))
        if words:
            found[claim.key] = words
        else:
            books.enter(claim.owner, more)
    return found


class _Books:
    """What is taken so far."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._all = NOTHING
        self._of: dict[str, Demand] = {}

    def enter(self, owner: str, more: Demand) -> None:
        """*owner* takes *more*."""
        self._all += more
        self._of[owner] = self._of.get(owner, NOTHING) + more

    def exceeded(self, owner: str, more: Demand) -> Iterator[str]:
        """Every limit that *more* for *owner* would go beyond, in words."""
        yield from _beyond(f"owner {owner}", self._quotas.owner, self._of.get(owner, NOTHING), more)
        yield from _beyond("the namespace", self._quotas.namespace, self._all, more)


def _beyond(who: str, limits: Mapping[str, int], taken: Demand, more: Demand) -> Iterator[str]:
    for name, limit in limits.items():
        has, wants = getattr(taken, name), getattr(more, name)
        if wants > 0 and has + wants > limit:
            asked = "" if name == "deployments" else f", this one asks for {wants:,} more"
            yield f"{who} has {has:,} of {limit:,} {_UNITS[name]}{asked}"


_UNITS: Final[Mapping[str, str]] = {
    "deployments": "deployments",
    "cpu": "MHz of CPU",
    "cores": "CPU cores",
    "memory": "MB of memory",
    "disk": "MB of disk",
    "gpu": "GPUs",
}
