"""Garbage collection: Nomad forgets what is over. On request all of it, by itself what is over for long enough."""

import asyncio
from typing import Final

from herdsman.devnomad.clock import HOUR, now_ns
from herdsman.devnomad.state import deployments, jobs
from herdsman.devnomad.state.store import Store, Txn
from herdsman.devnomad.state.usage import client_terminal, terminal
from herdsman.devnomad.types import JobKey, Row

_EVERY: Final = 300.0
_EVAL_AGE: Final = HOUR
_JOB_AGE: Final = 4 * HOUR
_DEPLOYMENT_AGE: Final = HOUR


class Collector:
    """Forgets jobs, evaluations, allocations and deployments that are over."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def repeat(self) -> None:
        """Collect every few minutes."""
        while True:
            await asyncio.sleep(_EVERY)
            self.run()

    def run(self, *, force: bool = False) -> None:
        """Collect what is over for long enough, or (with `force`) whatever is over."""
        now = None if force else now_ns()
        with self._store.write() as txn:
            for job in list(self._store.jobs):
                self._job(txn, job, now=now)
            for evaluation in list(self._store.evals):
                self._evaluation(txn, evaluation, now=now)
            for deployment in list(self._store.deployments):
                self._deployment(txn, deployment, now=now)
            for node in list(self._store.nodes):
                if node["Status"] == "down" and not self._store.allocs.count("node", node["ID"]):
                    txn.delete(self._store.nodes, node["ID"])

    def _job(self, txn: Txn, job: Row, *, now: int | None) -> None:
        """A dead job goes where it was stopped, or is a batch job that ended, once nothing of it lives."""
        if job["Status"] != "dead" or not _may_go(job):
            return
        if any(version["VersionTag"] for version in self._store.job_versions(jobs.key_of(job))):
            return
        if now is not None and now - job["SubmitTime"] < _JOB_AGE:
            return
        key = jobs.key_of(job)
        allocs, evaluations = self._store.job_allocs(key), self._store.job_evals(key)
        if any(not client_terminal(alloc) for alloc in allocs) or any(not _ended(each) for each in evaluations):
            return
        for alloc in allocs:
            txn.delete(self._store.allocs, alloc["ID"])
        for evaluation in evaluations:
            txn.delete(self._store.evals, evaluation["ID"])
        for deployment in self._store.job_deployments(key):
            txn.delete(self._store.deployments, deployment["ID"])
        jobs.delete(txn, job)

    def _evaluation(self, txn: Txn, evaluation: Row, *, now: int | None) -> None:
        if not _ended(evaluation) or (now is not None and now - evaluation["ModifyTime"] < _EVAL_AGE):
            return
        job = self._store.jobs.get((evaluation["Namespace"], evaluation["JobID"]))
        found = self._store.allocs.find("eval", evaluation["ID"])
        kept = [alloc for alloc in found if not self._alloc_may_go(alloc, job)]
        for alloc in found:
            if alloc not in kept:
                txn.delete(self._store.allocs, alloc["ID"])
        if not kept:
            txn.delete(self._store.evals, evaluation["ID"])

    @staticmethod
    def _alloc_may_go(alloc: Row, job: Row | None) -> bool:
        if not client_terminal(alloc):
            return False
        if job is None or job["Stop"] or (job["Status"] == "dead" and job["Type"] not in {"batch", "sysbatch"}):
            return True
        if job["Type"] in {"batch", "sysbatch"}:
            return bool(alloc["Job"]["CreateIndex"] != job["CreateIndex"])
        # a failed allocation may still be replaced, and its successor looks back at it
        return alloc["ClientStatus"] != "failed" or alloc["DesiredStatus"] != "run" or bool(alloc["NextAllocation"])

    def _deployment(self, txn: Txn, deployment: Row, *, now: int | None) -> None:
        if deployments.active(deployment) or (now is not None and now - deployment["ModifyTime"] < _DEPLOYMENT_AGE):
            return
        key: JobKey = (deployment["Namespace"], deployment["JobID"])
        if any(not terminal(alloc) for alloc in self._store.allocs.find("deployment", deployment["ID"])):
            return
        if self._store.jobs.get(key) is None or self._store.latest_deployment(key) is not deployment:
            txn.delete(self._store.deployments, deployment["ID"])


def _may_go(job: Row) -> bool:
    if job["Periodic"] or (job["ParameterizedJob"] and not job["Dispatched"]):
        return bool(job["Stop"])
    return bool(job["Stop"] or job["Type"] in {"batch", "sysbatch"})


def _ended(evaluation: Row) -> bool:
    return evaluation["Status"] in {"complete", "failed", "canceled"}
