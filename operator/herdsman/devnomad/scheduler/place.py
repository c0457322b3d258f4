"""Placements, one after the other, onto nodes: each sees what those before it took."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from herdsman.devnomad.ids import new_id
from herdsman.devnomad.scheduler import feasible, operands, rank, targets
from herdsman.devnomad.scheduler.fit import Exhausted, Fit, fit
from herdsman.devnomad.scheduler.metrics import Metrics
from herdsman.devnomad.scheduler.values import Place, Plan, Stop, World
from herdsman.devnomad.state.usage import NodeUsage, terminal
from herdsman.devnomad.types import Row


@dataclass(slots=True)
class _Candidate:
    node: Row
    fitted: Fit
    score: Row


@dataclass(slots=True)
class Placer:
    """The nodes as they are while a plan is made."""

    world: World
    plan: Plan
    _usage: dict[str, NodeUsage] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    _by_node: dict[str, Counter[str]] = field(default_factory=dict)
    """Of each group that was placed: how many allocations each node will have."""

    def stop(self, stop: Stop) -> None:
        """Plan a stop, and count its room as free."""
        self.plan.stops.append(stop)
        self._gone.add(stop.alloc["ID"])
        if not terminal(stop.alloc):
            self._of(stop.alloc["NodeID"]).remove(stop.alloc)
            self._count(stop.alloc, -1)

    def _of(self, node_id: str) -> NodeUsage:
        if node_id not in self._usage:
            self._usage[node_id] = self.world.usage(node_id).copy()
        return self._usage[node_id]

    # -- in place --------------------------------------------------------------------------------------------------
    def fits_in_place(self, alloc: Row, job: Row, group: Row) -> bool:
        """Whether an allocation may stay on its node under the job's new rules."""
        node = self.world.nodes.get(alloc["NodeID"])
        return (
            node is not None and feasible.reason_against(node, job, group) is None and feasible.in_datacenter(node, job)
        )

    # -- new ones --------------------------------------------------------------------------------------------------
    def place(self, wanted: Place, *, deployment_id: str) -> bool:
        """Find a node and plan the allocation; false where there is none, with the reason in the plan."""
        job = wanted.job or self.world.job
        assert job is not None
        failed = self.plan.failed.get(wanted.group)
        if failed is not None and not wanted.node_id:
            failed["CoalescedFailures"] += 1
            return False
        group = next(each for each in job["TaskGroups"] if each["Name"] == wanted.group)
        if wanted.replaces is not None:
            self._lend(wanted.replaces, taking=False)
        metrics, best = self._best(job, group, wanted)
        if best is None:
            if wanted.replaces is not None:
                self._lend(wanted.replaces, taking=True)
            self._note_failure(wanted, metrics)
            return False
        if wanted.replaces is not None:
            self.plan.stops.append(wanted.replaces)
        alloc = self._allocation(wanted, job, best, metrics=metrics.as_row(), deployment_id=deployment_id)
        self.plan.placements.append(alloc)
        self._of(best.node["ID"]).add(alloc)
        self._count(alloc, 1)
        return True

    def _note_failure(self, wanted: Place, metrics: Metrics) -> None:
        if wanted.node_id and wanted.group in self.plan.failed:
            self.plan.failed[wanted.group]["CoalescedFailures"] += 1
        else:
            self.plan.failed[wanted.group] = metrics.as_row()

    def _lend(self, stop: Stop, *, taking: bool) -> None:
        """The room of the allocation that this placement replaces: given for the search, taken back if it fails."""
        if terminal(stop.alloc):
            return
        usage = self._of(stop.alloc["NodeID"])
        if taking:
            usage.add(stop.alloc)
            self._gone.discard(stop.alloc["ID"])
        else:
            usage.remove(stop.alloc)
            self._gone.add(stop.alloc["ID"])
        self._count(stop.alloc, 1 if taking else -1)

    def _best(self, job: Row, group: Row, wanted: Place) -> tuple[Metrics, _Candidate | None]:
        nodes = self._nodes(job, wanted)
        metrics = self._metrics(job, nodes)
        siblings = self._siblings(group)
        avoid = _avoided(wanted.previous) if wanted.reschedule else frozenset[str]()
        settings = self.world.settings
        candidates = []
        for node in nodes:
            metrics.evaluated += 1
            why = feasible.reason_against(node, job, group) or self._distinct(node, job, group)
            if why is not None:
                metrics.filter(node, why)
                continue
            try:
                fitted = fit(
                    node,
                    group,
                    self._of(node["ID"]),
                    oversubscribe=bool(settings.get("MemoryOversubscriptionEnabled")),
                )
            except Exhausted as reason:
                metrics.exhaust(node, reason.dimension)
                continue
            scored = rank.score(
                node,
                job,
                group,
                fitted,
                siblings=siblings,
                avoid=avoid,
                spread=settings.get("SchedulerAlgorithm") == "spread",
            )
            candidates.append(_Candidate(node, fitted, scored))
        candidates.sort(key=lambda each: -each.score["NormScore"])
        metrics.scores = [each.score for each in candidates[:5]]
        return metrics, candidates[0] if candidates else None

    def _nodes(self, job: Row, wanted: Place) -> list[Row]:
        if wanted.node_id:
            return [self.world.nodes[wanted.node_id]]
        ready = feasible.ready_nodes(self.world.nodes.values(), job)
        disk = self._sticky_node(wanted, job)
        return [node for node in ready if node["ID"] == disk] or ready

    @staticmethod
    def _sticky_node(wanted: Place, job: Row) -> str | None:
        """A sticky disk draws its allocation back to the node where it is."""
        if wanted.previous is None or wanted.reschedule:
            return None
        group = next(each for each in job["TaskGroups"] if each["Name"] == wanted.group)
        return wanted.previous["NodeID"] if (group["EphemeralDisk"] or {}).get("Sticky") else None

    def _metrics(self, job: Row, nodes: Sequence[Row]) -> Metrics:
        in_pool = sum(feasible.in_pool(node, job) for node in self.world.nodes.values())
        return Metrics(Counter(node["Datacenter"] for node in nodes), job["NodePool"], in_pool)

    # -- other allocations of the job ------------------------------------------------------------------------------
    def _present(self) -> Iterable[Row]:
        """The job's allocations as they will be: without what stops, with what is placed."""
        for alloc in self.world.allocs:
            if alloc["ID"] not in self._gone and not terminal(alloc):
                yield alloc
        yield from self.plan.placements

    def _siblings(self, group: Row) -> rank.Siblings:
        name = group["Name"]
        if name not in self._by_node:
            self._by_node[name] = Counter(alloc["NodeID"] for alloc in self._present() if alloc["TaskGroup"] == name)
        return rank.Siblings(self._by_node[name], self.world.nodes)

    def _count(self, alloc: Row, change: int) -> None:
        """Keep the count of a group that was counted once: counting anew for each placement takes its square."""
        counted = self._by_node.get(alloc["TaskGroup"])
        if counted is not None:
            counted[alloc["NodeID"]] += change

    def _distinct(self, node: Row, job: Row, group: Row) -> str | None:
        """`distinct_hosts` and `distinct_property`, on the job for all its groups, on a group for itself."""
        for constraint in job["Constraints"] or ():
            why = self._not_distinct(node, constraint, self._present())
            if why is not None:
                return why
        for constraint in feasible.group_constraints(group):
            of_group = (alloc for alloc in self._present() if alloc["TaskGroup"] == group["Name"])
            why = self._not_distinct(node, constraint, of_group)
            if why is not None:
                return why
        return None

    def _not_distinct(self, node: Row, constraint: Row, placed: Iterable[Row]) -> str | None:
        if constraint["Operand"] not in operands.NODE_WIDE:
            return None
        if constraint["Operand"] == "distinct_hosts":
            if constraint["RTarget"] == "false" or all(alloc["NodeID"] != node["ID"] for alloc in placed):
                return None
            return "distinct_hosts"
        target = constraint["LTarget"]
        value = targets.resolve(target, node)
        if value is None:
            return f'missing property "{target}"'
        allowed = int(constraint["RTarget"] or 1)
        nodes = (self.world.nodes.get(alloc["NodeID"]) for alloc in placed)
        used = sum(targets.resolve(target, each) == value for each in nodes if each is not None)
        return f"distinct_property: {target}={value} used by {used} allocs" if used >= allowed else None

    # -- the row ---------------------------------------------------------------------------------------------------
    def _allocation(self, wanted: Place, job: Row, best: _Candidate, *, metrics: Row, deployment_id: str) -> Row:
        resources = best.fitted.resources
        previous = wanted.previous
        row: Row = {
            "ID": new_id(),
            "Namespace": job["Namespace"],
            "EvalID": self.world.evaluation["ID"],
            "Name": wanted.name,
            "NodeID": best.node["ID"],
            "NodeName": best.node["Name"],
            "JobID": job["ID"],
            "Job": job,
            "TaskGroup": wanted.group,
            "AllocatedResources": resources,
            "Metrics": metrics,
            "DesiredStatus": "run",
            "DesiredDescription": "",
            "DesiredTransition": None,
            "ClientStatus": "pending",
            "ClientDescription": "",
            "TaskStates": None,
            "AllocStates": None,
            "PreviousAllocation": previous["ID"] if previous else "",
            "NextAllocation": "",
            "DeploymentID": deployment_id,
            "DeploymentStatus": None,
            "RescheduleTracker": previous["RescheduleTracker"] if previous else None,
            "NetworkStatus": None,
            "FollowupEvalID": "",
            "PreemptedAllocations": None,
            "PreemptedByAllocation": "",
        }
        if wanted.canary and deployment_id:
            row["DeploymentStatus"] = {"Healthy": None, "Timestamp": None, "Canary": True, "ModifyIndex": 0}
        return row


def _avoided(previous: Row | None) -> frozenset[str]:
    """A rescheduled allocation keeps away from where it failed."""
    if previous is None:
        return frozenset()
    events = (previous["RescheduleTracker"] or {}).get("Events") or ()
    return frozenset([previous["NodeID"], *(event["PrevNodeID"] for event in events)])
