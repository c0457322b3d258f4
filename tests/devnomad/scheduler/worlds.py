"""Small clusters without a server: nodes, a job and its allocations, planned and carried out by hand."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from devnomad.support import group, job
from herdsman.devnomad.client.fingerprint import fingerprint
from herdsman.devnomad.clock import SECOND, rfc3339
from herdsman.devnomad.scheduler.process import process
from herdsman.devnomad.scheduler.values import Plan, World
from herdsman.devnomad.state import evals
from herdsman.devnomad.state.usage import NodeUsage, terminal
from herdsman.devnomad.structs.canonical import canonicalize

Row = dict[str, Any]
NOW = 1_700_000_000 * SECOND


def node(number: int = 0, *, attributes: Row | None = None, gpus: int = 0, **more: Any) -> Row:
    """A node with the ID `n<number>`."""
    made = fingerprint(f"n{number}", number=number, http_address="127.0.0.1:4646", gpus=gpus)
    made["Attributes"] |= attributes or {}
    return made | {"CreateIndex": 1, "ModifyIndex": 1} | more


def sized(number: int = 0, *, cpu: int = 1000, memory: int = 1000, disk: int = 10_000, **more: Any) -> Row:
    """A node of a certain size."""
    made = node(number, **more)
    made["NodeResources"] = made["NodeResources"] | {
        "Cpu": made["NodeResources"]["Cpu"] | {"CpuShares": cpu},
        "Memory": {"MemoryMB": memory},
        "Disk": {"DiskMB": disk},
    }
    return made


def stored(raw: Row, *, version: int = 0, index: int = 10) -> Row:
    """A job as the store holds it."""
    kept = {"Version": version, "CreateIndex": 10, "ModifyIndex": index, "JobModifyIndex": index, "Status": "running"}
    return canonicalize(raw) | kept


@dataclass
class Cluster:
    """What the scheduler sees, and what becomes of its plans."""

    nodes: list[Row]
    job: Row | None = None
    allocs: list[Row] = field(default_factory=list)
    deployment: Row | None = None
    settings: Row = field(default_factory=dict)
    now: int = NOW
    kind: str = "service"
    _index: Any = field(default_factory=lambda: count(100))

    def register(self, *groups: Row, **more: Any) -> "Cluster":
        """Another version of the job."""
        raw = job("j", *(groups or [group()]), **more)
        version = 0 if self.job is None else self.job["Version"] + 1
        self.job = stored(raw, version=version, index=next(self._index))
        self.kind = self.job["Type"]
        return self

    def stop(self) -> "Cluster":
        """The job is stopped."""
        assert self.job is not None
        self.job = self.job | {"Stop": True, "Version": self.job["Version"] + 1, "JobModifyIndex": next(self._index)}
        return self

    def usage(self, node_id: str) -> NodeUsage:
        """What is taken of a node."""
        taken = NodeUsage()
        for alloc in self.allocs:
            if alloc["NodeID"] == node_id and not terminal(alloc):
                taken.add(alloc)
        return taken

    def plan(self) -> Plan:
        """What the scheduler would do."""
        evaluation = evals.make("default", "j", kind=self.kind, priority=50, trigger="job-register")
        world = World(
            now=self.now,
            job=self.job,
            allocs=list(self.allocs),
            deployment=self.deployment,
            nodes={each["ID"]: each for each in self.nodes},
            usage=self.usage,
            evaluation=evaluation,
            settings=self.settings,
        )
        return process(world)

    def apply(self, plan: Plan, *, status: str = "running", healthy: bool | None = True) -> None:
        """Carry a plan out: what stops is complete, what is placed has a status and a health."""
        rows = {alloc["ID"]: alloc for alloc in self.allocs}
        if plan.deployment is not None:
            self.deployment = plan.deployment
        for update in plan.deployment_updates:
            assert self.deployment is not None
            if self.deployment["ID"] == update.deployment_id:
                self.deployment = self.deployment | {"Status": update.status}
        for stop in plan.stops:
            ended = {"DesiredStatus": "stop", "DesiredDescription": stop.why}
            before = rows[stop.alloc["ID"]]
            over = before["ClientStatus"] in {"complete", "failed", "lost"}
            after = before["ClientStatus"] if over else stop.client_status or "complete"
            rows[stop.alloc["ID"]] = before | ended | {"ClientStatus": after}
        for row in plan.updates:
            rows[row["ID"]] = row
        for placed in plan.placements:
            health = {"Healthy": healthy, "Canary": bool((placed["DeploymentStatus"] or {}).get("Canary"))}
            more = {"ClientStatus": status, "DeploymentStatus": health if placed["DeploymentID"] else None}
            rows[placed["ID"]] = placed | more | {"CreateIndex": next(self._index), "ModifyTime": self.now}
            if placed["PreviousAllocation"] in rows:
                previous = rows[placed["PreviousAllocation"]]
                rows[previous["ID"]] = previous | {"NextAllocation": placed["ID"]}
            self._count(rows[placed["ID"]])
        self.allocs = list(rows.values())

    def _count(self, alloc: Row) -> None:
        deployment = self.deployment
        if deployment is None or alloc["DeploymentID"] != deployment["ID"]:
            return
        state = dict(deployment["TaskGroups"][alloc["TaskGroup"]])
        state["PlacedAllocs"] += 1
        if (alloc["DeploymentStatus"] or {}).get("Canary"):
            state["PlacedCanaries"] = [*(state["PlacedCanaries"] or ()), alloc["ID"]]
        if (alloc["DeploymentStatus"] or {}).get("Healthy"):
            state["HealthyAllocs"] += 1
        groups = deployment["TaskGroups"] | {alloc["TaskGroup"]: state}
        self.deployment = deployment | {"TaskGroups": groups}

    def run(self, rounds: int = 20) -> "Cluster":
        """Plan and carry out until nothing is left to do."""
        for _ in range(rounds):
            plan = self.plan()
            self.apply(plan)
            if plan.empty:
                return self
        raise AssertionError("the scheduler does not come to rest")

    def set(self, alloc: Row, **change: Any) -> Row:
        """Change an allocation."""
        changed = alloc | change
        self.allocs = [changed if each["ID"] == alloc["ID"] else each for each in self.allocs]
        return changed

    def fail(self, alloc: Row, *, at: int | None = None) -> Row:
        """An allocation fails."""
        finished = rfc3339(self.now if at is None else at)
        states = {"t": {"State": "dead", "Failed": True, "FinishedAt": finished, "StartedAt": finished}}
        return self.set(alloc, ClientStatus="failed", TaskStates=states)

    def finish(self, alloc: Row) -> Row:
        """A batch allocation does its work."""
        finished = rfc3339(self.now)
        states = {"t": {"State": "dead", "Failed": False, "FinishedAt": finished, "StartedAt": finished}}
        return self.set(alloc, ClientStatus="complete", TaskStates=states)

    @property
    def alive(self) -> list[Row]:
        """The allocations that are meant to run and do."""
        return [alloc for alloc in self.allocs if not terminal(alloc)]


def wants(plan: Plan, name: str = "g") -> dict[str, int]:
    """The numbers of a plan that are not zero."""
    return {key: number for key, number in plan.desired[name].as_row().items() if number}
