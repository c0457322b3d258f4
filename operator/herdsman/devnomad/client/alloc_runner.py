"""One allocation: its tasks, in the order of their lifecycle, until all of them are over.

    prestart tasks that end  →  (with prestart sidecars running)  main tasks  →  poststart tasks
    main tasks over          →  sidecars are ended                →  poststop tasks

A task that fails takes its siblings with it; a leader's end ends the group.
"""

import asyncio
from collections.abc import Callable, Iterable

from herdsman.devnomad.client import health, task_events
from herdsman.devnomad.client.checks import Check, Checker, checks_of
from herdsman.devnomad.client.task_runner import TaskContext, TaskRunner
from herdsman.devnomad.clock import SECOND, now_ns
from herdsman.devnomad.types import Row

_CLIENT_DESCRIPTIONS = {
    "pending": "No tasks have started",
    "running": "Tasks are running",
    "failed": "Failed tasks",
    "complete": "All tasks have completed",
}


class AllocRunner:
    """Runs one allocation."""

    def __init__(self, context: TaskContext, *, changed: Callable[[str], None]) -> None:
        self.alloc = context.alloc
        self.group = context.group
        self.id: str = self.alloc["ID"]
        self._changed = changed
        self.dirs = context.dirs
        self._context = context
        self.tasks = {task["Name"]: TaskRunner(self._task_context(), task) for task in self.group["Tasks"]}
        self._stopping = False
        self._main: asyncio.Task[None] | None = None
        self._runs: set[asyncio.Task[None]] = set()
        self._health_wake = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self.checker: Checker | None = None
        self.deployment_status: Row | None = None
        self.placed_at = now_ns()

    def _task_context(self) -> TaskContext:
        outer = self._context
        return TaskContext(
            alloc=outer.alloc,
            group=outer.group,
            node=outer.node,
            dirs=outer.dirs,
            reaper=outer.reaper,
            variables=outer.variables,
            changed=self._task_changed,
        )

    def _task_changed(self) -> None:
        self._health_wake.set()
        self._changed(self.id)
        self._start_checks()

    def _start_checks(self) -> None:
        """Real tasks that run are checked; nobody listens behind simulated ones."""
        if (
            self.checker is None
            and not self._stopping
            and any(task.real and task.running for task in self.tasks.values())
        ):
            checks = list(checks_of(self.alloc, self.group))
            self.checker = Checker(checks, changed=self._health_wake.set, restart=self._restart_for)

    def _restart_for(self, check: Check) -> None:
        """A check failed too often."""
        runner = self.tasks.get(check.task) or next(each for each in self.tasks.values() if each.main)
        if runner.running:
            text = f'healthcheck: check "{check.spec["Name"]}" unhealthy'
            restarting = asyncio.create_task(runner.restart(text))
            self._runs.add(restarting)
            restarting.add_done_callback(self._runs.discard)

    def _checks_pass_since(self) -> int | None:
        if self.checker is not None:
            return self.checker.passing_since()
        return None if any(task.real for task in self.tasks.values()) else 0

    # -- what is told ----------------------------------------------------------------------------------------------
    @property
    def over(self) -> bool:
        """Whether nothing of the allocation runs or will run."""
        return self._main is not None and self._main.done()

    def status(self) -> Row:
        """What the servers are told."""
        states = {name: runner.state for name, runner in self.tasks.items()}
        status = _client_status(states.values(), over=self.over)
        told: Row = {
            "ClientStatus": status,
            "ClientDescription": _CLIENT_DESCRIPTIONS[status],
            "TaskStates": states,
        }
        if self.deployment_status is not None:
            told["DeploymentStatus"] = self.deployment_status
        return told

    # -- running ---------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin."""
        for runner in self.tasks.values():
            runner.tell(task_events.received())
        self._main = asyncio.create_task(self._run())
        self.watch_health()

    async def _run(self) -> None:
        await self._run_phases()
        for runner in self.tasks.values():
            if runner.state["State"] != "dead":
                runner.state = {**runner.state, "State": "dead"}
        self._stop_checks()
        self._changed(self.id)

    def _stop_checks(self) -> None:
        if self.checker is not None:
            self.checker.stop()

    async def _run_phases(self) -> None:
        ephemeral = self._with("prestart", sidecar=False)
        sidecars = self._with("prestart", sidecar=True) + self._with("poststart", sidecar=True)
        main = [runner for runner in self.tasks.values() if runner.main]
        ok = await self._run_prestart(ephemeral, self._with("prestart", sidecar=True))
        if ok:
            await self._run_main(main)
        await self._end(sidecars, task_events.main_dead())
        await self._end([r for r in self.tasks.values() if r.hook != "poststop"], None)
        await self._run_all(self._with("poststop", sidecar=False) + self._with("poststop", sidecar=True))

    def _with(self, hook: str, *, sidecar: bool) -> list[TaskRunner]:
        return [r for r in self.tasks.values() if r.hook == hook and r.sidecar is sidecar]

    def _launch(self, runner: TaskRunner) -> "asyncio.Task[None]":
        task = asyncio.create_task(runner.run())
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        return task

    async def _run_all(self, runners: list[TaskRunner]) -> None:
        if runners:
            await asyncio.wait([self._launch(runner) for runner in runners])

    async def _run_prestart(self, ephemeral: list[TaskRunner], sidecars: list[TaskRunner]) -> bool:
        for runner in sidecars:
            self._watch(self._launch(runner), runner)
        await self._run_all(ephemeral)
        failed = next((runner for runner in ephemeral if runner.failed), None)
        if failed is not None:
            await self._fail_siblings(failed)
            return False
        for runner in sidecars:
            await runner.started.wait()
        return not self._stopping and not any(runner.failed for runner in sidecars)

    async def _run_main(self, main: list[TaskRunner]) -> None:
        launched = {self._launch(runner): runner for runner in main}
        poststart = asyncio.create_task(self._run_poststart(main))
        waiting = set(launched)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await self._main_ended(launched[task])
        poststart.cancel()
        await asyncio.gather(poststart, return_exceptions=True)

    async def _main_ended(self, runner: TaskRunner) -> None:
        if self._stopping:
            return
        if runner.failed:
            await self._fail_siblings(runner)
        elif runner.leader:
            await self._end(self._others(runner), task_events.leader_dead())

    async def _run_poststart(self, main: list[TaskRunner]) -> None:
        for runner in main:
            await runner.started.wait()
        if self._stopping or not all(runner.running for runner in main):
            return
        for runner in self._with("poststart", sidecar=True) + self._with("poststart", sidecar=False):
            self._watch(self._launch(runner), runner)

    def _watch(self, task: "asyncio.Task[None]", runner: TaskRunner) -> None:
        """A sidecar that fails takes the group with it."""

        def ended(_: "asyncio.Task[None]") -> None:
            if runner.failed and not self._stopping:
                failing = asyncio.create_task(self._fail_siblings(runner))
                self._runs.add(failing)
                failing.add_done_callback(self._runs.discard)

        task.add_done_callback(ended)

    def _others(self, runner: TaskRunner) -> list[TaskRunner]:
        return [each for each in self.tasks.values() if each is not runner and each.hook != "poststop"]

    async def _fail_siblings(self, failed: TaskRunner) -> None:
        await self._end(self._others(failed), task_events.sibling_failed(failed.name))

    async def _end(self, runners: Iterable[TaskRunner], reason: Row | None) -> None:
        alive = [runner for runner in runners if not runner.dead.is_set()]
        await asyncio.gather(*(runner.kill(dict(reason) if reason else None) for runner in alive))

    # -- what others want ------------------------------------------------------------------------------------------
    async def stop(self) -> None:
        """End the allocation: the leader first, then everybody."""
        if self._main is None or self._stopping:
            return
        self._stopping = True
        self._stop_watching()
        self._stop_checks()
        delay = self.group.get("ShutdownDelay") or 0
        if delay and not self.over:
            await asyncio.sleep(delay / SECOND)
        alive = [runner for runner in self.tasks.values() if runner.hook != "poststop"]
        await self._end([runner for runner in alive if runner.leader], None)
        await self._end(alive, None)
        await asyncio.wait([self._main])

    async def abandon(self) -> None:
        """Let go of everything, at once: the server stops."""
        self._stopping = True
        self._stop_watching()
        self._stop_checks()
        tasks = [task for task in (self._main, *self._runs) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def update(self, alloc: Row) -> None:
        """The allocation stays, under a new version of its job."""
        redeployed = alloc["DeploymentID"] != self.alloc["DeploymentID"]
        self.alloc = alloc
        if redeployed:
            self.deployment_status = None
            self.placed_at = now_ns()
            self._stop_watching()
            self.watch_health()

    # -- health ----------------------------------------------------------------------------------------------------
    def watch_health(self) -> None:
        """Watch the allocation's health, where it is part of a deployment that still wants to know."""
        status = self.alloc["DeploymentStatus"] or {}
        group = next(g for g in self.alloc["Job"]["TaskGroups"] if g["Name"] == self.group["Name"])
        strategy = group["Update"]
        if not self.alloc["DeploymentID"] or status.get("Healthy") is not None or not strategy:
            return
        if strategy["HealthCheck"] != "manual":
            self._watcher = asyncio.create_task(self._watch_health(group, strategy))

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _watch_health(self, group: Row, strategy: Row) -> None:
        while True:
            self._health_wake.clear()
            now = now_ns()
            states = {name: runner.state for name, runner in self.tasks.items()}
            passing = self._checks_pass_since() if strategy["HealthCheck"] == "checks" else 0
            reading = health.read(
                group, states, strategy=strategy, since=self.placed_at, now=now, checks_pass_since=passing
            )
            if reading.healthy is not None:
                self._judge(reading, now)
                return
            try:
                async with asyncio.timeout(max(reading.again - now, 0) / SECOND + 0.001):
                    await self._health_wake.wait()
            except TimeoutError:
                continue

    def _judge(self, reading: health.Reading, now: int) -> None:
        self.deployment_status = {"Healthy": reading.healthy, "Timestamp": now}
        if not reading.healthy:
            for runner in self.tasks.values():
                if not runner.dead.is_set():
                    runner.tell(task_events.alloc_unhealthy(reading.reason))
        self._changed(self.id)


def _client_status(states: Iterable[Row], *, over: bool) -> str:
    known = list(states)
    if any(state["State"] == "dead" and state["Failed"] for state in known):
        return "failed"
    if any(state["State"] == "running" for state in known):
        return "running"
    return "complete" if over or all(state["State"] == "dead" for state in known) else "pending"
