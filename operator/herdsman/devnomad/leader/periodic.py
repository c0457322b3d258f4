"""Periodic jobs: each has one timer, for its next launch."""

import asyncio
import logging
from datetime import UTC, datetime

from herdsman.devnomad.clock import SECOND
from herdsman.devnomad.leader.tasks import Pending
from herdsman.devnomad.rpc.launches import Launches
from herdsman.devnomad.state import jobs
from herdsman.devnomad.state.events import Change
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.structs.cron import next_launch
from herdsman.devnomad.types import JobKey, Row

_log = logging.getLogger("devnomad.periodic")
_LONGEST = 24 * 3600.0
"""Timers of the event loop are not set for longer; the job is looked at again then."""


class Periodic:
    """Launches periodic jobs when it is time."""

    def __init__(self, store: Store, launches: Launches) -> None:
        self._store, self._launches = store, launches
        self._timers: dict[JobKey, asyncio.TimerHandle] = {}
        self._pending = Pending(self._look)

    def changed(self, _index: int, changes: list[Change]) -> None:
        """A write: a periodic job came, changed or went."""
        for change in changes:
            if change.table == "jobs" and (change.row["Periodic"] or (change.old or {}).get("Periodic")):
                self._pending.add("\0".join(jobs.key_of(change.row)))

    def resume(self) -> None:
        """Set the timers of all jobs there are."""
        for job in self._store.jobs:
            if job["Periodic"]:
                self._schedule(jobs.key_of(job))

    def stop(self) -> None:
        """Launch nothing more."""
        self._pending.stop()
        for timer in self._timers.values():
            timer.cancel()

    def _look(self, joined: str) -> None:
        namespace, _, job_id = joined.partition("\0")
        self._schedule((namespace, job_id))

    def _schedule(self, key: JobKey) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        job = self._store.jobs.get(key)
        if job is None or job["Stop"] or not job["Periodic"] or not job["Periodic"]["Enabled"]:
            return
        now = datetime.now(UTC)
        moment = next_launch(job["Periodic"], now)
        if moment is None:
            return
        wait = (moment - now).total_seconds()
        loop = asyncio.get_running_loop()
        if wait > _LONGEST:
            self._timers[key] = loop.call_later(_LONGEST, self._schedule, key)
        else:
            self._timers[key] = loop.call_later(wait, self._launch, key, int(moment.timestamp()) * SECOND)

    def _launch(self, key: JobKey, at: int) -> None:
        job: Row | None = self._store.jobs.get(key)
        if job is not None and job["Periodic"] and not job["Stop"]:
            if self._launches.may_launch(job):
                self._launches.launch_periodic(job, at=at)
            else:
                _log.info("%s is not launched: its last launch still runs", key[1])
        self._schedule(key)
