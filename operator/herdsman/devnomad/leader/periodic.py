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
        """Set the timers of all jobs there are; a launch that nobody was there for is made up for, once."""
        for job in [job for job in self._store.jobs if _launches(job)]:
            key = jobs.key_of(job)
            missed = self._missed(job)
            if missed is None:
                self._schedule(key)
            else:
                self._launch(key, missed)

    def _missed(self, job: Row) -> int | None:
        last = self._store.launches.get(jobs.key_of(job))
        if last is None:
            return None
        moment = next_launch(job["Periodic"], datetime.fromtimestamp(last["Launch"] / SECOND, UTC))
        return _ns(moment) if moment is not None and moment <= datetime.now(UTC) else None

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
        if job is None or not _launches(job):
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
            self._timers[key] = loop.call_later(wait, self._launch, key, _ns(moment))

    def _launch(self, key: JobKey, at: int) -> None:
        job = self._store.jobs.get(key)
        if job is not None and _launches(job):
            if self._launches.may_launch(job):
                self._launches.launch_periodic(job, at=at)
            else:
                _log.info("%s is not launched: its last launch still runs", key[1])
        self._schedule(key)


def _launches(job: Row) -> bool:
    return bool(job["Periodic"] and job["Periodic"]["Enabled"] and not job["Stop"])


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND
