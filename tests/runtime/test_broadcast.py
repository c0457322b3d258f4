"""One sender, many who follow along."""

import queue
import threading

from herdsman.runtime import broadcast
from herdsman.runtime.broadcast import Broadcast


def drain(listener: "queue.Queue[int | None]") -> list[int | None]:
    found: list[int | None] = []
    while not listener.empty():
        found.append(listener.get_nowait())
    return found


def test_everybody_who_listens_gets_everything_in_order() -> None:
    """From the moment at which they began, each in a queue of their own."""
    sender = Broadcast[int]()
    sender.send(0)
    with sender.listen() as first:
        sender.send(1)
        with sender.listen() as second:
            sender.send(2)

            assert drain(first) == [1, 2]
            assert drain(second) == [2]


def test_who_left_gets_nothing_more() -> None:
    """And costs nothing more."""
    sender = Broadcast[int]()
    with sender.listen() as listener:
        sender.send(1)
    sender.send(2)

    assert drain(listener) == [1]


def test_a_slow_listener_loses_its_oldest_and_holds_nobody_up() -> None:
    """The sender never waits, and the newest are kept."""
    sender = Broadcast[int]()
    with sender.listen() as slow:
        for n in range(broadcast._BACKLOG + 10):
            sender.send(n)
        found = drain(slow)

    assert len(found) == broadcast._BACKLOG
    assert found[0] == 10
    assert found[-1] == broadcast._BACKLOG + 9


def test_the_end_is_told_to_all() -> None:
    """Also to those who come later, and to those whose queue is full."""
    sender = Broadcast[int]()
    with sender.listen() as early, sender.listen() as full:
        for n in range(broadcast._BACKLOG):
            sender.send(n)
        drain(early)
        sender.close()

        assert drain(early) == [None]
        assert drain(full)[-1] is None
        with sender.listen() as late:
            assert late.get(timeout=1) is None


def test_many_send_at_once() -> None:
    """Nothing is lost and nothing comes twice while there is room."""
    sender = Broadcast[int]()
    with sender.listen() as listener:

        def send(start: int) -> None:
            for n in range(start, start + 100):
                sender.send(n)

        threads = [threading.Thread(target=send, args=(start,)) for start in (0, 100, 200, 300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(n for n in drain(listener) if n is not None) == list(range(400))
