"""One document of a spec file put back as it was, with everything else in the file left alone: text to text.

A line that begins with `---` ends a document wherever it stands, even inside a block of text, so a file can be taken
apart without understanding it (https://yaml.org/spec/1.2.2/#9111-document-markers). Comments stay with the document
that they stand in.
"""

import re
from typing import Final, NamedTuple

from herdsman.core.parse import Document, parse_file
from herdsman.errors import UsageError
from herdsman.model.documents import JobDocument
from herdsman.model.keys import Key

_SEPARATOR: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)


class Piece(NamedTuple):
    """One document as text, from its separator to before the next, and what it declares."""

    text: str
    document: Document | None


def pieces(path: str, data: bytes) -> list[Piece]:
    """A file, document by document; their texts together are the file. JSON is one piece."""
    text = data.decode("utf-8", "replace")
    if path.endswith(".json"):
        return [_piece(path, text)]
    starts = [0, *(m.start() for m in _SEPARATOR.finditer(text) if m.start())]
    return [_piece(path, text[a:b]) for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def _piece(path: str, text: str) -> Piece:
    documents = parse_file(path, text.encode()).documents
    return Piece(text, documents[0] if documents else None)


def declaration(path: str, data: bytes | None, key: Key) -> Piece | None:
    """The document of a file that declares *key*, None where there is none."""
    found = pieces(path, data) if data is not None else []
    return next((p for p in found if p.document is not None and p.document.key == key), None)


def restored(path: str, now: bytes | None, earlier: Piece, key: Key) -> bytes:
    """The file *path*, which is *now*, with the document of *key* as it was *earlier*; None is a file that is gone.

    Raises `UsageError` where that would cost something else.
    """
    body = _SEPARATOR.sub("", earlier.text, count=1).lstrip("\n") if earlier.text.startswith("---") else earlier.text
    if now is None:
        return body.encode()
    kept = pieces(path, now)
    at = next((n for n, p in enumerate(kept) if p.document is not None and p.document.key == key), None)
    if path.endswith(".json") and at is None:
        raise UsageError(
            f"{path} declares something else by now", hint="a JSON file holds one document: restore by hand"
        )
    if at is None:
        return ("".join(p.text for p in kept).rstrip("\n") + f"\n---\n{_ended(body)}").encode()
    texts = [p.text for p in kept]
    head = "---\n" if texts[at].startswith("---") else ""
    texts[at] = head + (_ended(body) if at + 1 < len(texts) else body)
    return "".join(texts).encode()


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def jobspec_of(piece: Piece) -> str | None:
    """The path of the jobspec that a `Job` names, relative to its own file's folder; None where it has none."""
    model = piece.document.model if piece.document is not None else None
    return model.spec.file if isinstance(model, JobDocument) else None
