"""Text of a spec file to YAML events: decoded, bounded, and refused with a place and words where it is not sound.

PyYAML's *events* are used and never its composer: that one recurses in C, and 100 KB of `[` crash the interpreter.
Its own words for syntax errors stay, with a hint for those that people meet every day.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from herdsman.core.jsonevents import json_events
from herdsman.core.problems import Place, Problem

LARGEST: Final = 256 * 1024
"""The most bytes that a spec file may have."""

DEEPEST: Final = 64
"""How many lists and mappings may stand inside one another."""

_PARSER: Final[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def place_of(mark: Any) -> Place:
    """Where a PyYAML mark points."""
    return Place(mark.line + 1, mark.column + 1)


def events(path: str, data: bytes) -> Iterator[Any]:
    """The YAML events of a file; for `.json` those of the JSON in it. Raises `Problem`."""
    text = _decoded(data)
    return json_events(text) if path.endswith(".json") else _yaml_events(text)


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Problem(
            f"the file has {len(data):,} bytes, more than the {LARGEST:,} that a spec file may have",
            hint="split it, or move large content elsewhere",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        raise Problem("not UTF-8 text", hint="save the file as UTF-8", place=_end_of(before)) from None
    if bad := _UNPRINTABLE.search(text):
        character = f"U+{ord(bad[0]):04X}"
        raise Problem(
            f"the control character {character} is not allowed",
            hint="remove it, or write it as an escape in double quotes",
            place=_end_of(text[: bad.start()]),
        )
    return text


def _end_of(text: str) -> Place:
    line = text.count("\n") + 1
    return Place(line, len(text) - (text.rfind("\n") + 1) + 1)


def _yaml_events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_PARSER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = place_of(mark) if mark is not None else None
        raise Problem(*_words(error, text), place=place) from None
    except yaml.YAMLError as error:  # a reader's error without a mark
        raise Problem(f"not YAML: {error}") from None


def _words(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str]:
    said = " ".join(part for part in (error.context, error.problem) if part)
    return f"not YAML: {said}", _hint(said, error.problem_mark, text)


def _hint(said: str, mark: Any, text: str) -> str:
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        return "indent with spaces, not with tabs"
    return next((hint for words, hint in _HINTS if words in said), "")


_HINTS: Final = (
    ("scanning an alias", 'an unquoted * begins an alias; put the text in quotes, like "*"'),
    ("scanning an anchor", 'an unquoted & begins an anchor; put the text in quotes, like "&"'),
    ("mapping values are not allowed", 'put a text that contains ": " in quotes, and check the indentation'),
    ("cannot start any token", "put a text that begins with @, ` or % in quotes"),
    ("could not find expected ':'", "a key needs a colon and a space after it; check the indentation too"),
    ("escape", r"in double quotes a backslash begins an escape; write \\, or use single quotes"),
    ("quoted scalar", "a quote is never closed"),
    ("flow sequence", "a [ is never closed, or a comma is missing"),
    ("flow mapping", "a { is never closed, or a comma is missing"),
    ("flow node", "a [ or { is never closed, or there is a comma too many"),
    ("parsing a block", "check the indentation, and the quotes, of this line and the one before"),
)
"""Parts of PyYAML's words, C and Python, and what to do."""
