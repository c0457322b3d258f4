"""How a live job does: every row is a job as Nomad lists it, what else was asked for, and the verdict."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.health import Questions, judge, questions, reverted_by_nomad
from herdsman.model.keys import job_key
from herdsman.model.memory import Memory
from herdsman.model.observed import Allocation, Counts, Deployment, DeploymentState, Evaluation, JobStub
from herdsman.model.plans import Reason
from herdsman.model.statuses import Health, Truth

KEY = job_key("default", "web")
SERVICE = JobStub(KEY, 9, 5, "service", "running", stop=False, stamp="f", counts=Counts(running=2))
BATCH = replace(SERVICE, type="batch", counts=Counts(running=1))
MEMORY = Memory(digest="d", index=9, create_index=5, version=3, count=2, deploys=True)
SETTLED = replace(MEMORY, settled=3)
PLAIN = replace(MEMORY, deploys=False)
ONCE = replace(PLAIN, count=1)


def deployment(state: str, **more: Any) -> Deployment:
    return Deployment("d", 3, 9, DeploymentState(state), **{"healthy": 1, "desired": 2, **more})


def evaluation(**more: Any) -> Evaluation:
    return Evaluation("e", "blocked", "job-register", blocked=True, **more)


def allocation(client: str, said: str = "", **more: Any) -> Allocation:
    return Allocation("a", "web.g[0]", "g", "node", 3, "run", client, said, **more)


NO_ROOM = evaluation(failures={"g": "no node of 3 fits; 3 with too little memory left"})
BURST = allocation("failed", "Exit Code: 137")


@dataclass(frozen=True)
class Row:
    """One job and what is to be said of it."""

    stub: JobStub
    memory: Memory
    status: Truth
    reason: Reason
    says: str = ""
    deployments: tuple[Deployment, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    written: float = 0.0
    waited: float = 0.0
    settled: int = -1
    completed: bool = False

    def judged(self) -> Health:
        """What comes of it, with ten minutes of patience."""
        return judge(
            self.stub,
            self.memory,
            deployments=self.deployments,
            evaluations=self.evaluations,
            allocations=self.allocations,
            written=self.written,
            waited=self.waited,
            timeout=600.0,
        )


def counting(**counts: int) -> JobStub:
    return replace(SERVICE, counts=Counts(**counts))


def batch(status: str, **counts: int) -> JobStub:
    return replace(BATCH, status=status, counts=Counts(**counts))


ROWS: dict[str, Row] = {
    "stopped": Row(replace(SERVICE, stop=True, status="dead"), SETTLED, Truth.FALSE, Reason.STOPPED),
    "periodic": Row(replace(BATCH, periodic=True), ONCE, Truth.TRUE, Reason.REGISTERED, "periodic", settled=3),
    "parameterized": Row(
        replace(BATCH, parameterized=True), ONCE, Truth.TRUE, Reason.REGISTERED, "parameterized", settled=3
    ),
    "a stopped periodic job": Row(replace(BATCH, periodic=True, stop=True), ONCE, Truth.FALSE, Reason.STOPPED),
    # services: the deployment of the live version first
    "deploying": Row(
        SERVICE, MEMORY, Truth.UNKNOWN, Reason.PROGRESSING, "1 of 2 healthy", deployments=(deployment("running"),)
    ),
    "deploying, of an older version": Row(
        counting(running=1),
        MEMORY,
        Truth.UNKNOWN,
        Reason.PROGRESSING,
        "not deployed yet",
        deployments=(replace(deployment("failed"), version=2),),
    ),
    "written long ago, and its deployment is forgotten": Row(
        counting(running=1), MEMORY, Truth.UNKNOWN, Reason.PROGRESSING, "1 of 2 running", written=3600.0
    ),
    "deploying, without room": Row(
        counting(running=1, queued=1),
        MEMORY,
        Truth.FALSE,
        Reason.NOT_PLACED,
        "g: no node of 3 fits",
        deployments=(deployment("running"),),
        evaluations=(NO_ROOM,),
    ),
    "deployment paused": Row(SERVICE, MEMORY, Truth.UNKNOWN, Reason.PAUSED, deployments=(deployment("paused"),)),
    "deployment pending": Row(SERVICE, MEMORY, Truth.UNKNOWN, Reason.PROGRESSING, deployments=(deployment("pending"),)),
    "canaries wait": Row(
        SERVICE,
        MEMORY,
        Truth.UNKNOWN,
        Reason.NEEDS_PROMOTION,
        "wait for promotion",
        deployments=(deployment("running", needs_promotion=True),),
    ),
    "canaries not healthy yet": Row(
        SERVICE,
        MEMORY,
        Truth.UNKNOWN,
        Reason.PROGRESSING,
        deployments=(deployment("running", needs_promotion=True, healthy=0),),
    ),
    "deployment failed": Row(
        SERVICE,
        MEMORY,
        Truth.FALSE,
        Reason.DEPLOYMENT_FAILED,
        "unhealthy allocations",
        deployments=(deployment("failed", description="Failed due to unhealthy allocations"),),
    ),
    "deployment cancelled": Row(
        SERVICE, MEMORY, Truth.FALSE, Reason.DEPLOYMENT_FAILED, deployments=(deployment("cancelled"),)
    ),
    "deployment succeeded": Row(
        SERVICE, MEMORY, Truth.TRUE, Reason.HEALTHY, deployments=(deployment("successful"),), settled=3
    ),
    "deployment succeeded, but short now": Row(
        counting(running=1), MEMORY, Truth.UNKNOWN, Reason.PROGRESSING, deployments=(deployment("successful"),)
    ),
    "no deployment, but blocked": Row(
        counting(queued=2), MEMORY, Truth.FALSE, Reason.NOT_PLACED, evaluations=(evaluation(),)
    ),
    "deploying for too long": Row(
        SERVICE, MEMORY, Truth.FALSE, Reason.HEALTH_TIMEOUT, "after 600 s", (deployment("running"),), waited=601.0
    ),
    "canaries wait for as long as it takes": Row(
        SERVICE,
        MEMORY,
        Truth.UNKNOWN,
        Reason.NEEDS_PROMOTION,
        deployments=(deployment("running", needs_promotion=True),),
        waited=10_000.0,
    ),
    # services at rest: desired against running
    "all run": Row(SERVICE, SETTLED, Truth.TRUE, Reason.HEALTHY, settled=3),
    "more run than asked for": Row(counting(running=3), SETTLED, Truth.TRUE, Reason.HEALTHY, settled=3),
    "none asked for": Row(counting(), replace(SETTLED, count=0), Truth.TRUE, Reason.HEALTHY, settled=3),
    "all run, without deployments": Row(SERVICE, PLAIN, Truth.TRUE, Reason.HEALTHY, settled=3),
    "one is missing": Row(counting(running=1), SETTLED, Truth.UNKNOWN, Reason.PROGRESSING, "1 of 2 running"),
    "one waits for room": Row(
        counting(running=1, queued=1), SETTLED, Truth.FALSE, Reason.NOT_PLACED, "g: no node", evaluations=(NO_ROOM,)
    ),
    "one waits, nobody knows why": Row(
        counting(running=1, queued=1), SETTLED, Truth.FALSE, Reason.NOT_PLACED, "room", evaluations=(evaluation(),)
    ),
    "one fails": Row(
        counting(running=1, failed=4),
        SETTLED,
        Truth.FALSE,
        Reason.ALLOCATIONS_FAILING,
        "1 of 2 running: web.g[0]: Exit Code: 137",
        allocations=(allocation("running", "Started"), BURST),
    ),
    "one failed long ago": Row(counting(running=2, failed=4), SETTLED, Truth.TRUE, Reason.HEALTHY, settled=3),
    "one is missing for too long": Row(
        counting(running=1), SETTLED, Truth.FALSE, Reason.HEALTH_TIMEOUT, "1 of 2 running", waited=601.0
    ),
    # system jobs
    "a system job runs": Row(replace(SERVICE, type="system"), PLAIN, Truth.TRUE, Reason.HEALTHY, settled=3),
    "a system job runs nowhere": Row(
        replace(counting(), type="system"), PLAIN, Truth.UNKNOWN, Reason.PROGRESSING, "0 of 1"
    ),
    # batch jobs: by their end
    "a batch job finished": Row(
        batch("dead", complete=1), ONCE, Truth.TRUE, Reason.COMPLETED, "finished", completed=True
    ),
    "a sysbatch job finished": Row(
        replace(batch("dead", complete=3), type="sysbatch"), ONCE, Truth.TRUE, Reason.COMPLETED, completed=True
    ),
    "a batch job failed": Row(
        batch("dead", failed=1),
        ONCE,
        Truth.FALSE,
        Reason.FAILED,
        "web.g[0]: Exit Code: 137",
        allocations=(BURST,),
        completed=True,
    ),
    "a batch job failed, nobody knows why": Row(
        batch("dead", failed=2), ONCE, Truth.FALSE, Reason.FAILED, "2 allocations failed", completed=True
    ),
    "a batch job was lost": Row(batch("dead", lost=1), ONCE, Truth.FALSE, Reason.FAILED, completed=True),
    "a batch job waits": Row(batch("pending", queued=1), ONCE, Truth.UNKNOWN, Reason.PENDING, "1 allocations wait"),
    "a batch job is not started": Row(batch("pending"), ONCE, Truth.UNKNOWN, Reason.PENDING, "not started"),
    "a batch job has no room": Row(
        batch("pending", queued=1), ONCE, Truth.FALSE, Reason.NOT_PLACED, "g: no node", evaluations=(NO_ROOM,)
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_how_a_job_does(row: Row) -> None:
    """In progress, failed, current: in this order, from the live version's deployment, then from its allocations."""
    health = row.judged()

    assert (health.status, health.reason) == (row.status, row.reason)
    assert row.says in health.message
    assert (health.settled, health.completed) == (row.settled, row.completed)


@pytest.mark.parametrize("row", [r for r in ROWS.values() if not r.stub.stop], ids=lambda r: r.reason.value)
def test_what_was_needed_for_the_verdict_was_asked_for(row: Row) -> None:
    """What the stub leaves open is asked for, and what it does not leave open changes nothing."""
    asked = questions(row.stub, row.memory)
    without = replace(
        row,
        deployments=row.deployments if asked.deployments else (),
        evaluations=row.evaluations if asked.evaluations else (),
        allocations=row.allocations if asked.allocations else (),
    )

    assert (without.judged().status, without.judged().settled) == (row.status, row.settled)


QUESTIONS: dict[str, tuple[JobStub, Memory, Questions]] = {
    "at rest": (SERVICE, SETTLED, Questions()),
    "stopped": (replace(SERVICE, stop=True), MEMORY, Questions()),
    "periodic": (replace(BATCH, periodic=True), ONCE, Questions()),
    "not settled": (SERVICE, MEMORY, Questions(deployments=True)),
    "short": (counting(running=1), SETTLED, Questions(allocations=True)),
    "queued": (counting(running=1, queued=1), SETTLED, Questions(evaluations=True, allocations=True)),
    "a batch job that runs": (BATCH, ONCE, Questions()),
    "a batch job that failed": (batch("dead", failed=1), ONCE, Questions(allocations=True)),
    "a batch job that waits": (batch("pending", queued=1), ONCE, Questions(evaluations=True)),
}


@pytest.mark.parametrize(("stub", "memory", "expected"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_what_else_is_asked(stub: JobStub, memory: Memory, expected: Questions) -> None:
    """A job at rest costs no call; every other call is for an open question."""
    assert questions(stub, memory) == expected


counts = st.builds(Counts, **dict.fromkeys(("queued", "running", "failed", "complete", "lost"), st.integers(0, 3)))
stubs = st.builds(
    JobStub,
    key=st.just(KEY),
    index=st.just(9),
    create_index=st.just(5),
    type=st.sampled_from(["service", "batch", "system", "sysbatch"]),
    status=st.sampled_from(["pending", "running", "dead"]),
    stop=st.booleans(),
    stamp=st.just("f"),
    counts=counts,
    periodic=st.booleans(),
)
memories = st.builds(
    Memory, version=st.just(3), count=st.integers(0, 3), deploys=st.booleans(), settled=st.integers(-1, 3)
)
deployments = st.lists(st.sampled_from(DeploymentState).map(lambda s: Deployment("d", 3, 9, s)), max_size=2)


@given(stubs, memories, deployments, st.floats(0, 2000), st.sampled_from([0.0, 600.0]))
def test_patience_ends(stub: JobStub, memory: Memory, found: list[Deployment], waited: float, timeout: float) -> None:
    """After the timeout a service is healthy or not; only a batch job that waits may stay open."""
    health = judge(stub, memory, deployments=found, waited=waited, timeout=timeout)

    if waited > timeout and stub.type in ("service", "system"):
        assert health.status is not Truth.UNKNOWN
    if health.settled >= 0:
        assert health.status is Truth.TRUE
        assert health.settled == memory.version
    if health.completed:
        assert health.reason in (Reason.COMPLETED, Reason.FAILED), "it came to its end, well or not"


# -- easily judged wrongly ---------------------------------------------------------------------------------------------


def test_a_version_is_not_healthy_before_its_deployment_exists() -> None:
    """Right after a write the scheduler has not acted yet: the allocations that run are those of the version before."""
    health = judge(SERVICE, MEMORY, deployments=(replace(deployment("successful"), version=2),), written=1.0)

    assert health.status is Truth.UNKNOWN
    assert health.settled == -1


def test_a_batch_job_that_succeeds_at_the_second_attempt_is_finished() -> None:
    """Rescheduled after a failure and then complete: it did what it was asked to, and must not run again once it is
    forgotten."""
    attempts = (allocation("complete"), BURST)
    health = judge(batch("dead", failed=1, complete=1), ONCE, allocations=attempts)

    assert (health.status, health.reason, health.completed) == (Truth.TRUE, Reason.COMPLETED, True)


# -- auto_revert -------------------------------------------------------------------------------------------------------

ROLLED_BACK = deployment(
    "failed", auto_revert=True, description="Failed due to unhealthy allocations - rolling back to job version 2"
)


@pytest.mark.parametrize(
    ("found", "live", "written", "expected"),
    [
        ((ROLLED_BACK,), 4, 3, True),
        ((deployment("successful"), ROLLED_BACK), 4, 3, True),
        ((ROLLED_BACK,), 3, 3, False),
        ((ROLLED_BACK,), 4, 2, False),
        ((replace(ROLLED_BACK, auto_revert=False),), 4, 3, False),
        ((replace(ROLLED_BACK, state=DeploymentState.CANCELLED),), 4, 3, False),
        ((replace(ROLLED_BACK, description="Failed - no stable job version to auto revert to"),), 4, 3, False),
        ((), 4, 3, False),
    ],
)
def test_when_nomad_went_back_by_itself(found: tuple[Deployment, ...], live: int, written: int, expected: bool) -> None:
    """A failed deployment of the version that was written, that says that it rolls back, under a newer live version."""
    assert bool(reverted_by_nomad(found, live_version=live, written_version=written)) is expected
