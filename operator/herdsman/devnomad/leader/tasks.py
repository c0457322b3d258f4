"""Work that a write leads to, done once the write is over: keys gathered, each handled once, on the event loop."""

import asyncio
import logging
from collections.abc import Callable

_log = logging.getLogger("devnomad.leader")


class Pending:
    """Keys to look at soon; adding one twice is adding it once."""

    def __init__(self, handle: Callable[[str], None]) -> None:
        self._handle = handle
        self._keys: dict[str, None] = {}
        self._scheduled: asyncio.Handle | None = None

    def add(self, key: str) -> None:
        """Look at this key soon."""
        self._keys[key] = None
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self._run)

    def stop(self) -> None:
        """Look at nothing more."""
        self._keys.clear()
        if self._scheduled is not None:
            self._scheduled.cancel()

    def _run(self) -> None:
        self._scheduled = None
        keys, self._keys = self._keys, {}
        for key in keys:
            try:
                self._handle(key)
            except Exception:  # noqa: BLE001 - a bug stops one piece of work, not all
                _log.exception("cannot handle %s", key)
