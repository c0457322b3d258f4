"""What `tables` says, made to work: every block as a Shape that can check, complete and store a value.

`decode` type-checks JSON the way Go's decoder does, `fill` gives a block every key that a parsed job shows, `keep`
turns such a block into what the server stores. All three build new values and leave their argument alone.
"""

import base64
import binascii
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from herdsman.devnomad.structs import tables

Json = dict[str, Any]

_KINDS = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}
_WHOLE = {
    "int": (-(2**63), 2**63),
    "int8": (-(2**7), 2**7),
    "int64": (-(2**63), 2**63),
    "uint8": (0, 2**8),
    "uint16": (0, 2**16),
    "uint32": (0, 2**32),
    "uint64": (0, 2**64),
    "time.Duration": (-(2**63), 2**63),
}
_ZEROS: Mapping[str, object] = {"string": "", "bool": False, "[]uint8": None} | dict.fromkeys(_WHOLE, 0)
_NOTES = frozenset({"", "null", "omit", "parse", "api", "server"})


class WrongType(Exception):
    """A JSON value where Go expects another type; the path gathers on the way out."""

    def __init__(self, value: object, go: str) -> None:
        super().__init__(go)
        self.kind = _KINDS.get(type(value), "value")
        self.go = go
        self.struct = ""
        self.path: list[str] = []


class NotBase64(Exception):
    """A byte string that is not base64; Go's text."""


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Type:
    """A Go type: its name as Go prints it, and what to do with a JSON value of it."""

    go: str
    decode: Callable[[Any], Any]
    fill: Callable[[Any], Any] = _same
    keep: Callable[[Any], Any] = _same


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a block."""

    name: str
    type: Type
    pointer: bool
    note: str

    @property
    def parsed_zero(self) -> object:
        """What a parsed job shows where nothing was said."""
        return None if self.pointer else _ZEROS.get(self.type.go)

    @property
    def stored_zero(self) -> object:
        """What the server answers where nothing was said."""
        return None if self.note == "null" else _ZEROS.get(self.type.go)


@dataclass(slots=True)
class Shape:
    """A block: its Go struct's name and its keys."""

    name: str
    package: str = "api"
    fields: dict[str, Field] = field(default_factory=dict)
    _folded: dict[str, Field] = field(default_factory=dict)
    _parsed: Json = field(default_factory=dict)
    _stored: Json = field(default_factory=dict)
    _fill: list[tuple[str, Callable[[Any], Any]]] = field(default_factory=list)
    _keep: list[tuple[str, Callable[[Any], Any]]] = field(default_factory=list)
    _omit: tuple[str, ...] = ()
    _unparsed: tuple[str, ...] = ()

    @property
    def go(self) -> str:
        """The Go type's full name."""
        return f"{self.package}.{self.name}"

    def add(self, one: Field) -> None:
        """Know one key more."""
        self.fields[one.name] = one
        if one.note != "server":
            self._folded[one.name.lower()] = one
            self._parsed[one.name] = one.parsed_zero
            if one.type.fill is not _same:
                self._fill.append((one.name, one.type.fill))
        if one.note != "api":
            self._stored[one.name] = one.stored_zero
            if one.type.keep is not _same:
                self._keep.append((one.name, one.type.keep))
        if one.note == "omit":
            self._omit += (one.name,)
        if one.note == "parse":
            self._unparsed += (one.name,)

    def decode(self, raw: Any) -> Json:
        """The known keys that say something, properly spelt; raises WrongType."""
        if type(raw) is not dict:
            raise WrongType(raw, self.go)
        out: Json = {}
        fields, folded = self.fields, self._folded
        for key, value in raw.items():
            one = fields.get(key)
            if one is None or one.note == "server":
                one = folded.get(key.lower())
                if one is None:
                    continue
            if value is None:
                continue
            try:
                out[one.name] = one.type.decode(value)
            except WrongType as wrong:
                wrong.path.insert(0, one.name)
                wrong.struct = wrong.struct or self.name
                raise
        return out

    def fill(self, block: Json) -> Json:
        """All keys of a parsed job's block; what was left out or is unknown to requests takes the zero."""
        out = self._parsed.copy()
        for key, value in block.items():
            if value is not None and key in out:
                out[key] = value
        for name, fill in self._fill:
            value = out[name]
            if value is not None:
                out[name] = fill(value)
        for name in self._unparsed:
            if out[name] is None:
                del out[name]
        return out

    def keep(self, block: Json) -> Json:
        """The block as the server stores it."""
        out = self._stored.copy()
        for key, value in block.items():
            if value is not None and key in out:
                out[key] = value
        for name, keep in self._keep:
            value = out[name]
            if value is not None:
                out[name] = keep(value)
        for name in self._omit:
            if not out[name]:
                del out[name]
        return out


def _whole(go: str) -> Type:
    low, high = _WHOLE[go]

    def decode(value: Any) -> int:
        if type(value) is int and low <= value < high:
            return value
        wrong = WrongType(value, go)
        if wrong.kind == "number":
            wrong.kind = f"number {value}"
        raise wrong

    return Type(go, decode)


def _exactly(go: str, python: type) -> Type:
    def decode(value: Any) -> Any:
        if type(value) is python:
            return value
        raise WrongType(value, go)

    return Type(go, decode)


def _broken_at(text: str) -> int:
    """Where base64 breaks: at a character that is none of it, or where four are not complete."""
    good = len(text) - len(text.lstrip(string.ascii_letters + string.digits + "+/"))
    return good if good < len(text) else good - good % 4


def _bytes() -> Type:
    def decode(value: Any) -> str:
        if type(value) is not str:
            raise WrongType(value, "[]uint8")
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as e:
            raise NotBase64(f"illegal base64 data at input byte {_broken_at(value)}") from e
        return value

    return Type("[]uint8", decode)


def _list(item: Type, printed: str) -> Type:
    go = f"[]{printed}"
    zero = _ZEROS.get(item.go)

    def decode(value: Any) -> list[Any]:
        if type(value) is not list:
            raise WrongType(value, go)
        decode_item = item.decode
        return [decode_item(x) if x is not None else zero for x in value if x is not None or zero is not None]

    if item.fill is _same:
        return Type(go, decode, _same, lambda value: value or None)
    return Type(
        go,
        decode,
        lambda value: [item.fill(x) for x in value],
        lambda value: [item.keep(x) for x in value] or None,
    )


def _map(item: Type, printed: str) -> Type:
    go = f"map[string]{printed}"
    zero = None if printed.startswith("*") else _ZEROS.get(item.go)

    def decode(value: Any) -> Json:
        if type(value) is not dict:
            raise WrongType(value, go)
        decode_item = item.decode
        return {k: decode_item(x) if x is not None else zero for k, x in value.items()}

    if item.fill is _same:
        return Type(go, decode, _same, lambda value: value or None)
    return Type(
        go,
        decode,
        lambda value: {k: item.fill(x) for k, x in value.items() if x is not None},
        lambda value: {k: item.keep(x) for k, x in value.items()} or None,
    )


_SCALARS = {
    "string": _exactly("string", str),
    "bool": _exactly("bool", bool),
    "[]uint8": _bytes(),
    "interface {}": Type("interface {}", _same),
} | {go: _whole(go) for go in _WHOLE}


def _parse(shapes: Mapping[str, Shape], text: str) -> tuple[Type, str]:
    """The type that a table names, and how Go prints it inside another type."""
    if text in _SCALARS:
        return _SCALARS[text], text
    if text.startswith("*"):
        inner, printed = _parse(shapes, text[1:])
        return inner, f"*{printed}"
    if text.startswith("[]"):
        made = _list(*_parse(shapes, text[2:]))
        return made, made.go
    if text.startswith("map[string]"):
        made = _map(*_parse(shapes, text[len("map[string]") :]))
        return made, made.go
    shape = shapes[text]
    return Type(shape.go, shape.decode, shape.fill, shape.keep), shape.go


def read(text: str, *, package: str = "api") -> dict[str, Shape]:
    """The shapes that a table describes, all of one Go package."""
    lines = [line for line in text.splitlines() if line]
    shapes = {line: Shape(line, package) for line in lines if not line.startswith(" ")}
    current = Shape("")
    for line in lines:
        if not line.startswith(" "):
            current = shapes[line]
            continue
        name, *rest = re.split(r"\s{2,}", line.strip())
        go, note = rest if len(rest) == 2 else (rest[0], "")
        if note not in _NOTES:
            raise ValueError(f"{current.name}.{name}: no such note: {note}")
        current.add(Field(name, _parse(shapes, go)[0], go.startswith("*"), note))
    return shapes


SHAPES = read(tables.ALL)
JOB = SHAPES["Job"]
