"""One task, from its preparation to its end: started, watched, started again where its policy says so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from herdsman.devnomad.client import prepare, task_events, taskenv
from herdsman.devnomad.client.allocdir import AllocDir
from herdsman.devnomad.client.drivers import Handle, Launch, Result, StartError, driver_of
from herdsman.devnomad.client.logs import LogWriter
from herdsman.devnomad.client.reaper import Reaper
from herdsman.devnomad.client.restarts import RestartTracker, Verdict
from herdsman.devnomad.clock import SECOND, now_ns, rfc3339
from herdsman.devnomad.types import Row

RUNS_ONCE_TYPES: Final = frozenset({"batch", "sysbatch"})


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a task runner has around it."""

    alloc: Row
    group: Row
    node: Row
    dirs: AllocDir
    reaper: Reaper
    variables: Callable[[str, str], Row | None]
    """Reads a Nomad variable: namespace and path."""
    changed: Callable[[], None]


@dataclass(slots=True)
class _Flow:
    """What others want of the task."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    restart: bool = False
    handle: Handle | None = None


class TaskRunner:
    """Runs one task of one allocation."""

    def __init__(self, context: TaskContext, task: Row) -> None:
        self.context, self.task = context, task
        self.name: str = task["Name"]
        self.hook: str = (task["Lifecycle"] or {}).get("Hook") or ""
        self.sidecar = bool((task["Lifecycle"] or {}).get("Sidecar"))
        self.leader = bool(task["Leader"])
        self.state: Row = {
            "State": "pending",
            "Failed": False,
            "Restarts": 0,
            "LastRestart": None,
            "StartedAt": None,
            "FinishedAt": None,
            "Events": [],
            "TaskHandle": None,
            "Paused": "",
        }
        self.started = asyncio.Event()
        self.dead = asyncio.Event()
        self._flow = _Flow()
        self._restarts = RestartTracker(task["RestartPolicy"] or _NO_RESTARTS, runs_once=self.runs_once)
        self._logs = LogWriter(context.dirs.logs, self.name, task["LogConfig"])
        self._prepared = False
        self._env: dict[str, str] = {}
        self._driver = driver_of(task["Driver"])

    # -- what it is ------------------------------------------------------------------------------------------------
    @property
    def runs_once(self) -> bool:
        """Whether the task is meant to end by itself."""
        if self.hook:
            return not self.sidecar
        return self.context.alloc["Job"]["Type"] in RUNS_ONCE_TYPES

    @property
    def real(self) -> bool:
        """Whether the task is a process of this machine."""
        return self._driver.real

    @property
    def main(self) -> bool:
        """Whether the task is what the group is there for, and no hook."""
        return not self.hook

    @property
    def running(self) -> bool:
        """Whether the task runs now."""
        return bool(self.state["State"] == "running")

    @property
    def failed(self) -> bool:
        """Whether the task ended badly."""
        return bool(self.state["Failed"])

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""
        return self._flow.handle.pid if self._flow.handle is not None else None

    @property
    def environment(self) -> dict[str, str]:
        """What the task sees, as far as it is prepared."""
        return dict(self._env)

    def tell(self, happened: Row, **state: Any) -> None:
        """Note an event, and what changes with it. Old states stay as they were: they may be on their way out."""
        events = [*self.state["Events"], happened][-task_events.KEPT :]
        self.state = {**self.state, "Events": events, **state}
        self.context.changed()

    # -- running ---------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Run the task until it is over."""
        try:
            while not self._flow.stop.is_set():
                verdict = await self._once()
                if not verdict.restart or self._flow.stop.is_set():
                    self._over(verdict)
                    return
                await self._pause(verdict)
            self._over(Verdict(restart=False))
        finally:
            self._logs.close()
            self.started.set()
            self.dead.set()

    async def _once(self) -> Verdict:
        try:
            handle = await self._start()
        except prepare.PrepareError as error:
            self.tell(error.event)
            return self._restarts.after_failure(recoverable=error.recoverable, now=now_ns(), error=str(error))
        except StartError as error:
            self.tell(task_events.driver_failure(str(error)))
            return self._restarts.after_failure(recoverable=error.recoverable, now=now_ns(), error=str(error))
        self._flow.handle = handle
        self.tell(task_events.started(), State="running", StartedAt=rfc3339(now_ns()))
        self.started.set()
        result = await handle.wait()
        self._flow.handle = None
        self.tell(task_events.terminated(result.exit_code, result.signal, message=result.message))
        if self._flow.restart and not self._flow.stop.is_set():
            self._flow.restart = False
            return Verdict(restart=True, reason="")
        return self._restarts.after_exit(success=result.success, now=now_ns())

    async def _start(self) -> Handle:
        context = self.context
        if not self._prepared:
            self.tell(task_events.setup())
        env = taskenv.build(context.alloc, context.group, self.task, context.node, dirs=context.dirs)
        if not self._prepared:
            env |= await prepare.prepare(self, env)
            self._prepared = True
            announcement = self._driver.announcement()
            if announcement:
                self.tell(task_events.driver(announcement))
        else:
            env |= prepare.template_environment(self, env)
        self._env = env
        if self._flow.stop.is_set():
            raise StartError("task was stopped before it was started")
        real_env = {**taskenv.host_environment(), **env} if self.real else env
        launch = Launch(
            task=self.task,
            config=taskenv.interpolate_all(self.task["Config"] or {}, real_env, context.node),
            env=real_env,
            task_dir=context.dirs.task(self.name),
            write_log=self._logs.write,
            reaper=context.reaper,
            runs_once=self.runs_once and bool(self.hook),
        )
        if self.real:
            self._logs.touch()
        return await self._driver.start(launch)

    async def _pause(self, verdict: Verdict) -> None:
        now = rfc3339(now_ns())
        self.tell(
            task_events.restarting(verdict.delay, verdict.reason),
            State="pending",
            Restarts=self.state["Restarts"] + 1,
            LastRestart=now,
        )
        try:
            async with asyncio.timeout(verdict.delay / SECOND):
                await self._flow.stop.wait()
        except TimeoutError:
            return

    def _over(self, verdict: Verdict) -> None:
        finished = rfc3339(now_ns())
        if verdict.failed and not self._flow.stop.is_set():
            self.tell(task_events.not_restarting(verdict.reason), State="dead", Failed=True, FinishedAt=finished)
        else:
            self.state = {**self.state, "State": "dead", "FinishedAt": finished}
            self.context.changed()

    # -- what others want ------------------------------------------------------------------------------------------
    async def kill(self, reason: Row | None = None) -> None:
        """End the task and wait for its end; `reason` is the event that says why."""
        if self.dead.is_set():
            return
        if reason is not None:
            self.tell(reason)
        handle = self._flow.handle
        if handle is None:
            self._flow.stop.set()
            return
        delay = self.task["ShutdownDelay"] or 0
        if delay:
            await asyncio.sleep(delay / SECOND)
        await self._end(handle)
        self.tell(task_events.killed())

    async def _end(self, handle: Handle) -> None:
        timeout: int = self.task["KillTimeout"] or 0
        self.tell(task_events.killing(timeout))
        self._flow.stop.set()
        await handle.kill(self.task["KillSignal"] or "", timeout / SECOND)
        await self.dead.wait()

    async def restart(self, reason: str) -> None:
        """End the task, and let it start again."""
        handle = self._flow.handle
        if handle is None:
            raise ValueError("Task not running")
        self.tell(task_events.restart_signaled(reason))
        self._flow.restart = True
        await handle.kill(self.task["KillSignal"] or "", (self.task["KillTimeout"] or 0) / SECOND)

    def signal(self, name: str, reason: str) -> None:
        """Send the task a signal; ValueError where it does not run or does not take it."""
        handle = self._flow.handle
        if handle is None:
            raise ValueError("Task not running")
        self.tell(task_events.signaled(name, reason))
        handle.signal(name)


_NO_RESTARTS: Final[Row] = {"Attempts": 0, "Interval": 0, "Delay": 0, "Mode": "fail"}
__all__ = ["Result", "TaskContext", "TaskRunner"]
