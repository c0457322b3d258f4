"""A row of `GET /v1/allocations?resources=true&task_states=true` as a `Placement`.

Source: https://developer.hashicorp.com/nomad/api-docs/allocations
"""

from collections.abc import Iterable, Mapping
from typing import Any

from herdsman.adapters.nomad.translate import last_event
from herdsman.model.keys import job_key
from herdsman.model.placements import Placement, PortAddress, TaskState


def placements(raw: Iterable[Mapping[str, Any]] | None) -> list[Placement]:
    """A page of them."""
    return [_placement(row) for row in raw or ()]


def _placement(raw: Mapping[str, Any]) -> Placement:
    states = {name: state or {} for name, state in (raw.get("TaskStates") or {}).items()}
    resources = raw.get("AllocatedResources") or {}
    return Placement(
        id=raw["ID"],
        job=job_key(raw["Namespace"], raw["JobID"]),
        group=raw.get("TaskGroup") or "",
        node=raw.get("NodeID") or "",
        client=raw["ClientStatus"],
        desired=raw["DesiredStatus"],
        version=int(raw.get("JobVersion") or 0),
        created=int(raw.get("CreateTime") or 0),
        tasks={name: _task(name, state) for name, state in states.items()},
        cpu_mhz={name: _mhz(task or {}) for name, task in (resources.get("Tasks") or {}).items()},
        ports={port["Label"]: _address(port) for port in (resources.get("Shared") or {}).get("Ports") or ()},
        last_event=last_event(states) or raw.get("ClientDescription") or "",
    )


def _task(name: str, state: Mapping[str, Any]) -> TaskState:
    return TaskState(state.get("State") or "pending", bool(state.get("Failed")), last_event({name: state}))


def _mhz(task: Mapping[str, Any]) -> int:
    return int((task.get("Cpu") or {}).get("CpuShares") or 0)


def _address(port: Mapping[str, Any]) -> PortAddress:
    return PortAddress(port.get("HostIP") or "", int(port.get("Value") or 0))
