"""The accountant: one list for each look, each chore failing alone, and figures that anybody may ask for."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from clocks import START, FakeClock
from herdsman.adapters.usage import SqliteUsage
from herdsman.errors import Forbidden, HerdsmanError, StoreError, Unavailable
from herdsman.model.keys import Key, job_key
from herdsman.model.usage import (
    DAY_MS,
    HOUR_MS,
    Amounts,
    Evidence,
    Granularity,
    Node,
    Scope,
    Sighting,
    Summary,
    UsageQuery,
)
from herdsman.runtime.accountant import Accountant, Accounting

NOW = int(START.timestamp() * 1000)
HELD = Amounts(cpu_mhz=100, cores=2, memory_mb=50, allocations=1)
NODE = Node("n1", "one", "dc1", "default", "ready", eligible=True, draining=False, index=3, capacity=HELD.times(4))


def running(name: str = "web", *, since: int = NOW - HOUR_MS, namespace: str = "team") -> Sighting:
    """An allocation that runs."""
    key = job_key(namespace, name)
    return Sighting(f"{namespace}-{name}", key, "g", "n1", 1, since, None, Evidence.LIVE, HELD)


class Cluster:
    """A cluster that answers what a test wants, and counts its questions."""

    def __init__(self) -> None:
        self.allocations: list[Sighting] = [running()]
        self.listed = [NODE]
        self.asked: list[str] = []
        self.trouble: dict[str, Exception] = {}
        self.was_asked = threading.Event()

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.was_asked.set()
        if what in self.trouble:
            raise self.trouble[what]

    def all_allocations(self) -> Sequence[Sighting]:
        """See `ports.ClusterReader`, as for all that follows."""
        self._ask("allocations")
        return self.allocations

    def nodes(self) -> Sequence[Node]:
        self._ask("nodes")
        return self.listed

    def node_meta(self, node_id: str) -> Mapping[str, str]:
        self._ask(f"node {node_id}")
        return {"type": "compute"}


class Folder:
    """Summaries in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Summary] = {}
        self.writes = 0
        self.trouble: HerdsmanError | None = None
        self.since: date | None = None

    def read(self, namespace: str, *, since: date) -> Summary | None:
        """See `ports.Summaries`, as for the other."""
        self.since = since
        return self.kept.get(namespace)

    def write(self, namespace: str, summary: Summary) -> None:
        self.writes += 1
        if self.trouble:
            raise self.trouble
        self.kept[namespace] = summary


class World:
    """An accountant with all that it needs."""

    def __init__(self, *, external: Folder | None = None, pace: Accounting | None = None) -> None:
        self.cluster, self.store, self.clock, self.folder = Cluster(), SqliteUsage(":memory:"), FakeClock(), Folder()
        self.owners: dict[Key, str] = {job_key("team", "web"): "ann"}
        self.accountant = Accountant(
            nomad=self.cluster,
            store=self.store,
            clock=self.clock,
            owner=lambda key: self.owners.get(key, ""),
            written=self.folder,
            external=external,
            pace=pace,
        )

    def cores(self, scope: Scope | None = None) -> float:
        """Core-hours used so far."""
        query = UsageQuery(0, NOW + 999 * DAY_MS, Granularity.TOTAL, scope or Scope())
        return sum(r.used.cores for r in self.accountant.usage(query).rows) / HOUR_MS


@pytest.fixture
def world() -> World:
    """The usual one."""
    return World()


def test_one_look_is_one_list_of_each(world: World) -> None:
    """Allocations and nodes are listed once; a node is read again only after it changed."""
    for _ in range(3):
        world.accountant.look()
    assert world.cluster.asked == ["allocations", "nodes", "node n1", *["allocations", "nodes"] * 2]

    world.cluster.listed = [replace(NODE, index=4)]
    world.accountant.look()

    assert world.cluster.asked[-3:] == ["allocations", "nodes", "node n1"]


def test_figures_are_there_after_the_first_look(world: World) -> None:
    """Usage since the allocation began, what is held, and by whom."""
    assert world.accountant.occupation() is None
    world.accountant.look()

    report = world.accountant.usage(UsageQuery(NOW - DAY_MS, NOW + 5))
    assert report.current == HELD
    assert report.measured == NOW
    assert world.cores(Scope(frozenset({"team"}), "ann")) == 2.0
    found = world.accountant.occupation()
    assert found is not None
    assert (found.at, found.nodes[0].used, found.nodes[0].node.meta) == (NOW, HELD, {"type": "compute"})
    assert world.accountant.trouble == {}


@pytest.mark.parametrize(
    ("name", "owner"),
    [("web", "ann"), ("web/periodic-1700000000", "ann"), ("web/dispatch-1-a0", "ann"), ("other", ""), ("we", "")],
)
def test_children_are_their_parents_owners(world: World, name: str, owner: str) -> None:
    """What a periodic or parameterized job launches counts for whose that job is."""
    world.cluster.allocations = [running(name)]
    world.accountant.look()

    (row,) = world.accountant.usage(UsageQuery(0, NOW + 5, Granularity.TOTAL)).rows
    assert row.slot.owner == owner


@pytest.mark.parametrize(
    ("part", "trouble"),
    [
        ("allocations", {"usage"}),
        ("nodes", {"occupation"}),
        ("node n1", {"occupation"}),
    ],
)
@pytest.mark.parametrize("error", [Unavailable("away"), Forbidden("not for you"), KeyError("bug")])
def test_each_chore_fails_alone(world: World, part: str, trouble: set[str], error: Exception) -> None:
    """A list of nodes that is refused does not stop the count; trouble is over as soon as it is."""
    world.cluster.trouble[part] = error
    world.accountant.look()

    assert world.accountant.trouble.keys() == trouble
    assert (world.cores() > 0) == ("usage" not in trouble)
    assert "Traceback" not in str(world.accountant.trouble)

    world.cluster.trouble.clear()
    world.clock.advance(60)
    world.accountant.look()

    assert world.accountant.trouble == {}
    assert world.accountant.occupation() is not None


def test_a_gap_costs_nothing(world: World) -> None:
    """An hour without answers is counted once Nomad answers again."""
    world.accountant.look()
    world.cluster.trouble["allocations"] = Unavailable("away")
    for _ in range(60):
        world.clock.advance(60)
        world.accountant.look()
    assert world.cores() == 2.0

    world.cluster.trouble.clear()
    world.accountant.look()

    assert world.cores() == 4.0


def test_summaries_are_written_when_they_are_due(world: World) -> None:
    """At the first look, then every hour; one that fails is tried again at the next look."""
    for _ in range(3):
        world.accountant.look()
        world.clock.advance(60)
    assert world.folder.writes == 1
    assert world.folder.kept["team"].users.keys() == {"ann"}
    assert world.folder.kept["team"].timeseries["date"] == ["2026-01-01"]

    world.folder.trouble = StoreError("no room")
    world.clock.advance(3600)
    world.accountant.look()
    assert world.accountant.trouble == {"summaries": "no room"}
    assert world.accountant.summary("team") is not None
    world.folder.trouble = None
    world.accountant.look()

    assert world.folder.writes == 3
    assert world.accountant.trouble == {}


def test_an_external_folder_is_passed_on() -> None:
    """Where others count, their figures are told, of the last ninety days; what they do not know is not known."""
    external = Folder()
    external.kept["team"] = Summary({"cpu_num": 99}, {}, {})
    world = World(external=external)
    world.accountant.look()

    assert world.accountant.summary("team") == external.kept["team"]
    assert external.since == START.date() - timedelta(days=89)
    assert world.accountant.summary("other") is None
    assert world.folder.kept["team"].full["cpu_num"] == 0  # our own go on: two core-hours are no core-day


def test_a_summary_of_our_own(world: World) -> None:
    """Resource-days by owner, for a namespace that is known."""
    world.cluster.allocations = [running(since=NOW - 3 * DAY_MS), running("other", since=NOW - DAY_MS)]
    world.accountant.look()

    found = world.accountant.summary("team")

    assert found is not None
    assert found.full["cpu_num"] == 8
    assert {owner: used["cpu_num"] for owner, used in found.users.items()} == {"ann": 6, "": 2}
    assert found.timeseries["date"] == ["2025-12-29", "2025-12-30", "2025-12-31", "2026-01-01"]
    assert found.timeseries["running"] == [1, 1, 2, 2]  # half a day of one rounds up
    assert world.accountant.summary("nowhere") is None


def test_old_allocations_become_days() -> None:
    """After so many days only days are kept; the total is what it was."""
    world = World(pace=Accounting(keep_days=2))
    ended = replace(running(), ended=NOW, evidence=Evidence.FINISHED, index=2)
    world.cluster.allocations = [ended]
    world.accountant.look()
    world.cluster.allocations = []
    world.clock.advance(4 * 86_400)
    world.accountant.look()

    assert world.cores() == 2.0
    assert world.store.fold(before=NOW + 2 * DAY_MS) == 0  # that was done
    assert world.accountant.summary("team") is not None


def test_the_thread_looks_and_stops(world: World) -> None:
    """It looks at once, and a stop does not wait for the next look."""
    world.accountant.start()
    assert world.cluster.was_asked.wait(10)

    world.accountant.stop()

    assert not [t for t in threading.enumerate() if t.name == "accountant"]
    assert world.cluster.asked[0] == "allocations"
