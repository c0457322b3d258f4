"""Tables, writes, watches and the event ring, without a server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.devnomad.state.events import RING_SIZE, Batch, EventRing
from herdsman.devnomad.state.journal import Journal, StateInUse, key_of
from herdsman.devnomad.state.schema import tables
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.state.tables import Table
from herdsman.devnomad.state.watch import Watches

Row = dict[str, Any]


def _variable(path: str, value: str = "v", namespace: str = "default") -> Row:
    return {"Namespace": namespace, "Path": path, "Items": {"a": value}, "Lock": None}


# -- tables --------------------------------------------------------------------------------------------------------
CHANGES = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["red", "green", "", None])), max_size=40)


@given(CHANGES)
def test_a_table_is_a_dictionary_with_indexes(changes: list[tuple[int, str | None]]) -> None:
    """Whatever is put and removed: rows, their order and every index agree with a plain dictionary."""
    table = Table("t", indexes={"color": lambda row: row["color"]})
    plain: dict[int, Row] = {}
    for key, color in changes:
        row = None if color is None else {"ID": key, "color": color}
        assert table.put(key, row) == plain.get(key)
        if row is None:
            plain.pop(key, None)
        else:
            plain[key] = row
        assert [each["ID"] for each in table.ordered()] == sorted(plain)
        assert sorted(each["ID"] for each in table) == sorted(plain)
        for wanted in ("red", "green"):
            expected = [key for key, each in plain.items() if each["color"] == wanted]
            assert sorted(each["ID"] for each in table.find("color", wanted)) == sorted(expected)
            assert table.count("color", wanted) == len(expected)
        assert table.find("color", "") == []
        assert len(table) == len(plain)
        assert (key in table) is (key in plain)


def test_every_table_knows_its_keys() -> None:
    """A row's key can be made from the row, in every table that is written to disk."""
    full = {
        "Namespace": "n",
        "ID": "i",
        "Version": 1,
        "JobID": "j",
        "Path": "p",
        "Name": "x",
        "AccessorID": "a",
    }
    for name in tables():
        assert key_of(name, full)


# -- writes --------------------------------------------------------------------------------------------------------
def test_a_write_has_one_index() -> None:
    """All rows of a write change at one index, which is larger than the one before."""
    store = Store()
    before = store.index
    with store.write() as txn:
        txn.put(store.variables, ("default", "a"), _variable("a"))
        txn.put(store.policies, "p", {"Name": "p"})

    assert txn.index == store.index == before + 1
    assert store.variables.index == store.policies.index == txn.index
    assert store.nodes.index == 0


def test_a_failed_write_leaves_no_trace() -> None:
    """Where something goes wrong in the middle of a write, all is as before, and nobody is told."""
    store, told = Store(), []
    with store.write() as txn:
        txn.put(store.variables, ("default", "old"), _variable("old", "before"))
    store.listeners.append(lambda _index, changes: told.append(changes))
    index = store.variables.index
    with pytest.raises(ZeroDivisionError), store.write("JobRegistered") as txn:  # noqa: PT012 - the write is the point
        txn.put(store.variables, ("default", "new"), _variable("new"))
        txn.put(store.variables, ("default", "old"), _variable("old", "after"))
        txn.put(store.variables, ("default", "old"), _variable("old", "long after"))
        txn.delete(store.variables, ("default", "old"))
        raise ZeroDivisionError

    assert [row["Items"]["a"] for row in store.variables] == ["before"]
    assert store.variables.index == index
    assert told == []


def test_listeners_hear_each_row_once() -> None:
    """A row that a write changes twice is told once, from what it was to what it became."""
    store, told = Store(), []
    store.listeners.append(lambda index, changes: told.append((index, changes)))
    with store.write() as txn:
        txn.put(store.variables, ("default", "a"), _variable("a", "one"))
        txn.put(store.variables, ("default", "a"), _variable("a", "two"))
    ((index, (change,)),) = told

    assert index == txn.index
    assert (change.old, change.new["Items"]["a"]) == (None, "two")


def test_deleting_what_is_not_there_is_nothing() -> None:
    """A write that changes nothing is told to nobody."""
    store, told = Store(), []
    store.listeners.append(lambda _index, changes: told.append(changes))
    with store.write() as txn:
        txn.delete(store.variables, ("default", "nothing"))
    assert told == []


# -- watches -------------------------------------------------------------------------------------------------------
def _run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_a_write_wakes_those_it_concerns() -> None:
    """Who waits for a row is woken by a write to it, not by one to its neighbour."""

    async def scenario() -> None:
        store = Store()
        wait = asyncio.create_task(store.watches.wait([("variables", "default", "a")], timeout=5))
        await asyncio.sleep(0)
        with store.write() as txn:
            txn.put(store.variables, ("default", "b"), _variable("b"))
        await asyncio.sleep(0)
        assert not wait.done()
        with store.write() as txn:
            txn.put(store.variables, ("default", "a"), _variable("a"))
        assert await wait is True

    _run(scenario)


def test_a_moved_row_wakes_those_who_waited_where_it_was() -> None:
    """A row that leaves a job or a node is news for those who looked at it there."""

    async def scenario() -> None:
        store = Store()
        alloc = {
            "ID": "a",
            "Namespace": "n",
            "JobID": "j",
            "NodeID": "n1",
            "EvalID": "e",
            "DeploymentID": "d1",
            "AllocatedResources": {"Tasks": {}, "Shared": {"DiskMB": 0, "Ports": None}},
            "ClientStatus": "running",
            "DesiredStatus": "run",
        }
        with store.write() as txn:
            txn.put(store.allocs, "a", alloc)
        wait = asyncio.create_task(store.watches.wait([("allocs", "deployment", "d1")], timeout=5))
        await asyncio.sleep(0)
        with store.write() as txn:
            txn.put(store.allocs, "a", alloc | {"DeploymentID": "d2"})
        assert await wait is True

    _run(scenario)


def test_waiting_ends_in_time_and_leaves_nothing() -> None:
    """A wait that is in vain ends when its time is up, one that is cancelled at once; neither is remembered."""

    async def scenario() -> None:
        watches = Watches()
        assert await watches.wait([("a",), ("b",)], timeout=0.01) is False
        wait = asyncio.create_task(watches.wait([("a",)], timeout=5))
        await asyncio.sleep(0)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        assert watches._waiting == {}

    _run(scenario)


def test_closing_wakes_everybody() -> None:
    """When the server goes nobody is kept waiting, now or later."""

    async def scenario() -> None:
        watches = Watches()
        waits = [asyncio.create_task(watches.wait([("a",)], timeout=5)) for _ in range(3)]
        await asyncio.sleep(0)
        watches.close()
        assert await asyncio.gather(*waits) == [False] * 3
        assert await watches.wait([("a",)], timeout=5) is False

    _run(scenario)


# -- events --------------------------------------------------------------------------------------------------------
def _ring(*indexes: int) -> EventRing:
    ring = EventRing()
    for index in indexes:
        ring.append(Batch(index, "", []))
    return ring


@pytest.mark.parametrize(
    ("asked", "begins"),
    [(0, [10, 20, 30]), (5, [10, 20, 30]), (10, [10, 20, 30]), (15, [20, 30]), (30, [30]), (31, [30]), (999, [30])],
)
def test_a_stream_begins_at_the_index_or_after_it(asked: int, begins: list[int]) -> None:
    """A stream begins with the first batch at or after its index; from ahead with the last there is."""

    async def scenario() -> None:
        ring = _ring(10, 20, 30)
        async for batches in ring.follow(ring.start(asked), heartbeat=5):
            assert [batch.index for batch in batches] == begins
            return

    _run(scenario)


def test_the_ring_forgets_the_oldest() -> None:
    """Only the last hundred batches are kept; who is far behind misses what is gone."""

    async def scenario() -> None:
        ring = _ring(*range(1, RING_SIZE + 51))
        async for batches in ring.follow(ring.start(1), heartbeat=5):
            assert [batch.index for batch in batches] == list(range(51, RING_SIZE + 51))
            return

    _run(scenario)


def test_a_stream_is_woken_and_kept_alive() -> None:
    """What is appended comes at once, in order and once; when nothing comes, empty beats do."""

    async def scenario() -> None:
        ring = EventRing()
        seen: list[list[int]] = []
        async for batches in ring.follow(ring.start(0), heartbeat=0.02):
            seen.append([batch.index for batch in batches])
            if len(seen) == 1:
                ring.append(Batch(1, "", []))
                ring.append(Batch(2, "", []))
            if len(seen) == 3:
                break
        assert seen == [[], [1, 2], []]

    _run(scenario)


def test_closing_ends_the_streams() -> None:
    """When the server goes the streams end."""

    async def scenario() -> None:
        ring = EventRing()

        async def follow() -> int:
            return len([batches async for batches in ring.follow(0, heartbeat=60) if batches])

        stream = asyncio.create_task(follow())
        await asyncio.sleep(0)
        ring.close()
        assert await asyncio.wait_for(stream, 1) == 0

    _run(scenario)


# -- the log on disk -----------------------------------------------------------------------------------------------
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "two", None])), max_size=20))
def test_what_is_logged_is_there_again(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, str | None]]
) -> None:
    """After any writes and deletions a new store reads the same rows and the same index."""
    folder = tmp_path_factory.mktemp("state")
    journal, store = Journal(folder), Store()
    journal.load(store)
    for path, value in writes:
        with store.write() as txn:
            if value is None:
                txn.delete(store.variables, ("default", path))
            else:
                txn.put(store.variables, ("default", path), _variable(path, value))
    journal.close()
    again, copy = Journal(folder), Store()
    again.load(copy)
    again.close()

    assert dict(copy.variables.items()) == dict(store.variables.items())
    assert copy.variables.index == store.variables.index


def test_the_log_is_written_anew_when_it_has_grown(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of many changes to few rows is cut down while the server runs."""
    monkeypatch.setattr("herdsman.devnomad.state.journal._GROWN", 2_000)
    journal, store = Journal(tmp_path), Store()
    journal.load(store)
    for number in range(200):
        with store.write() as txn:
            txn.put(store.variables, ("default", "a"), _variable("a", str(number)))
    assert (tmp_path / "state.log").stat().st_size < 5_000
    journal.close()
    again, copy = Journal(tmp_path), Store()
    again.load(copy)
    again.close()
    assert [row["Items"]["a"] for row in copy.variables] == ["199"]


def test_a_directory_has_one_owner(tmp_path: Any) -> None:
    """Nobody else may write where a journal is open; afterwards anybody may."""
    first = Journal(tmp_path)
    with pytest.raises(StateInUse, match="another embedded Nomad"):
        Journal(tmp_path)
    first.close()
    Journal(tmp_path).close()
