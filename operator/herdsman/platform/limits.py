"""How often somebody may ask: so many at once, and as many again in each minute."""

import threading
from collections import OrderedDict

from herdsman.platform.errors import TooOften
from herdsman.ports import Clock

_MOST = 10_000
"""Callers that are remembered: whoever was silent for longest is forgotten first, and has all of its own again."""


class RateLimit:
    """*per_minute* requests of each caller. Safe from any thread."""

    def __init__(self, per_minute: int, *, clock: Clock) -> None:
        self._burst, self._clock = float(per_minute), clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by caller: how many, and when that was

    def take(self, caller: str) -> None:
        """One more of *caller*. Raises `TooOften`."""
        now = self._clock.monotonic()
        with self._lock:
            left, since = self._left.pop(caller, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._burst / 60.0)
            wait = (1.0 - left) * 60.0 / self._burst if left < 1.0 else 0.0
            self._left[caller] = (left if wait else left - 1.0, now)
            while len(self._left) > _MOST:
                self._left.popitem(last=False)
        if wait:
            raise TooOften("too many requests in a short time", hint="wait a moment", retry_after=wait)
