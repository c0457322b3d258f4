"""Deployments, paused, promoted, failed; the health of their allocations, set by hand."""

from herdsman.devnomad.errors import NotFound, Refused
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.leader.deployments import DeploymentWatcher
from herdsman.devnomad.state import allocs, deployments, evals
from herdsman.devnomad.state.store import Store, Txn
from herdsman.devnomad.structs.errors import error_text
from herdsman.devnomad.types import Row


def lookup(store: Store, deployment_id: str) -> Row:
    """The deployment of this ID, or the refusal that Nomad gives."""
    if fault := id_fault(deployment_id):
        raise Refused(f"deployment lookup failed: {fault}")
    row = store.deployments.get(deployment_id)
    if row is None:
        raise NotFound("deployment not found")
    return row


def changeable(store: Store, deployment_id: str) -> Row:
    """The deployment that is to be changed. Of one that is not there a write says 500, where a read says 404."""
    try:
        return lookup(store, deployment_id)
    except NotFound as missing:
        raise Refused(missing.text) from None


class Deployments:
    """Requests that change deployments."""

    def __init__(self, store: Store, watcher: DeploymentWatcher) -> None:
        self._store, self._watcher = store, watcher

    def fail(self, deployment: Row) -> Row:
        """Fail a deployment."""
        if not deployments.active(deployment):
            raise Refused("can't fail terminal deployment")
        return self._watcher.fail(deployment, deployments.FAILED_BY_USER)

    def pause(self, deployment: Row, *, pause: bool) -> Row:
        """Pause a deployment, or let it go on."""
        if not deployments.active(deployment):
            raise Refused(f"can't {'pause' if pause else 'resume'} terminal deployment")
        status, text = ("paused", deployments.PAUSED) if pause else ("running", deployments.RUNNING)
        with self._store.write("DeploymentStatusUpdate") as txn:
            deployments.set_status(txn, deployment["ID"], status, text)
            evaluation = None if pause else self._evaluate(txn, deployment)
        return _updated(evaluation, txn.index)

    def promote(self, deployment: Row, groups: list[str] | None) -> Row:
        """Let canaries stand for the new version."""
        if not deployments.active(deployment):
            raise Refused("can't promote terminal deployment")
        self._check_promotion(deployment, groups)
        return self._watcher.promote(deployment, groups)

    def _check_promotion(self, deployment: Row, groups: list[str] | None) -> None:
        states = deployment["TaskGroups"]
        wanted = [name for name in (groups if groups is not None else states) if name in states]
        canaried = [name for name in wanted if states[name]["DesiredCanaries"]]
        if not canaried:
            raise Refused("no canaries to promote")
        errors = []
        for name in canaried:
            healthy = sum(
                (alloc["DeploymentStatus"] or {}).get("Healthy") is True
                for alloc in (self._store.allocs.get(each) for each in states[name]["PlacedCanaries"] or ())
                if alloc is not None
            )
            if healthy < states[name]["DesiredCanaries"]:
                errors.append(
                    f'Task group "{name}" has {healthy}/{states[name]["DesiredCanaries"]} healthy allocations'
                )
        if errors:
            raise Refused(error_text(errors))

    def set_health(self, deployment: Row, healthy: list[str], unhealthy: list[str]) -> Row:
        """Say of allocations whether they are healthy."""
        if not healthy and not unhealthy:
            raise Refused("must specify at least one healthy/unhealthy allocation ID")
        if not deployments.active(deployment):
            raise Refused("can't set health of allocations for a terminal deployment")
        found = {alloc_id: self._part(deployment, alloc_id) for alloc_id in (*healthy, *unhealthy)}
        with self._store.write("DeploymentAllocHealth") as txn:
            for alloc_id in healthy:
                allocs.set_health(txn, found[alloc_id], healthy=True)
            for alloc_id in unhealthy:
                allocs.set_health(txn, found[alloc_id], healthy=False)
            evaluation = self._evaluate(txn, deployment)
        return _updated(evaluation, txn.index)

    def _part(self, deployment: Row, alloc_id: str) -> Row:
        alloc = self._store.allocs.get(alloc_id)
        if alloc is None:
            raise Refused(f'unknown alloc "{alloc_id}"')
        if alloc["DeploymentID"] != deployment["ID"]:
            raise Refused(f'alloc "{alloc_id}" is not part of deployment "{deployment["ID"]}"')
        return alloc

    def _evaluate(self, txn: Txn, deployment: Row) -> Row | None:
        job = self._store.jobs.get((deployment["Namespace"], deployment["JobID"]))
        if job is None:
            return None
        return evals.upsert(txn, evals.new_eval(job, "deployment-watcher", DeploymentID=deployment["ID"]))


def _updated(evaluation: Row | None, index: int) -> Row:
    return {
        "EvalID": evaluation["ID"] if evaluation else "",
        "EvalCreateIndex": index if evaluation else 0,
        "DeploymentModifyIndex": index,
        "RevertedJobVersion": None,
        "Index": index,
    }
