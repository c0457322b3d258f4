"""A simulated node at work: it starts what the store wants on it, stops what it wants no more, tells what came of it.

What it tells goes out in batches, a fifth of a second after the first news, as a real client does.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Final

from herdsman.devnomad.client import services, taskenv
from herdsman.devnomad.client.alloc_runner import AllocRunner, group_of
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
        self._work: set[asyncio.Task[None]] = set()
        self._closed = False

    # -- what the store wants --------------------------------------------------------------------------------------
    def changed(self, _index: int, changes: list[Change]) -> None:
        """A write: start, update or stop what it concerns."""
        for change in changes:
            if change.table == "allocs":
                if change.row["NodeID"] == self.node_id:
                    asyncio.get_running_loop().call_soon(self._follow, change.row["ID"])
            elif change.table == "variables":
                for runner in self.runners.values():
                    for task in runner.tasks.values():
                        task.note_variable(change.row["Namespace"], change.row["Path"])

    def resume(self) -> None:
        """Start anew what a former server left running: nothing of it runs any more."""
        left = [alloc for alloc in self._store.allocs.find("node", self.node_id) if not client_terminal(alloc)]
        if left:
            with self._store.write("AllocationUpdated") as txn:
                for alloc in left:
                    allocs.update_from_client(txn, alloc["ID"], {"ClientStatus": "pending", "TaskStates": None})

    def _follow(self, alloc_id: str) -> None:
        if self._closed:
            return
        alloc = self._store.allocs.get(alloc_id)
        runner = self.runners.get(alloc_id)
        if alloc is None:
            self._forget(alloc_id, runner)
        elif server_terminal(alloc):
            self._stop_wanted(alloc, runner)
        elif runner is None:
            if not client_terminal(alloc):
                self._start(alloc)
        elif runner.alloc["Job"] is not alloc["Job"] or runner.alloc["DeploymentID"] != alloc["DeploymentID"]:
            self._update(runner, alloc)

    def _stop_wanted(self, alloc: Row, runner: AllocRunner | None) -> None:
        if runner is not None:
            at_once = bool((alloc["DesiredTransition"] or {}).get("NoShutdownDelay"))
            self._later(runner.stop(at_once=at_once))
        elif not client_terminal(alloc):
            with self._store.write("AllocationUpdated") as txn:
                allocs.update_from_client(txn, alloc["ID"], {"ClientStatus": "complete"})

    def _update(self, runner: AllocRunner, alloc: Row) -> None:
        runner.update(alloc)
        with self._store.write("ServiceRegistration") as txn:
            self._sync_services(txn, runner, runner.status()["ClientStatus"])

    def _start(self, alloc: Row) -> None:
        node = self._store.nodes.get(self.node_id)
        if node is None:
            return
        group = group_of(alloc)
        context = TaskContext(
            alloc=alloc,
            group=group,
            node=node,
            dirs=self.dirs(alloc["ID"]),
            reaper=self._reaper,
            variables=lambda namespace, path: self._store.variables.get((namespace, path)),
            changed=lambda: None,
        )
        runner = AllocRunner(context, changed=self._note)
        self.runners[alloc["ID"]] = runner
        sticky = (group["EphemeralDisk"] or {}).get("Sticky") and alloc["PreviousAllocation"]
        runner.start(first=self._take_over(runner) if sticky else None)

    async def _take_over(self, runner: AllocRunner) -> None:
        """A sticky disk: wait for the end of the allocation before, and take its data."""
        previous = runner.alloc["PreviousAllocation"]
        before = self.runners.get(previous)
        if before is not None:
            await before.finished()
        tasks = [task["Name"] for task in runner.group["Tasks"]]
        await asyncio.to_thread(runner.dirs.adopt, self.dirs(previous), tasks)

    def dirs(self, alloc_id: str) -> AllocDir:
        """The directory of an allocation, made or not."""
        return AllocDir(self._data_dir / "alloc" / alloc_id)

    def _forget(self, alloc_id: str, runner: AllocRunner | None) -> None:
        """Nobody wants to know of the allocation any more."""
        if runner is not None:
            self._later(self._stop_and_forget(runner))
        else:
            self.dirs(alloc_id).destroy()

    async def _stop_and_forget(self, runner: AllocRunner) -> None:
        await runner.stop()
        await runner.finished()
        self.runners.pop(runner.id, None)
        if runner.dirs.exists():
            await asyncio.to_thread(runner.dirs.destroy)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

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
        news = [(alloc_id, status) for alloc_id in dirty if (status := self._news(alloc_id)) is not None]
        if news:
            with self._store.write("AllocationUpdated") as txn:
                for alloc_id, status in news:
                    self._tell_one(txn, alloc_id, status)

    def _news(self, alloc_id: str) -> Row | None:
        """What an allocation's runner says of it, where the store does not know that yet."""
        runner, known = self.runners.get(alloc_id), self._store.allocs.get(alloc_id)
        if runner is None or known is None:
            return None
        status = runner.status()
        health = status.get("DeploymentStatus")
        same_health = health is None or (known["DeploymentStatus"] or {}).get("Healthy") == health["Healthy"]
        same = all(known[key] == value for key, value in status.items() if key != "DeploymentStatus")
        return None if same and same_health else status

    def _tell_one(self, txn: Txn, alloc_id: str, status: Row) -> None:
        runner, before = self.runners[alloc_id], self._store.allocs.get(alloc_id)
        assert before is not None
        allocs.update_from_client(txn, alloc_id, status)
        if status["ClientStatus"] != before["ClientStatus"]:
            self._sync_services(txn, runner, status["ClientStatus"])
            if status["ClientStatus"] == "failed":
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

    def _sync_services(self, txn: Txn, runner: AllocRunner, status: str) -> None:
        """An allocation's services are registered while it runs."""
        table = self._store.services
        wanted = {row["ID"]: row for row in self._services(runner)} if status == "running" else {}
        for row in table.find("alloc", runner.id):
            if row["ID"] not in wanted:
                txn.delete(table, row["ID"])
        for row in wanted.values():
            known = table.get(row["ID"])
            if known is None or any(known[key] != value for key, value in row.items()):
                created = known["CreateIndex"] if known else txn.index
                txn.put(table, row["ID"], {**row, "CreateIndex": created, "ModifyIndex": txn.index})

    def _services(self, runner: AllocRunner) -> Iterator[Row]:
        alloc, node = self._store.allocs.get(runner.id), self._store.nodes.get(self.node_id)
        if alloc is None or node is None or server_terminal(alloc) or not _offers_services(runner.group):
            return
        env = taskenv.build(alloc, runner.group, runner.group["Tasks"][0], node, dirs=runner.dirs)
        yield from services.registrations(alloc, runner.group, node, env)

    # -- the end ---------------------------------------------------------------------------------------------------
    async def close(self) -> None:
        """End everything, at once."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await asyncio.gather(*(runner.abandon() for runner in self.runners.values()))


def _offers_services(group: Row) -> bool:
    return bool(group["Services"]) or any(task["Services"] for task in group["Tasks"])
