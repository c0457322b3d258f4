"""The words of a commit: its message with the trailer that says which request it is, and the people it names.

Whatever is put in comes out as what it may be: one line for a person, plain text for a message. The trailer is the
last line of a message, and the last line alone counts. A line of the caller's own that looks like the trailer is
quoted, so that it deceives no other reader either.
"""

import re
from typing import Final

from herdsman.model.writes import REQUEST_ID, Author, WriteRequest

TRAILER: Final = "Herdsman-Request-Id"

MAX_MESSAGE: Final = 16 * 1024
"""Characters of a message; the rest is cut off."""

_MAX_PERSON: Final = 200
_CRUD: Final = " .,:;\"'\\"
"""What git takes off the ends of a name."""

_LIKE_TRAILER: Final = re.compile(rf"^[ \t]*{TRAILER}[ \t]*:", re.IGNORECASE | re.MULTILINE)
_OWN: Final = re.compile(rf"{TRAILER}: ({REQUEST_ID.pattern})", re.ASCII)
_ANY_TRAILER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*: \S.*")


def commit_message(request: WriteRequest) -> str:
    """The message of a commit that carries out *request*."""
    text = _LIKE_TRAILER.sub(lambda match: f"> {match[0].strip()}", _plain(request.message)).strip()
    text = text or _without_words(request)
    gap = "\n" if _ends_in_trailers(text) else "\n\n"
    return f"{text}{gap}{TRAILER}: {request.request_id}\n"


def request_id(message: str) -> str:
    """The request that a commit with *message* carried out; empty where it says none."""
    match = _OWN.fullmatch(message.rstrip().rpartition("\n")[2])
    return match[1] if match else ""


def person(author: Author) -> Author:
    """*author* as a commit can name them: neither line breaks nor angle brackets, and never nobody."""
    email = "".join(_line(author.email).split())[:_MAX_PERSON]
    names = (_line(author.name)[:_MAX_PERSON], email.partition("@")[0], "unknown")
    return Author(next(name for name in (name.strip(_CRUD) for name in names) if name), email)


def _plain(text: str) -> str:
    """Printable text: line breaks of every kind are one, other control characters are spaces."""
    lines = text[:MAX_MESSAGE].splitlines()
    clean = "\n".join("".join(c if c.isprintable() else " " for c in line).rstrip() for line in lines)
    return f"{clean}…" if len(text) > MAX_MESSAGE else clean


def _line(text: str) -> str:
    clean = "".join(c if c.isprintable() and c not in "<>" else " " for c in text[: 4 * _MAX_PERSON])
    return " ".join(clean.split())


def _without_words(request: WriteRequest) -> str:
    first, *more = request.edits
    return f"{'Remove' if first.content is None else 'Write'} {first.path}{f' and {len(more)} more' if more else ''}"


def _ends_in_trailers(text: str) -> bool:
    """Whether the last paragraph, other than the first, holds trailers alone (`Signed-off-by: …`)."""
    _, gap, last = text.rpartition("\n\n")
    return bool(gap) and all(_ANY_TRAILER.fullmatch(line) for line in last.split("\n"))
