"""`mock_driver`: a task that runs for as long as its configuration says, and ends as it says."""

import asyncio
from typing import Final

from herdsman.devnomad.client.drivers.base import Handle, Launch, Result, StartError
from herdsman.devnomad.clock import SECOND
from herdsman.devnomad.durations import DurationError, as_ns
from herdsman.devnomad.types import Row

_FOREVER: Final = 10 * 365 * 24 * 3600.0


def _seconds(config: Row, key: str) -> float:
    try:
        return as_ns(config.get(key)) / SECOND
    except DurationError as error:
        raise StartError(f"{key}: {error}") from error


class MockHandle:
    """A task that does nothing, for a while."""

    pid: int | None = None

    def __init__(self, config: Row, *, run_for: float) -> None:
        self._config = config
        self._run_for = run_for
        self._kill_after = _seconds(config, "kill_after")
        self._stop = asyncio.Event()

    async def wait(self) -> Result:
        """Wait until it ends."""
        try:
            async with asyncio.timeout(self._run_for):
                await self._stop.wait()
        except TimeoutError:
            return Result(
                int(self._config.get("exit_code") or 0),
                int(self._config.get("exit_signal") or 0),
                str(self._config.get("exit_err_msg") or ""),
            )
        return Result()

    async def kill(self, _signal: str, timeout: float) -> None:
        """End it, after `kill_after` where that comes before the time is up."""
        await asyncio.sleep(min(self._kill_after, timeout))
        self._stop.set()

    def signal(self, _name: str) -> None:
        """Take any signal, or answer with the configured error."""
        error = self._config.get("signal_error")
        if error:
            raise ValueError(str(error))

    async def close(self) -> None:
        """End it."""
        self._stop.set()


class MockDriver:
    """The mock driver."""

    real = False

    def announcement(self) -> str:
        """Nothing: a mock never claimed to be real."""
        return ""

    async def start(self, launch: Launch) -> Handle:
        """Start, or fail to start, as configured."""
        config = launch.config
        block = _seconds(config, "start_block_for")
        if block:
            await asyncio.sleep(block)
        if config.get("start_error"):
            raise StartError(str(config["start_error"]), recoverable=bool(config.get("start_error_recoverable")))
        self._say(launch)
        run_for = _seconds(config, "run_for")
        return MockHandle(config, run_for=min(run_for, _FOREVER))

    @staticmethod
    def _say(launch: Launch) -> None:
        for stream in ("stdout", "stderr"):
            text = str(launch.config.get(f"{stream}_string") or "")
            if text:
                repeat = int(launch.config.get(f"{stream}_repeat") or 0)
                launch.write_log(stream, (text + "\n").encode() * (repeat + 1))
