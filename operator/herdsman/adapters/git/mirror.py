"""A bare, shallow copy of a repository, on disk: one reference wide, never checked out, and one commit deep.

Who writes needs more of the past: it begins with *depth* commits, and keeps what comes.

It is a cache. Whatever is wrong with it is put right by making it anew: beside the old one, which is replaced by a
rename when the new one is whole. While one process works on it, a lock keeps others out; so what a killed fetch left
behind (lock files, half a pack) is nobody's, and is removed before the next.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from herdsman.adapters.git.command import Access, Config, Done, Git
from herdsman.adapters.git.failures import explain
from herdsman.adapters.git.objects import Damaged, Object, Objects
from herdsman.adapters.git.refs import Target
from herdsman.errors import SourceError

HEAD: Final = "refs/herdsman/head"
"""What was fetched last, in the mirror."""

PATIENCE: Final = 10
"""A fetch may take so many times as long as a look at the remote."""

_GC: Final[Config] = (("gc.auto", "1000"), ("gc.pruneExpire", "now"))


class Mirror:
    """The mirror of *place* in *folder*. *warn* is told when it had to be made anew."""

    def __init__(
        self, folder: Path, git: Git, *, place: str, timeout: float, warn: Callable[[str], None], depth: int = 1
    ) -> None:
        self._folder, self._git, self._place, self._timeout, self._warn = folder, git, place, timeout, warn
        self._depth = depth
        self.repo = folder / "repo.git"
        self.objects = Objects(git, self.repo, timeout=timeout)
        self.clones = 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out. Raises `SourceError` where one does not let go, or the disk does not play along."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / "home").mkdir(mode=0o700, exist_ok=True)
            with (self._folder / "lock").open("a") as lock:
                self._wait_for(lock.fileno())
                yield
        except OSError as error:
            raise SourceError(
                f"the cache {self._folder} cannot be used: {(error.strerror or str(error)).lower()}",
                hint="it has to be on a disk with room, and writable for the user that runs Herdsman",
            ) from error

    def _wait_for(self, lock: int) -> None:
        until = monotonic() + self._timeout
        while not _try_lock(lock):
            if monotonic() > until or self._git.stopped():
                raise SourceError(
                    f"another process works on the mirror in {self._folder}", hint="give each a cache of its own"
                )
            sleep(0.05)

    def head(self) -> Object | None:
        """What was fetched last, a commit or a tag; None where there is nothing, or nothing that can be read."""
        try:
            return self.objects.find(HEAD) if self.repo.is_dir() else None
        except Damaged:
            return None

    def fetch(self, target: Target, access: Access) -> None:
        """Let `HEAD` be what the remote has under the target's name. Raises `SourceError`."""
        if not self.repo.is_dir():
            self.clone(target, access)
            return
        self._sweep()
        done = self._fetch(self.repo, target, access)
        if not done.ok and self._sound():
            raise explain(done, self._place)
        if not done.ok:
            self.heal(target, access)

    def heal(self, target: Target, access: Access) -> None:
        """The mirror does not hold what it should: make it anew."""
        self._warn(f"the mirror of {self._place} is damaged and is fetched again, whole")
        self.clone(target, access)

    def clone(self, target: Target, access: Access) -> None:
        """Make the mirror anew, beside the old one, and put it in its place."""
        new, old = self._folder / "new.git", self._folder / "old.git"
        _remove(new)
        try:
            self._init(new, target.oid)
            done = self._fetch(new, target, access)
            if not done.ok:
                raise explain(done, self._place)
        except BaseException:
            _remove(new)
            raise
        self.objects.close()
        _remove(old)
        if self.repo.exists():
            self.repo.rename(old)
        new.rename(self.repo)
        _remove(old)
        self.clones += 1

    def tidy(self) -> None:
        """Pack what many fetches left lying about, if it is much. Nothing is lost where that fails."""
        if self.repo.is_dir():
            self._sweep()
            with suppress(SourceError):
                self._git.run(
                    "gc", "--auto", "--quiet", repo=self.repo, access=Access(_GC), timeout=self._fetch_timeout
                )
            self.objects.close()

    @property
    def _fetch_timeout(self) -> float:
        return PATIENCE * self._timeout

    def _init(self, repo: Path, oid: str) -> None:
        kind = ("--object-format=sha256",) if len(oid) == 64 else ()
        done = self._git.run("init", "--bare", "--quiet", "--template=", *kind, str(repo), timeout=self._timeout)
        if not done.ok:
            raise explain(done, self._place)

    def _fetch(self, repo: Path, target: Target, access: Access) -> Done:
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
        depth = () if self._depth > 1 and repo == self.repo else (f"--depth={self._depth}",)
        refspec = f"+{target.name}:{HEAD}"
        return self._git.run(
            "fetch", *depth, *quiet, "origin", refspec, repo=repo, access=access, timeout=self._fetch_timeout
        )

    def _sound(self) -> bool:
        """Whether everything is there that belongs to what was fetched last."""
        return self._git.run(
            "rev-list", "--objects", "--quiet", HEAD, "--", repo=self.repo, timeout=self._fetch_timeout
        ).ok

    def _sweep(self) -> None:
        """Remove what a fetch that was killed left behind; nobody else is at work here."""
        left = (
            *self.repo.glob("*.lock"),
            *self.repo.glob("refs/herdsman/*.lock"),
            *self.repo.glob("objects/pack/tmp_*"),
        )
        for path in left:
            path.unlink(missing_ok=True)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
