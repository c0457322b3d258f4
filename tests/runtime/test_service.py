"""The operator in real threads, with a source, an event stream and a Nomad that do what a test says."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest

from harness import fleet_document, group, job_document
from herdsman.adapters.clock import SystemClock
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.adapters.metrics import PrometheusMetrics
from herdsman.adapters.store import SqliteStore
from herdsman.errors import HerdsmanError, SourceError, StoreError, Unavailable
from herdsman.load import Bodies, Loader
from herdsman.looking import Ports
from herdsman.model.keys import Key, job_key
from herdsman.model.observed import STAMP, Hint, VariableItems
from herdsman.model.sources import Snapshot, SourceFile
from herdsman.runtime.service import Pace, Service
from twin import NomadTwin

WEB, DB = job_key("default", "web"), job_key("default", "db")
NEVER = 1000.0
QUIET = Pace(resync=NEVER, source_poll=NEVER, gather=0.01, settle=0.01, workers=2, grace=5.0)
"""Nothing happens by itself: what happens in a test, a hint has caused."""


class Specs:
    """`ports.Source` over a dict: it can be hinted at, held up, and broken."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files, self.reads, self.settled = files, 0, True
        self.error: HerdsmanError | None = None
        self.open = threading.Event()
        self.open.set()
        self.hints: queue.Queue[None] = queue.Queue()
        self.pokes, self.closed = 0, False

    def snapshot(self) -> Snapshot:
        self.reads += 1
        assert self.open.wait(10)
        if self.error is not None:
            raise self.error
        data = {p: t.encode() for p, t in self.files.items()}
        return Snapshot(
            sha256(repr(data).encode()).hexdigest(),
            {p: SourceFile(p, d, sha256(d).hexdigest()) for p, d in data.items()},
            settled=self.settled,
        )

    def watch(self, changed: Callable[[], None], stopped: Callable[[], bool]) -> None:
        while not stopped():
            try:
                self.hints.get(timeout=0.01)
            except queue.Empty:
                continue
            changed()

    def poke(self) -> None:
        self.pokes += 1

    def close(self) -> None:
        self.closed = True

    def describe(self) -> str:
        return "dir:here"


class Stream:
    """`ports.EventStream` that says what a test tells it to."""

    def __init__(self) -> None:
        self._said: queue.Queue[Hint | None] = queue.Queue()

    def say(self, *keys: Key, index: int | None = None, relist: bool = False) -> None:
        indexes = dict.fromkeys(keys, index) if index is not None else {}
        self._said.put(Hint(keys=keys, relist=relist, indexes=indexes))

    def follow(self) -> Iterator[Hint]:
        while (hint := self._said.get()) is not None:
            yield hint

    def close(self) -> None:
        self._said.put(None)


class World:
    """A service with both of its sides."""

    def __init__(self, files: dict[str, str] | None = None, pace: Pace = QUIET) -> None:
        jobs = {"web.yaml": job_document("web"), "db.yaml": job_document("db")}
        self.source = Specs({"fleet.yaml": fleet_document(), **(jobs if files is None else files)})
        self.events, self.nomad, self.store = Stream(), NomadTwin(), SqliteStore(":memory:")
        self.service = Service(
            source=self.source,
            loader=Loader(fleet="default", store=self.store),
            ports=Ports(self.nomad, self.store, SystemClock(), Bodies(OfflineHclParser())),
            events=self.events,
            metrics=PrometheusMetrics(),
            pace=pace,
        )

    def started(self) -> "World":
        self.service.start()
        return self

    def ready(self) -> "World":
        """Started, and every key looked at twice: nobody waits for the watch of what was just written."""
        self.service.start()
        until(lambda: self.service.ready)
        request = self.service.resync(list(self.service.view.desired.wanted))
        until(lambda: request.done and self.quiet())
        assert all(s.ready for s in self.store.statuses().values())
        return self

    def quiet(self) -> bool:
        """Whether nothing is due or in hand."""
        depth = self.service.queue.depth()
        return not depth.dirty and not depth.processing

    def told(self) -> list[str]:
        return [e.reason for e in self.store.events(limit=1000) if e.key is None]

    def alive(self, name: str) -> bool:
        return any(t.name == f"herdsman-{name}" and t.is_alive() for t in self.service._threads)


def until(condition: Callable[[], object], seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.003)


Make = Callable[..., World]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes worlds, and stops their services in the end."""
    made: list[World] = []

    def world(*args: Any, **more: Any) -> World:
        made.append(World(*args, **more))
        return made[-1]

    yield world
    for one in made:
        one.source.open.set()
        one.service.stop()


# -- starting ----------------------------------------------------------------------------------------------------------


def test_it_starts_and_becomes_ready(make: Make) -> None:
    """Both sides are read once, every key is looked at, and what is wanted runs."""
    world = make()
    assert not world.service.ready
    assert "start" in world.service.trouble()

    world.ready()

    assert set(world.nomad.jobs) == {WEB, DB}
    assert world.service.trouble() == {}
    assert world.nomad.kept["default", "herdsman/fleets/f"].items == {"source": "dir:here"}


@pytest.mark.parametrize("side", ["source", "nomad"])
def test_a_side_that_is_away_at_the_start_is_waited_for(make: Make, side: str) -> None:
    """Nothing is decided on half of the truth; when the other half comes, it goes on by itself."""
    world = make()
    if side == "source":
        world.source.error = SourceError("no such folder")
    else:
        world.nomad.fault = lambda name, key: Unavailable("connection refused")
    world.started()
    until(lambda: side in world.service.trouble())

    assert not world.service.ready
    assert world.nomad.writes == []
    assert world.service.queue.depth().dirty == 0

    world.source.error, world.nomad.fault = None, None
    world.source.hints.put(None)
    world.events.say(relist=True)
    until(lambda: world.service.ready and set(world.nomad.jobs) == {WEB, DB})
    assert world.service.trouble() == {}
    name = side.capitalize()
    assert [reason for reason in world.told() if name in reason] == [f"{name}Unavailable", f"{name}Available"]


def test_trouble_that_lasts_is_told_once(make: Make) -> None:
    """However often the source is tried."""
    world = make()
    world.source.error = SourceError("no such folder")
    world.started()
    for reads in range(1, 6):
        until(lambda reads=reads: world.source.reads >= reads)  # type: ignore[misc]
        world.source.hints.put(None)
    until(lambda: "source" in world.service.trouble())

    assert world.told() == ["SourceUnavailable"]


def test_while_nomad_is_away_what_was_wanted_stays_wanted(make: Make) -> None:
    """An error is no empty answer: nothing is removed, and afterwards nothing has changed."""
    world = make().ready()
    world.nomad.fault = lambda name, key: Unavailable("connection refused")
    world.events.say(relist=True)
    until(lambda: "nomad" in world.service.trouble())
    assert not world.service.ready

    world.nomad.fault = None
    world.events.say(relist=True)
    until(lambda: world.service.ready)
    assert set(world.nomad.jobs) == {WEB, DB}


def test_while_the_source_is_away_what_was_wanted_stays_wanted(make: Make) -> None:
    """The same of the other side."""
    world = make().ready()
    world.source.error = SourceError("gone")
    world.source.hints.put(None)
    until(lambda: "source" in world.service.trouble())
    world.events.say(relist=True)
    world.source.error = None
    world.source.hints.put(None)

    until(lambda: world.service.ready and world.quiet())
    assert set(world.nomad.jobs) == {WEB, DB}


# -- triggers ----------------------------------------------------------------------------------------------------------


def test_a_hint_from_the_source_is_enough(make: Make) -> None:
    """A saved file is registered, though no timer is due for a quarter of an hour."""
    world = make().ready()
    world.source.files["web.yaml"] = job_document("web", Priority=61)

    world.source.hints.put(None)

    until(lambda: world.nomad.jobs[WEB].body["Priority"] == 61)


def test_without_a_hint_the_timer_finds_it(make: Make) -> None:
    """A lost hint costs time, never truth."""
    world = make(pace=Pace(resync=NEVER, source_poll=0.02, workers=2)).ready()

    world.source.files["web.yaml"] = job_document("web", Priority=61)

    until(lambda: world.nomad.jobs[WEB].body["Priority"] == 61)


def test_a_hint_from_nomad_is_enough(make: Make) -> None:
    """A job that somebody changed is put right by its event alone."""
    world = make().ready()
    world.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))

    world.events.say(WEB, index=world.nomad.index)

    until(lambda: world.nomad.jobs[WEB].body["Priority"] == 50)


def test_without_events_the_list_finds_it(make: Make) -> None:
    """A lossy stream is no excuse."""
    world = make(pace=Pace(resync=0.05, source_poll=NEVER, workers=2)).ready()

    world.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))

    until(lambda: world.nomad.jobs[WEB].body["Priority"] == 50)


def test_a_gap_in_the_events_means_a_fresh_list(make: Make) -> None:
    """Every reconnect does."""
    world = make().ready()
    world.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))

    world.events.say(relist=True)

    until(lambda: world.nomad.jobs[WEB].body["Priority"] == 50)


def test_our_own_writes_coming_back_cause_no_look(make: Make) -> None:
    """An event with an index that is known already says nothing new."""
    world = make().ready()
    adds = world.service.queue.adds

    world.events.say(WEB, index=world.store.memory(WEB).index)
    world.events.say(DB, index=world.nomad.index + 1)
    until(lambda: world.service.queue.adds > adds)
    until(world.quiet)

    assert world.service.queue.adds == adds + 1


def test_events_about_allocations_are_gathered(make: Make) -> None:
    """Many at once cause one look, a moment later."""
    world = make(pace=Pace(resync=NEVER, source_poll=NEVER, gather=0.2, workers=2)).ready()
    world.nomad.calls.clear()
    for _ in range(50):
        world.events.say(WEB)

    until(lambda: ("stub", WEB) in world.nomad.calls)
    until(world.quiet)

    assert world.nomad.calls.count(("stub", WEB)) == 1


def test_events_about_the_jobs_of_others_cost_nothing(make: Make) -> None:
    """Not even a call."""
    world = make().ready()
    stranger = world.nomad.foreign_register({"ID": "x", "Name": "x", "TaskGroups": [group()]})
    world.nomad.calls.clear()
    adds = world.service.queue.adds

    world.events.say(stranger, index=world.nomad.index)
    world.events.say(stranger)
    world.events.say(WEB, index=world.nomad.index + 1)
    until(lambda: world.service.queue.adds > adds)
    until(world.quiet)

    assert {key for _, key in world.nomad.calls} == {WEB}


def test_what_cannot_be_read_of_the_source_is_told_once(make: Make) -> None:
    """A broken file is an event of the fleet; it is not repeated, and what is mended and broken again is told again."""
    world = make().ready()

    def broken() -> int:
        return world.told().count("Invalid")

    for text, expected in (("kind: [", 1), ("kind: [", 1), ("", 1), ("kind: [", 2)):
        world.source.files["x.yaml"] = text
        reads = world.source.reads
        world.source.hints.put(None)
        until(lambda reads=reads: world.source.reads > reads)  # type: ignore[misc]
        until(lambda expected=expected: broken() == expected)  # type: ignore[misc]


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_it_stops_at_once_when_nothing_is_under_way(make: Make) -> None:
    """No thread is left behind, and whoever listened is told."""
    world = make().ready()
    with world.service.listen() as heard:
        began = time.monotonic()
        assert world.service.stop()

        assert time.monotonic() - began < 3.0
        assert not any(t.is_alive() for t in world.service._threads)
        said = []
        while (event := heard.get(timeout=1)) is not None:
            said.append(event)
    assert world.nomad.writes


def test_a_look_under_way_ends_first(make: Make) -> None:
    """What is being written is finished, and what is only due is left for the next process."""
    world = make(pace=Pace(resync=NEVER, source_poll=NEVER, workers=1, grace=5.0))
    register, entered, leave = world.nomad.register, threading.Event(), threading.Event()

    def slow(*args: Any, **more: Any) -> Any:
        entered.set()
        assert leave.wait(5)
        return register(*args, **more)

    world.nomad.register = slow  # type: ignore[method-assign]
    world.started()
    assert entered.wait(5)
    stopped: list[bool] = []
    stopper = threading.Thread(target=lambda: stopped.append(world.service.stop()))
    stopper.start()
    time.sleep(0.02)
    assert stopped == []
    leave.set()
    stopper.join(5)

    assert stopped == [True]
    assert len(world.nomad.jobs) == 1


def test_a_look_that_does_not_end_is_left_behind_after_the_grace(make: Make) -> None:
    """It says so: the caller decides what to do about it."""
    world = make(pace=Pace(resync=NEVER, source_poll=NEVER, workers=1, grace=0.1))
    entered, leave = threading.Event(), threading.Event()

    def stuck(*_: Any, **__: Any) -> Any:
        entered.set()
        leave.wait(5)
        raise Unavailable("cut")

    world.nomad.register = stuck  # type: ignore[method-assign]
    world.started()
    assert entered.wait(5)

    assert world.service.stop() is False
    leave.set()


# -- looking again on demand -------------------------------------------------------------------------------------------


def test_a_resync_of_some_keys_is_done_when_they_were_looked_at(make: Make) -> None:
    """And not before: the look begins after the request, and reads Nomad anew."""
    world = make().ready()
    world.nomad.foreign_edit(WEB, lambda b: b.update(Priority=77))

    request = world.service.resync([WEB])
    until(lambda: request.done)

    assert world.nomad.jobs[WEB].body["Priority"] == 50
    assert world.service.request(request.id) is request


def test_a_resync_of_everything_is_done_when_every_key_was_looked_at(make: Make) -> None:
    """After a list that began after the request."""
    world = make().ready()
    for key in (WEB, DB):
        world.nomad.foreign_edit(key, lambda b: b.update(Priority=77))

    request = world.service.resync()
    until(lambda: request.done)

    assert (request.total, [world.nomad.jobs[k].body["Priority"] for k in (WEB, DB)]) == (2, [50, 50])


def test_a_resync_during_a_look_waits_for_the_next_one(make: Make) -> None:
    """The look under way may have read what was before the request."""
    world = make(pace=Pace(resync=NEVER, source_poll=NEVER, workers=1)).ready()
    world.nomad.foreign_edit(WEB, lambda b: b.update(Priority=70))
    stub, entered, leave = world.nomad.stub, threading.Event(), threading.Event()

    def slow(key: Key) -> Any:
        found = stub(key)
        entered.set()
        assert leave.wait(5)
        return found

    world.nomad.stub = slow  # type: ignore[method-assign]
    first = world.service.resync([WEB])
    assert entered.wait(5)
    second = world.service.resync([WEB])
    world.nomad.stub = stub  # type: ignore[method-assign]
    leave.set()

    until(lambda: second.done)
    assert first.done
    assert world.nomad.jobs[WEB].body["Priority"] == 50


def test_many_resyncs_at_once_are_all_answered(make: Make) -> None:
    """From many threads, while everything moves."""
    world = make().ready()
    requests: list[Any] = []

    def ask() -> None:
        requests.extend(world.service.resync([WEB, DB] if n % 2 else None) for n in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: all(r.done for r in requests))
    assert len({r.id for r in requests}) == 80


# -- between threads ---------------------------------------------------------------------------------------------------


def test_a_resync_with_its_source_waits_for_the_source(make: Make) -> None:
    """Who saves a file and asks to look again, with the source, wants to see that file applied when it is done."""
    world = make().ready()
    world.source.open.clear()

    request = world.service.resync([WEB], with_source=True)
    until(lambda: world.store.statuses() and not world.service.queue.depth().dirty)
    time.sleep(0.05)

    assert not request.done


def test_a_resync_during_the_start_is_answered_by_the_first_look(make: Make) -> None:
    """It need not wait for the next list, a minute later."""
    service = make().service
    service._list()
    request = service.resync()
    service._read()

    service._list()

    assert service._first == {WEB, DB}, "the first look has begun, after the request"
    assert request.pending == {WEB, DB}


def test_a_look_that_is_quicker_than_the_list_answers_all_the_same(make: Make) -> None:
    """The first look may be over before the list that begins it has told which keys there are."""
    service = make().service
    service._list()
    request = service.resync()
    service._read()

    def look_at_once(key: Key, _: object) -> None:
        service._looked(key, service.clock.monotonic())

    service.queue.add = look_at_once  # type: ignore[method-assign,assignment]
    service._list()

    assert request.done


def killed(world: World, thread: str, act: Callable[[], object]) -> bool:
    """Whether *act* makes that thread die; the way in which it dies is nobody's to see."""
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        act()
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            if not world.alive(thread):
                return True
            time.sleep(0.005)
        return False
    finally:
        threading.excepthook = hook


def full(*_: object, **__: object) -> Any:
    raise StoreError("the state file cannot be written: disk full")


def broken(*_: object, **__: object) -> Any:
    raise RuntimeError("a bug")


@pytest.mark.parametrize("trouble", [full, broken], ids=["the disk is full", "a bug"])
@pytest.mark.parametrize("thread", ["source", "resync"])
def test_no_thread_dies_of_trouble(make: Make, thread: str, trouble: Callable[..., Any]) -> None:
    """A full disk for a moment, or a bug in understanding one snapshot, must not make the operator deaf for good while
    it says that it is ready."""
    world = make().ready()

    def act() -> None:
        if thread == "source":
            world.service._loader.load = trouble  # type: ignore[method-assign]
            world.source.hints.put(None)
        else:
            world.service.view.relist = trouble  # type: ignore[method-assign]
            world.events.say(relist=True)

    assert not killed(world, thread, act)


def test_a_fleet_that_was_never_understood_claims_no_name(make: Make) -> None:
    """`default` may be somebody else's, who would be locked out by it."""
    world = make({"fleet.yaml": "kind: Fleet\n  broken"}).started()
    until(lambda: world.nomad.calls.count(("listing", None)) >= 1 and world.source.reads)
    time.sleep(0.1)

    assert world.nomad.kept == {}


def test_a_claim_is_of_the_fleet_that_it_was_made_for(make: Make) -> None:
    """The Fleet is renamed while its old name is being claimed: nothing may be written under the new one yet."""
    world = make()
    service, variable = world.service, world.nomad.variable
    service._read()

    def slow(path: str) -> VariableItems:
        world.nomad.variable = variable  # type: ignore[method-assign]
        world.source.files["fleet.yaml"] = fleet_document("other")
        service._read()
        return variable(path)

    world.nomad.variable = slow  # type: ignore[method-assign]
    service._list()

    assert service.view.desired.fleet.name == "other"
    assert service.view.scene(WEB).claimed, "whose the name `other` is, nobody knows yet"


def test_another_fleets_name_is_never_under_the_old_claim(make: Make) -> None:
    """Between the two steps a worker would write with a name that nobody claimed."""
    world = make()
    service = world.service
    service._read()
    service._list()
    world.source.files["fleet.yaml"] = fleet_document("other")
    seen: list[str] = []
    replace = service.view.replace

    def watched(desired: Any) -> set[Key]:
        changed = replace(desired)
        seen.append(service.view.scene(WEB).claimed)
        return changed

    service.view.replace = watched  # type: ignore[method-assign]
    service._read()

    assert all(seen)


def test_the_stamp_is_that_of_the_fleet(make: Make) -> None:
    """Every job that was created carries it."""
    world = make().ready()

    assert [j.body["Meta"] for j in world.nomad.jobs.values()] == [{STAMP: "f"}] * 2
