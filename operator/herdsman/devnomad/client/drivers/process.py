"""`raw_exec` and `exec`: a real process in a session of its own, with everything it starts in its group."""

import asyncio
import contextlib
import os
import signal as signals
from typing import Final

from herdsman.devnomad.client.drivers.base import Handle, Launch, Result, StartError
from herdsman.devnomad.client.reaper import Reaper

_CHUNK: Final = 64 * 1024
_SIGNAL_BASE: Final = 128
_DRAIN: Final = 0.5
"""How long a dead task's last words are waited for, where something still holds its pipes."""


def signal_number(name: str, *, default: signals.Signals = signals.SIGINT) -> signals.Signals:
    """The signal of this name; ValueError where there is none."""
    if not name:
        return default
    try:
        return signals.Signals[name.upper()]
    except KeyError as error:
        raise ValueError(f"unknown signal {name}") from error


class ProcessHandle:
    """A real process and its group."""

    def __init__(self, process: asyncio.subprocess.Process, launch: Launch, reaper: Reaper) -> None:
        self.pid: int | None = process.pid
        self._process, self._reaper = process, reaper
        self._pumps = [
            asyncio.create_task(_pump(stream, name, launch))
            for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr"))
            if stream is not None
        ]

    async def wait(self) -> Result:
        """Wait until the process ends; then nothing of its group is left."""
        code = await self._process.wait()
        self._kill_group()
        _, late = await asyncio.wait(self._pumps, timeout=_DRAIN)
        for pump in late:
            pump.cancel()
        self._reaper.forget(self._process.pid)
        return Result(code) if code >= 0 else Result(_SIGNAL_BASE - code, -code)

    async def kill(self, signal: str, timeout: float) -> None:
        """Send the signal, wait, and end the whole group."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal_number(signal))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._process.wait()), timeout)
        self._kill_group()

    def signal(self, name: str) -> None:
        """Send the process a signal."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal_number(name))

    async def close(self) -> None:
        """End the whole group at once."""
        self._kill_group()
        await self._process.wait()
        for pump in self._pumps:
            pump.cancel()
        self._reaper.forget(self._process.pid)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signals.SIGKILL)


async def _pump(stream: asyncio.StreamReader, name: str, launch: Launch) -> None:
    while data := await stream.read(_CHUNK):
        with contextlib.suppress(OSError):  # where the disk is full, a task's words are lost, and it goes on
            launch.write_log(name, data)


class ProcessDriver:
    """Starts real processes."""

    real = True

    def announcement(self) -> str:
        """Nothing: it is what it seems."""
        return ""

    async def start(self, launch: Launch) -> Handle:
        """Start the command."""
        command = launch.config.get("command")
        if not command:
            raise StartError("failed to launch command: command must be set in the task's config")
        arguments = [str(each) for each in launch.config.get("args") or ()]
        try:
            process = await asyncio.create_subprocess_exec(
                str(command),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=launch.config.get("work_dir") or launch.task_dir,
                env=dict(launch.env),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise StartError(f"failed to launch command with executor: {_words(error, str(command))}") from error
        launch.reaper.watch(process.pid)
        return ProcessHandle(process, launch, launch.reaper)


def _words(error: Exception, command: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f'exec: "{command}": executable file not found in $PATH'
    if isinstance(error, PermissionError):
        return f"fork/exec {command}: permission denied"
    return str(error)
