"""The usage file: the same figures whatever was seen when, nothing written at rest, and totals that outlive folding."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from herdsman import ports
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.nomad.client import Answer, Request
from herdsman.adapters.usage import SqliteUsage
from herdsman.errors import Refused, StoreError, Unavailable, UsageError
from herdsman.model.keys import Key, job_key
from herdsman.model.usage import (
    DAY_MS,
    HOUR_MS,
    NOTHING,
    Amounts,
    Evidence,
    Granularity,
    Scope,
    Sighting,
    UsageQuery,
    UsageRow,
)

BEGIN = 20_000 * DAY_MS  # a midnight
HELD = Amounts(cpu_mhz=2600, cores=1, gpus=1, memory_mb=1000, disk_mb=300, allocations=1)


@dataclass(frozen=True)
class Life:
    """One allocation from its placing to its end, and to the time at which Nomad forgets it."""

    id: str
    start: int
    end: int
    forgotten: int
    namespace: str = "team"
    job: str = "web"

    def at(self, moment: int) -> Sighting | None:
        """As a list shows it at that moment."""
        if not self.start <= moment < self.forgotten:
            return None
        over = self.end <= moment
        evidence = Evidence.FINISHED if over else Evidence.LIVE
        ended, index = (self.end, 2) if over else (None, 1)
        key = job_key(self.namespace, self.job)
        return Sighting(self.id, key, "g", "n1", index, self.start, ended, evidence, HELD)


def look(store: SqliteUsage, lives: Sequence[Life], moment: int, owner: Callable[[Key], str] = lambda _: "ann") -> int:
    """Take in a list, read at that moment."""
    return store.record([one for life in lives if (one := life.at(moment))], at=moment, owner=owner)


def total(store: SqliteUsage, since: int = 0, until: int = BEGIN + 1000 * DAY_MS) -> Amounts:
    """All that was used."""
    return sum((r.used for r in store.usage(UsageQuery(since, until, Granularity.TOTAL))), NOTHING)


def whole(lives: Sequence[Life]) -> Amounts:
    """All that was truly used."""
    return sum((HELD.times(life.end - life.start) for life in lives), NOTHING)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "usage.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteUsage]:
    """A store with a file of its own."""
    found = SqliteUsage(path)
    yield found
    found.close()


def test_the_adapter_is_the_port(store: SqliteUsage) -> None:
    """A type checker accepts it, and it has all of the methods."""
    port: ports.UsageStore = store
    promised = [name for name in dir(ports.UsageStore) if not name.startswith("_")]

    assert [name for name in promised if not hasattr(port, name)] == []


# -- what Nomad is asked -----------------------------------------------------------------------------------------------


def allocation(number: int) -> dict[str, object]:
    """A row of the list."""
    return {
        "ID": f"a{number}", "Namespace": "team", "JobID": "web", "ClientStatus": "running", "NodeID": "n1",
        "CreateTime": 5_000_000, "ModifyTime": 6_000_000, "ModifyIndex": 7, "TaskStates": None,
        "AllocatedResources": {"Tasks": {"t": {"Cpu": {"CpuShares": 100}, "Memory": {"MemoryMB": 10}}}},
    }  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> tuple[NomadCluster, list[Request], dict[str, list[Answer]]]:
    """A cluster, what it is asked, and what it answers, by route."""
    cluster = NomadCluster(NomadConfig(address="http://127.0.0.1:1"))
    seen: list[Request] = []
    answers: dict[str, list[Answer]] = {}

    def ask(request: Request) -> Answer:
        seen.append(request)
        if not answers.get(request.route):
            raise Refused("Nomad refuses: node not found", status=404)
        return answers[request.route].pop(0)

    monkeypatch.setattr(cluster._client, "ask", ask)
    return cluster, seen, answers


Asked = tuple[NomadCluster, list[Request], dict[str, list[Answer]]]


def test_allocations_are_listed_in_pages(asked: Asked) -> None:
    """One list of all namespaces, with resources and task states."""
    cluster, seen, answers = asked
    answers["/v1/allocations"] = [Answer([allocation(1), allocation(2)], 9, "a3"), Answer([allocation(3)], 9, "")]
    reader: ports.ClusterReader = cluster

    found = reader.all_allocations()

    assert [one.id for one in found] == ["a1", "a2", "a3"]
    assert found[0].amounts == Amounts(cpu_mhz=100, memory_mb=10, allocations=1)
    assert [(r.namespace, r.params["next_token"]) for r in seen] == [("*", None), ("*", "a3")]
    assert all((r.params["resources"], r.params["task_states"]) == ("true", "true") for r in seen)


def test_nodes_and_their_metadata(asked: Asked) -> None:
    """Nodes are listed with resources; metadata is read from a node, and of one that is gone there is none."""
    cluster, seen, answers = asked
    answers["/v1/nodes"] = [Answer([{"ID": "n1", "Status": "ready", "ModifyIndex": 4}], 9, "")]
    answers["/v1/node/:id"] = [Answer({"ID": "n1", "Meta": {"type": "compute"}}, 9, ""), Answer({"Meta": None}, 9, "")]

    assert [node.id for node in cluster.nodes()] == ["n1"]
    assert [cluster.node_meta("n1") for _ in range(3)] == [{"type": "compute"}, {}, {}]
    assert seen[0].params["resources"] == "true"


@pytest.mark.parametrize("data", [{"error": "x"}, [{"ID": "a1"}], ["a1"], [None], "text", 5])
def test_an_answer_that_is_no_list_is_not_taken_for_one(asked: Asked, data: object) -> None:
    """Nothing is counted from what is not as documented."""
    cluster, _, answers = asked
    answers["/v1/allocations"] = [Answer(data, 9, "")]

    with pytest.raises(Unavailable, match="not in its documentation"):
        cluster.all_allocations()


# -- the same figures, whatever was seen when --------------------------------------------------------------------------

minutes = st.integers(0, 3 * 24 * 60).map(lambda n: BEGIN + n * 60_000)


@st.composite
def fleets(draw: st.DrawFn) -> list[Life]:
    """A few allocations, forgotten only after their end."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        start = draw(minutes)
        end = start + draw(st.integers(0, 48 * 60)) * 60_000
        kept = draw(st.integers(1, 48 * 60)) * 60_000
        found.append(Life(f"a{number}", start, end, end + kept, draw(st.sampled_from(["team", "other"]))))
    return found


@given(fleets(), st.lists(minutes, max_size=8), st.randoms())
@settings(max_examples=60, deadline=None)
def test_lists_may_come_in_any_order_and_twice(lives: list[Life], moments: list[int], random: object) -> None:
    """The figures depend on which lists were read, not on the order in which they came, nor on how often."""
    shuffled = [*moments, *moments]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    orderly, disorderly = SqliteUsage(":memory:"), SqliteUsage(":memory:")
    for moment in sorted(set(moments)):
        look(orderly, lives, moment)
    for moment in shuffled:
        look(disorderly, lives, moment)

    query = UsageQuery(BEGIN, BEGIN + 9 * DAY_MS)
    assert orderly.usage(query) == disorderly.usage(query)
    assert orderly.current(Scope()) == disorderly.current(Scope())
    orderly.close()
    disorderly.close()


@given(fleets(), st.lists(minutes, max_size=6), st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_gaps_and_restarts_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, lives: list[Life], moments: list[int], restart: int
) -> None:
    """Every allocation that was seen after its end is counted to the millisecond, however seldom anybody looked."""
    path = tmp_path_factory.mktemp("usage") / "usage.db"
    kept = [replace(life, forgotten=BEGIN + 99 * DAY_MS) for life in lives]
    store = SqliteUsage(path)
    for number, moment in enumerate(sorted(moments)):
        if number == restart:
            store.close()
            store = SqliteUsage(path)
        look(store, kept, moment)
    look(store, kept, BEGIN + 90 * DAY_MS)

    assert total(store) == whole(kept)
    daily = store.usage(UsageQuery(BEGIN, BEGIN + 90 * DAY_MS))
    assert sum((r.used for r in daily), NOTHING) == whole(kept)
    store.close()


@given(fleets(), st.lists(st.integers(0, 12), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_folding_changes_no_figure(lives: list[Life], folds: list[int]) -> None:
    """By day and in all the figures are the same with and without folding; nothing is counted twice afterwards."""
    plain, folded = SqliteUsage(":memory:"), SqliteUsage(":memory:")
    for day in range(10):
        moment = BEGIN + day * DAY_MS
        for store in (plain, folded):
            look(store, [replace(life, forgotten=life.end + 2 * DAY_MS) for life in lives], moment)
        for back in folds:
            folded.fold(before=moment - back * HOUR_MS)

    for granularity in (Granularity.DAY, Granularity.MONTH, Granularity.TOTAL):
        query = UsageQuery(BEGIN, BEGIN + 10 * DAY_MS, granularity)
        assert plain.usage(query) == folded.usage(query)
    plain.close()
    folded.close()


def test_what_lives_is_counted_until_it_was_last_seen(store: SqliteUsage) -> None:
    """Not until now: that it still runs is not known."""
    life = Life("a1", BEGIN, BEGIN + 50 * HOUR_MS, BEGIN + 99 * HOUR_MS)
    look(store, [life], BEGIN + 3 * HOUR_MS)

    assert total(store) == HELD.times(3 * HOUR_MS)
    look(store, [life], BEGIN + 4 * HOUR_MS)
    assert total(store) == HELD.times(4 * HOUR_MS)
    assert store.current(Scope()) == HELD
    assert store.measured == BEGIN + 4 * HOUR_MS


def test_what_was_forgotten_before_its_end_was_seen_keeps_what_is_known(store: SqliteUsage, path: Path) -> None:
    """It is counted until it was last seen, also where the process ended in between; and it is not current any more."""
    life = Life("a1", BEGIN, BEGIN + 5 * HOUR_MS, BEGIN + 6 * HOUR_MS)
    for hour in (1, 2, 3):
        look(store, [life], BEGIN + hour * HOUR_MS)
    store.close()
    reopened = SqliteUsage(path)
    look(reopened, [life], BEGIN + 9 * HOUR_MS)

    assert total(reopened) == HELD.times(3 * HOUR_MS)
    assert reopened.current(Scope()) == NOTHING
    reopened.close()


def test_what_was_only_out_of_sight_goes_on(store: SqliteUsage) -> None:
    """A list that lacks a living allocation, for want of a permission, costs nothing once it is back."""
    life = Life("a1", BEGIN, BEGIN + 5 * HOUR_MS, BEGIN + 99 * HOUR_MS)
    look(store, [life], BEGIN + HOUR_MS)
    look(store, [], BEGIN + 2 * HOUR_MS)
    assert total(store) == HELD.times(HOUR_MS)

    look(store, [life], BEGIN + 3 * HOUR_MS)

    assert total(store) == HELD.times(3 * HOUR_MS)
    assert store.current(Scope()) == HELD


def test_owners_are_told_apart_and_kept(store: SqliteUsage) -> None:
    """An owner who is known late counts for the whole; one who is unknown later on stays."""
    life = Life("a1", BEGIN, BEGIN + 2 * HOUR_MS, BEGIN + 99 * HOUR_MS)
    for hour, owner in enumerate(["", "ann", ""]):
        look(store, [life], BEGIN + hour * HOUR_MS, lambda _, owner=owner: owner)  # type: ignore[misc]

    (row,) = store.usage(UsageQuery(BEGIN, BEGIN + DAY_MS))
    assert (row.slot.namespace, row.slot.owner) == ("team", "ann")
    assert store.current(Scope(owner="ann")) == NOTHING  # it is over
    assert store.namespaces() == ["team"]


@pytest.mark.parametrize(
    ("scope", "hours"),
    [
        (Scope(), 3),
        (Scope(frozenset({"a"})), 1),
        (Scope(frozenset({"a", "b"}), "bob"), 2),
        (Scope(frozenset(), None), 0),
        (Scope(owner="nobody"), 0),
        (Scope(owner="x' OR 1=1 --"), 0),
    ],
)
@pytest.mark.parametrize("folded", [False, True])
def test_whose_figures(store: SqliteUsage, scope: Scope, hours: int, *, folded: bool) -> None:
    """Only what the scope covers is counted, before and after folding."""
    lives = [Life(f"l{n}", BEGIN, BEGIN + n * HOUR_MS, BEGIN + DAY_MS, name) for n, name in ((1, "a"), (2, "b"))]
    for moment in (BEGIN + 5 * HOUR_MS, BEGIN + 2 * DAY_MS):
        look(store, lives, moment, lambda key: {"a": "ann", "b": "bob"}[key.namespace])
    if folded:
        assert store.fold(before=BEGIN + DAY_MS) == 2

    found = store.usage(UsageQuery(BEGIN, BEGIN + DAY_MS, Granularity.TOTAL, scope))

    assert sum((r.used for r in found), NOTHING) == HELD.times(hours * HOUR_MS)


# -- folding -----------------------------------------------------------------------------------------------------------


def test_what_nomad_still_lists_is_not_folded(store: SqliteUsage) -> None:
    """Or it would be seen again, as if nobody had known it."""
    life = Life("a1", BEGIN, BEGIN + HOUR_MS, BEGIN + 9 * DAY_MS)
    look(store, [life], BEGIN + 5 * DAY_MS)
    assert store.fold(before=BEGIN + 3 * DAY_MS) == 0

    look(store, [], BEGIN + 10 * DAY_MS)
    assert store.fold(before=BEGIN + 3 * DAY_MS) == 1
    assert total(store) == whole([life])


def test_what_is_folded_is_never_counted_again(store: SqliteUsage, path: Path) -> None:
    """Not even where Nomad lists it again, in a process that does not remember it."""
    life = Life("a1", BEGIN, BEGIN + HOUR_MS, BEGIN + 99 * DAY_MS)
    look(store, [life], BEGIN + 2 * HOUR_MS)
    look(store, [], BEGIN + 3 * DAY_MS)
    assert store.fold(before=BEGIN + 2 * DAY_MS) == 1
    store.close()
    reopened = SqliteUsage(path)

    look(reopened, [life], BEGIN + 4 * DAY_MS)

    assert total(reopened) == whole([life])
    with pytest.raises(UsageError, match="by the day"):
        reopened.usage(UsageQuery(BEGIN, BEGIN + HOUR_MS))
    reopened.close()


# -- the file ----------------------------------------------------------------------------------------------------------


def test_at_rest_nothing_is_written(store: SqliteUsage, path: Path) -> None:
    """Neither what runs on nor what is over and still listed makes a write; once a day it says that it looked."""
    lives = [Life("a1", BEGIN, BEGIN + 99 * DAY_MS, BEGIN + 100 * DAY_MS)]
    lives.append(Life("a2", BEGIN, BEGIN + HOUR_MS, BEGIN + 100 * DAY_MS))
    assert look(store, lives, BEGIN + 2 * HOUR_MS) == 2

    def written() -> tuple[int, int]:
        with sqlite3.connect(path) as db:
            (marked,) = db.execute("SELECT value FROM marks WHERE name='measured'").fetchone()
        db.close()
        return marked, Path(f"{path}-wal").stat().st_size

    before = written()
    for minute in range(23 * 60):
        assert look(store, lives, BEGIN + 2 * HOUR_MS + minute * 60_000) == 0
        assert store.fold(before=BEGIN - DAY_MS) == 0
    assert written() == before
    look(store, lives, BEGIN + 2 * HOUR_MS + DAY_MS)
    assert written()[0] == BEGIN + 2 * HOUR_MS + DAY_MS


def test_a_file_that_is_no_database_is_put_aside(path: Path) -> None:
    """It is kept under another name, each time under a new one, and counting begins anew."""
    for suffix in ("unreadable", "unreadable-2"):
        path.write_bytes(b"this is no database, whatever its name says" * 50)
        store = SqliteUsage(path)

        assert store.put_aside == f"{path}.{suffix}"
        assert store.usage(UsageQuery(0, 5)) == []
        store.close()
        path.unlink()


def test_a_newer_file_is_left_alone(path: Path) -> None:
    """It is not put aside: its own version reads it still."""
    SqliteUsage(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()

    with pytest.raises(StoreError, match="newer Herdsman"):
        SqliteUsage(path)


def test_a_write_that_fails_changes_nothing(store: SqliteUsage, path: Path) -> None:
    """What could not be kept is not believed to be: the next list brings it again."""
    life = Life("a1", BEGIN, BEGIN + 9 * HOUR_MS, BEGIN + 99 * HOUR_MS)
    look(store, [life], BEGIN + HOUR_MS)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON spans BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StoreError, match="disk full"):
        look(store, [life], BEGIN + 10 * HOUR_MS)
    assert total(store) == HELD.times(HOUR_MS)

    db.execute("DROP TRIGGER full")
    db.commit()
    db.close()
    look(store, [life], BEGIN + 11 * HOUR_MS)

    assert total(store) == HELD.times(9 * HOUR_MS)


def test_rows_of_a_query_are_split_and_ordered(store: SqliteUsage) -> None:
    """One row for each day that an allocation touched."""
    life = Life("a1", BEGIN + 20 * HOUR_MS, BEGIN + 50 * HOUR_MS, BEGIN + 99 * DAY_MS)
    look(store, [life], BEGIN + 60 * HOUR_MS)

    found: Sequence[UsageRow] = store.usage(UsageQuery(BEGIN, BEGIN + 3 * DAY_MS))

    assert [(r.slot.start - BEGIN, r.used.cores) for r in found] == [
        (0, 4 * HOUR_MS),
        (DAY_MS, 24 * HOUR_MS),
        (2 * DAY_MS, 2 * HOUR_MS),
    ]
