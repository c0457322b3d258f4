"""Drains: a node is emptied, service jobs a few allocations at a time, batch jobs when time is up, system jobs last."""

import asyncio
from collections.abc import Iterable

from herdsman.devnomad.clock import SECOND, now_ns, parse_rfc3339, rfc3339
from herdsman.devnomad.leader.tasks import Pending
from herdsman.devnomad.rpc.nodes import put_event
from herdsman.devnomad.state import allocs, evals
from herdsman.devnomad.state.events import Change
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.state.usage import client_terminal, terminal
from herdsman.devnomad.types import JobKey, Row

_SYSTEM = frozenset({"system", "sysbatch"})


class Drainer:
    """Empties the nodes that are to be drained."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._pending = Pending(self._look)

    def changed(self, _index: int, changes: list[Change]) -> None:
        """A write: look at the draining nodes it concerns."""
        for change in changes:
            if change.table == "nodes" and change.new is not None:
                if change.new["DrainStrategy"] is not None or (change.old or {}).get("DrainStrategy") is not None:
                    self._pending.add(change.new["ID"])
            elif change.table == "allocs":
                self._alloc_changed(change.row)

    def _alloc_changed(self, alloc: Row) -> None:
        """A step of one node may let another node of the same job go on."""
        for node_id in [node["ID"] for node in self._store.nodes if node["DrainStrategy"] is not None]:
            if node_id == alloc["NodeID"] or any(
                other["NodeID"] == node_id for other in self._store.job_allocs((alloc["Namespace"], alloc["JobID"]))
            ):
                self._pending.add(node_id)

    def resume(self) -> None:
        """Go on with the drains that a former server left."""
        for node in self._store.nodes:
            if node["DrainStrategy"] is not None:
                self._pending.add(node["ID"])

    def stop(self) -> None:
        """Let go of all timers."""
        self._pending.stop()
        for timer in self._timers.values():
            timer.cancel()

    # -- looking ---------------------------------------------------------------------------------------------------
    def _look(self, node_id: str) -> None:
        timer = self._timers.pop(node_id, None)
        if timer is not None:
            timer.cancel()
        node = self._store.nodes.get(node_id)
        if node is None or node["DrainStrategy"] is None:
            return
        left = [alloc for alloc in self._store.allocs.find("node", node_id) if not client_terminal(alloc)]
        strategy = node["DrainStrategy"]
        system = [alloc for alloc in left if alloc["Job"]["Type"] in _SYSTEM]
        others = [alloc for alloc in left if alloc["Job"]["Type"] not in _SYSTEM]
        if self._time_is_up(strategy):
            self._migrate(others + ([] if strategy["IgnoreSystemJobs"] else system))
        elif others:
            self._migrate(self._may_move(others))
        elif not strategy["IgnoreSystemJobs"]:
            self._migrate(system)
        if not others and (strategy["IgnoreSystemJobs"] or not system):
            self._finish(node)
        else:
            self._wait(node_id, strategy)

    @staticmethod
    def _time_is_up(strategy: Row) -> bool:
        if strategy["Deadline"] < 0:
            return True  # a forced drain has no patience
        force = strategy["ForceDeadline"]
        return force is not None and parse_rfc3339(force) <= now_ns()

    def _wait(self, node_id: str, strategy: Row) -> None:
        if strategy["ForceDeadline"] is not None and not self._time_is_up(strategy):
            wait = (parse_rfc3339(strategy["ForceDeadline"]) - now_ns()) / SECOND
            loop = asyncio.get_running_loop()
            self._timers[node_id] = loop.call_later(wait + 0.01, self._look, node_id)

    def _may_move(self, left: list[Row]) -> Iterable[Row]:
        """Of each service group, as many as its migrate block allows to be missing at once."""
        groups: dict[tuple[JobKey, str], list[Row]] = {}
        for alloc in left:
            if alloc["Job"]["Type"] == "service" and not terminal(alloc):
                groups.setdefault(((alloc["Namespace"], alloc["JobID"]), alloc["TaskGroup"]), []).append(alloc)
        for (key, name), allocations in groups.items():
            yield from allocations[: self._allowance(key, name, allocations)]

    def _allowance(self, key: JobKey, name: str, allocations: list[Row]) -> int:
        group = next(each for each in allocations[0]["Job"]["TaskGroups"] if each["Name"] == name)
        present = [alloc for alloc in self._store.job_allocs(key) if alloc["TaskGroup"] == name and not terminal(alloc)]
        moving = sum(bool((alloc["DesiredTransition"] or {}).get("Migrate")) for alloc in present)
        healthy = sum(alloc["ClientStatus"] == "running" for alloc in present) - moving
        parallel = (group["Migrate"] or {}).get("MaxParallel") or 1
        return max(healthy - (group["Count"] - parallel), 0) if healthy else len(allocations)

    def _migrate(self, chosen: Iterable[Row]) -> None:
        moving = [
            alloc for alloc in chosen if not terminal(alloc) and not (alloc["DesiredTransition"] or {}).get("Migrate")
        ]
        if not moving:
            return
        with self._store.write("AllocationUpdateDesiredStatus") as txn:
            for alloc in moving:
                transition = {**(alloc["DesiredTransition"] or allocs.NO_TRANSITION), "Migrate": True}
                allocs.upsert(txn, {**alloc, "DesiredTransition": transition})
            for key in dict.fromkeys((alloc["Namespace"], alloc["JobID"]) for alloc in moving):
                job = self._store.jobs.get(key)
                if job is not None:
                    evals.upsert(txn, evals.new_eval(job, "node-drain", NodeID=moving[0]["NodeID"]))

    def _finish(self, node: Row) -> None:
        with self._store.write("NodeDrain") as txn:
            last = {**(node["LastDrain"] or {}), "Status": "complete", "UpdatedAt": rfc3339(now_ns())}
            row = {**node, "Drain": False, "DrainStrategy": None, "LastDrain": last}
            put_event(txn, row, "Drain", "Node drain complete")
