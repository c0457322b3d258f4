"""Specs written to a plain directory: each file replaced whole, several together or none, and nothing behind a link.

New contents are staged first, as hidden files beside their places, where no reader of specs looks; only when all are on
disk are they renamed, one after the other. What fails on the way is taken back. What a crash cuts short is finished at
the next start: the request stands in a journal until then, with what each file was before; a file that somebody changed
since stays theirs.

Directories are walked by descriptors that follow no symbolic link, so that none that is put there meanwhile leads out
of the root.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from herdsman.adapters.git.outbox import Outbox, Record, Records, durably
from herdsman.adapters.treewalk import reason, shown
from herdsman.errors import Conflict, Unavailable, UsageError
from herdsman.model.sources import MAX_FILE
from herdsman.model.writes import FileEdit, WriteRequest, Written, check_path, check_request, digest, folders, meets
from herdsman.ports import Clock

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_STAGE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_MODE: Final = 0o644
_STAGED: Final = re.compile(r"\.herdsman-[0-9a-f]{16}\.new")
_MADE: Final = "folders.json"


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is."""

    content: bytes
    mode: int


class TreeWriter:
    """`ports.SpecWriter` for the directory *root*. *state* is a directory outside of it, for what is remembered.

    *warn* is told where a write that a crash cut short could not be finished.
    """

    def __init__(self, root: Path, *, clock: Clock, state: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self._root, self._clock, self._state, self._warn = root.absolute(), clock, state.absolute(), warn
        self._records = Records(self._state / "requests")
        self._journal = Outbox(self._state)
        self._lock = threading.Lock()
        try:
            with self._locked():
                pass
        except Unavailable as error:
            warn(error.message)

    # -- the port --

    def write(self, request: WriteRequest) -> Written:
        """Carry *request* out: all of it, or nothing. Raises `UsageError`, `Conflict` and `Unavailable`."""
        check_request(request)
        with self._locked() as top:
            record = self._records.find(request.request_id)
            if record:
                return Written(record.revision, repeated=True)
            before = [top.read(edit.path) for edit in request.edits]
            known = tuple(map(_as_found, request.edits, before))
            name = self._journal.put(replace(request, edits=known), int(self._clock.now().timestamp()))
            try:
                self._apply(top, request.edits, before)
            except BaseException:  # it was taken back
                self._journal.drop(name)
                raise
            revision = _revision(request.edits)
            self._records.add([Record(request.request_id, revision)])
            self._journal.drop(name)
        return Written(revision)

    def read(self, path: str) -> bytes | None:
        """A file as it is; None where there is none. Raises `UsageError` and `Unavailable`."""
        check_path(path)
        with self._locked() as top:
            found = top.read(path)
        return found.content if found else None

    def read_at(self, path: str, revision: str) -> bytes | None:
        """Raises `UsageError`: a directory keeps no history."""
        raise UsageError(
            f"{shown(str(self._root))} keeps no history, so {path} cannot be had as it was",
            hint="restore it yourself, or let Herdsman follow a Git repository: herdsman run --git URL",
        )

    def describe(self) -> str:
        """The directory."""
        return shown(str(self._root))

    # -- inside --

    @contextmanager
    def _locked(self) -> Iterator["_Top"]:
        """Keep others out; what a crash left is finished first."""
        try:
            with self._lock, ExitStack() as stack:
                self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = stack.enter_context((self._state / "lock").open("a"))
                fcntl.flock(lock, fcntl.LOCK_EX)
                top = _Top(os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                stack.callback(top.close)
                self._recover(top)
                yield top
        except OSError as error:
            raise Unavailable(
                f"the directory {self.describe()} cannot be written: {reason(error)}; nothing was changed",
                hint="it and the state directory have to be there, with room, and writable for the user that runs this",
            ) from error

    def _apply(self, top: "_Top", edits: Sequence[FileEdit], before: Sequence["_File | None"]) -> None:
        """Let each file be as its edit says. What fails leaves everything as it was."""
        changes = [
            _Change(edit.path, edit.content, found)
            for edit, found in zip(edits, before, strict=True)
            if edit.content != (found.content if found else None)
        ]
        made = top.carry_out(changes)
        ours = self._folders() | made
        gone = {
            folder
            for change in changes
            if change.content is None
            for folder in reversed(folders(change.path))
            if folder in ours and top.remove_folder(folder)
        }
        if made or gone:
            durably(self._state / _MADE, orjson.dumps(sorted(ours - gone)))

    def _folders(self) -> set[str]:
        """The directories that were made here."""
        try:
            return set(map(str, orjson.loads((self._state / _MADE).read_bytes())))
        except (FileNotFoundError, ValueError, TypeError):
            return set()

    def _recover(self, top: "_Top") -> None:
        """Finish what was begun before a crash."""
        for kept in self._journal.load():
            top.sweep([edit.path for edit in kept.request.edits])
            pairs = [(edit, found) for edit in kept.request.edits if (found := _Found.of(top, edit)).is_ours]
            if len(pairs) < len(kept.request.edits):
                self._warn(
                    f"the write {kept.request.request_id}, which a crash cut short, is finished but for files that"
                    " were changed since"
                )
            self._apply(top, [edit for edit, _ in pairs], [found.file for _, found in pairs])
            self._records.add([Record(kept.request.request_id, _revision(kept.request.edits))])
            self._journal.drop(kept.name)


@dataclass(frozen=True, slots=True)
class _Found:
    """What recovery meets: a file as it was before the write, or as the write made it, is *is_ours*."""

    file: _File | None
    is_ours: bool

    @classmethod
    def of(cls, top: "_Top", edit: FileEdit) -> "_Found":
        try:
            file = top.read(edit.path)
        except UsageError:
            return cls(None, is_ours=False)
        content = file.content if file else None
        return cls(file, is_ours=content == edit.content or meets(edit, content))


@dataclass(frozen=True, slots=True)
class _Change:
    path: str
    content: bytes | None
    before: _File | None


class _Top:
    """The root directory, open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)

    def read(self, path: str) -> _File | None:
        """The file at *path*, None where there is none. Raises `UsageError` where it is something else."""
        with suppress(FileNotFoundError), self._folder(path) as folder:
            try:
                fd = os.open(_name(path), _READ, dir_fd=folder)
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENXIO}:
                    raise _no_file(path) from None
                raise
            st = os.fstat(fd)
            if not stat.S_ISREG(st.st_mode):
                os.close(fd)
                raise _no_file(path)
            with os.fdopen(fd, "rb") as file:
                content = file.read(MAX_FILE + 1)
            if len(content) > MAX_FILE:
                raise UsageError(f"{path} is larger than {MAX_FILE >> 20} MiB", hint="it is no spec")
            return _File(content, stat.S_IMODE(st.st_mode))
        return None

    def carry_out(self, changes: Sequence[_Change]) -> set[str]:
        """All of them, or none; the value is the directories that were made."""
        made: list[str] = []
        done: list[_Change] = []
        staged: dict[str, str] = {}
        try:
            for change in changes:
                if change.content is not None:
                    self._make_folders(change.path, made)
                    staged[change.path] = self._stage(change.path, change.content, change.before)
            for change in changes:
                self._replace(change.path, staged.get(change.path))
                staged.pop(change.path, None)
                done.append(change)
        except BaseException:
            self._take_back(done, staged, made)
            raise
        self._sync(changes)
        return set(made)

    def remove_folder(self, path: str) -> bool:
        """Remove a directory where it is empty; the value is whether it is gone."""
        try:
            with self._folder(path) as above:
                os.rmdir(_name(path), dir_fd=above)
        except OSError:
            return False
        return True

    def sweep(self, paths: Sequence[str]) -> None:
        """Remove what was staged for *paths* by a process that is no more."""
        for path in paths:
            with suppress(OSError, UsageError), self._folder(path) as folder:
                for name in os.listdir(folder):  # noqa: PTH208 - a descriptor has no path
                    if _STAGED.fullmatch(name):
                        os.unlink(name, dir_fd=folder)

    def _take_back(self, done: Sequence[_Change], staged: dict[str, str], made: Sequence[str]) -> None:
        for path, name in staged.items():
            with suppress(OSError), self._folder(path) as folder:
                os.unlink(name, dir_fd=folder)
        for change in reversed(done):
            with suppress(OSError):
                before = change.before
                self._replace(change.path, self._stage(change.path, before.content, before) if before else None)
        for folder_path in reversed(made):
            self.remove_folder(folder_path)

    def _replace(self, path: str, staged: str | None) -> None:
        """Let the staged file be at *path*; None is nothing."""
        with self._folder(path) as folder:
            if staged is None:
                with suppress(FileNotFoundError):
                    os.unlink(_name(path), dir_fd=folder)
            else:
                os.rename(staged, _name(path), src_dir_fd=folder, dst_dir_fd=folder)

    def _stage(self, path: str, content: bytes, before: _File | None) -> str:
        """Write *content* beside *path*, under a name that nobody reads; the value is that."""
        name = f".herdsman-{secrets.token_hex(8)}.new"
        with self._folder(path) as folder:
            fd = os.open(name, _STAGE, before.mode if before else _MODE, dir_fd=folder)
            try:
                with os.fdopen(fd, "wb") as file:
                    if before:
                        os.fchmod(fd, before.mode)
                    file.write(content)
                    file.flush()
                    os.fsync(fd)
            except BaseException:
                os.unlink(name, dir_fd=folder)
                raise
        return name

    def _make_folders(self, path: str, made: list[str]) -> None:
        """Make those on the way to *path* that are not there; *made* is told of each."""
        for folder in folders(path):
            with self._folder(folder) as above, suppress(FileExistsError):
                os.mkdir(_name(folder), dir_fd=above)
                made.append(folder)

    def _sync(self, changes: Sequence[_Change]) -> None:
        """Let the names survive a power cut, those of new directories too."""
        for path in {path for change in changes for path in (*folders(change.path), change.path)}:
            with suppress(OSError), self._folder(path) as folder:
                os.fsync(folder)

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """The directory that *path* is in, open. A link on the way, or a file, is `UsageError`."""
        with ExitStack() as stack:
            fd = self._fd
            for part in path.split("/")[:-1]:
                try:
                    fd = os.open(part, _FOLDER, dir_fd=fd)
                except OSError as error:
                    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                        raise UsageError(
                            f"{path} cannot be: {part} on the way there is no directory, or a symbolic link",
                            hint="links are not followed; choose another path",
                        ) from None
                    raise
                stack.callback(os.close, fd)
            yield fd


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _no_file(path: str) -> UsageError:
    return UsageError(f"{path} is there, but no regular file", hint="links are not followed; choose another path")


def _as_found(edit: FileEdit, found: _File | None) -> FileEdit:
    """The edit, with what it really meets as what it expects. Raises `Conflict` where it expects something else."""
    content = found.content if found else None
    if not meets(edit, content):
        now = "it is not there" if found is None else "it was changed meanwhile" if edit.expected else "it is there"
        raise Conflict(f"{edit.path} is not as expected: {now}", hint="read it again and repeat the change")
    return replace(edit, expected=digest(content))


def _revision(edits: Sequence[FileEdit]) -> str:
    """Equal for equal writes."""
    lines = "".join(f"{edit.path}\0{digest(edit.content)}\n" for edit in sorted(edits, key=lambda edit: edit.path))
    return f"write:{hashlib.sha256(lines.encode()).hexdigest()[:12]}"
