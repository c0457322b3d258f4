"""Evaluations worked off: look at the world, plan, write the plan, write what became of the evaluation."""

import asyncio
import logging
from typing import Any

from herdsman.devnomad.clock import now_ns
from herdsman.devnomad.leader import plans
from herdsman.devnomad.leader.broker import Broker
from herdsman.devnomad.scheduler.process import blocked_eval, process
from herdsman.devnomad.scheduler.values import Plan, World
from herdsman.devnomad.state import deployments, evals
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.types import Row

_log = logging.getLogger("devnomad.worker")


def world_of(store: Store, evaluation: Row, *, job: Row | None = None) -> World:
    """What an evaluation sees; `job` stands in for the stored one in a dry run."""
    key = (evaluation["Namespace"], evaluation["JobID"])
    nodes = {node["ID"]: node for node in store.nodes}
    return World(
        now=now_ns(),
        job=job if job is not None else store.jobs.get(key),
        allocs=store.job_allocs(key),
        deployment=store.latest_deployment(key),
        nodes=nodes,
        usage=store.usage.of,
        evaluation=evaluation,
        settings=store.setting("scheduler") or {},
    )


class Worker:
    """Works off evaluations until it is cancelled."""

    def __init__(self, store: Store, broker: Broker) -> None:
        self._store, self._broker = store, broker

    async def run(self) -> None:
        """Work."""
        while True:
            evaluation = await self._broker.next()
            try:
                self._work(evaluation)
            except Exception:  # noqa: BLE001 - a bug stops one piece of work, not all
                _log.exception("evaluation %s of job %s failed", evaluation["ID"], evaluation["JobID"])
                self._finish(evaluation, {"Status": "failed", "StatusDescription": "internal error in the scheduler"})
            self._broker.done(evaluation)
            await asyncio.sleep(0)

    def _work(self, evaluation: Row) -> None:
        if evaluation["Status"] not in {"pending", "blocked"}:
            return
        plan = process(world_of(self._store, evaluation))
        snapshot = self._store.index
        if not plan.empty:
            with self._store.write("PlanResult") as txn:
                plans.apply(txn, plan)
        self._conclude(evaluation, plan, snapshot=snapshot)

    def _conclude(self, evaluation: Row, plan: Plan, *, snapshot: int) -> None:
        outcome: dict[str, Any] = {
            "Status": "complete",
            "SnapshotIndex": snapshot,
            "QueuedAllocations": plan.queued or None,
            "FailedTGAllocs": plan.failed or None,
            "DeploymentID": self._deployment_of(plan),
        }
        if plan.followups:
            with self._store.write("EvaluationUpdated") as txn:
                for followup in plan.followups:
                    evals.upsert(txn, followup)
            outcome["NextEval"] = plan.followups[0]["ID"]
        if any(plan.queued.values()):
            if evaluation["Status"] == "blocked":
                self._block_again(evaluation, plan)
                return
            outcome["BlockedEval"] = self._block(plan, snapshot=snapshot)
        self._finish(evaluation, outcome)

    def _block(self, plan: Plan, *, snapshot: int) -> str:
        """An evaluation that waits for room; an older one of the job makes place for it."""
        blocked = {**blocked_eval(plan), "SnapshotIndex": snapshot}
        key = (blocked["Namespace"], blocked["JobID"])
        with self._store.write("EvaluationUpdated") as txn:
            for other in self._store.job_evals(key):
                if other["Status"] == "blocked":
                    text = "existing blocked evaluation was replaced by a newer one"
                    evals.upsert(txn, {**other, "Status": "canceled", "StatusDescription": text})
            evals.upsert(txn, blocked)
        return str(blocked["ID"])

    def _block_again(self, evaluation: Row, plan: Plan) -> None:
        current = self._store.evals.get(evaluation["ID"])
        if current is None:
            return
        if current["QueuedAllocations"] == plan.queued and not plan.placements:
            self._broker.block(current)
            return
        with self._store.write("EvaluationUpdated") as txn:
            evals.upsert(txn, {**current, "QueuedAllocations": plan.queued, "FailedTGAllocs": plan.failed})

    def _deployment_of(self, plan: Plan) -> str:
        if plan.deployment is not None:
            return str(plan.deployment["ID"])
        evaluation = plan.evaluation
        latest = self._store.latest_deployment((evaluation["Namespace"], evaluation["JobID"]))
        return str(latest["ID"]) if deployments.active(latest) and latest else ""

    def _finish(self, evaluation: Row, outcome: Row) -> None:
        current = self._store.evals.get(evaluation["ID"])
        if current is None:
            return
        with self._store.write("EvaluationUpdated") as txn:
            evals.upsert(txn, {**current, **outcome})
