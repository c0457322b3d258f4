"""What should change for a job that runs on every node that may hold it (`system`, `sysbatch`)."""

import math

from herdsman.devnomad.scheduler import feasible
from herdsman.devnomad.scheduler.names import name_of
from herdsman.devnomad.scheduler.place import Placer
from herdsman.devnomad.scheduler.values import (
    LOST,
    NOT_NEEDED,
    TAINTED,
    UPDATING,
    Decision,
    DeploymentUpdate,
    Desired,
    Place,
    Stop,
    World,
    new_deployment,
    new_group_state,
)
from herdsman.devnomad.state import deployments
from herdsman.devnomad.state.usage import client_terminal, terminal
from herdsman.devnomad.structs.updates import needs_replacement
from herdsman.devnomad.types import Row


def reconcile(world: World, placer: Placer) -> Decision:
    """Compare; answers the orders, with nothing placed yet."""
    return _System(world, placer).run()


class _System:
    def __init__(self, world: World, placer: Placer) -> None:
        self.world, self.placer = world, placer
        self.decision = Decision()
        self.once = world.evaluation["Type"] == "sysbatch"
        self.deployment: Row | None = None

    def run(self) -> Decision:
        world = self.world
        self._sort_deployment()
        if world.stopped:
            for alloc in world.allocs:
                self._stop(alloc, NOT_NEEDED)
            return self.decision
        assert world.job is not None
        names = {group["Name"] for group in world.job["TaskGroups"] or ()}
        for alloc in world.allocs:
            if alloc["TaskGroup"] not in names:
                self._stop(alloc, NOT_NEEDED)
        settled = [self._group(group) for group in world.job["TaskGroups"] or ()]
        deployment = self.deployment
        if deployment is not None and all(settled) and deployment["Status"] == "running":
            update = DeploymentUpdate(deployment["ID"], "successful", deployments.SUCCESSFUL)
            self.decision.deployment_updates.append(update)
        return self.decision

    def _sort_deployment(self) -> None:
        found, job = self.world.deployment, self.world.job
        if found is None:
            return
        current = job is not None and deployments.of_version(found, job)
        if self.world.stopped or not current:
            if deployments.active(found):
                why = deployments.STOPPED_JOB if self.world.stopped else deployments.NEWER_JOB
                self.decision.deployment_updates.append(DeploymentUpdate(found["ID"], "cancelled", why))
        elif found["Status"] != "successful":
            self.deployment = found

    def _desired(self, group: str) -> Desired:
        return self.decision.desired.setdefault(group, Desired())

    def _stop(self, alloc: Row, why: str, *, client_status: str = "") -> None:
        desired = self._desired(alloc["TaskGroup"])
        if not terminal(alloc):
            self.decision.stops.append(Stop(alloc, why, client_status))
            desired.stop += 1

    # -- one group -------------------------------------------------------------------------------------------------
    def _group(self, group: Row) -> bool:
        """Reconcile a group; answers whether it holds the deployment up no longer."""
        job = self.world.job
        assert job is not None
        desired = self._desired(group["Name"])
        fitting = self._fitting_nodes(job, group)
        present = self._sort_present(group, fitting)
        missing = [node_id for node_id in fitting if node_id not in present]
        changed = [alloc for alloc in present.values() if self._outdated(alloc) and not client_terminal(alloc)]
        replaced = [each for each in changed if needs_replacement(each["Job"], job, group["Name"])]
        in_place = [each for each in changed if each not in replaced]
        desired.ignore += len(present) - len(changed)
        desired.in_place += len(in_place)
        self.decision.in_place += in_place
        state = self._state(group, total=len(missing) + len(changed), feasible_nodes=len(fitting))
        limit = self._limit(group, state, present)
        blocked = self.deployment is not None and self.deployment["Status"] in {"failed", "paused"}
        self._order(group, [] if blocked else missing, replaced[: 0 if blocked else limit], canary=_canarying(state))
        desired.ignore += len(replaced) - (0 if blocked else min(len(replaced), limit))
        self._make_deployment(group, state, changed=bool(changed), first=not present)
        return not missing and not changed and _settled(state)

    def _fitting_nodes(self, job: Row, group: Row) -> list[str]:
        ready = feasible.ready_nodes(self.world.nodes.values(), job) if group["Count"] else []
        return [node["ID"] for node in ready if feasible.reason_against(node, job, group) is None]

    def _sort_present(self, group: Row, fitting: list[str]) -> dict[str, Row]:
        """The allocations that count, by node; the others are stopped."""
        present: dict[str, Row] = {}
        for alloc in self.world.allocs:
            if alloc["TaskGroup"] != group["Name"]:
                continue
            node = self.world.nodes.get(alloc["NodeID"])
            if terminal(alloc):
                if self.once and not self._outdated(alloc) and alloc["DesiredStatus"] == "run":
                    present[alloc["NodeID"]] = alloc
            elif node is None or node["Status"] == "down":
                self._stop(alloc, LOST, client_status="lost")
            elif (alloc["DesiredTransition"] or {}).get("Migrate") or node["DrainStrategy"]:
                self._stop(alloc, TAINTED)
            elif node["ID"] not in fitting and feasible.takes_work(node):
                self._stop(alloc, NOT_NEEDED)
            else:
                present[alloc["NodeID"]] = alloc
        return present

    def _outdated(self, alloc: Row) -> bool:
        job = self.world.job
        assert job is not None
        return bool(alloc["Job"]["JobModifyIndex"] != job["JobModifyIndex"])

    def _order(self, group: Row, missing: list[str], replaced: list[Row], *, canary: bool) -> None:
        assert self.world.job is not None
        name = name_of(self.world.job["ID"], group["Name"], 0)
        desired = self._desired(group["Name"])
        desired.place += len(missing)
        desired.canary += len(replaced) if canary else 0
        desired.destructive += 0 if canary else len(replaced)
        self.decision.places += [Place(name, group["Name"], node_id=node_id) for node_id in missing]
        self.decision.places += [
            Place(
                name,
                group["Name"],
                previous=alloc,
                canary=canary,
                replaces=Stop(alloc, UPDATING),
                node_id=alloc["NodeID"],
            )
            for alloc in replaced
        ]

    # -- deployments -----------------------------------------------------------------------------------------------
    def _strategy(self, group: Row) -> Row | None:
        update = group["Update"]
        return update if update and update["MaxParallel"] and not self.once else None

    def _state(self, group: Row, *, total: int, feasible_nodes: int) -> Row | None:
        strategy = self._strategy(group)
        if strategy is None:
            return None
        if self.deployment is not None and group["Name"] in self.deployment["TaskGroups"]:
            return dict(self.deployment["TaskGroups"][group["Name"]])
        canaries = math.ceil(feasible_nodes * strategy["Canary"] / 100) if strategy["Canary"] else 0
        updating = any(alloc["TaskGroup"] == group["Name"] for alloc in self.world.allocs)
        return new_group_state(strategy, DesiredCanaries=canaries if updating else 0, DesiredTotal=total)

    def _limit(self, group: Row, state: Row | None, present: dict[str, Row]) -> int:
        strategy = self._strategy(group)
        if strategy is None or state is None:
            return len(present)
        limit: int = strategy["MaxParallel"]
        if _canarying(state):
            limit = min(limit, state["DesiredCanaries"] - len(state["PlacedCanaries"] or ()))
        elif self.deployment is not None:
            unhealthy = (
                alloc
                for alloc in present.values()
                if alloc["DeploymentID"] == self.deployment["ID"]
                and (alloc["DeploymentStatus"] or {}).get("Healthy") is not True
            )
            limit -= sum(1 for _ in unhealthy)
        return max(limit, 0)

    def _make_deployment(self, group: Row, state: Row | None, *, changed: bool, first: bool) -> None:
        job, decision = self.world.job, self.decision
        assert job is not None
        if state is None or not state["DesiredTotal"] or not (changed or first):
            return
        if self.deployment is not None and group["Name"] in self.deployment["TaskGroups"]:
            return
        if first and any(each["Job"]["JobModifyIndex"] == job["JobModifyIndex"] for each in self.world.allocs):
            return
        if decision.deployment is None:
            decision.deployment = new_deployment(self.world)
        decision.deployment["TaskGroups"][group["Name"]] = state
        if _canarying(state):
            text = deployments.AUTO_PROMOTION if state["AutoPromote"] else deployments.NEEDS_PROMOTION
            decision.deployment["StatusDescription"] = text


def _canarying(state: Row | None) -> bool:
    return state is not None and bool(state["DesiredCanaries"] and not state["Promoted"])


def _settled(state: Row | None) -> bool:
    if state is None:
        return True
    return bool(state["HealthyAllocs"] >= state["DesiredTotal"] and not _canarying(state))
