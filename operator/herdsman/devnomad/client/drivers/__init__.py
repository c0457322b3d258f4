"""How tasks run."""

from herdsman.devnomad.client.drivers.base import Driver, Handle, Launch, Result, StartError
from herdsman.devnomad.client.drivers.mock import MockDriver
from herdsman.devnomad.client.drivers.process import ProcessDriver
from herdsman.devnomad.client.drivers.simulated import SimulatedDriver

__all__ = ["Driver", "Handle", "Launch", "Result", "StartError", "driver_of"]

REAL = frozenset({"raw_exec", "exec"})
_MOCK = MockDriver()
_PROCESS = ProcessDriver()


def driver_of(name: str) -> Driver:
    """The driver of this name."""
    if name == "mock_driver":
        return _MOCK
    return _PROCESS if name in REAL else SimulatedDriver(name)
