"""One sender, many who follow along: each gets its own bounded queue, and a slow one loses its oldest."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

_BACKLOG = 1000


class Broadcast(Generic[T]):
    """Hands every item to everybody who listens at that moment. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[queue.Queue[T | None]] = set()
        self._closed = False

    def send(self, item: T) -> None:
        """Hand *item* to all; never waits."""
        with self._lock:
            for listener in self._listeners:
                _put(listener, item)

    @contextmanager
    def listen(self) -> "Iterator[queue.Queue[T | None]]":
        """A queue of all that is sent while the block runs; None in it means that nothing more will come."""
        listener: queue.Queue[T | None] = queue.Queue(_BACKLOG)
        with self._lock:
            self._listeners.add(listener)
            if self._closed:
                _put(listener, None)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def close(self) -> None:
        """Tell all who listen that nothing more will come."""
        with self._lock:
            self._closed = True
            for listener in self._listeners:
                _put(listener, None)


def _put(listener: "queue.Queue[T | None]", item: T | None) -> None:
    while True:
        try:
            listener.put_nowait(item)
        except queue.Full:
            try:
                listener.get_nowait()
            except queue.Empty:
                continue
        else:
            return
