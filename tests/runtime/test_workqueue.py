"""The queue of keys: against a simple model with a clock that stands still, and with real threads."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clocks import FakeClock
from herdsman.adapters.clock import SystemClock
from herdsman.runtime.workqueue import AGEING, Depth, Item, Priority, WorkQueue

KEYS = st.sampled_from("abcd")
PRIORITIES = st.sampled_from(list(Priority))


class Model(RuleBasedStateMachine):
    """What the queue promises, kept as plainly as possible: sets, and a search for the smallest."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.queue: WorkQueue[str] = WorkQueue(self.clock)
        self.dirty: dict[str, tuple[Priority, float]] = {}
        self.processing: set[str] = set()
        self.delayed: dict[str, tuple[float, Priority]] = {}
        self.failures: Counter[str] = Counter()
        self.adds = 0

    def make_dirty(self, key: str, priority: Priority) -> None:
        best, since = self.dirty.get(key, (priority, self.clock.monotonic()))
        self.dirty[key] = (min(best, priority), since)

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key: str, priority: Priority) -> None:
        self.queue.add(key, priority)
        self.adds += 1
        self.make_dirty(key, priority)

    @rule(key=KEYS, seconds=st.integers(1, 30), priority=PRIORITIES)
    def add_after(self, key: str, seconds: int, priority: Priority) -> None:
        self.queue.add_after(key, seconds, priority)
        due, best = self.delayed.get(key, (float("inf"), priority))
        self.delayed[key] = (min(due, self.clock.monotonic() + seconds), min(best, priority))

    @rule(key=KEYS, priority=PRIORITIES)
    def add_after_nothing(self, key: str, priority: Priority) -> None:
        self.queue.add_after(key, 0.0, priority)
        self.adds += 1
        self.make_dirty(key, priority)

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def get(self) -> None:
        now = self.clock.monotonic()
        for key, (due, priority) in sorted(self.delayed.items(), key=lambda one: one[1][0]):
            if due <= now:
                del self.delayed[key]
                self.make_dirty(key, priority)
        item = self.queue.get(timeout=0)
        ranks = {k: since + AGEING * p for k, (p, since) in self.dirty.items() if k not in self.processing}
        if item is None:
            assert not ranks, "what is due is given out"
            return
        assert ranks[item.key] == min(ranks.values()), "the most urgent goes first, by priority and age"
        priority, since = self.dirty.pop(item.key)
        assert item == Item(item.key, priority, now - since)
        self.processing.add(item.key)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.processing)))
        self.queue.done(key)
        self.processing.remove(key)

    @rule(key=KEYS)
    def fail(self, key: str) -> None:
        self.failures[key] += 1
        assert self.queue.fail(key) == self.failures[key]

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        if key not in self.delayed:  # whose delay it would be: see the test below
            self.queue.forget(key)
            self.failures.pop(key, None)

    @invariant()
    def is_as_deep_as_the_model(self) -> None:
        assert self.queue.depth() == Depth(len(self.dirty), len(self.processing), len(self.delayed))
        assert self.queue.adds == self.adds
        assert len(self.queue.busy()) == len(self.processing)

    @invariant()
    def knows_what_is_due_next(self) -> None:
        due = [t for t, _ in self.delayed.values()]
        assert self.queue.next_due() == (min(due) - self.clock.monotonic() if due else None)

    def teardown(self) -> None:
        for key in sorted(self.processing):
            self.queue.done(key)
        left = set()
        while (item := self.queue.get(timeout=0)) is not None:
            left.add(item.key)
            self.queue.done(item.key)
        now = self.clock.monotonic()
        assert left == self.dirty.keys() | {k for k, (due, _) in self.delayed.items() if due <= now}, "nothing is lost"


Model.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase


# -- promises in words -------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> FakeClock:
    """Time stands still until it is moved."""
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue[str]:
    """An empty queue."""
    return WorkQueue(clock)


def take(queue: WorkQueue[str]) -> str | None:
    item = queue.get(timeout=0)
    return None if item is None else item.key


def test_a_key_is_in_the_queue_once(queue: WorkQueue[str]) -> None:
    """However often it is added."""
    for _ in range(3):
        queue.add("a")

    assert (take(queue), take(queue)) == ("a", None)


def test_a_key_is_never_in_two_hands(queue: WorkQueue[str]) -> None:
    """Added again while it is worked on, it comes again, but only once it was let go of."""
    queue.add("a")
    assert take(queue) == "a"
    queue.add("a")

    assert take(queue) is None
    queue.done("a")
    assert take(queue) == "a"
    queue.done("a")
    assert take(queue) is None


def test_a_better_reason_moves_a_key_forward(queue: WorkQueue[str]) -> None:
    """And a worse one does not move it back."""
    queue.add("a", Priority.RESYNC)
    queue.add("b", Priority.DRIFT)
    queue.add("a", Priority.USER)
    queue.add("a", Priority.RESYNC)

    assert (take(queue), take(queue)) == ("a", "b")


def test_of_two_delays_the_sooner_holds(queue: WorkQueue[str], clock: FakeClock) -> None:
    """With the better of the two reasons."""
    queue.add_after("a", 30.0, Priority.USER)
    queue.add_after("a", 5.0, Priority.RESYNC)
    queue.add_after("a", 60.0, Priority.RESYNC)

    clock.advance(4.9)
    assert take(queue) is None
    clock.advance(0.2)
    item = queue.get(timeout=0)
    assert item is not None
    assert (item.key, item.priority) == ("a", Priority.USER)
    clock.advance(100)
    queue.done("a")
    assert take(queue) is None


def test_a_flood_of_changes_cannot_starve_a_resync(queue: WorkQueue[str], clock: FakeClock) -> None:
    """What waits grows old, and goes before what is younger and more urgent."""
    queue.add("old", Priority.RESYNC)
    for second in range(60):
        queue.add(f"new-{second}-1", Priority.USER)
        queue.add(f"new-{second}-2", Priority.USER)
        taken = take(queue)
        if taken == "old":
            assert second <= AGEING * Priority.RESYNC * 2
            return
        assert taken is not None
        queue.done(taken)
        clock.advance(1.0)
    raise AssertionError("the resync never had its turn")


def test_how_long_a_key_waited_is_told(queue: WorkQueue[str], clock: FakeClock) -> None:
    """From the moment at which it became due, not from the moment at which it was put off."""
    queue.add_after("a", 10.0)
    clock.advance(10.0)
    queue.add("b")
    clock.advance(3.0)

    waited = {item.key: item.waited for item in (queue.get(timeout=0), queue.get(timeout=0)) if item is not None}

    assert waited["b"] == 3.0
    assert waited["a"] <= 3.0


def test_a_closed_queue_gives_out_nothing(queue: WorkQueue[str], clock: FakeClock) -> None:
    """Neither what was due, nor what becomes due, nor what is added."""
    queue.add("a")
    queue.add_after("b", 1.0)
    queue.close()
    queue.add("c")
    clock.advance(5.0)

    assert queue.get() is None


def test_what_was_in_hand_when_it_closed_can_be_let_go_of(queue: WorkQueue[str]) -> None:
    """Looks under way end in peace."""
    queue.add("a")
    assert take(queue) == "a"
    queue.close()
    queue.add("a")
    queue.done("a")

    assert queue.depth() == Depth(0, 0, 0)


def test_failures_are_counted_until_they_are_forgotten(queue: WorkQueue[str]) -> None:
    """Letting go of a key is not forgetting its failures."""
    assert [queue.fail("a"), queue.fail("a"), queue.fail("b")] == [1, 2, 1]
    queue.done("a")
    assert queue.fail("a") == 3
    queue.forget("a")
    assert queue.fail("a") == 1


def test_a_delay_that_a_failure_brought_is_forgotten_with_it(queue: WorkQueue[str], clock: FakeClock) -> None:
    """A key that succeeded meanwhile does not come back for an old error."""
    queue.fail("a")
    queue.add_after("a", 300.0)
    clock.advance(1.0)
    queue.add("a")
    assert take(queue) == "a"
    queue.forget("a")
    queue.done("a")
    clock.advance(300.0)

    assert take(queue) is None


def test_a_hint_during_a_look_outlives_the_success_of_that_look(queue: WorkQueue[str], clock: FakeClock) -> None:
    """An event asks for a look in half a second; the look under way may have read what was before the event."""
    queue.add("a")
    assert take(queue) == "a"
    queue.add_after("a", 0.5, Priority.DRIFT)
    queue.forget("a")
    queue.done("a")
    clock.advance(0.5)

    assert take(queue) == "a"


# -- real threads ------------------------------------------------------------------------------------------------------


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.001)


class Crew:
    """Workers that note which keys they have in hand, and how often each was worked on since it was added last."""

    def __init__(self, queue: WorkQueue[int], size: int) -> None:
        self.queue, self.lock = queue, threading.Lock()
        self.in_hand: set[int] = set()
        self.clashes: list[int] = []
        self.added: dict[int, int] = {}
        self.worked: dict[int, int] = {}
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(size)]
        for thread in self.threads:
            thread.start()

    def add(self, key: int, serial: int) -> None:
        with self.lock:
            self.added[key] = serial
        self.queue.add(key, Priority(serial % 3))

    def run(self) -> None:
        while (item := self.queue.get()) is not None:
            with self.lock:
                if item.key in self.in_hand:
                    self.clashes.append(item.key)
                self.in_hand.add(item.key)
                seen = self.added[item.key]
            time.sleep(0)
            with self.lock:
                self.in_hand.discard(item.key)
                self.worked[item.key] = seen
            self.queue.done(item.key)

    def end(self) -> None:
        self.queue.close()
        for thread in self.threads:
            thread.join(5)
        assert not any(t.is_alive() for t in self.threads), "every worker is let go"


def test_many_threads_add_and_take() -> None:
    """No key in two hands, and each is worked on after it was added last, however the threads meet."""
    queue: WorkQueue[int] = WorkQueue(SystemClock())
    crew = Crew(queue, 6)

    def produce(start: int) -> None:
        for serial in range(start, start + 1500):
            crew.add(serial % 40, serial)

    producers = [threading.Thread(target=produce, args=(n * 10_000,)) for n in range(3)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    until(lambda: crew.worked == crew.added)
    crew.end()

    assert crew.clashes == []


def test_a_worker_that_waits_is_woken_by_work() -> None:
    """And by work that becomes due, in its time."""
    queue: WorkQueue[int] = WorkQueue(SystemClock())
    crew = Crew(queue, 2)
    crew.add(1, 1)
    until(lambda: crew.worked == {1: 1})
    crew.added[2] = 2
    queue.add_after(2, 0.02)
    until(lambda: crew.worked == {1: 1, 2: 2})
    crew.end()


def test_workers_that_wait_are_let_go_when_it_closes() -> None:
    """Nobody waits for ever."""
    queue: WorkQueue[int] = WorkQueue(SystemClock())
    crew = Crew(queue, 4)
    queue.add_after(1, 1000.0)
    crew.end()


def test_a_wait_ends_in_time() -> None:
    """With a timeout the answer is None, where nothing becomes due before."""
    queue: WorkQueue[int] = WorkQueue(SystemClock())
    queue.add_after(1, 0.01)

    assert queue.get(timeout=5.0) is not None
    began = time.monotonic()
    assert queue.get(timeout=0.01) is None
    assert time.monotonic() - began < 2.0
