"""Policy rules in HCL or JSON, read into nested blocks: `kind → label → fields`."""

import json
import re
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"""(?:\s|\#[^\n]*|//[^\n]*|/\*.*?\*/)*+
    (?P<token>"(?:\\.|[^"\\])*"|[A-Za-z_][\w-]*|-?\d+(?:\.\d+)?|[{}\[\]=,:]|\Z)""",
    re.VERBOSE | re.DOTALL,
)

_DEEPEST: Final = 20
_PUNCTUATION: Final = "{}[]=,:"

Block = dict[str, Any]


class RulesError(ValueError):
    """Rules that cannot be read."""


def read(text: str) -> Block:
    """The blocks of a policy. A block that is repeated is a list in the end."""
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError) as error:
            raise RulesError(f"error parsing: {error}") from error
        return value if isinstance(value, dict) else {}
    reader = _Reader(text)
    return reader.body(end="")


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self._token = self._next()

    def _next(self) -> str:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            line = self._text.count("\n", 0, self._at) + 1
            raise RulesError(f"error parsing: At {line}: illegal character")
        self._at = found.end()
        return found["token"]

    def _take(self, wanted: str = "") -> str:
        token = self._token
        if wanted and token != wanted:
            raise self._unexpected(wanted)
        self._token = self._next() if token else ""
        return token

    def _unexpected(self, wanted: str) -> RulesError:
        line = self._text.count("\n", 0, self._at) + 1
        return RulesError(f"error parsing: At {line}: expected {wanted!r}, got {self._token or 'end of text'!r}")

    def _word(self, wanted: str) -> str:
        """A name, a text or a number; not the end, and no punctuation."""
        if not self._token or self._token in _PUNCTUATION:
            raise self._unexpected(wanted)
        return _plain(self._take())

    def body(self, *, end: str) -> Block:
        """Attributes and blocks up to a closing brace."""
        out: Block = {}
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RulesError(f"error parsing: blocks are nested more than {_DEEPEST} deep")
        while self._token != end:
            self._entry(out)
        self._take(end) if end else None
        self._depth -= 1
        return out

    def _entry(self, out: Block) -> None:
        name = self._word("identifier")
        if self._token in {"=", ":"}:
            self._take()
            out[name] = self._value()
            if self._token == ",":
                self._take()
            return
        labels: list[str] = []
        while self._token != "{":
            labels.append(self._word("{"))
        if len(labels) > _DEEPEST:
            raise RulesError("error parsing: a block has too many labels")
        self._take("{")
        inner: Any = self.body(end="}")
        for label in reversed(labels):
            inner = {label: inner}
        _merge(out, name, inner)

    def _value(self) -> Any:
        if self._token == "[":
            return self._list()
        if self._token == "{":
            self._take()
            return self.body(end="}")
        return self._word("value")

    def _list(self) -> list[str]:
        self._take("[")
        items: list[str] = []
        while self._token != "]":
            items.append(self._word("]"))
            if self._token != "]":
                self._take(",")
        self._take("]")
        return items


def _plain(token: str) -> str:
    try:
        return str(json.loads(token)) if token.startswith('"') else token
    except ValueError as error:
        raise RulesError(f"error parsing: {error}") from error


def _merge(out: Block, name: str, value: Any) -> None:
    known = out.get(name)
    if isinstance(known, dict) and isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict) and isinstance(known.get(key), dict):
                _merge(known, key, inner)
            else:
                known[key] = inner
    else:
        out[name] = value
