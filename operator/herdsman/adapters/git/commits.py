"""A commit, read from its object."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_PERSON: Final = re.compile(r"(.*?)\s*<([^>]*)>(?: (-?\d+))?")

_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Commit:
    """Who wrote what, when by their own clock, and whether it bears a signature of any kind."""

    oid: str
    tree: str
    author: str
    message: str
    committed: datetime | None
    signed: bool

    def __str__(self) -> str:
        return f"commit {self.oid[:12]} by {self.author or 'nobody'}"


def parse_commit(oid: str, data: bytes) -> Commit:
    """The commit that *data* is. Whatever is odd in it is left out: nothing is decided by it."""
    head, _, body = data.partition(b"\n\n")
    headers = [line for line in head.split(b"\n") if not line.startswith(b" ")]
    fields = dict(reversed([(name, value) for name, _, value in (h.partition(b" ") for h in headers)]))
    encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
    return Commit(
        oid,
        tree=fields.get(b"tree", b"").decode("ascii", "replace"),
        author=_author(_text(fields.get(b"author", b""), encoding)),
        message=_text(body.strip().split(b"\n", 1)[0], encoding),
        committed=_when(_text(fields.get(b"committer", b""), encoding)),
        signed=bool(fields.keys() & {b"gpgsig", b"gpgsig-sha256"}),
    )


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag: the *name* that it was given, and the object that it stands for."""

    name: str
    target: str


def parse_tag(data: bytes) -> Tag:
    """The tag that *data* is."""
    headers = dict(line.partition(b" ")[::2] for line in data.partition(b"\n\n")[0].split(b"\n"))
    return Tag(_text(headers.get(b"tag", b""), "utf-8"), headers.get(b"object", b"").decode("ascii", "replace"))


def _text(data: bytes, encoding: str) -> str:
    data = data[: 4 * _LONGEST]
    try:
        text = data.decode(encoding, "replace")
    except (LookupError, ValueError):
        text = data.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_LONGEST]


def _author(person: str) -> str:
    match = _PERSON.match(person)
    if not match:
        return person
    return f"{match[1]} <{match[2]}>".strip() if match[2] else match[1]


def _when(person: str) -> datetime | None:
    match = _PERSON.match(person)
    if not match or match[3] is None:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(match[3]))
    except OverflowError:
        return None
