"""Tells the host of the repository how the commit in force fares, whenever that may have changed, and not too often."""

import threading
from collections.abc import Callable

from herdsman.core.verdict import Verdict, verdict
from herdsman.model.desired import Desired
from herdsman.model.sources import SourceState
from herdsman.ports import CommitStatuses, StatusStore

PAUSE = 1.0
"""Seconds between two verdicts: a large commit changes many statuses in a moment."""


class Herald:
    """Reports for the repository *url*. *context* tells several fleets that follow one repository apart."""

    def __init__(self, statuses: CommitStatuses, *, url: str, context: str = "herdsman", target_url: str = "") -> None:
        self._statuses, self._url, self._context, self._target = statuses, url, context, target_url
        self._moved = threading.Event()

    def moved(self) -> None:
        """Something that a verdict stands on may have changed."""
        self._moved.set()

    def run(
        self,
        desired: Callable[[], Desired],
        source: Callable[[], SourceState],
        store: StatusStore,
        stopping: threading.Event,
    ) -> None:
        """Report until *stopping* is set."""
        while not stopping.wait(PAUSE):
            if self._moved.is_set():
                self._moved.clear()
                self.tell(desired(), source(), store)

    def tell(self, desired: Desired, source: SourceState, store: StatusStore) -> Verdict | None:
        """Report how the commit of *source* fares; None where it shows none, or *desired* was read from another."""
        seen = source.snapshot
        if seen is None or not seen.commit or seen.dirty or desired.revision != seen.name:
            return None
        found = verdict(desired, store.statuses())
        self._statuses.report(
            self._url,
            seen.commit,
            state=found.state,
            description=found.words,
            context=self._context,
            target_url=self._target,
        )
        return found
