"""Requests to look again, and when they count as answered."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from herdsman.model.keys import Key, job_key
from herdsman.runtime.resyncs import Resync, Resyncs

A, B, C = (job_key("default", name) for name in "abc")


def test_a_request_is_done_when_every_key_was_looked_at() -> None:
    """One after the other; what is left can be asked for."""
    resyncs = Resyncs()
    request = resyncs.open(10.0, [A, B])

    resyncs.looked(A, began=11.0)
    assert (request.done, request.pending, request.total) == (False, {B}, 2)
    resyncs.looked(B, began=11.0)
    assert request.done


def test_a_look_that_began_before_the_request_does_not_answer_it() -> None:
    """It may have seen the world as it was before."""
    resyncs = Resyncs()
    request = resyncs.open(10.0, [A])

    resyncs.looked(A, began=9.9)
    assert not request.done
    resyncs.looked(A, began=10.0)
    assert request.done


def test_looks_at_other_keys_do_not_matter() -> None:
    """Only what was asked for."""
    resyncs = Resyncs()
    request = resyncs.open(10.0, [A])

    resyncs.looked(B, began=11.0)

    assert not request.done


def test_a_request_for_everything_waits_until_it_is_known_what_that_is() -> None:
    """Not done before a list that began after it says which keys there are."""
    resyncs = Resyncs()
    request = resyncs.open(10.0)
    assert not request.done

    resyncs.known([], before=9.0)
    assert not request.done, "that list is from before"
    resyncs.known([A, B], before=10.0)
    assert request.pending == {A, B}
    assert request.total == 2
    resyncs.known([A, B, C], before=20.0)
    assert request.pending == {A, B}, "a later list asks for no more"


def test_a_request_for_everything_where_there_is_nothing_is_done() -> None:
    """An empty fleet is looked at in no time."""
    resyncs = Resyncs()
    request = resyncs.open(10.0)

    resyncs.known([], before=10.0)

    assert request.done


def test_a_request_for_no_key_is_done() -> None:
    """Nothing was asked for."""
    assert Resyncs().open(10.0, []).done


def test_several_requests_wait_each_for_their_own() -> None:
    """One look may answer many."""
    resyncs = Resyncs()
    first, second, third = resyncs.open(10.0, [A]), resyncs.open(12.0, [A]), resyncs.open(10.0, [A, B])

    resyncs.looked(A, began=11.0)

    assert (first.done, second.done, third.done) == (True, False, False)
    assert [first.id, second.id, third.id] == [1, 2, 3]


def test_a_request_is_known_by_its_number() -> None:
    """An unknown number is nobody's."""
    resyncs = Resyncs()
    request = resyncs.open(10.0, [A])

    assert resyncs.get(request.id) is request
    assert resyncs.get(99) is None


def test_old_requests_are_forgotten() -> None:
    """Memory is bounded; the newest are kept."""
    resyncs = Resyncs()
    numbers = [resyncs.open(float(n), [A]).id for n in range(1001)]

    assert resyncs.get(numbers[0]) is None
    assert resyncs.get(numbers[1]) is not None


keys = st.sampled_from([A, B, C])
sets = st.frozensets(keys)
ages = st.integers(0, 5)
steps = st.tuples(st.sampled_from(["open", "open for all", "list", "look"]), sets, keys, ages)


@given(st.lists(steps, max_size=20))
def test_what_is_done_was_looked_at_since(history: list[tuple[str, frozenset[Key], Key, int]]) -> None:
    """Whatever comes in whatever order: a request waits for exactly those of its keys that no look since answered."""
    resyncs, now = Resyncs(), 100.0
    opened: list[tuple[Resync, float]] = []
    left: dict[int, frozenset[Key] | None] = {}
    for what, some, key, ago in history:
        now += 1.0
        if what.startswith("open"):
            asked = None if what == "open for all" else some
            request = resyncs.open(now, asked)
            opened.append((request, now))
            left[request.id] = asked
        elif what == "list":
            resyncs.known(some, before=now)
            left = {number: some if waits is None else waits for number, waits in left.items()}
        else:
            began = now - ago - 0.5
            resyncs.looked(key, began)
            for request, at in opened:
                waits = left[request.id]
                if waits is not None and at <= began:
                    left[request.id] = waits - {key}
    for request, _ in opened:
        assert request.pending == left[request.id]
        assert request.done is (left[request.id] == frozenset())


def test_many_threads_open_and_look() -> None:
    """The handshake is right under concurrency: every request is done in the end, and none before its time."""
    resyncs = Resyncs()
    keys_ = [job_key("default", str(n)) for n in range(50)]
    requests: list[Resync] = []
    opened, over = threading.Lock(), threading.Event()

    def look() -> None:
        last_round = False
        while not last_round:
            last_round = over.is_set()
            for key in keys_:
                resyncs.looked(key, began=1.0)

    def ask() -> None:
        for _ in range(100):
            request = resyncs.open(1.0, keys_)
            with opened:
                requests.append(request)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    askers = [threading.Thread(target=ask) for _ in range(3)]
    for thread in (*lookers, *askers):
        thread.start()
    for thread in askers:
        thread.join()
    over.set()
    for thread in lookers:
        thread.join()

    assert len({r.id for r in requests}) == 300
    assert all(r.done for r in requests)
