"""Kills what tasks left behind. It runs as a process of its own as well, and so needs only the standard library.

As a process it reads what to watch from standard input (`+<group> <start time>`, `-<group>`), and acts when that ends.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_PASSES = 20
_LOCK = "reaper.lock"
_POLL = 0.02


def start_time(pid: int) -> str:
    """When a process started, in the kernel's own count, by which a number used again is told from the old one.

    Empty where the process is gone, and where the kernel does not tell.
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def watched(lines: Iterable[str]) -> dict[int, str]:
    """The process groups that are left after a list of comings and goings, with their start times."""
    groups: dict[int, str] = {}
    for line in lines:
        with contextlib.suppress(ValueError):
            group, _, started = line[1:].strip().partition(" ")
            if line.startswith("+"):
                groups[int(group)] = started
            else:
                groups.pop(int(group), None)
    return groups


def kill_group(group: int) -> None:
    """End a process group."""
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def kill_marked(folder: str) -> None:
    """End the processes whose environment says that they are of a task below this folder: also those that left the
    group they were started in."""
    for _ in range(_PASSES):
        found = list(_marked(folder))
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _marked(folder: str) -> Iterator[int]:
    mark = f"NOMAD_ALLOC_DIR={folder}/".encode()
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    yield int(entry.name)


@contextlib.contextmanager
def alone(folder: str, *, patience: float) -> Iterator[None]:
    """While nobody else ends processes of this folder: a new server waits for the helper of the one before."""
    with (Path(folder) / _LOCK).open("w") as lock:
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_POLL)
            else:
                break
        yield


def main(folder: str, *, remove: bool) -> None:
    """Wait for the end of standard input; then end all that is left, and remove the folder where that is wanted."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    with alone(folder, patience=_POLL):
        for group in watched(sys.stdin):
            kill_group(group)
        kill_marked(folder)
    if remove:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], remove=sys.argv[2:] == ["remove"])
