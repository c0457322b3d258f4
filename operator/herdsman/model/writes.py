"""What is asked of a place that specs are written to, and what came of it.

A write names whole files, by paths as a snapshot has them: relative to the source's root. Each edit may say what it
found there before (`expected`), and is refused where that is no longer so; so two people who edit one file cannot
undo each other unseen. The request ID makes a write happen once, however often it is asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from herdsman.errors import UsageError
from herdsman.model.sources import MAX_FILE

MAX_EDITS: Final = 500
MAX_WRITE: Final = 2 * MAX_FILE
"""Bytes of all files of one request."""

MAX_PATH: Final = 1024
_MAX_NAME: Final = 255

IGNORE_FILE: Final = ".herdsmanignore"

ABSENT: Final = ""
"""The `expected` of an edit that creates: no file must be there."""

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9](?!.*(?:\.\.|\.lock$|\.$))[A-Za-z0-9._-]{0,127}", re.ASCII)
"""It becomes part of a trailer, of a file name and of a branch name."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One file as it is to be: its whole *content*, None where it is to go.

    *expected* is the digest of what is there now, `ABSENT` where nothing must be there, None where that is all one.
    """

    path: str
    content: bytes | None
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who asks for a write."""

    name: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Edits that are carried out together or not at all."""

    edits: tuple[FileEdit, ...]
    author: Author
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write.

    *revision* is the commit, or a digest where there is no Git. *pushed* is False where it waits here for a remote that
    is away; it may then get another revision on its way. *branch* is what it was written to, *url* a page that shows
    it, where one is known. *repeated* says that the request had been carried out before.
    """

    revision: str
    pushed: bool = True
    branch: str = ""
    url: str = ""
    repeated: bool = False


class CommitState(StrEnum):
    """What is told of a commit to the place it came from."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


def digest(content: bytes | None) -> str:
    """What an edit may expect: of a file's content, or of None for a file that is not there."""
    return ABSENT if content is None else sha256(content).hexdigest()


def meets(edit: FileEdit, present: bytes | None) -> bool:
    """Whether *present* is what the edit expects."""
    return edit.expected is None or edit.expected == digest(present)


def check_request(request: WriteRequest) -> None:
    """Raises `UsageError` where a request makes no sense whatever the files are."""
    if not REQUEST_ID.fullmatch(request.request_id):
        raise UsageError(
            f"{request.request_id[:80]!r} is no ID of a request",
            hint="letters, digits, `.`, `_` and `-`, at most 128: a UUID is one",
        )
    if not 0 < len(request.edits) <= MAX_EDITS:
        raise UsageError(f"a write of {len(request.edits)} files", hint=f"write 1 to {MAX_EDITS} files at once")
    for edit in request.edits:
        _check_edit(edit)
    _check_together(request.edits)


def _check_edit(edit: FileEdit) -> None:
    check_path(edit.path)
    if edit.content is not None and len(edit.content) > MAX_FILE:
        raise UsageError(f"{edit.path} is larger than {MAX_FILE >> 20} MiB", hint="keep data elsewhere")
    if edit.expected and not _DIGEST.fullmatch(edit.expected):
        raise UsageError(
            f"what is expected of {edit.path} is no digest", hint="give the SHA-256 of its content in hexadecimal"
        )


def _check_together(edits: Sequence[FileEdit]) -> None:
    if sum(len(edit.content or b"") for edit in edits) > MAX_WRITE:
        raise UsageError(f"the files are larger than {MAX_WRITE >> 20} MiB together", hint="write them one by one")
    paths = {edit.path for edit in edits}
    if len(paths) < len(edits):
        twice = next(path for path in paths if sum(edit.path == path for edit in edits) > 1)
        raise UsageError(f"{twice} is written twice in one request", hint="say once what is to be in it")
    for path in paths:
        above = next((folder for folder in folders(path) if folder in paths), None)
        if above:
            raise UsageError(
                f"{above} cannot be a file and the directory of {path} at once", hint="make two writes of it"
            )


def check_path(path: str) -> None:
    """Raises `UsageError` where *path* is none of a file that a source may hold.

    Hidden names are refused but for the one that counts: nobody would read such a file here, but others may act on it
    (`.github/workflows`, `.gitlab-ci.yml`, `.git` itself).
    """
    problem = _wrong_with(path)
    if problem:
        raise UsageError(
            f"{path[:200]!r} is no path of a spec file: {problem}", hint="write it like jobs/web.yaml, with / alone"
        )


def _wrong_with(path: str) -> str:
    if not path:
        return "it is empty"
    if not path.isprintable() or "\\" in path:
        return "it holds characters that do not belong there"
    if path.startswith("/"):
        return "it is absolute"
    if len(path.encode()) > MAX_PATH:
        return f"it is longer than {MAX_PATH} bytes"
    *above, name = path.split("/")
    for part in (*above, name):
        if part in {"", ".", ".."}:
            return "a part of it is empty, `.` or `..`"
        if len(part.encode()) > _MAX_NAME:
            return f"a part of it is longer than {_MAX_NAME} bytes"
        if part != part.strip() or part.endswith("."):
            return "a part of it begins or ends with a space, or ends with a dot"
        if part.lower().startswith("git~"):
            return "some file systems take a part of it for .git"
    if any(part.startswith(".") for part in above) or (name.startswith(".") and name != IGNORE_FILE):
        return "a part of it is hidden"
    return ""


def folders(path: str) -> list[str]:
    """The directories on the way to *path*, the nearest last."""
    return [path[:at] for at, char in enumerate(path) if char == "/"]
