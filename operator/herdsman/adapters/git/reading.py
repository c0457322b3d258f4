"""From a commit to the files of a snapshot, reading only what the last one did not hold."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from herdsman.adapters.git.commits import Commit
from herdsman.adapters.git.listing import Kind, Lister, Listing, entries_of
from herdsman.adapters.git.objects import Objects
from herdsman.errors import SourceError
from herdsman.model.sources import MAX_FILE, MAX_TOTAL, SourceFile

_SHOWN: Final = 5


class Reader:
    """Reads the files below *path* of one commit after the other. *keep* answers for a path whether it is looked at."""

    def __init__(self, path: str, keep: Callable[[str], bool]) -> None:
        self._path = path
        self._lister = Lister(keep)
        self._root = ""
        self._sizes: dict[str, int] = {}
        self.files: Mapping[str, SourceFile] = MappingProxyType({})
        self.warnings: tuple[str, ...] = ()

    def read(self, objects: Objects, commit: Commit) -> None:
        """Let `files` and `warnings` be those of *commit*. Raises `SourceError` where it does not hold the path."""
        root = self._root_of(objects, commit)
        if root == self._root:
            return
        listing = self._lister.walk(objects, root)
        self._measure(objects, listing.files)
        self.files = MappingProxyType(self._take(objects, listing))
        self.warnings = tuple(_warnings(listing, self._path))
        self._root = root

    def _root_of(self, objects: Objects, commit: Commit) -> str:
        """The tree at the path, found name by name: an object that is missing is no directory that is missing."""
        oid = commit.tree
        for part in self._path.split("/") if self._path else ():
            tree = next(objects.read([oid]))
            found = {name: (kind, child) for name, kind, child in entries_of(tree.data, len(oid))}.get(part)
            if found is None:
                raise SourceError(
                    f"{commit} holds no directory {self._path}",
                    hint="it was moved or removed; nothing is changed until it is there, or path names another",
                )
            kind, oid = found
            if kind is not Kind.FOLDER:
                raise SourceError(
                    f"{self._path} is no directory in {commit}, but leads through a {kind.words if kind else 'file'}",
                    hint="path names the directory that holds the specs",
                )
        return oid

    def _measure(self, objects: Objects, files: Mapping[str, str]) -> None:
        """Learn how large the blobs are, and forget those that are gone."""
        unknown = list(dict.fromkeys(oid for oid in files.values() if oid not in self._sizes))
        sizes = self._sizes | objects.sizes(unknown)
        self._sizes = {oid: sizes[oid] for oid in files.values()}

    def _take(self, objects: Objects, listing: Listing) -> dict[str, SourceFile]:
        """The files: as they are held already where they did not change, read otherwise."""
        problems = {**listing.problems, **_too_much(listing.files, self._sizes)}
        wanted = {path: oid for path, oid in listing.files.items() if path not in problems}
        taken = {path: file for path, file in self.files.items() if file.digest and wanted.get(path) == file.digest}
        missing: dict[str, list[str]] = {}
        for path in wanted.keys() - taken.keys():
            missing.setdefault(wanted[path], []).append(path)
        for blob in objects.read(list(missing)):
            taken |= {path: SourceFile(path, blob.data, blob.oid) for path in missing[blob.oid]}
        taken |= {path: SourceFile(path, None, problem=problem) for path, problem in problems.items()}
        return dict(sorted(taken.items()))


def _too_much(files: Mapping[str, str], sizes: Mapping[str, int]) -> dict[str, str]:
    """The files that are too large, or beyond what is read in all, with words for each."""
    if sum(map(sizes.__getitem__, files.values())) <= min(MAX_FILE, MAX_TOTAL):
        return {}
    problems: dict[str, str] = {}
    room = MAX_TOTAL
    for path, oid in sorted(files.items()):
        if sizes[oid] > MAX_FILE:
            problems[path] = f"it is larger than {MAX_FILE >> 20} MiB"
        elif sizes[oid] > room:
            problems[path] = f"the files before it fill {MAX_TOTAL >> 20} MiB: keep data elsewhere"
        else:
            room -= sizes[oid]
    return problems


def _warnings(listing: Listing, path: str) -> list[str]:
    """What was passed over. One line of each kind: a repository may hold thousands of links."""
    return [
        *([f"symbolic links are not followed in Git, passed over: {_some(listing.links)}"] if listing.links else []),
        *([f"submodules are not read, passed over: {_some(listing.modules)}"] if listing.modules else []),
        *([] if listing.files or listing.problems else [f"there is no file of specs in {path or 'the repository'}"]),
    ]


def _some(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    some = ", ".join(sorted(paths)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return "".join(c if c.isprintable() else "?" for c in some)
