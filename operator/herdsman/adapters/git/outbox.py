"""What a writer must not forget: the requests that it carried out, and those that it still has to.

Both are plain files that are whole after a power cut. A request in the outbox is kept as it was asked, not as a commit:
when its turn comes it is built anew on what is there then, and what it expects is checked again. One that cannot be
carried out any more is set aside with the reason; who asks for it again is told that reason.
"""

import base64
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from herdsman.model.writes import REQUEST_ID, Author, FileEdit, WriteRequest

MOST_RECORDS: Final = 20_000
MOST_SET_ASIDE: Final = 1_000


def durably(path: Path, data: bytes) -> None:
    """Let *path* hold *data*: after a crash it holds all of that, or what it held before."""
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Let names that came or went in *folder* survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# -- what was done -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A request that was carried out, the revision that it made, and the branch where that is."""

    request_id: str
    revision: str
    branch: str = ""


class Records:
    """The newest requests that were carried out, in one file of lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Record] = {}
        self._seen: tuple[int, int] = (0, 0)

    def find(self, request_id: str) -> Record | None:
        """What came of it, None where it was not carried out, or long ago."""
        self._look()
        return self._known.get(request_id)

    def add(self, records: Iterable[Record]) -> None:
        """Remember them, for good. Raises `OSError`."""
        self._look()
        new = {record.request_id: record for record in records}
        self._known |= new
        if len(self._known) > 2 * MOST_RECORDS:
            self._known = dict(list(self._known.items())[-MOST_RECORDS:])
            durably(self._path, b"".join(map(_line, self._known.values())))
        elif new:
            self._append(b"".join(map(_line, new.values())))
        self._seen = self._stamp()

    def _append(self, lines: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else b"\n" + lines
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def _look(self) -> None:
        """Read it where another process wrote to it."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._known, self._seen = {}, stamp
        with suppress(FileNotFoundError):
            for line in self._path.read_bytes().decode("utf-8", "replace").split("\n"):
                name, _, rest = line.partition(" ")
                revision, _, branch = rest.partition(" ")
                if revision and REQUEST_ID.fullmatch(name):
                    self._known[name] = Record(name, revision, branch)

    def _stamp(self) -> tuple[int, int]:
        try:
            st = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (st.st_ino, st.st_size)


def _line(record: Record) -> bytes:
    return f"{record.request_id} {record.revision} {record.branch}".strip().encode() + b"\n"


# -- what is to be done ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """A request in the outbox, under *name*; *at* is when it was asked for, in seconds since 1970."""

    name: str
    request: WriteRequest
    at: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request from the outbox was not carried out; *conflict* says that others changed what it expected."""

    message: str
    conflict: bool


class Outbox:
    """Requests in *folder*, in the order in which they came. For one process at a time. Raises `OSError`."""

    def __init__(self, folder: Path) -> None:
        self._waiting, self._aside = folder / "outbox", folder / "refused"

    def load(self) -> list[Kept]:
        """All that wait. A file that is none of ours is set aside."""
        kept: list[Kept] = []
        for path in self._files():
            try:
                kept.append(_decode(path.stem, path.read_bytes()))
            except (ValueError, KeyError, TypeError):
                path.replace(path.with_suffix(".bad"))
        return kept

    def put(self, request: WriteRequest, at: int) -> str:
        """Keep a request; the value is its name here."""
        self._waiting.mkdir(mode=0o700, parents=True, exist_ok=True)
        last = max((int(path.stem) for path in self._files()), default=0)
        name = f"{last + 1:012}"
        durably(self._waiting / f"{name}.json", _encode(request, at))
        return name

    def drop(self, name: str) -> None:
        """It is carried out."""
        (self._waiting / f"{name}.json").unlink(missing_ok=True)

    def set_aside(self, kept: Kept, refusal: Refusal) -> None:
        """It will not be carried out."""
        self._aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = {"message": refusal.message, "conflict": refusal.conflict, "request": _plain(kept.request, kept.at)}
        durably(self._aside / f"{kept.request.request_id}.json", orjson.dumps(words))
        self.drop(kept.name)
        old = sorted(self._aside.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in old[:-MOST_SET_ASIDE]:
            path.unlink(missing_ok=True)

    def refusal(self, request_id: str) -> Refusal | None:
        """Why a request was set aside, None where it was not."""
        try:
            found = orjson.loads((self._aside / f"{request_id}.json").read_bytes())
            return Refusal(str(found["message"]), bool(found["conflict"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _files(self) -> list[Path]:
        return sorted(path for path in self._waiting.glob("*.json") if path.stem.isdecimal())


def _encode(request: WriteRequest, at: int) -> bytes:
    return orjson.dumps(_plain(request, at))


def _plain(request: WriteRequest, at: int) -> dict[str, Any]:
    edits = [
        {
            "path": edit.path,
            "content": None if edit.content is None else base64.b64encode(edit.content).decode(),
            "expected": edit.expected,
        }
        for edit in request.edits
    ]
    author = {"name": _text(request.author.name), "email": _text(request.author.email)}
    return {
        "id": request.request_id,
        "at": at,
        "author": author,
        "message": _text(request.message),
        "edits": edits,
    }


def _text(text: str) -> str:
    """JSON has no room for half a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def _decode(name: str, data: bytes) -> Kept:
    found: Mapping[str, Any] = orjson.loads(data)
    edits = tuple(
        FileEdit(
            str(edit["path"]),
            None if edit["content"] is None else base64.b64decode(edit["content"], validate=True),
            edit["expected"],
        )
        for edit in found["edits"]
    )
    author = Author(str(found["author"]["name"]), str(found["author"]["email"]))
    return Kept(name, WriteRequest(edits, author, str(found["message"]), str(found["id"])), int(found["at"]))
