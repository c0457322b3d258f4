"""What a driver is: something that starts a task and gives a handle to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from herdsman.devnomad.client.reaper import Reaper
from herdsman.devnomad.types import Row


class StartError(Exception):
    """A task could not be started; `recoverable` where another try may help."""

    def __init__(self, text: str, *, recoverable: bool = False) -> None:
        super().__init__(text)
        self.recoverable = recoverable


@dataclass(frozen=True, slots=True)
class Launch:
    """All that a driver needs to start a task."""

    task: Row
    config: Row
    env: Mapping[str, str]
    task_dir: Path
    write_log: Callable[[str, bytes], None]
    """Takes `stdout` or `stderr`, and what the task said there."""
    reaper: Reaper
    runs_once: bool
    """Whether the task is meant to end by itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a task ended."""

    exit_code: int = 0
    signal: int = 0
    message: str = ""

    @property
    def success(self) -> bool:
        """Whether it ended well."""
        return self.exit_code == 0 and self.signal == 0 and not self.message


class Handle(Protocol):
    """A running task."""

    pid: int | None

    async def wait(self) -> Result:
        """Wait until it ends."""

    async def kill(self, signal: str, timeout: float) -> None:
        """Ask it to end, and end it when the time is up."""

    def signal(self, name: str) -> None:
        """Send it a signal; ValueError where it does not take it."""

    async def close(self) -> None:
        """End it at once, and let go of everything."""


class Driver(Protocol):
    """A way to run tasks."""

    real: bool
    """Whether tasks are processes of this machine."""

    async def start(self, launch: Launch) -> Handle:
        """Start a task; `StartError` where that fails."""

    def announcement(self) -> str:
        """What a task's events say of this driver; empty where there is nothing to say."""
