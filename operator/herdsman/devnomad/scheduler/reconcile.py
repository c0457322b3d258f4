"""What should change for a service or batch job: a pure comparison of what is wanted with what is there."""

from herdsman.devnomad.scheduler.groups import GroupReconciler
from herdsman.devnomad.scheduler.place import Placer
from herdsman.devnomad.scheduler.values import (
    NOT_NEEDED,
    Decision,
    DeploymentUpdate,
    Desired,
    Stop,
    World,
)
from herdsman.devnomad.state import deployments
from herdsman.devnomad.state.usage import terminal
from herdsman.devnomad.structs.updates import needs_replacement
from herdsman.devnomad.types import Row


def reconcile(world: World, placer: Placer) -> Decision:
    """Compare; answers the orders, with nothing placed yet."""
    return Reconciler(world, placer).run()


class Reconciler:
    """Compares one job."""

    def __init__(self, world: World, placer: Placer) -> None:
        self.world, self.placer = world, placer
        self.decision = Decision()
        self.batch = world.evaluation["Type"] == "batch"
        self.deployment: Row | None = None
        self.finished_deployment: Row | None = None
        self.replacements: dict[str, bool] = {}

    def run(self) -> Decision:
        """Order what must change."""
        if self.world.stopped:
            self._stop_job()
            return self.decision
        self._sort_deployment()
        complete = self.deployment is not None
        for group in self._groups():
            complete = self._group(group) and complete
        self._finish_deployment(complete=complete)
        return self.decision

    # -- the whole job ---------------------------------------------------------------------------------------------
    def _stop_job(self) -> None:
        for alloc in self.world.allocs:
            desired = self.decision.desired.setdefault(alloc["TaskGroup"], Desired())
            if not terminal(alloc):
                self.stop(alloc, NOT_NEEDED, desired)
        if deployments.active(self.world.deployment):
            self._cancel(self.world.deployment, deployments.STOPPED_JOB)

    def _groups(self) -> list[str]:
        assert self.world.job is not None
        names = [group["Name"] for group in self.world.job["TaskGroups"] or ()]
        return [*names, *sorted({alloc["TaskGroup"] for alloc in self.world.allocs} - set(names))]

    def _sort_deployment(self) -> None:
        """The deployment that counts is the one of this version; an older one that still runs is cancelled."""
        found, job = self.world.deployment, self.world.job
        if found is None or job is None:
            return
        if not deployments.of_version(found, job):
            if deployments.active(found):
                same_job = found["JobCreateIndex"] == job["CreateIndex"]
                self._cancel(found, deployments.NEWER_JOB if same_job else deployments.STOPPED_JOB)
            self.finished_deployment = found
        elif found["Status"] == "successful":
            self.finished_deployment = found
        else:
            self.deployment = found

    def _cancel(self, deployment: Row | None, why: str) -> None:
        assert deployment is not None
        self.decision.deployment_updates.append(DeploymentUpdate(deployment["ID"], "cancelled", why))

    def _finish_deployment(self, *, complete: bool) -> None:
        new, old = self.decision.deployment, self.deployment
        if new is not None and (old is None or new["ID"] != old["ID"]):
            if any(group["DesiredCanaries"] and not group["Promoted"] for group in new["TaskGroups"].values()):
                auto = all(g["AutoPromote"] for g in new["TaskGroups"].values() if g["DesiredCanaries"])
                new["StatusDescription"] = deployments.AUTO_PROMOTION if auto else deployments.NEEDS_PROMOTION
        elif old is not None and complete and new is None and old["Status"] in {"running", "initializing"}:
            update = DeploymentUpdate(old["ID"], "successful", deployments.SUCCESSFUL)
            self.decision.deployment_updates.append(update)

    # -- one group -------------------------------------------------------------------------------------------------
    def _group(self, name: str) -> bool:
        """Reconcile a group; answers whether it holds the deployment up no longer."""
        job = self.world.job
        assert job is not None
        desired = self.decision.desired.setdefault(name, Desired())
        allocs = [alloc for alloc in self.world.allocs if alloc["TaskGroup"] == name]
        group = next((each for each in job["TaskGroups"] or () if each["Name"] == name), None)
        if group is None:
            for alloc in allocs:
                if not terminal(alloc):
                    self.stop(alloc, NOT_NEEDED, desired)
            return True
        return GroupReconciler(self, group, allocs, desired).run()

    def stop(self, alloc: Row, why: str, desired: Desired | None = None, *, client_status: str = "") -> None:
        """Order a stop; `desired` counts it."""
        self.decision.stops.append(Stop(alloc, why, client_status))
        if desired is not None:
            desired.stop += 1

    # -- helpers for groups ----------------------------------------------------------------------------------------
    @property
    def paused(self) -> bool:
        """Whether the deployment rests."""
        return self.deployment is not None and self.deployment["Status"] in {"paused", "pending"}

    @property
    def failed(self) -> bool:
        """Whether the deployment of this version failed."""
        return self.deployment is not None and self.deployment["Status"] == "failed"

    def replaced_by(self, old_job: Row, group: str) -> bool:
        """Whether the job's change replaces a group's allocations of that old version."""
        assert self.world.job is not None
        key = f"{old_job['Version']}/{old_job['CreateIndex']}/{group}"
        if key not in self.replacements:
            self.replacements[key] = needs_replacement(old_job, self.world.job, group)
        return self.replacements[key]
