"""Allocations, asked about and stopped."""

from herdsman.devnomad.errors import NotFound, Refused
from herdsman.devnomad.ids import id_fault
from herdsman.devnomad.state import allocs, evals
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.state.usage import client_terminal
from herdsman.devnomad.types import Row

_EMPTY = (None, "", 0, False)


def shown(alloc: Row) -> Row:
    """An allocation as a read shows it: what is empty is left out."""
    out = {key: value for key, value in alloc.items() if value or (value not in _EMPTY and value not in ([], {}))}
    resources = alloc["AllocatedResources"]
    shared = resources["Shared"]
    out["SharedResources"] = _old_style({"CPU": 0, "MemoryMB": 0}, networks=shared["Networks"], disk=shared["DiskMB"])
    out["TaskResources"] = {
        name: _old_style(
            {"CPU": task["Cpu"]["CpuShares"], "MemoryMB": task["Memory"]["MemoryMB"]}, networks=task["Networks"], disk=0
        )
        for name, task in resources["Tasks"].items()
    }
    tasks = out["TaskResources"].values()
    total = {field: sum(task[field] for task in tasks) for field in ("CPU", "MemoryMB")}
    out["Resources"] = _old_style(total, networks=shared["Networks"], disk=shared["DiskMB"])
    return out


def _old_style(amounts: Row, *, networks: list[Row] | None, disk: int) -> Row:
    return {
        **amounts,
        "Cores": 0,
        "MemoryMaxMB": 0,
        "DiskMB": disk,
        "IOPS": 0,
        "Networks": networks,
        "Devices": None,
        "NUMA": None,
        "SecretsMB": 0,
    }


def stub(alloc: Row, *, resources: bool = False, task_states: bool = True) -> Row:
    """An allocation as a list shows it."""
    job = alloc["Job"]
    out = {
        "ID": alloc["ID"],
        "EvalID": alloc["EvalID"],
        "Name": alloc["Name"],
        "Namespace": alloc["Namespace"],
        "NodeID": alloc["NodeID"],
        "NodeName": alloc["NodeName"],
        "JobID": alloc["JobID"],
        "JobType": job["Type"],
        "JobVersion": job["Version"],
        "TaskGroup": alloc["TaskGroup"],
        "DesiredStatus": alloc["DesiredStatus"],
        "DesiredDescription": alloc["DesiredDescription"],
        "DesiredTransition": alloc["DesiredTransition"] or allocs.NO_TRANSITION,
        "ClientStatus": alloc["ClientStatus"],
        "ClientDescription": alloc["ClientDescription"],
        "TaskStates": alloc["TaskStates"] if task_states else None,
        "DeploymentStatus": alloc["DeploymentStatus"],
        "FollowupEvalID": alloc["FollowupEvalID"],
        "NextAllocation": alloc["NextAllocation"],
        "RescheduleTracker": alloc["RescheduleTracker"],
        "PreemptedAllocations": alloc["PreemptedAllocations"],
        "PreemptedByAllocation": alloc["PreemptedByAllocation"],
        "CreateIndex": alloc["CreateIndex"],
        "ModifyIndex": alloc["ModifyIndex"],
        "CreateTime": alloc["CreateTime"],
        "ModifyTime": alloc["ModifyTime"],
    }
    if resources:
        out["AllocatedResources"] = alloc["AllocatedResources"]
    return out


def lookup(store: Store, alloc_id: str) -> Row:
    """The allocation of this ID, or the refusal that Nomad gives."""
    if fault := id_fault(alloc_id):
        raise Refused(f"alloc lookup failed: {fault}")
    alloc = store.allocs.get(alloc_id)
    if alloc is None:
        raise NotFound("alloc not found")
    return alloc


class Allocs:
    """Requests that change allocations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def stop(self, alloc: Row, *, no_delay: bool = False) -> Row:
        """Stop an allocation; another takes its place. `no_delay` leaves out its shutdown delays."""
        if client_terminal(alloc):
            return {"EvalID": "", "Index": self._store.index}
        job = self._store.jobs.get((alloc["Namespace"], alloc["JobID"])) or alloc["Job"]
        with self._store.write("AllocationUpdateDesiredStatus") as txn:
            transition = {**(alloc["DesiredTransition"] or allocs.NO_TRANSITION), "Migrate": True}
            if no_delay:
                transition["NoShutdownDelay"] = True
            allocs.upsert(txn, {**alloc, "DesiredTransition": transition})
            row = evals.new_eval(job, "alloc-stop", JobModifyIndex=job["ModifyIndex"])
            evaluation = evals.upsert(txn, row)
        return {"EvalID": evaluation["ID"], "Index": txn.index}
