"""Strict JSON (RFC 8259) as the events that PyYAML would make of it, so that one reader serves both.

PyYAML itself is no reader of JSON: it refuses surrogate pairs and some tabs, and accepts what JSON does not.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson
import yaml

from herdsman.core.problems import Place, Problem

_TOKEN: Final = re.compile(
    r"""(?P<punctuation>[{}\[\],:])
      | (?P<string>"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*")
      | (?P<plain>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.+-]) | (?:true|false|null)(?!\w))
    """,
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"[ \t\n\r]*")

_VALUE = "a value"
_VALUE_OR_END = "a value or ]"
_VALUE_OF_KEY = "a value after the colon"
_KEY = "a key in double quotes"
_KEY_OR_END = "a key in double quotes or }"
_COLON = "a colon"
_NEXT_IN_LIST = "a comma or ]"
_NEXT_IN_MAP = "a comma or }"
_NOTHING = "the end of the file"

_CLOSERS: Final = {"]": (_VALUE_OR_END, _NEXT_IN_LIST), "}": (_KEY_OR_END, _NEXT_IN_MAP)}


class _Reader:
    """What is expected next, and in what: the state of one pass over a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 0
        self.line_start = 0
        self.expected = _VALUE
        self.open: list[str] = []  # what each open list and mapping expects after an element

    def skip_space(self) -> None:
        space = _SPACE.match(self.text, self.at)
        assert space is not None
        if newlines := space[0].count("\n"):
            self.line += newlines
            self.line_start = space.start() + space[0].rindex("\n") + 1
        self.at = space.end()

    def mark(self) -> Any:
        return yaml.Mark("", self.at, self.line, self.at - self.line_start, None, 0)

    def problem(self, said: str = "", hint: str = "") -> Problem:
        place = Place(self.line + 1, self.at - self.line_start + 1)
        return Problem(f"not JSON: {said or 'expected ' + self.expected}", hint, place=place)

    def closed(self) -> None:
        """A value ended: what comes next?"""
        self.expected = self.open[-1] if self.open else _NOTHING


def json_events(text: str) -> Iterator[Any]:
    """The events of the one document in *text*; none where it is empty. Raises `Problem`."""
    reader = _Reader(text)
    reader.skip_space()
    if reader.at == len(text):
        return
    yield yaml.DocumentStartEvent(reader.mark(), reader.mark(), explicit=False)
    while reader.at < len(text):
        token = _TOKEN.match(text, reader.at)
        if token is None:
            raise reader.problem(hint=_hint(text[reader.at]))
        event = _step(reader, token[0])
        if event is not None:
            yield event
        reader.at = token.end()
        reader.skip_space()
    if reader.expected is not _NOTHING:
        raise reader.problem(f"the file ends too early; expected {reader.expected}")
    yield yaml.DocumentEndEvent(reader.mark(), reader.mark(), explicit=False)


def _step(reader: _Reader, token: str) -> Any:
    """The event for *token*, None for commas and colons; moves the reader's expectation on."""
    expected = reader.expected
    mark = reader.mark()
    if expected in (_VALUE, _VALUE_OR_END, _VALUE_OF_KEY):
        if token == "[":
            reader.open.append(_NEXT_IN_LIST)
            reader.expected = _VALUE_OR_END
            return yaml.SequenceStartEvent(None, None, implicit=True, start_mark=mark, end_mark=mark)
        if token == "{":
            reader.open.append(_NEXT_IN_MAP)
            reader.expected = _KEY_OR_END
            return yaml.MappingStartEvent(None, None, implicit=True, start_mark=mark, end_mark=mark)
        if token not in _PUNCTUATION:
            reader.closed()
            return _scalar(reader, token)
    if expected in (_KEY, _KEY_OR_END) and token[0] == '"':
        reader.expected = _COLON
        return _scalar(reader, token)
    if token == ":" and expected is _COLON:
        reader.expected = _VALUE_OF_KEY
        return None
    if token == "," and expected in (_NEXT_IN_LIST, _NEXT_IN_MAP):
        reader.expected = _VALUE if expected is _NEXT_IN_LIST else _KEY
        return None
    if token in _CLOSERS and expected in _CLOSERS[token]:
        reader.open.pop()
        reader.closed()
        return yaml.SequenceEndEvent(mark, mark) if token == "]" else yaml.MappingEndEvent(mark, mark)
    after_comma = bool(reader.open) and token in _CLOSERS and expected in (_VALUE, _KEY)
    raise reader.problem(hint="JSON has no comma after the last element" if after_comma else "")


_PUNCTUATION: Final = frozenset("{}[],:")


def _scalar(reader: _Reader, token: str) -> Any:
    mark = reader.mark()
    if token[0] != '"':
        return yaml.ScalarEvent(None, None, (True, False), token, mark, mark)
    try:
        value = orjson.loads(token)
    except orjson.JSONDecodeError:
        raise reader.problem(
            "this text holds a raw tab, or an escape that means nothing", r"write \t for a tab, \\ for a backslash"
        ) from None
    return yaml.ScalarEvent(None, None, (False, True), value, mark, mark, style='"')


def _hint(character: str) -> str:
    match character:
        case "'":
            return "JSON text stands in double quotes"
        case "/" | "#":
            return "JSON has no comments"
        case '"':
            return "a quote is never closed"
        case _:
            return ""
