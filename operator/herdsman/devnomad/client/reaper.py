"""Nothing outlives the server: a helper process holds one end of a pipe, and kills what is left when the other closes.

The server tells it every process group it starts and every one that ended. However the server goes (even by SIGKILL),
the pipe closes, the helper kills the groups that are still there, removes the temporary directory and goes too. A file
in a directory that is kept names the groups as well, for the case that both were killed: the next start sweeps them.
"""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Final, TextIO

from herdsman.devnomad.client import reaping

_LIST: Final = "processes"
_PATIENCE: Final = 1.0


class Reaper:
    """Knows every process group of the tasks."""

    def __init__(self, data_dir: Path, *, temporary: bool) -> None:
        self._data_dir, self._temporary = data_dir, temporary
        self._helper: subprocess.Popen[str] | None = None
        self._list: TextIO | None = None
        self._groups: set[int] = set()

    def sweep(self) -> None:
        """Kill what a former server left behind."""
        if self._temporary:
            return
        path = self._data_dir / _LIST
        with reaping.alone(str(self._data_dir), patience=_PATIENCE):
            lines = path.read_text().splitlines() if path.exists() else []
            for group, started in reaping.watched(lines).items():
                if started and reaping.start_time(group) == started:
                    reaping.kill_group(group)
            reaping.kill_marked(str(self._data_dir))
            path.unlink(missing_ok=True)

    def watch(self, group: int) -> None:
        """A process group was started."""
        self._groups.add(group)
        self._tell(f"+{group} {reaping.start_time(group)}\n")

    def forget(self, group: int) -> None:
        """A process group ended."""
        if group in self._groups:
            self._groups.remove(group)
            self._tell(f"-{group}\n")

    def close(self) -> None:
        """Kill all that is left, and let the helper go."""
        for group in self._groups:
            reaping.kill_group(group)
        self._groups.clear()
        if self._helper is not None and self._helper.stdin is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._helper.stdin.close()
                self._helper.wait(_PATIENCE)
            self._helper = None
        if self._list is not None:
            self._list.close()
            (self._data_dir / _LIST).unlink(missing_ok=True)

    def _tell(self, line: str) -> None:
        helper = self._helper or self._start_helper()
        assert helper.stdin is not None
        for file in (helper.stdin, self._list):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.write(line)
                    file.flush()

    def _start_helper(self) -> "subprocess.Popen[str]":
        """Only those who run real tasks need it."""
        if not self._temporary:
            self._list = (self._data_dir / _LIST).open("a")
        remove = ["remove"] if self._temporary else []
        self._helper = subprocess.Popen(
            [sys.executable, "-I", "-S", reaping.__file__, str(self._data_dir), *remove],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self._helper
