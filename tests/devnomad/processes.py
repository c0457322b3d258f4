"""The embedded Nomad as a process of its own, as `herdsman devnomad` runs it; and what tasks leave in the kernel."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devnomad.support import Api

_MAIN = "from herdsman.cli.devnomad import devnomad; devnomad()"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Process:
    """A server that can be ended in every way there is."""

    def __init__(self, *arguments: str, stdin: int | None = subprocess.DEVNULL) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", _MAIN, "--port", "0", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout is not None
        self.greeting = self.popen.stdout.readline()
        found = _ADDRESS.search(self.greeting)
        assert found is not None, (self.greeting, self.popen.communicate())
        self.api = Api(int(found[1]))

    def end(self, number: signal.Signals) -> float:
        """Send a signal and wait for the end; answers how long that took."""
        began = time.monotonic()
        self.popen.send_signal(number)
        self.popen.communicate(timeout=15)
        return time.monotonic() - began


@contextmanager
def server(*arguments: str, stdin: int | None = subprocess.DEVNULL) -> Iterator[Process]:
    """A server; it is gone after the block, whatever happened in it."""
    process = Process(*arguments, stdin=stdin)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


def marked(mark: str) -> list[int]:
    """The processes with this text on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in line and state != "Z":
                found.append(int(entry.name))
    return found


def wait_until_gone(mark: str, *, patience: float = 5) -> None:
    """Wait until no process with this text is left."""
    end = time.monotonic() + patience
    while left := marked(mark):
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.02)
