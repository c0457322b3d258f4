"""Which files a commit holds that may concern a fleet, by walking its trees.

Trees are read level by level, and what each holds is remembered by its ID until a later commit has no use for it: of
ten thousand files in a hundred directories, one that changed costs the trees on the way to it.

A tree is what somebody pushed. Its names may be anything (`..`, a line break), it may hold itself ten times over ten
levels, and symbolic links and submodules lead out of it: nothing of that is followed, and there is an end to how much
is looked at.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from herdsman.adapters.git.objects import Objects
from herdsman.adapters.treewalk import MAX_ENTRIES, shown
from herdsman.core.ignore import IGNORE_FILE, relevant
from herdsman.errors import SourceError

MAX_PATH: Final = 4096

_ENTRY: Final = {
    40: re.compile(rb"([0-7]{1,7}) ([^\0]+)\0(.{20})", re.DOTALL),
    64: re.compile(rb"([0-7]{1,7}) ([^\0]+)\0(.{32})", re.DOTALL),
}
"""An entry of a tree, by the number of digits of an object ID."""


class Kind(Enum):
    """What an entry of a tree is, by the type in its mode."""

    FILE = 0o100000
    FOLDER = 0o040000
    LINK = 0o120000
    MODULE = 0o160000

    @property
    def words(self) -> str:
        """For a reader."""
        return {Kind.LINK: "symbolic link", Kind.MODULE: "submodule"}.get(self, self.name.lower())


_KINDS: Final = {kind.value: kind for kind in Kind}


class Entry(NamedTuple):
    """One name in a tree."""

    name: str
    kind: Kind
    oid: str


@dataclass(slots=True)
class Listing:
    """What there is in a directory of a commit. *files* are object IDs by path, *problems* words by path."""

    files: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    folders: list["Folder"] = field(default_factory=list)

    def add(self, other: "Listing") -> None:
        """Take over everything but the directories that are still to be looked at."""
        self.files |= other.files
        self.problems |= other.problems
        self.links += other.links
        self.modules += other.modules


class Folder(NamedTuple):
    """A directory of a commit: what paths in it begin with, and its tree."""

    prefix: str
    oid: str


class Lister:
    """Walks trees. *keep* answers for a path whether it is looked at."""

    def __init__(self, keep: Callable[[str], bool]) -> None:
        self._keep = keep
        self._known: dict[Folder, Listing] = {}
        self._endless = ""

    def walk(self, objects: Objects, root: str) -> Listing:
        """All below the tree *root*. Raises `SourceError` where that is too much, `Damaged` where a tree is missing."""
        whole = Listing()
        seen: dict[Folder, Listing] = {}
        level, entries = [Folder("", root)], 0
        while level:
            self._learn(objects, [folder for folder in level if folder not in self._known])
            below: list[Folder] = []
            for folder in level:
                found = seen[folder] = self._known[folder]
                whole.add(found)
                below += found.folders
            level = below
            entries += len(level)
            if root == self._endless or entries + len(whole.files) + len(whole.links) > MAX_ENTRIES:
                self._known, self._endless = {}, root  # not counted once more when it is asked again
                raise SourceError(
                    f"the commit holds more than {MAX_ENTRIES:,} files and directories",
                    hint="name the directory that holds the specs, and little else, as path",
                )
        self._known = seen
        return whole

    def _learn(self, objects: Objects, folders: list[Folder]) -> None:
        trees = objects.read(list({folder.oid: None for folder in folders}))
        entries = {tree.oid: tuple(_entries(tree.data, len(tree.oid))) for tree in trees}
        for folder in folders:
            self._known[folder] = self._sorted(folder, entries[folder.oid])

    def _sorted(self, folder: Folder, entries: tuple[Entry, ...]) -> Listing:
        """Every entry of one directory where it belongs."""
        listing = Listing()
        for name, kind, oid in entries:
            path = folder.prefix + name
            problem = _problem(path, name)
            if kind is Kind.FOLDER and not problem:
                listing.folders.append(Folder(f"{path}/", oid))
            elif not self._keep(path):
                continue
            elif kind in (Kind.LINK, Kind.MODULE):
                (listing.links if kind is Kind.LINK else listing.modules).append(path)
            elif problem:
                listing.problems[shown(path)[:MAX_PATH]] = problem
            else:
                listing.files[path] = oid
        return listing


def _problem(path: str, name: str) -> str:
    if not name.isprintable() or "/" in name:
        return "the name is not readable text in UTF-8: rename it"
    return "its path is too long" if len(path) >= MAX_PATH else ""


def _entries(data: bytes, digits: int) -> Iterator[Entry]:
    """What of a tree may concern a fleet: hidden names and files of no interest are left out."""
    for name, kind, oid in entries_of(data, digits):
        hidden = name.startswith(".") and name != IGNORE_FILE
        if kind and not hidden and (kind is not Kind.FILE or relevant(name)):
            yield Entry(name, kind, oid)


def entries_of(data: bytes, digits: int) -> Iterator[tuple[str, Kind | None, str]]:
    """Name, kind and object ID of everything in a tree, whose IDs have so many *digits*."""
    end = 0
    for match in _ENTRY[digits].finditer(data):
        if match.start() != end:
            break
        end = match.end()
        mode, name, oid = match.groups()
        yield name.decode("utf-8", "surrogateescape"), _KINDS.get(int(mode, 8) & 0o170000), oid.hex()
    if end != len(data):
        raise SourceError("a directory of the commit is malformed", hint="git fsck says which; push a repaired commit")
