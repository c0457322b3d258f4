"""One task, from its preparation to its end: started, watched, started again where its policy says so."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from herdsman.devnomad.client import prepare, task_events, taskenv
from herdsman.devnomad.client.allocdir import AllocDir
from herdsman.devnomad.client.drivers import Handle, Launch, StartError, driver_of
from herdsman.devnomad.client.logs import LogWriter
from herdsman.devnomad.client.reaper import Reaper
from herdsman.devnomad.client.restarts import RestartTracker, Verdict
from herdsman.devnomad.client.templates import TaskTemplates, TemplateError
from herdsman.devnomad.clock import SECOND, now_ns, rfc3339
from herdsman.devnomad.types import Row

_log = logging.getLogger("devnomad.client")
RUNS_ONCE_TYPES: Final = frozenset({"batch", "sysbatch"})
_NO_RESTARTS: Final[Row] = {"Attempts": 0, "Interval": 0, "Delay": 0, "Mode": "fail"}
_NEW: Final[Row] = {
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


class _Stopped(Exception):
    """The task was stopped before it was started."""


class TaskRunner:
    """Runs one task of one allocation."""

    def __init__(self, context: TaskContext, task: Row) -> None:
        self.context, self.task = context, task
        self.name: str = task["Name"]
        self.hook: str = (task["Lifecycle"] or {}).get("Hook") or ""
        self.sidecar = bool((task["Lifecycle"] or {}).get("Sidecar"))
        self.leader = bool(task["Leader"])
        self.state = _NEW
        self.started = asyncio.Event()
        self.dead = asyncio.Event()
        self.variable_changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._restart_asked = False
        self._handle: Handle | None = None
        self._restarts = RestartTracker(task["RestartPolicy"] or _NO_RESTARTS, runs_once=self.runs_once)
        self._logs = LogWriter(context.dirs.logs, self.name, task["LogConfig"])
        self.templates = TaskTemplates(
            context.dirs.task(self.name), context.node, context.alloc["Namespace"], context.variables
        )
        self._rerendering: asyncio.Task[None] | None = None
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
        return self._handle.pid if self._handle is not None else None

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
            while not self._stop.is_set():
                verdict = await self._once()
                if not verdict.restart or self._stop.is_set():
                    self._over(verdict)
                    return
                await self._pause(verdict)
            self._over(Verdict(restart=False))
        except Exception:  # noqa: BLE001 - a bug fails one task, and stays in the log
            _log.exception("task %s of allocation %s failed", self.name, self.context.alloc["ID"])
            self._over(Verdict(restart=False, failed=True, reason="internal error in the embedded Nomad"))
        finally:
            if self._rerendering is not None:
                self._rerendering.cancel()
            self._logs.close()
            self.started.set()
            self.dead.set()

    async def _once(self) -> Verdict:
        try:
            handle = await self._start()
        except _Stopped:
            return Verdict(restart=False)
        except prepare.PrepareError as error:
            self.tell(error.event)
            return self._restarts.after_failure(recoverable=error.recoverable, now=now_ns(), error=str(error))
        except OSError as error:
            self.tell(task_events.setup_failure(f"failed to set up the task: {error}"))
            return self._restarts.after_failure(recoverable=True, now=now_ns(), error=str(error))
        except StartError as error:
            self.tell(task_events.driver_failure(str(error)))
            return self._restarts.after_failure(recoverable=error.recoverable, now=now_ns(), error=str(error))
        self._handle = handle
        self.tell(task_events.started(), State="running", StartedAt=rfc3339(now_ns()))
        self.started.set()
        result = await handle.wait()
        self._handle = None
        self.tell(task_events.terminated(result.exit_code, result.signal, message=result.message))
        if self._restart_asked and not self._stop.is_set():
            self._restart_asked = False
            return Verdict(restart=True, reason="")
        return self._restarts.after_exit(success=result.success, now=now_ns())

    async def _start(self) -> Handle:
        self._env = env = await self._prepare()
        if self._stop.is_set():
            raise _Stopped
        context = self.context
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

    async def _prepare(self) -> dict[str, str]:
        """Make ready, the first time all of it; answers the task's environment."""
        context = self.context
        env = taskenv.build(context.alloc, context.group, self.task, context.node, dirs=context.dirs)
        if self._prepared:
            with contextlib.suppress(TemplateError):  # what was written before stays
                env |= prepare.template_environment(self, env)
            return env
        self.tell(task_events.setup())
        env |= await prepare.prepare(self, env)
        self._prepared = True
        announcement = self._driver.announcement()
        if announcement:
            self.tell(task_events.driver(announcement))
        return env

    async def _pause(self, verdict: Verdict) -> None:
        now = rfc3339(now_ns())
        self.tell(
            task_events.restarting(verdict.delay, verdict.reason),
            State="pending",
            Restarts=self.state["Restarts"] + 1,
            LastRestart=now,
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(verdict.delay / SECOND):
                await self._stop.wait()

    def _over(self, verdict: Verdict) -> None:
        finished = rfc3339(now_ns())
        if verdict.failed and not self._stop.is_set():
            self.tell(task_events.not_restarting(verdict.reason), State="dead", Failed=True, FinishedAt=finished)
        else:
            self.state = {**self.state, "State": "dead", "FinishedAt": finished}
            self.context.changed()

    # -- what others want ------------------------------------------------------------------------------------------
    def update(self, task: Row) -> None:
        """The task goes on, under a new version of its job that differs in nothing it would notice."""
        self.task = task
        self._restarts.policy = task["RestartPolicy"] or _NO_RESTARTS

    async def kill(self, reason: Row | None = None, *, at_once: bool = False) -> None:
        """End the task and wait for its end; `reason` is the event that says why."""
        if self.dead.is_set():
            return
        if reason is not None:
            self.tell(reason)
        handle = self._handle
        if handle is None:
            self._stop.set()
            self.variable_changed.set()
            return
        delay = self.task["ShutdownDelay"] or 0
        if delay and not at_once:
            await asyncio.sleep(delay / SECOND)
        timeout: int = self.task["KillTimeout"] or 0
        self.tell(task_events.killing(timeout))
        self._stop.set()
        await handle.kill(self.task["KillSignal"] or "", timeout / SECOND)
        await self.dead.wait()
        self.tell(task_events.killed())

    async def close(self) -> None:
        """End what runs, at once; nothing is told any more."""
        if self._handle is not None:
            await self._handle.close()

    async def restart(self, reason: str) -> None:
        """End the task, and let it start again; ValueError where it does not run."""
        handle = self._handle
        if handle is None:
            raise ValueError("Task not running")
        self.tell(task_events.restart_signaled(reason))
        self._restart_asked = True
        await handle.kill(self.task["KillSignal"] or "", (self.task["KillTimeout"] or 0) / SECOND)

    def signal(self, name: str, reason: str) -> None:
        """Send the task a signal; ValueError where it does not run or does not take it."""
        handle = self._handle
        if handle is None:
            raise ValueError("Task not running")
        self.tell(task_events.signaled(name, reason))
        handle.signal(name)

    # -- variables -------------------------------------------------------------------------------------------------
    def note_variable(self, namespace: str, path: str) -> None:
        """A variable changed: templates that read it are rendered again."""
        if (namespace, path) in self.templates.watched:
            self.variable_changed.set()
            if self._prepared and self._rerendering is None:
                self._rerendering = asyncio.create_task(self._rerender())
                self._rerendering.add_done_callback(self._rerendered)

    def _rerendered(self, _task: "asyncio.Task[None]") -> None:
        self._rerendering = None

    async def until_variable_changes(self) -> None:
        """Wait for a variable that the templates read."""
        await self.variable_changed.wait()
        if self._stop.is_set():
            raise _Stopped

    async def _rerender(self) -> None:
        try:
            changed = self.templates.render(self.task["Templates"] or [], self._env).changed
        except TemplateError:
            return  # what was written before stays
        if not changed:
            return
        splay = max(template["Splay"] or 0 for template in changed) / SECOND
        await asyncio.sleep(random.random() * splay)  # noqa: S311 - only spreads restarts
        with contextlib.suppress(ValueError):  # it ended meanwhile
            await self._follow_templates(changed)

    async def _follow_templates(self, changed: list[Row]) -> None:
        """Do what the templates want done when their text changes; a restart makes signals needless."""
        modes = {template["ChangeMode"] for template in changed}
        if "script" in modes:
            self.tell(task_events.template("The embedded Nomad runs no change scripts of templates"))
        if "restart" in modes:
            await self.restart("Template with change_mode restart re-rendered")
            return
        for name in sorted({template["ChangeSignal"] for template in changed if template["ChangeMode"] == "signal"}):
            self.signal(name, "Template re-rendered")
