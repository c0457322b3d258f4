"""Every other driver: the task "runs" until it is stopped, and its events say that nothing real does.

A task that is meant to end by itself (a hook that prepares something) ends well after a moment, or those that wait for
it would wait for ever.
"""

import asyncio
from typing import Final

from herdsman.devnomad.client.drivers.base import Handle, Launch, Result

_MOMENT: Final = 0.1


class SimulatedHandle:
    """A task that is not there."""

    pid: int | None = None

    def __init__(self, *, run_for: float | None) -> None:
        self._run_for = run_for
        self._stop = asyncio.Event()

    async def wait(self) -> Result:
        """Wait until it is stopped, or its moment is over."""
        try:
            async with asyncio.timeout(self._run_for):
                await self._stop.wait()
        except TimeoutError:
            pass
        return Result()

    async def kill(self, _signal: str, _timeout: float) -> None:
        """End it."""
        self._stop.set()

    def signal(self, _name: str) -> None:
        """Take any signal."""

    async def close(self) -> None:
        """End it."""
        self._stop.set()


class SimulatedDriver:
    """Stands in for a driver."""

    real = False

    def __init__(self, name: str) -> None:
        self._name = name

    def announcement(self) -> str:
        """That this is a simulation."""
        return f"The embedded Nomad simulates the {self._name} driver: nothing is started"

    async def start(self, launch: Launch) -> Handle:
        """Pretend."""
        return SimulatedHandle(run_for=_MOMENT if launch.runs_once else None)
