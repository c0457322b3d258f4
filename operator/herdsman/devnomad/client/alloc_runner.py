"""One allocation: its tasks, in the order of their lifecycle, until all of them are over.

    prestart tasks that end  →  (with prestart sidecars running)  main tasks  →  poststart tasks
    main tasks over          →  sidecars are ended                →  poststop tasks

A task that fails takes its siblings with it; a leader's end ends the group.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace

from herdsman.devnomad.client import task_events
from herdsman.devnomad.client.health_watch import HealthWatch
from herdsman.devnomad.client.task_runner import TaskContext, TaskRunner
from herdsman.devnomad.clock import SECOND
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
        self.alloc, self.group = context.alloc, context.group
        self.id: str = self.alloc["ID"]
        self.dirs = context.dirs
        self._changed = changed
        inner = replace(context, changed=self._task_changed)
        self.tasks = {task["Name"]: TaskRunner(inner, task) for task in self.group["Tasks"]}
        self.health = HealthWatch(self)
        self._stopping = False
        self._main: asyncio.Task[None] | None = None
        self._runs: set[asyncio.Task[None]] = set()

    def changed(self) -> None:
        """There is news of the allocation."""
        self._changed(self.id)

    def _task_changed(self) -> None:
        self.health.task_changed()
        self.changed()

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
        if self.health.verdict is not None:
            told["DeploymentStatus"] = self.health.verdict
        return told

    # -- running ---------------------------------------------------------------------------------------------------
    def start(self, *, first: Coroutine[None, None, None] | None = None) -> None:
        """Begin; `first` comes before anything else."""
        for runner in self.tasks.values():
            runner.tell(task_events.received())
        self._main = asyncio.create_task(self._run(first))
        self.health.start()

    async def finished(self) -> None:
        """Wait until nothing of the allocation runs."""
        if self._main is not None:
            await asyncio.wait([self._main])

    async def _run(self, first: Coroutine[None, None, None] | None) -> None:
        if first is not None:
            await first
        if not self._stopping:
            await self._run_phases()
        for runner in self.tasks.values():
            if runner.state["State"] != "dead":
                runner.state = {**runner.state, "State": "dead"}
        self.health.stop_checks()
        self.changed()

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

    async def _end(self, runners: Iterable[TaskRunner], reason: Row | None, *, at_once: bool = False) -> None:
        alive = [runner for runner in runners if not runner.dead.is_set()]
        await asyncio.gather(*(runner.kill(dict(reason) if reason else None, at_once=at_once) for runner in alive))

    # -- what others want ------------------------------------------------------------------------------------------
    async def stop(self, *, at_once: bool = False) -> None:
        """End the allocation: the leader first, then everybody; `at_once` without the delays of group and tasks."""
        if self._main is None or self._stopping:
            return
        self._stopping = True
        self.health.stop()
        delay = self.group.get("ShutdownDelay") or 0
        if delay and not self.over and not at_once:
            await asyncio.sleep(delay / SECOND)
        alive = [runner for runner in self.tasks.values() if runner.hook != "poststop"]
        await self._end([runner for runner in alive if runner.leader], None, at_once=at_once)
        await self._end(alive, None, at_once=at_once)
        await asyncio.wait([self._main])

    async def abandon(self) -> None:
        """Let go of everything, at once: the server stops."""
        self._stopping = True
        self.health.stop()
        tasks = [task for task in (self._main, *self._runs) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(runner.close() for runner in self.tasks.values()))

    def update(self, alloc: Row) -> None:
        """The allocation stays, under a new version of its job."""
        redeployed = alloc["DeploymentID"] != self.alloc["DeploymentID"]
        self.alloc, self.group = alloc, group_of(alloc)
        for task in self.group["Tasks"]:
            self.tasks[task["Name"]].update(task)
        self.health.renew_checks()
        if redeployed:
            self.health.start_anew()

    def _chosen(self, name: str) -> list[TaskRunner]:
        if name and name not in self.tasks:
            raise ValueError(f'Task not found "{name}"')
        return [self.tasks[name]] if name else [each for each in self.tasks.values() if each.running]

    async def restart_tasks(self, name: str) -> None:
        """Start one task anew, or all that run; ValueError where it does not run."""
        chosen = self._chosen(name)
        if not chosen:
            raise ValueError("Task not running")
        await asyncio.gather(*(each.restart("User requested task to restart") for each in chosen))

    def signal_tasks(self, name: str, signal: str) -> None:
        """Send one task a signal, or all that run; ValueError where it does not run or does not take it."""
        for each in self._chosen(name):
            each.signal(signal, "User requested task to be signaled")


def group_of(alloc: Row) -> Row:
    """The group that an allocation is one of."""
    group: Row = next(each for each in alloc["Job"]["TaskGroups"] if each["Name"] == alloc["TaskGroup"])
    return group


def _client_status(states: Iterable[Row], *, over: bool) -> str:
    known = list(states)
    if any(state["State"] == "dead" and state["Failed"] for state in known):
        return "failed"
    if any(state["State"] == "running" for state in known):
        return "running"
    return "complete" if over or all(state["State"] == "dead" for state in known) else "pending"
