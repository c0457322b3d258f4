"""Commands run beside a task: `nomad alloc exec`, and the actions of jobs."""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass

from herdsman.devnomad.client.reaper import Reaper
from herdsman.devnomad.client.task_runner import TaskRunner

_CHUNK = 32 * 1024


@dataclass(frozen=True, slots=True)
class Output:
    """What a command said, on which stream; no data means that the stream ended."""

    stream: str
    data: bytes


class Exec:
    """A command that runs."""

    def __init__(self, process: asyncio.subprocess.Process, reaper: Reaper, *, terminal: int | None) -> None:
        self._process, self._reaper, self._terminal = process, reaper, terminal
        self._queue: asyncio.Queue[Output] = asyncio.Queue()
        self._pumps = self._start_pumps()

    def _start_pumps(self) -> list[asyncio.Task[None]]:
        if self._terminal is not None:
            return [asyncio.create_task(self._pump_terminal(self._terminal))]
        streams = (("stdout", self._process.stdout), ("stderr", self._process.stderr))
        return [asyncio.create_task(self._pump(name, stream)) for name, stream in streams if stream is not None]

    async def _pump(self, name: str, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(_CHUNK):
            await self._queue.put(Output(name, data))
        await self._queue.put(Output(name, b""))

    async def _pump_terminal(self, terminal: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(terminal), "rb", 0)
        )
        try:
            with contextlib.suppress(OSError):  # a terminal ends with an error where a pipe just ends
                while data := await reader.read(_CHUNK):
                    await self._queue.put(Output("stdout", data))
        finally:
            transport.close()
        await self._queue.put(Output("stdout", b""))

    async def output(self) -> AsyncIterator[Output]:
        """What the command says, until all its streams have ended."""
        left = len(self._pumps)
        while left:
            said = await self._queue.get()
            left -= not said.data
            yield said

    async def exit_code(self) -> int:
        """Wait until the command ends."""
        code = await self._process.wait()
        self._reaper.forget(self._process.pid)
        return code if code >= 0 else 128 - code

    async def write(self, data: bytes) -> None:
        """Tell the command something."""
        if self._terminal is not None:
            os.write(self._terminal, data)
        elif self._process.stdin is not None:
            self._process.stdin.write(data)
            with contextlib.suppress(ConnectionError):
                await self._process.stdin.drain()

    def close_input(self) -> None:
        """Tell the command that nothing more comes."""
        if self._terminal is not None:
            os.write(self._terminal, b"\x04")
        elif self._process.stdin is not None:
            self._process.stdin.close()

    def resize(self, *, height: int, width: int) -> None:
        """The terminal has another size."""
        if self._terminal is not None:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def close(self) -> None:
        """End the command, whatever it does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            await self._process.wait()
        self._reaper.forget(self._process.pid)
        if self._terminal is not None:
            os.close(self._terminal)


async def start(runner: TaskRunner, command: list[str], *, tty: bool) -> Exec:
    """Run a command in a task's directory and environment; OSError where it cannot be run."""
    context = runner.context
    terminal, inner = pty.openpty() if tty else (None, None)
    pipe = asyncio.subprocess.PIPE if inner is None else inner
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=context.dirs.task(runner.name),
            env=runner.environment,
            start_new_session=True,
        )
    except OSError:
        if terminal is not None:
            os.close(terminal)
        raise
    finally:
        if inner is not None:
            os.close(inner)
    context.reaper.watch(process.pid)
    return Exec(process, context.reaper, terminal=terminal)
