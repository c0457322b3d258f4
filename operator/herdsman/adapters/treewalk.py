"""One look over a directory tree: which files there are and how they stand, without opening any.

The root is resolved once for each look and everything is read below what it leads to, so that a swap of a link above
cannot mix two versions. Hidden names are passed over, symbolic links followed: a visible link may lead to a hidden
neighbour, as git-sync (`current` → `.worktrees/<commit>`) and Kubernetes (`a.yaml` → `..data/a.yaml`) lay things out,
but never out of the tree.

What cannot be known becomes a problem at its path, and stands for everything below that path: a caller that took it
for "not there" would remove jobs that somebody still wants.
"""

# Plain strings are what `scandir` gives and the kernel takes; a Path for each file would double the time.
# ruff: noqa: PTH115, PTH116, PTH118, PTH120
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from herdsman.core.ignore import IGNORE_FILE, relevant
from herdsman.errors import SourceError

MAX_ENTRIES = 200_000
"""More than this is no directory of specs but, say, `/`; links that multiply each other end here too."""

_MAX_LINKS = 40

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def shown(path: str) -> str:
    """A path as text that can be printed and stored: bytes that are not UTF-8 as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def reason(error: OSError) -> str:
    """The system's words for what went wrong, without the path."""
    return (error.strerror or str(error)).lower()


class Anchor(NamedTuple):
    """The directory that a root leads to: a swap changes the path or the inode."""

    base: str
    dev: int
    ino: int


class Mark(NamedTuple):
    """By what a changed file gives itself away, unless it changed within one tick of the file system's clock."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, st: os.stat_result) -> "Mark":
        """The mark in a `stat`."""
        return cls(st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns)

    def stamp(self, now_ns: int) -> int:
        """When it last changed: by `ctime`, which nobody can set, and by `mtime` for file systems without a true one.

        An `mtime` in the future was set by hand (`touch -d`) and says nothing.
        """
        return max(self.ctime_ns, self.mtime_ns) if self.mtime_ns <= now_ns else self.ctime_ns


@dataclass(slots=True)
class Scan:
    """What one look saw. Two are equal where a reader of the files would find the same files, unchanged.

    Paths are relative to *base*, the directory that the root leads to. *behind* says where a file behind links really
    is. *folders* are real paths; they are left out of the comparison because every passing temporary file marks them.
    """

    anchor: Anchor
    files: dict[str, Mark] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    behind: dict[str, str] = field(default_factory=dict, compare=False)
    folders: dict[str, Mark] = field(default_factory=dict, compare=False)
    links: set[str] = field(default_factory=set, compare=False)
    warnings: list[str] = field(default_factory=list, compare=False)

    @property
    def base(self) -> str:
        """The directory that all paths start from."""
        return self.anchor.base

    def real(self, path: str) -> str:
        """Where to open a file."""
        return self.behind.get(path) or os.path.join(self.base, path)

    def stamp(self, now_ns: int) -> int:
        """When anything last changed."""
        everything = (*self.files.values(), *self.folders.values())
        return max(mark.stamp(now_ns) for mark in everything)


class Tree:
    """A root, and how to look over what is below it."""

    def __init__(self, root: Path, skip: Callable[[str], bool] | None = None) -> None:
        self.root = str(root.absolute())
        self._skip = skip

    def scan(self) -> Scan:
        """Look over everything. Raises `SourceError` where there is no directory that can be listed."""
        try:
            return self._attempt()
        except OSError:
            pass  # a link above may have been swapped and its old directory removed: once more, from the start
        try:
            return self._attempt()
        except OSError as error:
            raise _absent(self.root, error) from error

    def anchor(self) -> Anchor | None:
        """What the root leads to just now; None where it leads nowhere."""
        try:
            return _anchor(self.root)
        except OSError:
            return None

    def _attempt(self) -> Scan:
        return _Walk(self.root, Scan(_anchor(self.root)), self._skip).run()


def _anchor(root: str) -> Anchor:
    base = os.path.realpath(root, strict=True)
    st = os.stat(base)
    return Anchor(base, st.st_dev, st.st_ino)


def _absent(root: str, error: OSError) -> SourceError:
    where = shown(root)
    match error:
        case FileNotFoundError() if os.path.lexists(root):
            return SourceError(
                f"{where} is a symbolic link that leads nowhere",
                hint="let it lead to the directory that holds the specs",
            )
        case FileNotFoundError():
            return SourceError(
                f"the directory {where} does not exist", hint="create it, or name the directory that holds the specs"
            )
        case NotADirectoryError():
            return SourceError(f"{where} is not a directory", hint="name the directory that holds the specs")
        case PermissionError():
            return SourceError(
                f"the directory {where} may not be read",
                hint="give the user that runs Herdsman read and search permission",
            )
        case _:
            return SourceError(f"the directory {where} cannot be read: {reason(error)}")


class _Folder(NamedTuple):
    """A directory still to be listed: its path in the source, its real one, and those above it, to notice a loop."""

    path: str
    real: str
    above: tuple[str, ...]

    def path_of(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


class _Walk:
    """The work of one look."""

    def __init__(self, root: str, scan: Scan, skip: Callable[[str], bool] | None) -> None:
        self._root = root
        self._scan = scan
        self._skip = skip
        self._inside = scan.base.rstrip("/") + "/"
        self._todo = [_Folder("", scan.base, ())]
        self._entries = 0

    def run(self) -> Scan:
        while self._todo:
            self._list(self._todo.pop())
        return self._scan

    def _list(self, folder: _Folder) -> None:
        try:
            st = os.lstat(folder.real)
            if not stat.S_ISDIR(st.st_mode):  # a link put in its place may lead anywhere
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            self._scan.folders[folder.real] = Mark.of(st)
            with os.scandir(folder.real) as entries:
                for entry in entries:
                    self._count()
                    if not entry.name.startswith(".") or entry.name == IGNORE_FILE:
                        self._meet(folder, entry)
        except OSError as error:
            if not folder.path:
                raise
            self._scan.problems[shown(folder.path)] = f"the directory cannot be read: {reason(error)}"

    def _count(self) -> None:
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise SourceError(
                f"{shown(self._root)} holds more than {MAX_ENTRIES:,} entries",
                hint="name the directory that holds the specs and little else",
            )

    def _meet(self, folder: _Folder, entry: os.DirEntry[str]) -> None:
        path = folder.path_of(entry.name)
        try:
            link = entry.is_symlink()
            directory = not link and entry.is_dir(follow_symlinks=False)
            if not (link or directory or relevant(entry.name)) or (self._skip and self._skip(path)):
                return
            if not entry.name.isprintable():
                self._refuse(path, "the name is not readable text in UTF-8: rename it")
            elif link:
                self._follow(folder, entry, path)
            elif directory:
                self._todo.append(_Folder(path, entry.path, (*folder.above, folder.real)))
            else:
                self._file(path, entry.stat(follow_symlinks=False))
        except OSError as error:
            self._refuse(path, f"it cannot be looked at: {reason(error)}")

    def _follow(self, folder: _Folder, entry: os.DirEntry[str], path: str) -> None:
        target, links = trail(entry.path)
        self._scan.links.update(link for link in (*links, target) if link.startswith(self._inside))
        try:
            st = os.lstat(target)
        except OSError as error:
            self._refuse(path, f"the symbolic link leads nowhere: {reason(error)}")
            return
        directory = stat.S_ISDIR(st.st_mode)
        if not directory and not relevant(entry.name):
            return
        above = (*folder.above, folder.real)
        if directory and target in above:  # nothing unknown: what it leads to is being read already
            self._scan.warnings.append(f"{path} leads back to a directory that holds it: passed over")
        elif not target.startswith(self._inside):
            self._refuse(path, "the symbolic link leads out of the source's directory, and is not followed there")
        elif directory:
            self._todo.append(_Folder(path, target, above))
        else:
            self._scan.behind[path] = target
            self._file(path, st)

    def _file(self, path: str, st: os.stat_result) -> None:
        if stat.S_ISREG(st.st_mode):
            self._scan.files[path] = Mark.of(st)
        else:
            kind = _SPECIAL.get(stat.S_IFMT(st.st_mode), "no file")
            self._scan.warnings.append(f"{path} is {kind}: passed over")

    def _refuse(self, path: str, problem: str) -> None:
        self._scan.problems[shown(path)] = problem


def trail(path: str) -> tuple[str, list[str]]:
    """Where an absolute path leads, whether or not anything is there, and the symbolic links met on the way."""
    links: list[str] = []
    here, ahead = "/", path.split("/")[::-1]
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = os.path.dirname(here)
            continue
        step = os.path.join(here, part)
        try:
            target = os.readlink(step)
        except OSError:  # no link, or nothing: who opens it will be told
            here = step
            continue
        links.append(step)
        if len(links) > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        here = "/" if target.startswith("/") else here
        ahead.extend(reversed(target.split("/")))
    return here, links
