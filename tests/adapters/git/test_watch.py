"""Hints that there is news, and several threads at once."""

import shutil
import statistics
import threading
import time

import pytest

from adapters.git.worlds import Watching, World, again, program, texts, wait_for
from gitservers import Repository
from herdsman.adapters.git import GitSource
from herdsman.errors import SourceError
from herdsman.model.sources import Snapshot


def test_a_hint_at_the_start_and_for_news(world: World, fleet: Repository) -> None:
    """One after the first look, one for each commit that a later look finds, none for looks that find nothing."""
    source = world.source(interval=60)
    with Watching(source, source.snapshot) as watching:
        wait_for(lambda: source.state().commit)
        for looks in (2, 3, 4):
            world.clock.advance(100)
            wait_for(lambda looks=looks: source.state().looks == looks)
        assert watching.hints == 1
        fleet.commit({"a.yaml": "new"})
        world.clock.advance(100)
        wait_for(lambda: watching.hints == 2)
        assert texts(source.snapshot()) == {"a.yaml": "new"}


def test_a_hint_for_trouble_and_for_its_end(world: World, fleet: Repository) -> None:
    """Whoever shows how the source does hears of both, once each."""
    server = world.serve()
    source = world.source(server.url("fleet.git"), interval=60)
    outcomes: list[str] = []

    def read() -> None:
        try:
            outcomes.append(source.snapshot().revision)
        except SourceError:
            outcomes.append("trouble")

    with Watching(source, read):
        wait_for(lambda: len(outcomes) == 1)
        server.fault = lambda handler: handler.answer(503)
        for _ in range(4):
            looks = source.state().looks
            world.clock.advance(100)
            wait_for(lambda looks=looks: source.state().looks > looks)
        server.fault = lambda _: False
        world.clock.advance(100)
        wait_for(lambda: len(outcomes) == 3)

    assert outcomes == [fleet.head(), "trouble", fleet.head()]


def test_a_commit_that_was_not_taken_is_hinted_at_again(world: World, fleet: Repository) -> None:
    """A hint that nobody followed, or that led to an error, is repeated with every look."""
    source = world.source(interval=60)
    with Watching(source) as watching:
        for hints in (1, 2, 3):
            wait_for(lambda hints=hints: watching.hints == hints)
            world.clock.advance(100)


def test_a_poke_is_a_hint_at_once(world: World, fleet: Repository) -> None:
    """From the commit over the poke to the snapshot in well under 300 ms, however long the interval."""
    server = world.serve()
    source = world.source(server.url("fleet.git"), interval=100_000)
    taken: list[Snapshot] = []
    times: list[float] = []
    with Watching(source, lambda: taken.append(source.snapshot())):
        wait_for(lambda: taken)
        for n in range(7):
            commit = fleet.commit({"a.yaml": f"{n}"})
            began = time.monotonic()
            source.poke()
            wait_for(lambda commit=commit: taken[-1].revision == commit)
            times.append(time.monotonic() - began)

    assert statistics.median(times) < 0.3


def test_many_pokes_are_one(world: World, fleet: Repository) -> None:
    """A flood of hints does not become a flood of fetches."""
    server = world.serve()
    source = world.source(server.url("fleet.git"), interval=100_000)
    with Watching(source, source.snapshot):
        wait_for(lambda: source.state().commit)
        commit = fleet.commit({"a.yaml": "new"})
        for _ in range(1000):
            source.poke()
        wait_for(lambda: source.snapshot().revision == commit)
        time.sleep(0.3)

    assert source.state().fetches < 20


def _fails(source: GitSource) -> None:
    with pytest.raises(SourceError):
        source.snapshot()


def test_it_ends_fast(world: World, fleet: Repository) -> None:
    """At rest, at a remote that hangs, and while another thread fetches: a stop is heard in less than a second."""
    source = world.source()
    with Watching(source) as watching:
        wait_for(lambda: watching.hints)
        assert watching.stop() < 0.5
    git = shutil.which("git")
    for command in ("ls-remote", "fetch"):
        slow = program(
            world.folder / command,
            f'[ "$1" = {command} ] && touch {world.folder}/{command}-begun && sleep 300\nexec {git} "$@"',
        )
        source = world.source(str(world.repos / "fleet.git"), git=slow, interval=10)
        shutil.rmtree(world.cache, ignore_errors=True)
        reading = threading.Thread(target=_fails, args=(source,), daemon=True)
        with Watching(source, reading.start if command == "fetch" else lambda: None) as watching:
            wait_for((world.folder / f"{command}-begun").exists)
            assert watching.stop() < 1
        if command == "fetch":
            reading.join(1)
            assert not reading.is_alive()


def test_what_is_open_is_closed(world: World, fleet: Repository) -> None:
    """After its end no process of git waits for questions, and `close` may be called at any time."""
    source = world.source()
    with Watching(source, source.snapshot):
        wait_for(lambda: source.state().commit)
    assert source._mirror.objects._sizes._process is None
    source.close()
    source.close()

    with pytest.raises(SourceError, match="being closed"):
        again(source)


def test_snapshots_in_many_threads(world: World, fleet: Repository) -> None:
    """While commits come and pokes fall, every snapshot is one commit, whole: no file of one in another."""
    names = [f"{n}.yaml" for n in range(30)]
    fleet.commit(dict.fromkeys(names, "0"), orphan=True)
    source = world.source(interval=0.001)
    bad: list[object] = []
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            snapshot = source.snapshot()
            found = set(texts(snapshot).values())
            seen.add(snapshot.revision)
            if len(found) != 1 or set(snapshot.files) != set(names):
                bad.append(found)

    readers = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    with Watching(source):
        for reader in readers:
            reader.start()
        for n in range(1, 15):
            fleet.commit(dict.fromkeys(names, f"{n}"))
            world.clock.advance(1)
            source.poke()
        last = fleet.head()
        wait_for(lambda: last in seen)
        done.set()
        for reader in readers:
            reader.join(5)
            assert not reader.is_alive()

    assert bad == []


def test_two_processes_on_one_cache(world: World, fleet: Repository) -> None:
    """Two sources that do not know each other share a mirror, turn by turn, though one makes it anew."""
    one, other = world.source(), world.source()
    for n in range(4):
        fleet.commit({"a.yaml": f"{n}"})
        assert texts(again(one)) == texts(again(other)) == {"a.yaml": f"{n}"}
        if n == 2:
            shutil.rmtree(world.mirror())
    fleet.commit({"a.yaml": "more"})
    threads = [threading.Thread(target=again, args=(source,)) for source in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert texts(one.snapshot()) == texts(other.snapshot()) == {"a.yaml": "more"}
