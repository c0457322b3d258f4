"""The allocations of a group, sorted by what they need; the first that fits wins.

over      nothing: it is history
lost      its node is gone
migrate   it is to leave its node
now       it failed and is to be replaced
later     it failed and is to be replaced, but not yet (until then it is present)
present   everything else
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from herdsman.devnomad.scheduler import reschedule
from herdsman.devnomad.scheduler.values import World
from herdsman.devnomad.state import deployments
from herdsman.devnomad.state.usage import client_terminal, server_terminal
from herdsman.devnomad.types import Row


@dataclass(slots=True)
class Buckets:
    """Allocations by what they need."""

    present: list[Row] = field(default_factory=list)
    migrate: list[Row] = field(default_factory=list)
    lost: list[Row] = field(default_factory=list)
    now: list[Row] = field(default_factory=list)
    later: list[tuple[int, Row]] = field(default_factory=list)
    ignored: int = 0

    def names(self) -> Iterator[str]:
        """The names that are taken."""
        for alloc in (*self.present, *self.migrate, *self.lost, *self.now):
            yield alloc["Name"]


class Sorter:
    """Sorts the allocations of one group."""

    def __init__(self, world: World, job: Row, group: Row, *, deployment: Row | None, batch: bool) -> None:
        self._world, self._job, self._group = world, job, group
        self._deployment, self._batch = deployment, batch

    def sort(self, allocs: Iterable[Row]) -> Buckets:
        """The buckets."""
        buckets = Buckets()
        for alloc in allocs:
            self._sort_one(alloc, buckets)
        return buckets

    def _sort_one(self, alloc: Row, buckets: Buckets) -> None:
        if self._is_over(alloc):
            buckets.ignored += self._batch and not self.did_its_work(alloc)
            return
        node = self._world.nodes.get(alloc["NodeID"])
        if not client_terminal(alloc):
            if node is None or node["Status"] == "down":
                buckets.lost.append(alloc)
                return
            if (alloc["DesiredTransition"] or {}).get("Migrate"):
                buckets.migrate.append(alloc)
                return
        due = self._due(alloc)
        if due is None:
            buckets.present.append(alloc)
        elif due <= self._world.now + reschedule.WINDOW or alloc["FollowupEvalID"] == self._world.evaluation["ID"]:
            buckets.now.append(alloc)
        else:
            buckets.present.append(alloc)
            if not alloc["FollowupEvalID"]:
                buckets.later.append((due, alloc))

    def _is_over(self, alloc: Row) -> bool:
        if self._batch:
            if self.did_its_work(alloc):
                return False
            return server_terminal(alloc) or bool(alloc["NextAllocation"]) or self._of_older_version(alloc)
        if server_terminal(alloc) or alloc["ClientStatus"] in {"complete", "lost"}:
            return True
        return bool(alloc["ClientStatus"] == "failed" and alloc["NextAllocation"])

    def did_its_work(self, alloc: Row) -> bool:
        """Whether a batch allocation is done: it is not run again, whatever became of it afterwards."""
        return bool(alloc["ClientStatus"] == "complete" and _succeeded(alloc) and not self._of_older_version(alloc))

    def _of_older_version(self, alloc: Row) -> bool:
        job = alloc["Job"]
        older = job["CreateIndex"] != self._job["CreateIndex"] or job["Version"] < self._job["Version"]
        return older and client_terminal(alloc)

    def _due(self, alloc: Row) -> int | None:
        """When an allocation that failed is to be replaced."""
        transition = alloc["DesiredTransition"] or {}
        if transition.get("ForceReschedule"):
            return self._world.now if alloc["ClientStatus"] == "failed" else None
        deployment = self._deployment
        part = deployment is not None and alloc["DeploymentID"] == deployment["ID"]
        if part and deployments.active(deployment) and not transition.get("Reschedule"):
            return None  # the deployment watcher decides first whether the deployment goes on
        found = reschedule.due(alloc, self._group["ReschedulePolicy"])
        return found.at if found else None


def _succeeded(alloc: Row) -> bool:
    """Whether every task of an allocation ended well."""
    states = (alloc["TaskStates"] or {}).values()
    return bool(states) and all(state["State"] == "dead" and not state["Failed"] for state in states)
