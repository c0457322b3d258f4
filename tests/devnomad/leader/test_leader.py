"""The leader's parts by themselves: the queue of evaluations, launches that were missed, drains."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from devnomad.support import job
from herdsman.devnomad.clock import HOUR, now_ns
from herdsman.devnomad.leader.broker import Broker
from herdsman.devnomad.leader.periodic import Periodic
from herdsman.devnomad.rpc.jobs import Jobs
from herdsman.devnomad.rpc.launches import Launches
from herdsman.devnomad.rpc.namespaces import Namespaces, Pools
from herdsman.devnomad.state import evals, jobs
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.structs.canonical import canonicalize

Row = dict[str, Any]


def _run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def _cluster() -> tuple[Store, Broker]:
    store = Store()
    broker = Broker(store)
    store.listeners.append(broker.changed)
    return store, broker


def _evaluate(store: Store, name: str, *, priority: int = 50, **more: Any) -> str:
    row = evals.make("default", name, kind="service", priority=priority, trigger="test")
    with store.write() as txn:
        return str(evals.upsert(txn, row | more)["ID"])


def _finish(store: Store, broker: Broker, row: Row, status: str = "complete") -> None:
    with store.write() as txn:
        evals.upsert(txn, row | {"Status": status})
    broker.done(row)


# -- the queue -----------------------------------------------------------------------------------------------------
def test_the_most_important_comes_first() -> None:
    """Evaluations are handed out by priority, among equals by age."""

    async def scenario() -> None:
        store, broker = _cluster()
        wanted = [(30, "low"), (90, "high"), (50, "first"), (50, "second")]
        for priority, name in wanted:
            _evaluate(store, name, priority=priority)
        assert [(await broker.next())["JobID"] for _ in wanted] == ["high", "first", "second", "low"]

    _run(scenario())


def test_one_evaluation_of_a_job_at_a_time() -> None:
    """While one is worked on, others of its job wait; of those only the newest is worked on, the rest superseded."""

    async def scenario() -> None:
        store, broker = _cluster()
        first, second, third = (_evaluate(store, "j") for _ in range(3))
        row = await broker.next()
        assert row["ID"] == first
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(broker.next(), 0.01)
        _finish(store, broker, row)
        assert (await broker.next())["ID"] == third
        superseded = store.evals.get(second)
        assert superseded is not None
        assert superseded["Status"] == "canceled"

    _run(scenario())


def test_a_time_is_waited_for() -> None:
    """An evaluation with a time is handed out then, and not if it was cancelled meanwhile."""

    async def scenario() -> None:
        store, broker = _cluster()
        soon = now_ns() + 30_000_000
        due = _evaluate(store, "due", WaitUntil=soon)
        dropped = store.evals.get(_evaluate(store, "dropped", WaitUntil=soon))
        assert dropped is not None
        assert broker.figures()["waiting"] == 2
        with store.write() as txn:
            evals.upsert(txn, dropped | {"Status": "canceled"})
        assert (await asyncio.wait_for(broker.next(), 1))["ID"] == due
        assert broker.figures() == {"ready": 0, "pending": 0, "blocked": 0, "waiting": 0}

    _run(scenario())


def test_what_found_no_room_waits_for_some() -> None:
    """A blocked evaluation is handed out again when a node changes."""

    async def scenario() -> None:
        store, broker = _cluster()
        blocked = _evaluate(store, "j", Status="blocked")
        assert broker.figures()["blocked"] == 1
        with store.write() as txn:
            txn.put(store.nodes, "n", {"ID": "n"})
        assert (await broker.next())["ID"] == blocked

    _run(scenario())


def test_a_deleted_evaluation_holds_nobody_up() -> None:
    """When an evaluation is deleted before its turn, those of its job that waited behind it get theirs."""

    async def scenario() -> None:
        store, broker = _cluster()
        first, second = _evaluate(store, "j"), _evaluate(store, "j")
        with store.write() as txn:
            txn.delete(store.evals, first)
        assert (await asyncio.wait_for(broker.next(), 1))["ID"] == second

    _run(scenario())


# -- launches ------------------------------------------------------------------------------------------------------
def _periodic(last: int | None, **more: Any) -> list[Row]:
    """The children of a job that is due every hour, after a start; `last` is how many hours ago it was launched."""

    async def scenario() -> None:
        periodic = Periodic(store, launches)
        periodic.resume()
        periodic.stop()

    store = Store()
    Namespaces(store).ensure_default()
    Pools(store).ensure_built_in()
    launches = Launches(store, Jobs(store))
    raw = job("hourly", Type="batch", Periodic={"Spec": "0 * * * *", "SpecType": "cron"} | more)
    with store.write() as txn:
        parent = jobs.upsert(txn, canonicalize(raw) | {"SubmitTime": now_ns()})
        if last is not None:
            row = {"Namespace": "default", "ID": "hourly", "Launch": now_ns() - last * HOUR, "ModifyIndex": 1}
            txn.put(store.launches, jobs.key_of(parent), row)
    _run(scenario())
    return store.jobs.find("parent", ("default", "hourly"))


@pytest.mark.parametrize(
    ("last", "more", "launched"),
    [(None, {}, 0), (0, {}, 0), (2, {}, 1), (48, {}, 1), (48, {"Enabled": False}, 0)],
    ids=["never", "in time", "missed", "missed often", "disabled"],
)
def test_a_missed_launch_is_made_up_for(last: int | None, more: Row, launched: int) -> None:
    """What was due while no server was there is launched once at the next start."""
    assert len(_periodic(last, **more)) == launched
