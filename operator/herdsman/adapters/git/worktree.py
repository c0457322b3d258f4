"""Which commit a directory is a checkout of, and whether what was read from it is what that commit holds.

For a directory that somebody else keeps: git-sync, or a person. `git status` is not asked. It speaks of files that
nobody reads, it is slow, and it runs what the configuration of the work tree tells it to (monitors, filters); so does
nothing here. What was read is compared with the commit byte by byte, by the IDs that Git would give it.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from herdsman.adapters.git.command import Git
from herdsman.adapters.git.commits import Commit, parse_commit
from herdsman.adapters.git.refs import plain
from herdsman.core.ignore import IGNORE_FILE, relevant
from herdsman.errors import SourceError
from herdsman.model.sources import SourceFile

TIMEOUT: Final = 10.0

_LINK: Final = "120000"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit that is checked out. *branch* is empty where none is; *dirty* says that other files were read."""

    commit: Commit
    branch: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a directory stands: its own place in the work tree, and what is checked out there."""

    prefix: str
    oid: str
    branch: str


class _Tracked(NamedTuple):
    """What a commit has at a path."""

    mode: str
    oid: str


_NOTHING: Final = _Tracked("", "")


class Worktree:
    """Answers for one directory after the other. *skip* is the source's own: what it does not read is not missed."""

    def __init__(self, skip: Callable[[str], bool] | None) -> None:
        self._skip = skip
        self._asked: tuple[str, _Head, str] | None = None
        self._answer: Checkout | None = None

    def look(
        self, base: str, *, revision: str, files: Mapping[str, SourceFile], real: Callable[[str], str]
    ) -> Checkout | None:
        """What *base*, of which *files* were read, is a checkout of; None where that is nothing, or cannot be told.

        *revision* is another whenever *files* are others; *real* says where a file really lies.
        """
        git = Git(Path(base))
        try:
            head = _head(git, base)
            if head is None:
                return None
            if self._asked != (base, head, revision):
                self._answer = self._compare(git, base, head, files=files, real=real)
                self._asked = (base, head, revision)
        except (SourceError, OSError, ValueError):
            return None  # without git, or with one that cannot read this: a directory like any other
        return self._answer

    def _compare(
        self, git: Git, base: str, head: _Head, *, files: Mapping[str, SourceFile], real: Callable[[str], str]
    ) -> Checkout | None:
        tracked = _tracked(git, head)
        places = {path: os.path.relpath(real(path), base) for path in files}
        if places and not tracked.keys() & set(places.values()):
            return None  # files that the work tree around them does not know: they are not Git's
        commit = _ask(git, "cat-file", "commit", head.oid)
        blob_id = _blob_ids(head.oid)
        changed = any(
            file.data is not None and blob_id(file.data) != tracked.get(places[path], _NOTHING).oid
            for path, file in files.items()
        )
        missed = any(
            not self._is_as(entry, base=base, found=places.get(path), path=path, blob_id=blob_id)
            for path, entry in tracked.items()
            if self._is_read(path)
        )
        return Checkout(parse_commit(head.oid, commit), head.branch, changed or missed)

    def _is_read(self, path: str) -> bool:
        """Whether a reader meets what is at *path*."""
        *folders, name = path.split("/")
        if any(part.startswith(".") and part != IGNORE_FILE for part in folders) or not relevant(name):
            return False
        ends = [*(n for n, c in enumerate(path) if c == "/"), len(path)]
        return self._skip is None or not any(self._skip(path[:end]) for end in ends)

    @staticmethod
    def _is_as(entry: "_Tracked", *, base: str, found: str | None, path: str, blob_id: Callable[[bytes], str]) -> bool:
        """Whether at *path* is what the commit has there; *found* is where the file that was read there really lies."""
        if entry.mode == _LINK:
            try:
                return blob_id(os.fsencode(Path(base, path).readlink())) == entry.oid
            except OSError:
                return False
        return found == path or not entry.mode.startswith("100")


def _head(git: Git, base: str) -> _Head | None:
    """None where no work tree is around, which costs no process, or where nothing is checked out in it."""
    folder = Path(base)
    if not any(os.path.lexists(above / ".git") for above in (folder, *folder.parents)):
        return None
    lines = _ask(git, "rev-parse", "--show-prefix", "HEAD", "--symbolic-full-name", "HEAD").splitlines()
    prefix, oid, name = (os.fsdecode(line) for line in lines)
    return _Head(prefix, oid, "" if name == "HEAD" else plain(name))


def _tracked(git: Git, head: _Head) -> dict[str, _Tracked]:
    """What the commit holds below the directory, by path relative to it."""
    entries = _ask(git, "ls-tree", "-r", "-z", "--full-tree", f"{head.oid}:{head.prefix}").split(b"\0")
    found: dict[str, _Tracked] = {}
    for entry in filter(None, entries):
        about, _, path = entry.partition(b"\t")
        mode, _, oid = about.decode("ascii").split(" ")
        found[os.fsdecode(path)] = _Tracked(mode, oid)
    return found


def _ask(git: Git, *args: str) -> bytes:
    done = git.run(*args, timeout=TIMEOUT)
    if not done.ok:
        raise ValueError(done.err)
    return done.out


def _blob_ids(oid: str) -> Callable[[bytes], str]:
    """The ID that Git gives to a content, in the repository to which the commit *oid* belongs."""
    algorithm = "sha256" if len(oid) == 64 else "sha1"
    return lambda data: hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
