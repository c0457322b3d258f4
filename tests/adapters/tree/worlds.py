"""Directories to read, and ways to disturb the reading."""

import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clocks import FakeClock
from herdsman.adapters import tree
from herdsman.adapters.tree import DirectorySource
from herdsman.model.sources import Snapshot


def clock_off_by(seconds: float = 0.0) -> FakeClock:
    """A clock that stood at the real time, so many seconds later or earlier, and stands still."""
    return FakeClock(datetime.now(UTC) + timedelta(seconds=seconds))


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files, in directories made as needed. A text that begins `-> ` makes a symbolic link."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            file.symlink_to(text.removeprefix("-> "))
        else:
            file.write_text(text)


def swap(link: Path, target: str) -> None:
    """Let a symbolic link lead elsewhere in one step, as git-sync and Kubernetes do."""
    fresh = link.with_name(f"{link.name}_tmp")
    fresh.symlink_to(target)
    fresh.rename(link)


def swap_and_remove(link: Path, target: str) -> None:
    """The same, and remove the directory that it led to."""
    old = link.resolve()
    swap(link, target)
    shutil.rmtree(old)


def texts(snapshot: Snapshot) -> dict[str, str | None]:
    """What was read: None where nothing could be."""
    return {path: file.data if file.data is None else file.data.decode() for path, file in snapshot.files.items()}


def read(root: Path) -> dict[str, str | None]:
    """What a new source reads."""
    return texts(DirectorySource(root, clock=FakeClock()).snapshot())


def problem(root: Path, path: str) -> str:
    """What a new source says of one path that it could not read."""
    file = DirectorySource(root, clock=FakeClock()).snapshot().files[path]
    assert file.data is None
    assert file.digest == ""
    assert file.path == path
    return file.problem


class Meddler:
    """Does something to the tree each time a file was read, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.reads = 0
        self._left = 0
        self._act: Callable[[], object] = lambda: None
        true_content = tree._content

        def content(fd: int, most: int) -> bytes:
            data = true_content(fd, most)
            self.reads += 1
            if self._left:
                self._left -= 1
                self._act()
            return data

        monkeypatch.setattr(tree, "_content", content)

    def after_reads(self, times: int, act: Callable[[], object]) -> None:
        """Do *act* after each of the next so many reads, before anybody looks at the file again."""
        self._left, self._act = times, act

    def forbid(self, function: str, path: Path) -> None:
        """Let `os.open` or `os.scandir` be refused for one path: a test run as root has every right by itself."""
        true = getattr(os, function)

        def refusing(where: object, *args: object, **kwargs: object) -> object:
            if isinstance(where, str) and where == str(path):
                raise PermissionError(13, "Permission denied", where)
            return true(where, *args, **kwargs)

        self._patch.setattr(os, function, refusing)
