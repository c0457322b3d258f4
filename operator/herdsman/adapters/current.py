"""The catalog as it is now: what goes with the last snapshot, for those who read no snapshots themselves."""

import threading
from collections.abc import Callable
from dataclasses import replace

from herdsman.adapters.catalog import CachedCatalog, Catalogs, FleetCatalog
from herdsman.errors import HerdsmanError
from herdsman.model.catalog import Catalog
from herdsman.model.sources import Snapshot
from herdsman.ports import Clock, Source

_FRESH = 1.0
"""Seconds for which the answer is not put together anew."""


class Watched:
    """A source that remembers what of its last snapshot belongs to the catalog."""

    def __init__(self, source: Source, *, below: str = "catalog") -> None:
        self._source, self._below = source, f"{below}/"
        self.last = Snapshot("", {})

    def snapshot(self) -> Snapshot:
        """See `ports.Source`, as for all that follows."""
        found = self._source.snapshot()
        files = {path: file for path, file in found.files.items() if path.startswith(self._below)}
        self.last = replace(found, files=files)
        return found

    def watch(self, changed: Callable[[], None], stopped: Callable[[], bool]) -> None:
        self._source.watch(changed, stopped)

    def poke(self) -> None:
        self._source.poke()

    def describe(self) -> str:
        return self._source.describe()

    def close(self) -> None:
        self._source.close()


class CurrentCatalog:
    """The fleet's own entries over *others*. Safe from any thread."""

    def __init__(self, watched: Watched, others: CachedCatalog | Catalogs, *, clock: Clock) -> None:
        self._watched, self._others, self._clock = watched, others, clock
        self._fleet = FleetCatalog(others)
        self._lock = threading.Lock()
        self._last: tuple[float, Snapshot, Catalog] | None = None

    def catalog(self) -> Catalog:
        """All entries; where some cannot be read, the catalog's *problem* says so."""
        now, snapshot = self._clock.monotonic(), self._watched.last
        with self._lock:
            last = self._last
            if last is not None and last[1] is snapshot and now - last[0] < _FRESH:
                return last[2]
            try:
                found = self._fleet.catalog(snapshot)
            except HerdsmanError as error:
                found = replace(last[2] if last is not None else Catalog(), problem=str(error))
            self._last = now, snapshot, found
            return found

    def refresh(self) -> Catalog:
        """The same, with the others read anew."""
        self._others.refresh()
        with self._lock:
            self._last = None
        return self.catalog()
