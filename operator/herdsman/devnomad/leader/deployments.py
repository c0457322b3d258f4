"""Deployments watched: what allocations tell of their health decides whether a deployment goes on, is promoted, fails.

A healthy allocation lets the next step happen. An unhealthy one may be replaced while the group's progress deadline
lasts and its reschedule policy has attempts left; otherwise the deployment fails, and where a group wants it the job
goes back to its latest stable version.
"""

import asyncio
from collections.abc import Iterable

from herdsman.devnomad.clock import SECOND, now_ns, parse_rfc3339
from herdsman.devnomad.leader.tasks import Pending
from herdsman.devnomad.scheduler import reschedule
from herdsman.devnomad.state import allocs, deployments, evals, jobs
from herdsman.devnomad.state.events import Change
from herdsman.devnomad.state.store import Store, Txn
from herdsman.devnomad.structs.changed import spec_changed
from herdsman.devnomad.types import Row

_TRIGGER = "deployment-watcher"


class DeploymentWatcher:
    """Watches every deployment that goes on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._healthy: set[str] = set()
        """Deployments in which an allocation became healthy since they were looked at."""
        self._pending = Pending(self._look)

    def changed(self, _index: int, changes: list[Change]) -> None:
        """A write: look again at the deployments it concerns, once it is over."""
        for change in changes:
            if change.table == "deployments":
                self._pending.add(change.row["ID"])
            elif change.table == "allocs" and change.new is not None and change.new["DeploymentID"]:
                self._alloc_changed(change)

    def _alloc_changed(self, change: Change) -> None:
        assert change.new is not None
        was = ((change.old or {}).get("DeploymentStatus") or {}).get("Healthy")
        now = (change.new["DeploymentStatus"] or {}).get("Healthy")
        if was == now:
            return
        if now:
            self._healthy.add(change.new["DeploymentID"])
        self._pending.add(change.new["DeploymentID"])

    def resume(self) -> None:
        """Look at every deployment that a former server left going on."""
        for row in self._store.deployments:
            if deployments.active(row):
                self._pending.add(row["ID"])

    def stop(self) -> None:
        """Let go of all timers."""
        self._pending.stop()
        for timer in self._timers.values():
            timer.cancel()

    # -- looking ---------------------------------------------------------------------------------------------------
    def _look(self, deployment_id: str) -> None:
        timer = self._timers.pop(deployment_id, None)
        if timer is not None:
            timer.cancel()
        deployment = self._store.deployments.get(deployment_id)
        progressed = deployment_id in self._healthy
        self._healthy.discard(deployment_id)
        if deployment is None or deployment["Status"] != "running":
            return
        if self._fails_early(deployment):
            self.fail(deployment, deployments.UNHEALTHY)
        elif self._may_promote(deployment):
            self.promote(deployment, None)
        else:
            self._go_on(deployment, progressed=progressed)
            self._wait_for_deadline(deployment)

    def _unhealthy(self, deployment: Row) -> Iterable[Row]:
        for alloc in self._store.allocs.find("deployment", deployment["ID"]):
            if (alloc["DeploymentStatus"] or {}).get("Healthy") is False and not alloc["NextAllocation"]:
                yield alloc

    def _fails_early(self, deployment: Row) -> bool:
        for alloc in self._unhealthy(deployment):
            group = deployment["TaskGroups"].get(alloc["TaskGroup"])
            if group is None or alloc["DesiredStatus"] != "run":
                continue
            if not group["ProgressDeadline"]:
                return True
            if alloc["ClientStatus"] == "failed" and reschedule.due(alloc, _policy(alloc)) is None:
                return True
            if alloc["ClientStatus"] != "failed" and not reschedule.enabled(_policy(alloc)):
                return True
        return False

    @staticmethod
    def _may_promote(deployment: Row) -> bool:
        waiting = [g for g in deployment["TaskGroups"].values() if g["DesiredCanaries"] and not g["Promoted"]]
        return bool(waiting) and all(
            group["AutoPromote"] and group["HealthyAllocs"] >= group["DesiredCanaries"] for group in waiting
        )

    def _go_on(self, deployment: Row, *, progressed: bool) -> None:
        replace = [
            alloc
            for alloc in self._unhealthy(deployment)
            if alloc["ClientStatus"] == "failed" and not (alloc["DesiredTransition"] or {}).get("Reschedule")
        ]
        if not replace and not progressed:
            return
        with self._store.write("AllocationUpdateDesiredStatus" if replace else "EvaluationUpdated") as txn:
            for alloc in replace:
                transition = {**(alloc["DesiredTransition"] or allocs.NO_TRANSITION), "Reschedule": True}
                allocs.upsert(txn, {**alloc, "DesiredTransition": transition})
            self._evaluate(txn, deployment)

    def _evaluate(self, txn: Txn, deployment: Row) -> Row | None:
        job = self._store.jobs.get((deployment["Namespace"], deployment["JobID"]))
        if job is None:
            return None
        row = evals.new_eval(
            job, _TRIGGER, DeploymentID=deployment["ID"], Priority=deployment["EvalPriority"] or job["Priority"]
        )
        return evals.upsert(txn, row)

    # -- deadlines -------------------------------------------------------------------------------------------------
    def _wait_for_deadline(self, deployment: Row) -> None:
        due = [parse_rfc3339(group["RequireProgressBy"]) for group in _behind(deployment) if group["RequireProgressBy"]]
        if due:
            wait = max((min(due) - now_ns()) / SECOND, 0)
            loop = asyncio.get_running_loop()
            self._timers[deployment["ID"]] = loop.call_later(wait, self._deadline, deployment["ID"])

    def _deadline(self, deployment_id: str) -> None:
        deployment = self._store.deployments.get(deployment_id)
        if deployment is None or deployment["Status"] != "running":
            return
        now = now_ns()
        late = [
            g for g in _behind(deployment) if g["RequireProgressBy"] and parse_rfc3339(g["RequireProgressBy"]) <= now
        ]
        if late:
            self.fail(deployment, deployments.DEADLINE)
        else:
            self._wait_for_deadline(deployment)

    # -- outcomes --------------------------------------------------------------------------------------------------
    def fail(self, deployment: Row, why: str) -> Row:
        """Fail a deployment; answers what came of it, as the API tells it."""
        with self._store.write("DeploymentStatusUpdate") as txn:
            stable = self._stable_version(deployment)
            description = _failure(why, deployment, stable, self._live(deployment))
            deployments.set_status(txn, deployment["ID"], "failed", description)
            reverted = None
            if stable is not None and " - rolling back" in description:
                reverted = stable["Version"]
                spec = {**stable, "Stable": False, "SubmitTime": now_ns(), "VersionTag": None}
                job = jobs.upsert(txn, spec)
                jobs.put_submission(txn, job, self._store.submissions.get((*jobs.key_of(stable), stable["Version"])))
            evaluation = self._evaluate(txn, deployment)
        return {
            "EvalID": evaluation["ID"] if evaluation else "",
            "EvalCreateIndex": txn.index,
            "DeploymentModifyIndex": txn.index,
            "RevertedJobVersion": reverted,
            "Index": txn.index,
        }

    def _live(self, deployment: Row) -> Row | None:
        return self._store.jobs.get((deployment["Namespace"], deployment["JobID"]))

    def _stable_version(self, deployment: Row) -> Row | None:
        """The version to go back to, where a group of the deployment wants that."""
        if not any(group["AutoRevert"] for group in deployment["TaskGroups"].values()):
            return None
        versions = self._store.job_versions((deployment["Namespace"], deployment["JobID"]))
        return next((row for row in versions if row["Stable"] and row["Version"] < deployment["JobVersion"]), None)

    def promote(self, deployment: Row, groups: Iterable[str] | None) -> Row:
        """Let the canaries of some groups (none: of all) stand for the new version."""
        chosen = set(groups) if groups is not None else None
        with self._store.write("DeploymentPromotion") as txn:
            states = {
                name: {**state, "Promoted": True}
                if state["DesiredCanaries"] and (chosen is None or name in chosen)
                else state
                for name, state in deployment["TaskGroups"].items()
            }
            waiting = any(state["DesiredCanaries"] and not state["Promoted"] for state in states.values())
            text = deployment["StatusDescription"] if waiting else deployments.RUNNING
            deployments.upsert(txn, {**deployment, "TaskGroups": states, "StatusDescription": text})
            for name, state in states.items():
                if chosen is None or name in chosen:
                    self._uncanary(txn, state)
            evaluation = self._evaluate(txn, deployment)
        return {
            "EvalID": evaluation["ID"] if evaluation else "",
            "EvalCreateIndex": txn.index,
            "DeploymentModifyIndex": txn.index,
            "RevertedJobVersion": None,
            "Index": txn.index,
        }

    def _uncanary(self, txn: Txn, state: Row) -> None:
        for alloc_id in state["PlacedCanaries"] or ():
            alloc = self._store.allocs.get(alloc_id)
            if alloc is not None and alloc["DeploymentStatus"]:
                status = {**alloc["DeploymentStatus"], "Canary": False, "ModifyIndex": txn.index}
                allocs.upsert(txn, {**alloc, "DeploymentStatus": status})


def _policy(alloc: Row) -> Row | None:
    groups = alloc["Job"]["TaskGroups"]
    policy: Row | None = next(each for each in groups if each["Name"] == alloc["TaskGroup"])["ReschedulePolicy"]
    return policy


def _behind(deployment: Row) -> Iterable[Row]:
    """The groups that still owe progress: those that wait for a promotion by hand do not."""
    for group in deployment["TaskGroups"].values():
        canarying = group["DesiredCanaries"] and not group["Promoted"]
        wanted = group["DesiredCanaries"] if canarying else group["DesiredTotal"]
        if group["HealthyAllocs"] < wanted:
            yield group


def _failure(why: str, deployment: Row, stable: Row | None, live: Row | None) -> str:
    """The description of a failure, with what is done about it."""
    if not any(group["AutoRevert"] for group in deployment["TaskGroups"].values()):
        return why
    if stable is None:
        return f"{why} - no stable job version to auto revert to"
    if live is not None and not spec_changed(live, stable):
        return (
            f"{why} - not rolling back to stable job version {stable['Version']} as current job has same specification"
        )
    return f"{why} - rolling back to job version {stable['Version']}"
