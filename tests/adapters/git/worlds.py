"""A repository, a server before it, and sources that read it."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clocks import FakeClock
from gitservers import HttpServer, Repository
from herdsman.adapters.git import GitConfig, GitSource, reference
from herdsman.model.sources import Snapshot

MAIN = reference(branch="main")


@dataclass
class World:
    """Everything a test needs; *stack* takes it down."""

    folder: Path
    stack: ExitStack
    clock: FakeClock = field(default_factory=FakeClock)
    warnings: list[str] = field(default_factory=list)

    @property
    def repos(self) -> Path:
        """Where repositories lie."""
        return self.folder / "repos"

    @property
    def cache(self) -> Path:
        """Where sources keep their mirrors."""
        return self.folder / "cache"

    def repository(self, name: str = "fleet.git", **options: str) -> Repository:
        """A bare repository, made where there is none."""
        return Repository(self.repos / name, **options)

    def serve(self, **options: Any) -> HttpServer:
        """An HTTP server for all repositories."""
        return self.stack.enter_context(HttpServer(self.repos, **options))

    def source(self, url: str = "", *, git: str = "git", **options: Any) -> GitSource:
        """A source, by default of `fleet.git` as a file, closed with the world."""
        given = {"ref": MAIN, "allow_insecure": True, **options}
        config = GitConfig(url or str(self.repos / "fleet.git"), **given)
        source = GitSource(config, clock=self.clock, cache=self.cache, warn=self.warnings.append, git=git)
        self.stack.callback(source.close)
        return source

    def mirror(self) -> Path:
        """The one mirror on disk."""
        (found,) = self.cache.glob("*/repo.git")
        return found


def again(source: GitSource) -> Snapshot:
    """A snapshot, after asking the remote."""
    source.poke()
    return source.snapshot()


def texts(snapshot: Snapshot) -> dict[str, str | None]:
    """What was read: None where nothing could be."""
    return {path: None if file.data is None else file.data.decode() for path, file in snapshot.files.items()}


def program(folder: Path, script: str) -> str:
    """An executable shell script that may act as git; `exec git "$@"` is the true one."""
    folder.mkdir(exist_ok=True)
    path = folder / "git"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def wait_for(condition: Callable[[], object], *, timeout: float = 10.0) -> None:
    """Until another thread brought it about."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)


class Watching:
    """A thread that watches *source*, from the first hint on; `hints` counts those that came."""

    def __init__(self, source: GitSource, changed: Callable[[], object] = lambda: None) -> None:
        self.hints = 0
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=source.watch, args=(self._hint, self._stop.is_set), daemon=True)

    def _hint(self) -> None:
        self.hints += 1
        self._changed()

    def stop(self) -> float:
        """Stop it; the value is how long that took, in s."""
        began = time.monotonic()
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return time.monotonic() - began

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
