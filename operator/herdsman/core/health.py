"""How a live job does: from the deployment of the *live* version first, then from its allocations (design §5).

In progress, failed, current: in this order, as kstatus judges. What a list stub carries is enough for a job at rest;
deployments, evaluations and allocations are asked for only where the stub leaves a question (`questions`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from herdsman.model.memory import Memory
from herdsman.model.observed import Allocation, Deployment, DeploymentState, Evaluation, JobStub
from herdsman.model.plans import Reason
from herdsman.model.statuses import Health, Truth

_ONCE = frozenset({"batch", "sysbatch"})


@dataclass(frozen=True, slots=True)
class Questions:
    """What else must be read to judge a job."""

    deployments: bool = False
    evaluations: bool = False
    allocations: bool = False


def questions(stub: JobStub, memory: Memory) -> Questions:
    """What the stub leaves open."""
    if stub.stop or stub.periodic or stub.parameterized:
        return Questions()
    counts = stub.counts
    unsettled = memory.deploys and memory.settled != memory.version
    if stub.type in _ONCE:
        return Questions(evaluations=counts.queued > 0, allocations=counts.failed > 0 or counts.lost > 0)
    short = counts.running < memory.count or counts.queued > 0
    return Questions(deployments=unsettled, evaluations=counts.queued > 0, allocations=short)


def judge(
    stub: JobStub,
    memory: Memory,
    *,
    deployments: Sequence[Deployment] = (),
    evaluations: Sequence[Evaluation] = (),
    allocations: Sequence[Allocation] = (),
    written: float = math.inf,
    waited: float = 0.0,
    timeout: float = 600.0,
) -> Health:
    """The health of a live job. *written* is how long ago we wrote it, *waited* how long it has not been healthy since,
    *timeout* when patience ends; all in s."""
    if stub.stop:
        return Health(Truth.FALSE, Reason.STOPPED, "stopped")
    if stub.periodic or stub.parameterized:
        kind = "periodic" if stub.periodic else "parameterized"
        return Health(Truth.TRUE, Reason.REGISTERED, f"{kind}: it runs as its children", settled=memory.version)
    if stub.type in _ONCE:
        return _once(stub, evaluations, allocations)
    deployment = next((d for d in deployments if d.version == memory.version), None)
    if memory.deploys and memory.settled != memory.version:
        rolling = _rolling(deployment, evaluations, written)
        if rolling is not None:
            return _patient(rolling, waited, timeout)
    return _patient(_standing(stub, memory, evaluations, allocations), waited, timeout)


def _once(stub: JobStub, evaluations: Sequence[Evaluation], allocations: Sequence[Allocation]) -> Health:
    """A batch job is judged by its end: by the last attempt of each allocation, not by those before it."""
    counts = stub.counts
    if counts.queued and (why := _blocked(evaluations)):
        return Health(Truth.FALSE, Reason.NOT_PLACED, why)
    if stub.status != "dead":
        return Health(Truth.UNKNOWN, Reason.RUNNING, "runs") if counts.running else _pending(counts.queued)
    last: dict[str, Allocation] = {}
    for allocation in allocations:  # newest first
        last.setdefault(allocation.name, allocation)
    succeeded = bool(last) and all(a.client == "complete" for a in last.values())
    if (counts.failed or counts.lost) and not succeeded:
        words = _last_words(allocations) or f"{counts.failed + counts.lost} allocations failed"
        return Health(Truth.FALSE, Reason.FAILED, words, completed=True)
    return Health(Truth.TRUE, Reason.COMPLETED, "finished", completed=True)


def _pending(queued: int) -> Health:
    return Health(Truth.UNKNOWN, Reason.PENDING, f"{queued} allocations wait" if queued else "not started yet")


DEPLOYMENT_DUE = 30.0
"""Within so many seconds after a write Nomad makes the deployment of a job that rolls, or it makes none."""


def _rolling(deployment: Deployment | None, evaluations: Sequence[Evaluation], written: float) -> Health | None:
    """While the live version's deployment is not over; None where there is none to wait for."""
    if deployment is None:
        if blocked := _blocked(evaluations):
            return Health(Truth.FALSE, Reason.NOT_PLACED, blocked)
        return Health(Truth.UNKNOWN, Reason.PROGRESSING, "not deployed yet") if written < DEPLOYMENT_DUE else None
    progress = f"{deployment.healthy} of {deployment.desired} healthy"
    match deployment.state:
        case DeploymentState.SUCCESSFUL:
            return None
        case DeploymentState.FAILED | DeploymentState.CANCELLED:
            return Health(Truth.FALSE, Reason.DEPLOYMENT_FAILED, deployment.description)
        case DeploymentState.PAUSED:
            return Health(Truth.UNKNOWN, Reason.PAUSED, f"its deployment is paused, {progress}")
        case _ if deployment.needs_promotion and deployment.healthy:
            return Health(Truth.UNKNOWN, Reason.NEEDS_PROMOTION, f"its canaries wait for promotion, {progress}")
        case _:
            if blocked := _blocked(evaluations):
                return Health(Truth.FALSE, Reason.NOT_PLACED, blocked)
            return Health(Truth.UNKNOWN, Reason.PROGRESSING, f"deploying, {progress}")


def _standing(
    stub: JobStub, memory: Memory, evaluations: Sequence[Evaluation], allocations: Sequence[Allocation]
) -> Health:
    """Desired against running allocations, for a service or system job whose deployment is over or never was."""
    counts = stub.counts
    if counts.queued and (why := _blocked(evaluations)):
        return Health(Truth.FALSE, Reason.NOT_PLACED, why)
    wanted = 1 if stub.type == "system" else memory.count
    if counts.running >= wanted and not counts.queued:
        return Health(Truth.TRUE, Reason.HEALTHY, settled=memory.version)
    words = f"{counts.running} of {wanted} running"
    if counts.failed and (last := _last_words(allocations)):
        return Health(Truth.FALSE, Reason.ALLOCATIONS_FAILING, f"{words}: {last}")
    return Health(Truth.UNKNOWN, Reason.PROGRESSING, words)


def _patient(health: Health, waited: float, timeout: float) -> Health:
    """Progress that takes longer than the spec allows is a failure of its own."""
    if health.status is Truth.UNKNOWN and health.reason is not Reason.NEEDS_PROMOTION and waited > timeout:
        return Health(Truth.FALSE, Reason.HEALTH_TIMEOUT, f"not healthy after {timeout:g} s: {health.message}")
    return health


def _blocked(evaluations: Sequence[Evaluation]) -> str:
    """Which resource or constraint keeps allocations waiting, in Nomad's own terms."""
    blocked = next((e for e in evaluations if e.blocked), None)
    if blocked is None:
        return ""
    return (
        "; ".join(f"{group}: {why}" for group, why in sorted(blocked.failures.items())) or "no client has room for it"
    )


def _last_words(allocations: Sequence[Allocation]) -> str:
    """What the newest failed allocation said last."""
    failed = next((a for a in allocations if a.client in ("failed", "lost") and a.last_event), None)
    return f"{failed.name}: {failed.last_event}" if failed else ""


def reverted_by_nomad(
    deployments: Sequence[Deployment], *, live_version: int, written_version: int
) -> Deployment | None:
    """The failed deployment after which Nomad went back by itself from *written_version*, if that is what happened."""
    if live_version <= written_version:
        return None
    return next(
        (
            d
            for d in deployments
            if d.version == written_version and d.state is DeploymentState.FAILED and d.auto_revert
            and "rolling back" in d.description.lower()
        ),
        None,
    )  # fmt: skip
