"""The health of an allocation of a deployment, watched: by its tasks, and by the checks of its services."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from herdsman.devnomad.client import health, task_events
from herdsman.devnomad.client.checks import Check, Checker, checks_of
from herdsman.devnomad.client.task_runner import TaskRunner
from herdsman.devnomad.clock import SECOND, now_ns
from herdsman.devnomad.types import Row

if TYPE_CHECKING:
    from herdsman.devnomad.client.alloc_runner import AllocRunner


class HealthWatch:
    """Watches one allocation."""

    def __init__(self, runner: "AllocRunner") -> None:
        self._runner = runner
        self._wake = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._restarting: set[asyncio.Task[None]] = set()
        self._since = now_ns()
        self._closed = False
        self.checker: Checker | None = None
        self.verdict: Row | None = None
        """`DeploymentStatus` as the client tells it; none before there is anything to tell."""

    # -- life ------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Watch, where the allocation is part of a deployment that still wants to know."""
        alloc, strategy = self._runner.alloc, self._runner.group["Update"]
        known = (alloc["DeploymentStatus"] or {}).get("Healthy")
        if alloc["DeploymentID"] and known is None and strategy and strategy["HealthCheck"] != "manual":
            self._watching = asyncio.create_task(self._watch(strategy))

    def start_anew(self) -> None:
        """Watch for another deployment."""
        self._stop_watching()
        self.verdict = None
        self._since = now_ns()
        self.start()

    def stop(self) -> None:
        """Watch and check no more."""
        self._closed = True
        self._stop_watching()
        self.stop_checks()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    # -- tasks -----------------------------------------------------------------------------------------------------
    def task_changed(self) -> None:
        """A task's state changed."""
        self._wake.set()
        if self.checker is None and not self._closed and any(t.real and t.running for t in self._runner.tasks.values()):
            self._start_checks()

    async def _watch(self, strategy: Row) -> None:
        runner = self._runner
        while True:
            self._wake.clear()
            now = now_ns()
            reading = health.read(
                runner.group,
                {name: task.state for name, task in runner.tasks.items()},
                strategy=strategy,
                since=self._since,
                now=now,
                checks_pass_since=self._checks_pass_since() if strategy["HealthCheck"] == "checks" else 0,
            )
            if reading.healthy is not None:
                self._judge(reading, now)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(reading.again - now, 0) / SECOND + 0.001):
                    await self._wake.wait()

    def _judge(self, reading: health.Reading, now: int) -> None:
        self.verdict = {"Healthy": reading.healthy, "Timestamp": now}
        if not reading.healthy:
            for task in self._runner.tasks.values():
                if not task.dead.is_set():
                    task.tell(task_events.alloc_unhealthy(reading.reason))
        self._runner.changed()

    # -- checks ----------------------------------------------------------------------------------------------------
    def renew_checks(self) -> None:
        """The checks may be others now."""
        if self.checker is not None:
            self.stop_checks()
            self._start_checks()

    def _start_checks(self) -> None:
        """Real tasks that run are checked; nobody listens behind simulated ones."""
        checks = list(checks_of(self._runner.alloc, self._runner.group))
        self.checker = Checker(checks, changed=self._wake.set, restart=self._restart_for)

    def stop_checks(self) -> None:
        """Make no more checks."""
        if self.checker is not None:
            self.checker.stop()

    def _restart_for(self, check: Check) -> None:
        """A check failed too often."""
        tasks = self._runner.tasks
        task = tasks.get(check.task) or next(each for each in tasks.values() if each.main)
        if task.running:
            restarting = asyncio.create_task(_restart(task, f'healthcheck: check "{check.spec["Name"]}" unhealthy'))
            self._restarting.add(restarting)
            restarting.add_done_callback(self._restarting.discard)

    def _checks_pass_since(self) -> int | None:
        if self.checker is not None:
            return self.checker.passing_since()
        return None if any(task.real for task in self._runner.tasks.values()) else 0


async def _restart(task: TaskRunner, why: str) -> None:
    with contextlib.suppress(ValueError):  # it ended meanwhile
        await task.restart(why)
