"""A job in the API's form as a person writes it, checked against the table and made what Nomad takes.

Names and types are checked, not values: those are for Nomad to judge, whose next version may know more. Durations
become nanoseconds, nothing (`null`) is left out, and what only the server keeps is refused.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final

import orjson

from herdsman.core.jobtable import TABLE
from herdsman.core.problems import MOST_FAULTS, Fault, Loc
from herdsman.core.spelling import echoed, quoted, quoting_hint, shown
from herdsman.model.durations import EXPECTED, LONGEST, nanoseconds
from herdsman.model.keys import Key
from herdsman.model.observed import STAMP


class Form(Enum):
    """How a field holds its type."""

    ONE = "one"
    LIST = "list"
    MAP = "map"
    MAP_OF_LISTS = "map of lists"


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the table. *type* is a scalar's name or a block's; *values* are those that Nomad documents."""

    name: str
    type: str
    form: Form
    doc: str
    values: tuple[str, ...] = ()
    required: bool = False

    @property
    def server(self) -> bool:
        """Whether only the server writes it."""
        return self.type == "server"


@dataclass(frozen=True, slots=True)
class Block:
    """A mapping with known fields."""

    name: str
    doc: str
    fields: Mapping[str, Field]

    @property
    def required(self) -> tuple[str, ...]:
        """Fields that must be there."""
        return tuple(f.name for f in self.fields.values() if f.required)

    @property
    def writable(self) -> tuple[str, ...]:
        """Fields that a person may write."""
        return tuple(f.name for f in self.fields.values() if not f.server)


INTEGERS: Final[Mapping[str, range]] = {
    "int": range(-(2**63), 2**63),
    "int8": range(-(2**7), 2**7),
    "uint8": range(2**8),
    "uint16": range(2**16),
    "uint32": range(2**32),
    "uint64": range(2**64),
}
_ROW: Final = re.compile(r"  (?P<name>\w+) +(?P<type>[][{}\w]+)(?:=(?P<values>\S+))?(?P<required>!)?(?: +(?P<doc>.*))?")
_FORMS: Final = (
    (re.compile(r"\{\[(\w+)\]\}"), Form.MAP_OF_LISTS),
    (re.compile(r"\{(\w+)\}"), Form.MAP),
    (re.compile(r"\[(\w+)\]"), Form.LIST),
    (re.compile(r"(\w+)"), Form.ONE),
)


@cache
def blocks() -> Mapping[str, Block]:
    """Every block of a job, by name; the job itself is `Job`."""
    found: dict[str, Block] = {}
    fields: dict[str, Field] = {}
    for line in TABLE.strip().splitlines():
        if line.startswith("  "):
            field = _field(line)
            fields[field.name] = field
        elif line:
            name, doc = line.split(": ", 1)
            fields = {}
            found[name] = Block(name, doc, fields)
    return found


def _field(line: str) -> Field:
    row = _ROW.fullmatch(line)
    assert row is not None, line
    values = tuple(row["values"].split("|")) if row["values"] else ()
    kind, form = next((m[1], form) for pattern, form in _FORMS if (m := pattern.fullmatch(row["type"])))
    return Field(row["name"], kind, form, row["doc"] or "", values, row["required"] is not None)


def convert_job(value: Mapping[str, Any], *, key: Key | None, at: Loc = ()) -> bytes | tuple[Fault, ...]:
    """The body that Nomad takes, as canonical JSON with ID, Name and Namespace; or all that is wrong with *value*.

    *key* is the identity that the metadata give, None where they could not be read; *at* is where *value* stands.
    """
    conversion = _Conversion()
    body = conversion.block(blocks()["Job"], value, at)
    if key is not None:
        identity = {"ID": (key.name, "name"), "Name": (key.name, "name"), "Namespace": (key.namespace, "namespace")}
        for field, (wanted, source) in identity.items():
            if body.setdefault(field, wanted) != wanted:
                message = f"{shown(body[field])} is not what metadata.{source} says, {quoted(wanted)}"
                conversion.fault((*at, field), message, f"remove it: it comes from metadata.{source}")
    if STAMP in (body.get("Meta") or {}):
        conversion.fault(
            (*at, "Meta", STAMP), "Herdsman's own", "remove it: the fleet's name is put there", at_key=True
        )
    if conversion.faults:
        return tuple(conversion.faults)
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


class _Conversion:
    """One pass over a job: values that are right go through, the rest becomes faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(
        self, loc: Loc, message: str, hint: str = "", *, at_key: bool = False, known: Collection[str] = ()
    ) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(loc, message, hint, at_key or bool(known), known))

    def block(self, block: Block, value: Mapping[str, Any], loc: Loc) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, item in value.items():
            field = block.fields.get(name)
            if field is None:
                self.fault((*loc, name), "unknown field", known=block.writable)
            elif item is None:
                pass  # nothing written: left out
            elif field.server:
                self.fault((*loc, name), "kept by the server", "remove it", at_key=True)
            else:
                body[name] = self._held(field, item, (*loc, name))
        for name in block.required:
            if name not in body:
                self.fault((*loc, name), "missing", block.fields[name].doc)
        return body

    def _held(self, field: Field, value: Any, loc: Loc) -> Any:
        match field.form:
            case Form.ONE:
                return self._value(field.type, value, loc)
            case Form.LIST:
                return self._list(field.type, value, loc)
            case _ if not isinstance(value, Mapping):
                return self._wrong(f"a mapping of {_plural(field)}", value, loc)
            case Form.MAP if field.type == "any":
                return value
            case Form.MAP:
                return {k: self._value(field.type, v, (*loc, k)) for k, v in value.items()}
            case Form.MAP_OF_LISTS:
                return {k: self._list(field.type, v, (*loc, k)) for k, v in value.items()}

    def _list(self, kind: str, value: Any, loc: Loc) -> Any:
        if not isinstance(value, list):
            return self._wrong("a list", value, loc, "put a - before the element" if kind in blocks() else "")
        return [self._value(kind, item, (*loc, place)) for place, item in enumerate(value)]

    def _value(self, kind: str, value: Any, loc: Loc) -> Any:
        scalar = _SCALARS.get(kind)
        if scalar is not None:
            return scalar(self, value, loc)
        if kind in INTEGERS:
            return self._whole(INTEGERS[kind], value, loc)
        if not isinstance(value, Mapping):
            return self._wrong("a mapping", value, loc)
        return self.block(blocks()[kind], value, loc)

    def _text(self, value: Any, loc: Loc) -> Any:
        if isinstance(value, str):
            return value
        return self._wrong("text", value, loc, quoting_hint(value))

    def _yes_or_no(self, value: Any, loc: Loc) -> Any:
        return value if isinstance(value, bool) else self._wrong("true or false", value, loc)

    def _whole(self, allowed: range, value: Any, loc: Loc) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            return self._wrong("a whole number", value, loc)
        if value not in allowed:
            return self._wrong(f"a whole number from {allowed[0]} to {allowed[-1]}", value, loc)
        return value

    def _duration(self, value: Any, loc: Loc) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int):
            return self._wrong(f"{EXPECTED}, or nanoseconds", value, loc)
        if isinstance(value, str):
            try:
                return nanoseconds(value)
            except ValueError as error:
                return self.fault(loc, f"{error}, got {echoed(value, loc)}")
        if 0 < value < _TINY:
            return self.fault(loc, f"{value} would be nanoseconds", f"write {value}s for seconds")
        return value if abs(value) <= LONGEST else self._wrong(EXPECTED, value, loc)

    def _wrong(self, expected: str, value: Any, loc: Loc, hint: str = "") -> None:
        self.fault(loc, f"expected {expected}, got {echoed(value, loc)}", hint)


_TINY: Final = 1000
"""A number of nanoseconds below this was meant to be seconds."""

_SCALARS: Final[Mapping[str, Callable[[_Conversion, Any, Loc], Any]]] = {
    "text": _Conversion._text,
    "bool": _Conversion._yes_or_no,
    "duration": _Conversion._duration,
}


def _plural(field: Field) -> str:
    return {"any": "values", "text": "texts"}.get(field.type, "blocks")
