"""Who waits for what: a held blocking query is one future under the keys it would read.

Three thousand held queries cost three thousand dictionary entries and no processor time: nothing polls, a write
wakes those whose keys it touched.
"""

import asyncio
from collections.abc import Hashable, Iterable


class Watches:
    """Futures by key. A write calls `notify` with every key it touched."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, set[asyncio.Future[None]]] = {}
        self._closed = False

    def notify(self, keys: Iterable[Hashable]) -> None:
        """Wake everybody who waits for one of these keys."""
        if not self._waiting:
            return
        for key in keys:
            for future in self._waiting.pop(key, ()):
                if not future.done():
                    future.set_result(None)

    def close(self) -> None:
        """Wake everybody, now and from now on: the server is going."""
        self._closed = True
        self.notify(list(self._waiting))

    @property
    def closed(self) -> bool:
        """Whether the server is going."""
        return self._closed

    async def wait(self, keys: Iterable[Hashable], *, timeout: float) -> bool:
        """Wait until one of the keys is touched; false when time was up first."""
        if self._closed:
            return False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        watched = tuple(keys)
        for key in watched:
            self._waiting.setdefault(key, set()).add(future)
        timer = loop.call_later(timeout, _give_up, future)
        try:
            await future
        except TimeoutError:
            return False
        else:
            return not self._closed
        finally:
            timer.cancel()
            self._forget(watched, future)

    def _forget(self, keys: tuple[Hashable, ...], future: asyncio.Future[None]) -> None:
        for key in keys:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[key]


def _give_up(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
