"""YAML events to values, by the core schema of YAML 1.2.

`NO` is a text and `12:30:45` too, `010` is ten, octal is `0o10` only, and there are no dates. What could surprise or
explode is refused with its place: duplicate keys, anchors, merges, foreign tags, keys that are no text, deep nesting,
numbers that JSON cannot carry. Nothing recurses. Marks are not kept: `locate` finds a field again when it must.

Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from herdsman.core.locate import Places
from herdsman.core.problems import Loc, Place, Problem
from herdsman.core.spelling import quoted
from herdsman.core.yamlevents import DEEPEST, events, place_of

_INTS: Final = range(-(2**63), 2**64)
_MOST_DIGITS: Final = 20


class BlockText(NamedTuple):
    """A text that was written as a block: it begins after *line*, counted from 1; *folded* if with `>`."""

    line: int
    folded: bool


@dataclass(frozen=True, slots=True)
class Raw:
    """One document as values. *index* counts all documents of its file, empty ones too."""

    index: int
    place: Place
    value: Any
    blocks: dict[Loc, BlockText] = field(default_factory=dict)


def read(path: str, data: bytes) -> tuple[Raw, ...]:
    """The documents of a file, without the empty ones. Raises `Problem` where it cannot be read as a whole."""
    reader = _Reader()
    try:
        for event in events(path, data):
            step = _STEPS.get(type(event))
            if step is not None:
                step(reader, event)
    except _Twice as twice:
        first = Places(path, data).find(reader.index, twice.loc, at_key=True)
        hint = f"first at line {first.line}; keep one" if first is not None else "keep one"
        raise Problem(f"the key {quoted(str(twice.loc[-1]))} is given twice", hint, place=twice.place) from None
    return tuple(raw for raw in reader.documents if raw.value is not None)


class _Twice(Exception):
    """A key stands twice in one mapping."""

    def __init__(self, loc: Loc, place: Place) -> None:
        super().__init__(loc)
        self.loc = loc
        self.place = place


class _Reader:
    """What is open at one moment of the pass: collections, and for each mapping the key that waits for its value."""

    def __init__(self) -> None:
        self.documents: list[Raw] = []
        self.index = -1
        self.place = Place(1, 1)
        self.root: Any = None
        self.open: list[Any] = []
        self.keys: list[str | None] = []
        self.blocks: dict[Loc, BlockText] = {}

    def begin(self, event: Any) -> None:
        self.index += 1
        self.root = None
        self.blocks = {}

    def end(self, event: Any) -> None:
        self.documents.append(Raw(self.index, self.place, self.root, self.blocks))

    def scalar(self, event: Any) -> None:
        if event.anchor is not None:
            raise _anchor(event)
        if self._wants_key():
            self.keys[-1] = self._key(event)
            return
        self._put(_resolved(event), event)
        if event.style in ("|", ">"):
            self.blocks[self._loc()] = BlockText(event.start_mark.line + 1, event.style == ">")
        if self.keys:
            self.keys[-1] = None

    def begin_list(self, event: Any) -> None:
        self._enter([], event, "tag:yaml.org,2002:seq")

    def begin_mapping(self, event: Any) -> None:
        self._enter({}, event, "tag:yaml.org,2002:map")

    def leave(self, event: Any) -> None:
        self.open.pop()
        self.keys.pop()
        if self.keys:
            self.keys[-1] = None

    def _enter(self, container: Any, event: Any, tag: str) -> None:
        if event.anchor is not None:
            raise _anchor(event)
        if event.tag not in (None, "!", tag):
            raise _foreign_tag(event)
        if self._wants_key():
            raise _refused(event, "a key must be a text", "a list or a mapping cannot be a key")
        if len(self.open) == DEEPEST:
            raise _refused(event, f"more than {DEEPEST} lists and mappings inside one another")
        self._put(container, event)
        self.open.append(container)
        self.keys.append(None)

    def _wants_key(self) -> bool:
        return bool(self.open) and self.keys[-1] is None and type(self.open[-1]) is dict

    def _put(self, value: Any, event: Any) -> None:
        if not self.open:
            self.root = value
            self.place = place_of(event.start_mark)
        elif type(self.open[-1]) is list:
            self.open[-1].append(value)
        else:
            self.open[-1][self.keys[-1]] = value

    def _key(self, event: Any) -> str:
        key = _resolved(event)
        if type(key) is not str:
            hint = f"put it in quotes: {quoted(event.value)}" if event.value else "something stands before the colon"
            raise _refused(event, "a key must be a text", hint)
        if key == "<<" and event.implicit[0]:
            raise _refused(event, "merging with << is not supported", "write the values out")
        if key in self.open[-1]:
            raise _Twice((*self._loc(), key), place_of(event.start_mark))
        return key

    def _loc(self) -> Loc:
        """The way to what was put last, or to the innermost mapping where its next key is awaited."""
        steps = (
            len(container) - 1 if type(container) is list else key
            for container, key in zip(self.open, self.keys, strict=True)
        )
        return tuple(step for step in steps if step is not None)


def _alias(reader: _Reader, event: Any) -> None:
    raise _refused(event, "aliases (*name) are not supported", 'write the value out, or put the text in quotes: "*…"')


_STEPS: Final[dict[type, Callable[[_Reader, Any], None]]] = {
    yaml.DocumentStartEvent: _Reader.begin,
    yaml.DocumentEndEvent: _Reader.end,
    yaml.ScalarEvent: _Reader.scalar,
    yaml.SequenceStartEvent: _Reader.begin_list,
    yaml.SequenceEndEvent: _Reader.leave,
    yaml.MappingStartEvent: _Reader.begin_mapping,
    yaml.MappingEndEvent: _Reader.leave,
    yaml.AliasEvent: _alias,
}


def _refused(event: Any, message: str, hint: str = "") -> Problem:
    return Problem(message, hint, place=place_of(event.start_mark))


def _anchor(event: Any) -> Problem:
    return _refused(event, "anchors (&name) are not supported", 'write the value out, or put the text in quotes: "&…"')


def _foreign_tag(event: Any) -> Problem:
    tag = quoted(event.tag.replace("tag:yaml.org,2002:", "!!"))
    return _refused(event, f"the tag {tag} is not supported", "put a text that begins with ! in quotes")


# -- scalars ----------------------------------------------------------------------------------------------------------

_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
_MAY_BE_NO_TEXT: Final = frozenset("~nNtTfF+-.0123456789")
_CORE: Final = re.compile(
    r"""(?P<null>~|null|Null|NULL)
      | (?P<true>true|True|TRUE)
      | (?P<false>false|False|FALSE)
      | (?P<int>[-+]?[0-9]+)
      | 0o(?P<octal>[0-7]+)
      | 0x(?P<hex>[0-9a-fA-F]+)
      | (?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)
      | (?P<endless>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))
    """,
    re.VERBOSE,
)
_TAGS: Final = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": type(None),
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
}


def _resolved(event: Any) -> Any:
    text: str = event.value
    if event.tag is None:
        if event.implicit[0]:
            return _plain(text, event) if not text or text[0] in _MAY_BE_NO_TEXT else text
        if bad := _UNFIT.search(text):  # written as an escape
            raise _refused(event, f"the character U+{ord(bad[0]):04X} is not allowed")
        return text
    if event.tag == "!":
        return text
    return _tagged(text, event)


def _tagged(text: str, event: Any) -> Any:
    kind = _TAGS.get(event.tag)
    if kind is None:
        raise _foreign_tag(event)
    if kind is str:
        return text
    value = _plain(text, event)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _refused(event, f"the text {quoted(text)} is not what its tag says")
    return value


def _plain(text: str, event: Any) -> Any:
    """What an unquoted scalar means."""
    if not text:
        return None
    found = _CORE.fullmatch(text)
    if found is None:
        return text
    match found.lastgroup:
        case "null":
            return None
        case "true" | "false":
            return found.lastgroup == "true"
        case "int":
            return _whole(text, 10, event)
        case "octal" | "hex":
            return _whole(text[2:], 8 if found.lastgroup == "octal" else 16, event)
        case "float":
            value = float(text)
            if value - value == 0:  # neither too large nor endless
                return value
            raise _refused(event, "the number is too large", "put it in quotes if it is a text")
        case _:
            raise _refused(event, "endless numbers and .nan are not supported", "put it in quotes if it is a text")


def _whole(digits: str, base: int, event: Any) -> int:
    significant = digits.lstrip("+-").lstrip("0")
    if len(significant) <= (_MOST_DIGITS if base == 10 else 22):
        value = int(digits, base)
        if value in _INTS:
            return value
    raise _refused(event, "whole numbers beyond 64 bits are not supported", "put it in quotes if it is a text")
