"""A simulated node at work: it starts what the store wants on it, stops what it wants no more, tells what came of it.

What it tells goes out in batches, a fifth of a second after the first news, as a real client does.
"""

import asyncio
from pathlib import Path
from typing import Final

from herdsman.devnomad.client import services, taskenv
from herdsman.devnomad.client.alloc_runner import AllocRunner
from herdsman.devnomad.client.allocdir import AllocDir
from herdsman.devnomad.client.reaper import Reaper
from herdsman.devnomad.client.task_runner import TaskContext
from herdsman.devnomad.scheduler import reschedule
from herdsman.devnomad.state import allocs, evals
from herdsman.devnomad.state.events import Change
from herdsman.devnomad.state.store import Store, Txn
from herdsman.devnomad.state.usage import client_terminal, server_terminal
from herdsman.devnomad.types import Row

_BATCH: Final = 0.2


class Client:
    """Runs the allocations of one node."""

    def __init__(self, store: Store, node_id: str, *, data_dir: Path, reaper: Reaper) -> None:
        self._store, self.node_id = store, node_id
        self._data_dir, self._reaper = data_dir, reaper
        self.runners: dict[str, AllocRunner] = {}
        self._dirty: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stops: set[asyncio.Task[None]] = set()
        self._closed = False

    # -- what the store wants --------------------------------------------------------------------------------------
    def changed(self, _index: int, changes: list[Change]) -> None:
        """A write: start, update or stop what it concerns."""
        for change in changes:
            if change.table == "allocs" and change.row["NodeID"] == self.node_id:
                asyncio.get_running_loop().call_soon(self._follow, change.row["ID"])

    def resume(self) -> None:
        """Start what a former server left running."""
        for alloc in self._store.allocs.find("node", self.node_id):
            self._follow(alloc["ID"])

    def _follow(self, alloc_id: str) -> None:
        alloc = self._store.allocs.get(alloc_id)
        runner = self.runners.get(alloc_id)
        if self._closed:
            return
        if alloc is None:
            if runner is not None:
                self._stop(runner, forget=True)
        elif server_terminal(alloc):
            self._stop_wanted(alloc, runner)
        elif runner is not None:
            if runner.alloc["Job"] is not alloc["Job"] or runner.alloc["DeploymentID"] != alloc["DeploymentID"]:
                runner.update(alloc)
        elif not client_terminal(alloc):
            self._start(alloc)

    def _stop_wanted(self, alloc: Row, runner: AllocRunner | None) -> None:
        if runner is not None:
            self._stop(runner, forget=False)
        elif not client_terminal(alloc):
            with self._store.write("AllocationUpdated") as txn:
                allocs.update_from_client(txn, alloc["ID"], {"ClientStatus": "complete"})

    def _start(self, alloc: Row) -> None:
        node = self._store.nodes.get(self.node_id)
        if node is None:
            return
        group = next(each for each in alloc["Job"]["TaskGroups"] if each["Name"] == alloc["TaskGroup"])
        dirs = self.dirs(alloc["ID"])
        context = TaskContext(
            alloc=alloc,
            group=group,
            node=node,
            dirs=dirs,
            reaper=self._reaper,
            variables=lambda namespace, path: self._store.variables.get((namespace, path)),
            changed=lambda: None,
        )
        if (group["EphemeralDisk"] or {}).get("Sticky") and alloc["PreviousAllocation"]:
            dirs.adopt(self.dirs(alloc["PreviousAllocation"]), [task["Name"] for task in group["Tasks"]])
        runner = AllocRunner(context, changed=self._note)
        self.runners[alloc["ID"]] = runner
        runner.start()

    def dirs(self, alloc_id: str) -> AllocDir:
        """The directory of an allocation, made or not."""
        return AllocDir(self._data_dir / "alloc" / alloc_id)

    def _stop(self, runner: AllocRunner, *, forget: bool) -> None:
        task = asyncio.create_task(self._stop_and_forget(runner, forget=forget))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    async def _stop_and_forget(self, runner: AllocRunner, *, forget: bool) -> None:
        await runner.stop()
        if forget:
            self.runners.pop(runner.id, None)
            runner.dirs.destroy()

    # -- what is told ----------------------------------------------------------------------------------------------
    def _note(self, alloc_id: str) -> None:
        if self._closed:
            return
        self._dirty[alloc_id] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_BATCH, self._tell)

    def _tell(self) -> None:
        self._timer = None
        dirty, self._dirty = self._dirty, {}
        with self._store.write("AllocationUpdated") as txn:
            for alloc_id in dirty:
                self._tell_one(txn, alloc_id)

    def _tell_one(self, txn: Txn, alloc_id: str) -> None:
        runner, before = self.runners.get(alloc_id), self._store.allocs.get(alloc_id)
        if runner is None or before is None:
            return
        status = runner.status()
        if all(before[key] == value for key, value in status.items() if key != "DeploymentStatus") and (
            "DeploymentStatus" not in status
            or (before["DeploymentStatus"] or {}).get("Healthy") == status["DeploymentStatus"]["Healthy"]
        ):
            return
        allocs.update_from_client(txn, alloc_id, status)
        self._sync_services(txn, runner, before, status["ClientStatus"])
        if status["ClientStatus"] == "failed" and before["ClientStatus"] != "failed":
            self._evaluate_failure(txn, alloc_id)

    def _evaluate_failure(self, txn: Txn, alloc_id: str) -> None:
        """A failed allocation that may be replaced is looked at again."""
        alloc = self._store.allocs.get(alloc_id)
        assert alloc is not None
        job = self._store.jobs.get((alloc["Namespace"], alloc["JobID"]))
        if job is None or job["Stop"] or alloc["FollowupEvalID"] or alloc["DesiredStatus"] != "run":
            return
        group = next((each for each in job["TaskGroups"] if each["Name"] == alloc["TaskGroup"]), None)
        if group is not None and reschedule.due(alloc, group["ReschedulePolicy"]) is not None:
            evals.upsert(txn, evals.new_eval(job, "alloc-failure"))

    def _sync_services(self, txn: Txn, runner: AllocRunner, before: Row, status: str) -> None:
        if status == before["ClientStatus"]:
            return
        table = self._store.services
        for row in table.find("alloc", runner.id):
            if status != "running":
                txn.delete(table, row["ID"])
        if status != "running" or not _offers_services(runner.group):
            return
        alloc, node = runner.alloc, self._store.nodes.get(self.node_id)
        if node is None or server_terminal(alloc):
            return
        env = taskenv.build(alloc, runner.group, runner.group["Tasks"][0], node, dirs=runner.dirs)
        for row in services.registrations(alloc, runner.group, node, env):
            txn.put(table, row["ID"], {**row, "CreateIndex": txn.index, "ModifyIndex": txn.index})

    # -- the end ---------------------------------------------------------------------------------------------------
    async def close(self) -> None:
        """End everything, at once."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._stops:
            task.cancel()
        await asyncio.gather(*self._stops, return_exceptions=True)
        await asyncio.gather(*(runner.abandon() for runner in self.runners.values()))


def _offers_services(group: Row) -> bool:
    return bool(group["Services"]) or any(task["Services"] for task in group["Tasks"])
