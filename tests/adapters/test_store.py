"""The state file: what is kept comes back, what is broken is put aside, and at rest nothing is written."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from herdsman.adapters.catalog import FromPackage, read_catalog
from herdsman.adapters.store import SqliteStore
from herdsman.core.prune import PruneRound
from herdsman.errors import StoreError
from herdsman.model.desired import Fleet, Policy, Position, PruneLimits, Window
from herdsman.model.keys import Key, Kind, job_key, namespace_key
from herdsman.model.memory import Memory
from herdsman.model.plans import Action, Approval, Reason
from herdsman.model.statuses import Condition, ConditionType, Record, Severity, Status, Truth

WEB, DB, TEAM = job_key("default", "web"), job_key("default", "db"), namespace_key("team")
READY = Status(WEB, {ConditionType.READY: Condition(Truth.TRUE, Reason.HEALTHY, "", 5.0)}, digest="d1", checked_at=9.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "herdsman.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store with a file of its own."""
    found = SqliteStore(path)
    yield found
    found.close()


def reopened(store: SqliteStore, path: Path) -> SqliteStore:
    """The same file, in the next process."""
    store.close()
    return SqliteStore(path)


# -- what is kept comes back -------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
numbers = st.integers(-(2**40), 2**60)
times = st.floats(0, 2e9)
keys = st.builds(Key, st.sampled_from(Kind), texts, names)
memories = st.builds(
    Memory, digest=texts, lens=texts, index=numbers, create_index=numbers, version=numbers, count=numbers,
    deploys=st.booleans(), unread=st.booleans(), adopted=st.booleans(), owned=st.booleans(), settled=numbers,
    completed=texts, reverted=texts, written=times, path=texts, suspend=st.booleans(),
    needs=st.lists(keys, max_size=2).map(tuple),
)  # fmt: skip
conditions = st.builds(Condition, st.sampled_from(Truth), st.sampled_from(Reason), texts, times)
statuses = st.builds(
    Status, keys, st.dictionaries(st.sampled_from(ConditionType), conditions), digest=texts, revision=texts,
    author=texts, position=st.builds(Position, texts, st.integers(0, 99), st.integers(0, 99)),
    version=st.none() | numbers, action=st.sampled_from(Action), changed_at=times, checked_at=times,
    failures=st.integers(0, 99), changes=st.lists(texts, max_size=2).map(tuple), wanted=st.booleans(),
    labels=st.dictionaries(texts, texts, max_size=2),
)  # fmt: skip
bodies = st.dictionaries(texts, st.none() | st.booleans() | texts | st.integers(-(2**53), 2**53), max_size=3)
fleets = st.builds(
    Fleet, names, st.builds(Policy, ignore=st.lists(names, max_size=2).map(tuple), health_timeout=times),
    st.builds(PruneLimits, st.integers(0, 100), st.integers(0, 99)),
    st.lists(st.builds(Window, texts, times, texts, st.booleans()), max_size=2).map(tuple),
    st.lists(names, min_size=1, max_size=2).map(tuple),
)  # fmt: skip
rounds = st.builds(
    lambda some, held: PruneRound(frozenset(held) - some.keys(), some),
    st.dictionaries(keys, times, max_size=4),
    st.frozensets(keys, max_size=4),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(keys, memories, st.none() | bodies), max_size=3), st.lists(statuses, max_size=3), fleets, rounds
)
def test_every_value_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    evidence: list[tuple[Key, Memory, dict[str, Any] | None]],
    seen: list[Status],
    fleet: Fleet,
    decided: PruneRound,
) -> None:
    """Evidence, canonical jobs, statuses, the fleet and the prune round, whatever is in them, in the next process."""
    path = tmp_path_factory.mktemp("store") / "herdsman.db"
    store = SqliteStore(path)
    bodies_: dict[Key, dict[str, Any] | None] = {}
    for key, memory, body in evidence:
        store.remember(key, memory, body)
        bodies_[key] = body if body is not None else bodies_.get(key)
    for status in seen:
        store.put_status(status)
    store.put_fleet(fleet)
    store.put_prune_round(decided)
    before = dict(store.memories()), dict(store.statuses())

    again = reopened(store, path)

    assert (again.memories(), again.fleet(), again.prune_round()) == (before[0], fleet, decided)
    assert {k: replace(s, checked_at=0.0) for k, s in again.statuses().items()} == {
        k: replace(s, checked_at=0.0) for k, s in before[1].items()
    }
    assert {k: again.canonical(k) for k in bodies_} == bodies_
    again.close()


def test_what_people_asked_for_outlives_the_process(store: SqliteStore, path: Path) -> None:
    """Suspended keys, a suspended fleet, and approvals."""
    store.suspend(WEB, suspended=True)
    store.approve(DB, Approval("d1", "me", 5.0))
    again = reopened(store, path)
    assert (again.is_suspended(WEB), again.is_suspended(DB)) == (True, False)
    assert (again.approval(DB), again.approval(WEB)) == (Approval("d1", "me", 5.0), None)

    again.suspend(None, suspended=True)
    again.suspend(WEB, suspended=False)
    again.approve(DB, None)
    third = reopened(again, path)
    assert third.is_suspended(WEB), "the whole fleet is"
    third.suspend(None, suspended=False)
    assert not third.is_suspended(WEB)
    assert third.approval(DB) is None
    third.close()


def test_evidence_without_a_body_leaves_the_body_as_it_is(store: SqliteStore) -> None:
    """The canonical job is kept until another one is."""
    assert store.canonical(WEB) is None
    store.remember(WEB, Memory(digest="d1"), {"ID": "web"})
    store.remember(WEB, Memory(digest="d2"))

    assert store.canonical(WEB) == {"ID": "web"}
    assert store.memory(WEB).digest == "d2"


def test_what_is_forgotten_is_gone_but_for_its_history(store: SqliteStore, path: Path) -> None:
    """Evidence, status and approval; what somebody suspended stays so."""
    store.remember(WEB, Memory(digest="d1"), {"ID": "web"})
    store.put_status(READY)
    store.approve(WEB, Approval("d1"))
    store.suspend(WEB, suspended=True)
    store.append(record(1))
    store.forget(WEB)

    def check(found: SqliteStore) -> None:
        assert (found.memory(WEB), found.status(WEB), found.approval(WEB)) == (Memory(), None, None)
        assert found.canonical(WEB) is None
        assert found.is_suspended(WEB)
        assert len(found.history(WEB)) == 1

    check(store)
    again = reopened(store, path)
    check(again)
    again.close()


def record(number: int, key: Key = WEB) -> Record:
    return Record(key, float(number), Action.UPDATE, Reason.DRIFTED, "put right", "r1", "d1", number)


def test_history_is_told_newest_first(store: SqliteStore) -> None:
    """Of one key, and no more than was asked for."""
    for n in range(5):
        store.append(record(n))
    store.append(record(99, DB))

    assert store.history(WEB, limit=2) == [record(4), record(3)]
    assert store.history(DB) == [record(99, DB)]


def test_history_is_bounded(store: SqliteStore) -> None:
    """A hundred lines a key are kept."""
    for n in range(130):
        store.append(record(n))

    found = store.history(WEB, limit=1000)
    assert [r.version for r in found] == list(range(129, 29, -1))


def say(store: SqliteStore, number: int, key: Key | None = WEB) -> int:
    event = store.add_event(
        at=float(number), severity=Severity.NORMAL, reason="Healthy", message=str(number), key=key, revision="r"
    )
    return event.id


def test_events_are_told_oldest_first_from_where_one_left_off(store: SqliteStore, path: Path) -> None:
    """By number, by key, and without either the newest; numbers go on growing in the next process."""
    ids = [say(store, n, key) for n, key in enumerate((WEB, DB, None, TEAM, WEB))]
    assert [e.id for e in store.events()] == ids
    assert [e.id for e in store.events(limit=2)] == ids[-2:]
    assert [e.id for e in store.events(after=ids[1], limit=2)] == ids[2:4]
    assert [(e.message, e.key) for e in store.events(key=WEB)] == [("0", WEB), ("4", WEB)]
    assert [e.key for e in store.events(after=ids[1])] == [None, TEAM, WEB]

    again = reopened(store, path)
    assert say(again, 5) > ids[-1]
    again.close()


def test_events_are_bounded() -> None:
    """The oldest beyond a few thousand are dropped, and numbers are never used again."""
    store = SqliteStore(":memory:")
    last = [say(store, n) for n in range(5300)][-1]
    kept = store.events(after=1, limit=10_000)

    assert last == 5300
    assert 5000 <= len(kept) <= 5100
    assert kept[-1].id == last


# -- at rest -----------------------------------------------------------------------------------------------------------


def changes(store: SqliteStore, act: Callable[[], object]) -> int:
    """How many rows *act* changed in the file."""
    before = store._db.total_changes
    act()
    return store._db.total_changes - before


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.put_status(READY),
        lambda s: s.put_status(replace(READY, checked_at=1e9)),
        lambda s: s.approve(WEB, None),
        lambda s: (s.memory(WEB), s.memories(), s.status(WEB), s.statuses(), s.canonical(WEB), s.is_suspended(WEB)),
        lambda s: (s.approval(WEB), s.prune_round(), s.fleet(), s.history(WEB), s.events()),
    ],
    ids=["the same status", "a later look", "no approval to drop", "reads", "more reads"],
)
def test_at_rest_nothing_is_written(store: SqliteStore, act: Callable[[SqliteStore], object]) -> None:
    """What was only looked at again costs no write."""
    store.remember(WEB, Memory(digest="d1"), {"ID": "web"})
    store.put_status(READY)

    assert changes(store, lambda: act(store)) == 0


def test_the_time_of_the_last_look_is_known_all_the_same(store: SqliteStore) -> None:
    """In memory: a reader sees that it is looked at."""
    store.put_status(READY)
    store.put_status(replace(READY, checked_at=77.0))

    found = store.status(WEB)
    assert found is not None
    assert found.checked_at == 77.0


def test_what_a_reader_would_see_is_written(store: SqliteStore) -> None:
    """One row."""
    store.put_status(READY)

    assert changes(store, lambda: store.put_status(replace(READY, digest="d2"))) == 1


# -- several threads ---------------------------------------------------------------------------------------------------


def test_many_threads_share_one_store(store: SqliteStore, path: Path) -> None:
    """Nothing is lost and nothing breaks while some write and others read."""
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(60):
                key = job_key("default", f"{number}-{n}")
                store.remember(key, Memory(digest=str(n)), {"n": n})
                store.put_status(Status(key))
                store.append(record(n, key))
                say(store, n, key)
                assert store.canonical(key) == {"n": n}
                assert len(store.memories()) >= n
                store.statuses()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    again = reopened(store, path)
    assert (len(again.memories()), len(again.statuses())) == (240, 240)
    assert len(again.events(after=1, limit=1000)) == 239
    again.close()


# -- files that are no good --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"this is no database, but a text" * 200, b"\0" * 8192, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_cannot_be_read_is_put_aside(path: Path, data: bytes) -> None:
    """All that matters is learnt again; the old file is there for whoever wants to look."""
    path.write_bytes(data)

    store = SqliteStore(path)

    assert store.put_aside == f"{path}.unreadable"
    assert Path(store.put_aside).read_bytes() == data
    store.remember(WEB, Memory(digest="d1"))
    again = reopened(store, path)
    assert (again.memory(WEB).digest, again.put_aside) == ("d1", "")
    again.close()


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    """It is refused with words, and not touched."""
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="newer Herdsman") as caught:
        SqliteStore(path)

    assert "--state" in caught.value.hint
    assert path.read_bytes() == before
    assert not Path(f"{path}.unreadable").exists()


@pytest.mark.parametrize("where", ["missing/herdsman.db", "."])
def test_a_place_that_cannot_be_opened_is_said(tmp_path: Path, where: str) -> None:
    """Words and a hint, no traceback of a library."""
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        SqliteStore(tmp_path / where)

    assert "--state" in caught.value.hint


def test_rows_of_another_version_are_learnt_again(path: Path) -> None:
    """One row that cannot be understood takes nothing else with it."""
    store = SqliteStore(path)
    store.remember(WEB, Memory(digest="d1"))
    store.remember(DB, Memory(digest="d2"))
    store.put_fleet(Fleet("f"))
    store._db.execute("UPDATE memory SET data='{\"version\": \"many\"}' WHERE name='web'")
    store._db.execute("UPDATE settings SET value='{\"namespaces\": 5}'")

    again = reopened(store, path)

    assert again.memories().keys() == {DB}
    assert again.fleet() is None
    again.close()


class Failing:
    """A connection whose disk is full for a while."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db, self.full = db, True

    def execute(self, *args: Any) -> Any:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        return self.db.execute(*args)

    def close(self) -> None:
        self.db.close()


def test_a_full_disk_is_said(store: SqliteStore) -> None:
    """As an error of ours, with a hint."""
    disk = Failing(store._db)
    store._db = disk  # type: ignore[assignment]

    with pytest.raises(StoreError, match="database or disk is full") as caught:
        store.put_status(READY)

    assert caught.value.hint


# -- what is wrong today -----------------------------------------------------------------------------------------------


def test_a_half_broken_file_is_put_aside(path: Path) -> None:
    """A page that was overwritten is found when its table is read: the operator starts all the same."""
    store = SqliteStore(path)
    for n in range(300):
        store.put_status(replace(READY, key=job_key("default", f"job-{n}")))
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 * 12 : 4096 * 30] = b"\xa5" * (4096 * 18)
    path.write_bytes(data)

    store = SqliteStore(path)

    assert store.put_aside
    store.close()


def test_what_a_full_disk_refused_is_written_later(store: SqliteStore, path: Path) -> None:
    """The next look puts the same status; the file must have it then."""
    disk = Failing(store._db)
    store._db = disk  # type: ignore[assignment]
    with pytest.raises(StoreError):
        store.put_status(READY)
    disk.full = False
    store.put_status(READY)

    again = reopened(store, path)
    assert again.status(WEB) is not None
    again.close()


@pytest.mark.parametrize("data", [b"no zlib", b"x\x01\x03\x00\x00\x00\x00\x01"])
def test_a_canonical_job_that_cannot_be_unpacked_is_none(store: SqliteStore, data: bytes) -> None:
    """It is evidence, and learnt again."""
    store.remember(WEB, Memory(digest="d1"), {"ID": "web"})
    store._db.execute("UPDATE memory SET canonical=?", (data,))

    assert store.canonical(WEB) is None


def test_an_approval_alone_is_forgotten_for_good(store: SqliteStore, path: Path) -> None:
    """Nothing comes back in the next process."""
    store.approve(WEB, Approval("d1"))
    store.forget(WEB)

    again = reopened(store, path)
    assert again.approval(WEB) is None
    again.close()


def test_a_prune_round_is_replaced_as_a_whole(store: SqliteStore, path: Path) -> None:
    """A process that dies in between must not forget what was held: it would be let through."""
    store.put_prune_round(PruneRound(frozenset({WEB, DB})))
    db = store._db

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(db, name)

        def executemany(self, *_: Any) -> Any:
            raise KeyboardInterrupt

    store._db = Dying()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        store.put_prune_round(PruneRound(frozenset({WEB})))
    store._db = db

    again = reopened(store, path)
    assert again.prune_round().held == {WEB, DB}
    again.close()


def test_versions_of_catalog_entries_are_kept_whole(tmp_path: Path) -> None:
    """Every entry that is shipped comes back as it was, from the file too."""
    entries = read_catalog(FromPackage().files(), folder="catalog").entries.values()
    store = SqliteStore(tmp_path / "h.db")
    for entry in entries:
        assert store.template(entry.digest) is None
        store.keep_template(entry)
    store.close()
    again = SqliteStore(tmp_path / "h.db")

    assert [again.template(e.digest) for e in entries] == list(entries)
    again.close()
