"""Commits, made in a bare repository without a checkout: what is there is read from trees, what is new goes in by
`git fast-import`.

One process makes all the commits of a batch, one on top of the other. Everything that a caller had a word in (paths,
names, messages, contents) goes to it by standard input, quoted or counted: nothing of it can become a command.

A batch is judged against a commit and what the batch itself changes in it so far (`View`). Whoever fails there may
have failed because of the latter only: such a request is looked at again when the batch is through.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, NamedTuple

from herdsman.adapters.git.command import Git
from herdsman.adapters.git.failures import explain
from herdsman.adapters.git.objects import Damaged, Objects
from herdsman.core.messages import commit_message, person
from herdsman.errors import Conflict, UsageError
from herdsman.model.sources import MAX_FILE
from herdsman.model.writes import Author, FileEdit, WriteRequest, folders, meets

NEXT: Final = "refs/herdsman/next"
"""The last commit that was made here; it keeps what is not pushed yet from being thrown away."""

_FILE: Final = "100644"
_FOLDER: Final = "40000"
_OTHERS: Final = {"120000": "a symbolic link", "160000": "a submodule"}

_MAX_TREES: Final = 4096


class Entry(NamedTuple):
    """What a tree has under a name."""

    mode: str
    oid: str


class Trees:
    """Trees of one repository, each read once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, dict[str, Entry]] = {}

    def find(self, root: str, path: str) -> Entry | None:
        """What there is at *path* below the tree *root*. A file on the way there is `UsageError`."""
        entry = Entry(_FOLDER, root)
        for part in path.split("/"):
            if entry.mode != _FOLDER:
                raise UsageError(f"{path} cannot be: {_kind(entry)} is on the way there", hint="choose another path")
            found = self._tree(entry.oid).get(part)
            if found is None:
                return None
            entry = found
        return entry

    def content(self, oid: str) -> bytes | None:
        """A file's content; None where it is larger than any file that is read."""
        if self._objects.sizes([oid])[oid] > MAX_FILE:
            return None
        return next(self._objects.read([oid])).data

    def _tree(self, oid: str) -> dict[str, Entry]:
        if oid not in self._known:
            if len(self._known) >= _MAX_TREES:
                self._known.clear()
            self._known[oid] = _parse_tree(next(self._objects.read([oid])).data, len(oid) // 2)
        return self._known[oid]


def _parse_tree(data: bytes, width: int) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    at = 0
    while at < len(data):
        space, end = data.find(b" ", at), data.find(b"\0", at)
        if not at < space < end:
            raise Damaged
        name = data[space + 1 : end].decode("utf-8", "surrogateescape")
        entries[name] = Entry(
            data[at:space].decode("ascii", "replace").lstrip("0"), data[end + 1 : end + 1 + width].hex()
        )
        at = end + 1 + width
    return entries


def _kind(entry: Entry) -> str:
    return _OTHERS.get(entry.mode, "a directory" if entry.mode == _FOLDER else "a file")


@dataclass(frozen=True, slots=True)
class Change:
    """One path of a commit, from the root of the repository; None as content removes it."""

    path: str
    mode: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit to be made. *at* is in seconds since 1970."""

    request: WriteRequest
    at: int
    changes: tuple[Change, ...]


@dataclass(slots=True)
class View:
    """The files of the commit with the tree *root*, below *prefix*, and above that what a batch did so far."""

    trees: Trees
    root: str
    prefix: str
    done: dict[str, Change] = field(default_factory=dict)

    @property
    def touched(self) -> bool:
        """Whether it is another state than that of the commit."""
        return bool(self.done)

    def draft(self, request: WriteRequest, at: int) -> Draft | None:
        """The commit for *request*, None where nothing is to change. Raises `Conflict`, or `UsageError`."""
        changes = tuple(change for edit in request.edits if (change := self._change(edit)))
        self.done |= {change.path: change for change in changes}
        return Draft(request, at, changes) if changes else None

    def read(self, path: str) -> bytes | None:
        """What is at *path* below the prefix. Raises `UsageError` where it is no file, or too large a one."""
        entry = self._entry(self._full(path))
        if entry is None:
            return None
        content = self.trees.content(entry.oid)
        if content is None:
            raise UsageError(f"{path} is larger than {MAX_FILE >> 20} MiB", hint="it is no spec")
        return content

    def _change(self, edit: FileEdit) -> Change | None:
        full = self._full(edit.path)
        entry = self._entry(full)
        if not self._as_expected(edit, full, entry):
            raise Conflict(
                f"{edit.path} is not as expected: {_now(edit, entry)}", hint="read it again and repeat the change"
            )
        if self._is_so(edit, full, entry):
            return None
        return Change(full, entry.mode if entry else _FILE, edit.content)

    def _entry(self, full: str) -> Entry | None:
        """The file at *full*; a change of the batch has an empty ID."""
        if full in self.done:
            own = self.done[full]
            return Entry(own.mode, "") if own.content is not None else None
        above = next((f for f in folders(full) if f in self.done and self.done[f].content is not None), None)
        if above or any(p.startswith(f"{full}/") and c.content is not None for p, c in self.done.items()):
            raise UsageError(f"{full} cannot be a file and a directory at once", hint="choose another path")
        entry = self.trees.find(self.root, full)
        if entry and not entry.mode.startswith("100"):
            raise UsageError(f"{full} is {_kind(entry)}, not a file", hint="choose another path")
        return entry

    def _as_expected(self, edit: FileEdit, full: str, entry: Entry | None) -> bool:
        if edit.expected is None or entry is None:
            return meets(edit, None)
        if not edit.expected:
            return False
        content = self.done[full].content if full in self.done else self.trees.content(entry.oid)
        return content is not None and meets(edit, content)

    def _is_so(self, edit: FileEdit, full: str, entry: Entry | None) -> bool:
        if entry is None or edit.content is None:
            return entry is None and edit.content is None
        if full in self.done:
            return self.done[full].content == edit.content
        return blob_id(edit.content, entry.oid) == entry.oid

    def _full(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path


def _now(edit: FileEdit, entry: Entry | None) -> str:
    if entry is None:
        return "it is not there"
    return "it was changed meanwhile" if edit.expected else "it is there already"


def blob_id(content: bytes, like: str) -> str:
    """The ID that Git gives to a content, in the repository to which the ID *like* belongs."""
    algorithm = "sha256" if len(like) == 64 else "sha1"
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes commits in *repo*. *place* is what errors call it by."""

    git: Git
    repo: Path
    committer: Author
    place: str
    timeout: float

    def make(self, base: str, drafts: Sequence[Draft]) -> list[str]:
        """The IDs of the commits for *drafts*, each on top of the one before, the first on *base*."""
        with tempfile.TemporaryFile(dir=self.repo) as orders:
            self._write(orders, base, drafts)
            orders.flush()
            orders.seek(0)
            done = self.git.run(
                "fast-import", "--quiet", "--force", "--done", "--date-format=raw",
                repo=self.repo, timeout=self.timeout, stdin=orders.fileno(),
            )  # fmt: skip
        made = done.out.decode("ascii", "replace").split()
        if done.ok and len(made) == len(drafts):
            return made
        for report in self.repo.glob("fast_import_crash_*"):
            report.unlink(missing_ok=True)
        raise explain(done, self.place)

    def _write(self, orders: IO[bytes], base: str, drafts: Sequence[Draft]) -> None:
        orders.write(b"feature done\n")
        for number, draft in enumerate(drafts, 1):
            origin = base if number == 1 else f":{number - 1}"
            for line in self._commit(number, origin, draft):
                orders.write(line)
        orders.write(b"done\n")

    def _commit(self, number: int, origin: str, draft: Draft) -> Iterator[bytes]:
        author, when = person(draft.request.author), f"{draft.at} +0000"
        yield f"commit {NEXT}\nmark :{number}\n".encode()
        yield f"author {author.name} <{author.email}> {when}\n".encode()
        yield f"committer {self.committer.name} <{self.committer.email}> {when}\n".encode()
        yield _data(commit_message(draft.request).encode())
        yield f"from {origin}\n".encode()
        for change in draft.changes:
            yield from _change(change)
        yield f"get-mark :{number}\n".encode()


def _change(change: Change) -> Iterator[bytes]:
    name = b'"' + b"".join(b"\\%03o" % byte for byte in change.path.encode()) + b'"'
    if change.content is None:
        yield b"D %b\n" % name
    else:
        yield b"M %b inline %b\n" % (change.mode.encode(), name)
        yield _data(change.content)


def _data(data: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(data), data)
