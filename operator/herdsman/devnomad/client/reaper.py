"""Nothing outlives the server: a helper process holds one end of a pipe, and kills what is left when the other closes.

The server tells it every process group it starts and every one that ended. However the server goes (even by SIGKILL),
the pipe closes, the helper kills the groups that are still there, removes the temporary directory and goes too. A file
in the data directory names the groups as well, for the case that both were killed: the next start sweeps them.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

_HELPER: Final = """
import os, shutil, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
for path in sys.argv[1:]:
    shutil.rmtree(path, ignore_errors=True)
"""
_LIST: Final = "processes"


class Reaper:
    """Knows every process group of the tasks."""

    def __init__(self, data_dir: Path, *, temporary: bool) -> None:
        self._data_dir, self._temporary = data_dir, temporary
        self._helper: subprocess.Popen[str] | None = None
        self._groups: dict[int, str] = {}

    def sweep(self) -> None:
        """Kill what a former server left behind."""
        path = self._data_dir / _LIST
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text().splitlines():
                group, _, started = line.partition(" ")
                if _start_time(int(group)) == started:
                    _kill_group(int(group))
            path.unlink()

    def watch(self, group: int) -> None:
        """A process group was started."""
        self._groups[group] = _start_time(group)
        self._tell(f"+{group}\n")
        self._write_list()

    def forget(self, group: int) -> None:
        """A process group ended."""
        if self._groups.pop(group, None) is not None:
            self._tell(f"-{group}\n")
            self._write_list()

    def close(self) -> None:
        """Kill all that is left, and let the helper go."""
        for group in self._groups:
            _kill_group(group)
        self._groups.clear()
        if self._helper is not None and self._helper.stdin is not None:
            self._helper.stdin.close()
            self._helper.wait()
            self._helper = None
        with contextlib.suppress(OSError):
            (self._data_dir / _LIST).unlink()

    def _tell(self, line: str) -> None:
        if self._helper is None:
            remove = [str(self._data_dir)] if self._temporary else []
            self._helper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _HELPER, *remove],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        assert self._helper.stdin is not None
        with contextlib.suppress(OSError):
            self._helper.stdin.write(line)
            self._helper.stdin.flush()

    def _write_list(self) -> None:
        if not self._temporary:
            text = "".join(f"{group} {started}\n" for group, started in self._groups.items())
            (self._data_dir / _LIST).write_text(text)


def _kill_group(group: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _start_time(pid: int) -> str:
    """When a process started, in the kernel's own count: a number used again is told from the old one by it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
