"""What tasks say, in files that rotate: `<task>.stdout.0`, `.1`, …; the oldest go when there are too many."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from herdsman.devnomad.types import Row

FRAME: Final = 64 * 1024
_POLL: Final = 0.1
_MB: Final = 1024 * 1024


class LogWriter:
    """The log files of one task. Files are opened when there is something to write."""

    def __init__(self, folder: Path, task: str, config: Row | None) -> None:
        config = config or {}
        self._folder, self._task = folder, task
        self._disabled = bool(config.get("Disabled"))
        self._files = max(config.get("MaxFiles") or 10, 1)
        self._size = max(config.get("MaxFileSizeMB") or 10, 1) * _MB
        self._open: dict[str, tuple[int, BinaryIO]] = {}

    def write(self, stream: str, data: bytes) -> None:
        """Append what a task said on a stream."""
        if self._disabled:
            return
        while data:
            index, file = self._open.get(stream) or self._open_last(stream)
            room = self._size - file.tell()
            if room <= 0:
                self._rotate(stream, index)
                continue
            file.write(data[:room])
            file.flush()
            data = data[room:]

    def touch(self) -> None:
        """Make the first file of each stream, so that it can be read before anything is said."""
        if not self._disabled:
            for stream in ("stdout", "stderr"):
                if not log_files(self._folder, self._task, stream):
                    (self._folder / f"{self._task}.{stream}.0").touch()

    def _open_last(self, stream: str) -> tuple[int, BinaryIO]:
        files = log_files(self._folder, self._task, stream)
        index = files[-1].index if files else 0
        return self._open_file(stream, index)

    def _open_file(self, stream: str, index: int) -> tuple[int, BinaryIO]:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = (self._folder / f"{self._task}.{stream}.{index}").open("ab")
        self._open[stream] = (index, file)
        return index, file

    def _rotate(self, stream: str, index: int) -> None:
        self._open.pop(stream)[1].close()
        self._open_file(stream, index + 1)
        for old in log_files(self._folder, self._task, stream)[: -self._files]:
            old.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close all files."""
        for _, file in self._open.values():
            file.close()
        self._open.clear()


@dataclass(frozen=True, slots=True, order=True)
class LogFile:
    """One file of a task's log."""

    index: int
    path: Path


def log_files(folder: Path, task: str, stream: str) -> list[LogFile]:
    """The files of a task's log, oldest first."""
    prefix = f"{task}.{stream}."
    found = []
    for path in folder.glob(f"{prefix.replace('[', '[[]')}*"):
        with contextlib.suppress(ValueError):
            found.append(LogFile(int(path.name.removeprefix(prefix)), path))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a log, and where it lies."""

    file: Path
    offset: int
    data: bytes


async def read_log(
    folder: Path, task: str, stream: str, *, offset: int = 0, from_end: bool = False, follow: bool = False
) -> AsyncIterator[Chunk | None]:
    """A task's log from an offset on (counted over all files, from the start or from the end).

    When following, it goes on as the log grows; `None` says that nothing came for a while.
    """
    position = _locate(log_files(folder, task, stream), offset, from_end=from_end)
    while True:
        for file in log_files(folder, task, stream):
            if position is not None and file.index < position[0]:
                continue
            start = position[1] if position is not None and file.index == position[0] else 0
            for chunk in _read(file.path, start):
                start += len(chunk)
                yield Chunk(file.path, start, chunk)
            position = (file.index, start)
        if not follow:
            return
        yield None
        await asyncio.sleep(_POLL)


def _locate(files: list[LogFile], offset: int, *, from_end: bool) -> tuple[int, int] | None:
    sizes = [file.path.stat().st_size for file in files]
    at = max(sum(sizes) - offset, 0) if from_end else offset
    for file, size in zip(files, sizes, strict=True):
        if at <= size:
            return file.index, at
        at -= size
    return (files[-1].index, sizes[-1]) if files else None


def _read(path: Path, start: int) -> list[bytes]:
    pieces = []
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(start)
        while piece := file.read(FRAME):
            pieces.append(piece)
    return pieces
