"""A Git repository as a source of specs: one commit, read whole, or none.

Two questions are kept apart. *Which commit?* is asked of the remote, once an interval, and less and less often while
that fails. *What is in it?* is asked of the mirror, and answered once for each commit. Between them stands the
signature, where one is demanded. Who pokes says that there is news: then the first question is left out, and a branch
is fetched at once.

Nothing here guesses. A remote that does not answer, a branch that is gone, an empty repository, a path that is not
there, a signature that is missing: each is a `SourceError`, and what was wanted before stays wanted. That holds for a
start, too: a mirror from yesterday may be older than what another operator has applied since, so it is not delivered
before the remote was asked.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from herdsman.adapters.git.command import Access, Git
from herdsman.adapters.git.commits import Commit, parse_commit, parse_tag
from herdsman.adapters.git.config import GitConfig
from herdsman.adapters.git.mirror import HEAD, Mirror
from herdsman.adapters.git.objects import Damaged, Object
from herdsman.adapters.git.reading import Reader
from herdsman.adapters.git.refs import Target, plain
from herdsman.adapters.git.remote import Remote
from herdsman.adapters.git.signatures import Signatures
from herdsman.adapters.treewalk import MAX_ENTRIES
from herdsman.core.ignore import IGNORE_FILE, ignored
from herdsman.errors import SourceError
from herdsman.model.sources import Snapshot
from herdsman.ports import Clock

JITTER: Final = 0.1
"""The part of an interval by which looks of many operators are spread."""

FIRST_RETRY: Final = 5.0
"""Seconds until a look that failed is repeated; twice as long each time, up to the interval."""

SLICE: Final = 0.1
"""The longest wait that does not ask whether to stop, in s."""


@dataclass(frozen=True, slots=True)
class GitState:
    """How a source does. *commit* is the last that was delivered, *ref* what led to it.

    *looked* is when the remote last answered, *failing_since* when the trouble began that *error* tells of, None where
    there is none.
    """

    ref: str = ""
    commit: Commit | None = None
    verified: bool = False
    looked: datetime | None = None
    failing_since: datetime | None = None
    error: str = ""
    looks: int = 0
    failed_looks: int = 0
    fetches: int = 0
    failed_fetches: int = 0
    clones: int = 0


class GitSource:
    """`ports.Source` for a Git repository, mirrored below *cache*. *warn* is told what a person should know of, once.

    *git* is the program. `close` when done: two processes wait for questions.
    """

    def __init__(
        self,
        config: GitConfig,
        *,
        clock: Clock,
        cache: Path,
        warn: Callable[[str], None] = lambda _: None,
        git: str = "git",
    ) -> None:
        self._config, self._clock = config, clock
        self._folder = cache.absolute() / _folder(config)
        self._git = Git(self._folder / "home", program=git)
        self._mirror = Mirror(self._folder, self._git, place=config.shown, timeout=config.timeout, warn=warn)
        self._remote = Remote(config, self._git)
        self._reader = Reader(config.path, _keep(config))
        self._signatures = self._judge_of(config)
        self._lock = threading.Lock()
        self._poked, self._wake = threading.Event(), threading.Event()
        self._chance = random.Random()  # noqa: S311
        self._target: Target | None = None
        self._trouble: SourceError | None = None
        self._failures = 0
        self._due = 0.0
        self._taken: tuple[str, str] | None = None
        self._last: Snapshot | None = None
        self._state = GitState()

    # -- the port --

    def snapshot(self) -> Snapshot:
        """The commit that is followed, whole. Raises `SourceError` where there is none that may be applied."""
        with self._lock:
            try:
                with self._mirror.locked():
                    snapshot = self._snapshot()
            except SourceError as error:
                self._stumbled(error)
                raise
            self._failures = 0
            self._state = replace(self._state, failing_since=None, error="", clones=self._mirror.clones)
            return snapshot

    def watch(self, changed: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Look at the remote in intervals; call *changed* once at the start, when there is news, and when poked.

        When *stopped* answers true, what is under way in any thread is ended, and nothing more is begun.
        """
        self._git.stopped = stopped
        told: object = None
        while not stopped():
            if self._is_due() and self._glance(stopped):
                seen = (self._target, str(self._trouble))
                if seen != told or not self._is_taken():
                    told = seen
                    changed()
            if self._wake.wait(SLICE):
                self._wake.clear()
                changed()
        self._end()

    def describe(self) -> str:
        """URL, branch and path, without credentials."""
        return self._config.place

    # -- what else may be asked, from any thread --

    def poke(self) -> None:
        """Somebody says that there is news: the next snapshot goes and gets it, and a watcher asks for one at once."""
        self._poked.set()
        self._wake.set()

    def state(self) -> GitState:
        """How it does, without waiting for anything."""
        return self._state

    def close(self) -> None:
        """End every process; what is under way fails."""
        self._git.stopped = lambda: True
        self._end()

    def _end(self) -> None:
        with self._lock:  # whoever has it is told by `stopped`
            self._mirror.objects.close()

    # -- which commit? --

    def _is_due(self) -> bool:
        return self._clock.monotonic() >= self._due

    def _glance(self, stopped: Callable[[], bool]) -> bool:
        """Look, if nobody else did while we waited for our turn; false where there was nothing to do."""
        while not self._lock.acquire(timeout=SLICE):
            if stopped():
                return False
        try:
            with self._mirror.locked():
                if not self._is_due():
                    return False
                self._mirror.tidy()
                self._look()
        except SourceError as error:
            self._failed(error)
        finally:
            self._lock.release()
        return True

    def _look(self) -> None:
        """Ask the remote; what came of it is in `_target` or in `_trouble`."""
        try:
            self._target = self._remote.ask()
        except SourceError as error:
            self._state = replace(self._state, failed_looks=self._state.failed_looks + 1)
            self._failed(error)
        else:
            self._answered()
        self._state = replace(self._state, looks=self._state.looks + 1)

    def _answered(self) -> None:
        self._trouble = None
        spread = 1 + self._chance.uniform(-JITTER, JITTER)
        self._due = self._clock.monotonic() + self._config.interval * spread
        self._state = replace(self._state, looked=self._clock.now())

    def _failed(self, error: SourceError) -> None:
        """The remote is in trouble: it is left alone for a while."""
        self._trouble = error
        wait = min(self._config.interval, FIRST_RETRY * 2 ** min(self._failures, 20))
        self._failures += 1
        self._due = self._clock.monotonic() + wait * (1 + self._chance.uniform(0, JITTER))
        self._stumbled(error)

    def _stumbled(self, error: SourceError) -> None:
        since = self._state.failing_since or self._clock.now()
        self._state = replace(self._state, failing_since=since, error=str(error), clones=self._mirror.clones)

    # -- what is in it? --

    def _snapshot(self) -> Snapshot:
        poked = self._poked.is_set()
        self._poked.clear()
        if poked and self._target and self._config.ref.is_one_name:
            self._fetch(self._target, self._mirror.fetch)
        elif poked or self._is_due():
            self._look()
        if self._trouble:
            raise SourceError(self._trouble.message, hint=self._trouble.hint)
        assert self._target
        stamp = self._signatures.stamp() if self._signatures else ""
        if self._last is None or self._taken != (self._target.oid, stamp):
            self._last = self._read(self._target)
            self._taken = (self._target.oid, stamp)
        if self._remote.moved:
            moved = f"the repository has moved to {self._remote.moved}: change the URL"
            return replace(self._last, warnings=(*self._last.warnings, moved))
        return self._last

    def _is_taken(self) -> bool:
        taken, target = self._taken, self._target
        return taken is not None and target is not None and taken[0] == target.oid

    def _read(self, target: Target) -> Snapshot:
        head = self._mirror.head()
        if head is None or head.oid != target.oid:
            head = self._fetch(target, self._mirror.fetch)
        try:
            return self._deliver(target, head)
        except Damaged:
            head = self._fetch(target, self._mirror.heal)
        try:
            return self._deliver(target, head)
        except Damaged:
            raise SourceError(
                f"the mirror of {self._config.shown} is damaged again after it was fetched anew",
                hint="is the disk of the cache in order?",
            ) from None

    def _fetch(self, target: Target, fetch: Callable[[Target, Access], None]) -> Object:
        """Bring the mirror up to the remote, which may be further than *target* by now."""
        state = self._state
        try:
            fetch(target, self._remote.access())
            head = self._mirror.head()
            if head is None:
                raise SourceError(f"{self._config.shown} delivered nothing", hint="it is tried again")
        except SourceError as error:
            self._state = replace(state, failed_fetches=state.failed_fetches + 1)
            self._failed(error)
            raise
        self._state = replace(state, fetches=state.fetches + 1)
        self._target = Target(target.name, head.oid)
        self._answered()
        return head

    def _deliver(self, target: Target, head: Object) -> Snapshot:
        commit, tag = self._peel(head)
        name = plain(target.name)
        if self._signatures:
            self._signatures.check(commit, repo=self._mirror.repo, ref=HEAD, tag=tag, expected=name)
        self._reader.read(self._mirror.objects, commit)
        verified = self._signatures is not None
        self._state = replace(self._state, commit=commit, ref=name, verified=verified)
        return Snapshot(
            commit.oid,
            self._reader.files,
            author=commit.author,
            message=commit.message,
            commit=commit.oid,
            branch=name,
            committed=commit.committed,
            verified=verified,
            warnings=self._reader.warnings,
        )

    def _peel(self, head: Object) -> tuple[Commit, str]:
        """The commit behind any number of tags, and the name that the first of those bears."""
        names: list[str] = []
        found = next(self._mirror.objects.read([head.oid]))
        while found.kind == "tag":
            tag = parse_tag(found.data)
            names.append(tag.name)
            found = next(self._mirror.objects.read([tag.target]))
        if found.kind != "commit":
            raise SourceError(f"{self._config.ref} leads to a {found.kind}, not to a commit")
        return parse_commit(found.oid, found.data), names[0] if names else ""

    def _judge_of(self, config: GitConfig) -> Signatures | None:
        if config.verify is None:
            return None
        return Signatures(self._git, config.verify, keyring=self._folder / "keyring", timeout=config.timeout)


def _folder(config: GitConfig) -> str:
    """A directory name for the mirror: readable, and another for each repository and reference."""
    name = "".join(c if c.isalnum() else "-" for c in config.shown.rpartition("/")[2].removesuffix(".git"))
    digest = sha256("\0".join((config.url, str(config.ref))).encode()).hexdigest()
    return f"{name[:40]}-{digest[:16]}"


def _keep(config: GitConfig) -> Callable[[str], bool]:
    """What of the repository counts, by path below the configured one."""
    if not (config.include or config.exclude):
        return lambda _: True
    included, excluded = ignored("\n".join(config.include)), ignored("\n".join(config.exclude))

    @lru_cache(maxsize=MAX_ENTRIES)
    def keep(path: str) -> bool:
        if path.rpartition("/")[2] == IGNORE_FILE:
            return True
        return (not config.include or included(path)) and not excluded(path)

    return keep
