"""Blocks of a jobspec as tables: which arguments and blocks there are, and what each is called in the API's JSON.

A `Schema` lists the fields of one kind of block in a row, and `decode` makes the JSON object: every field has its
default, so that an absent argument is null (or, for the fields where the API has no null, "" or 0 or false). What
is more than a change of names is left to the schema's `finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from herdsman.jobspec.bodies import BoundBlock, Content, Shape, argument, just_attributes, read_body
from herdsman.jobspec.conversion import ConversionError, convert
from herdsman.jobspec.durations import DurationError, parse_duration
from herdsman.jobspec.limits import NODE
from herdsman.jobspec.scope import Scope
from herdsman.jobspec.syntax import Attribute, Body
from herdsman.jobspec.typesystem import BOOL, NUMBER, STRING, Type, list_of, map_of
from herdsman.jobspec.values import UNKNOWN, Entries, Items, Value, is_known, is_number, plain, type_of

Json: TypeAlias = dict[str, object]

_BLOCK_COST = 50 * NODE


class Unsuitable(Exception):
    """A value that does not fit its argument; the text says why."""


# -- arguments --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Argument:
    name: str
    key: str
    read: Callable[[Value], object]
    default: object = None


def _converted(value: Value, ty: Type) -> Value:
    try:
        return convert(value, ty)
    except ConversionError as error:
        raise Unsuitable(f"Unsuitable value: {error}") from None


def _read_text(value: Value) -> object:
    return _converted(value, STRING)


def _read_flag(value: Value) -> object:
    return _converted(value, BOOL)


def _read_texts(value: Value) -> object:
    texts = _converted(value, list_of(STRING))
    assert isinstance(texts, Items)
    return [_no_null(text) for text in texts.items]


def _read_text_map(value: Value) -> object:
    texts = _converted(value, map_of(STRING))
    assert isinstance(texts, Entries)
    return {name: text for name, text in texts.entries.items() if text is not None}


def _no_null(value: Value) -> Value:
    if value is None:
        raise Unsuitable("Unsuitable value: null value is not allowed")
    return value


def _read_duration(value: Value) -> object:
    """As Go writes one, "1m30s"; a bare number means nanoseconds."""
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except DurationError as error:
            raise Unsuitable(f"Unsuitable duration value: {error}") from None
    if not is_number(value):
        raise Unsuitable(f"Unsuitable value: expected a string but found {type_of(value).name}")
    return _read_int64(value)


def _integer(low: int, high: int) -> Callable[[Value], object]:
    def read(value: Value) -> object:
        number = _converted(value, NUMBER)
        if not isinstance(number, int) or not low <= number <= high:
            raise Unsuitable(f"Unsuitable value: value must be a whole number, between {low} and {high} inclusive")
        return number

    return read


_read_int64 = _integer(-(1 << 63), (1 << 63) - 1)
_read_byte = _integer(0, 255)
_read_port = _integer(0, 65535)


def _read_ports(value: Value) -> object:
    numbers = _converted(value, list_of(NUMBER))
    assert isinstance(numbers, Items)
    return [_read_port(_no_null(number)) for number in numbers.items]


def text(name: str, key: str, default: str | None = None) -> Argument:
    return Argument(name, key, _read_text, default)


def flag(name: str, key: str, default: bool | None = None) -> Argument:
    return Argument(name, key, _read_flag, default)


def integer(name: str, key: str, default: int | None = None) -> Argument:
    return Argument(name, key, _read_int64, default)


def byte(name: str, key: str, default: int | None = None) -> Argument:
    return Argument(name, key, _read_byte, default)


def duration(name: str, key: str, default: int | None = None) -> Argument:
    return Argument(name, key, _read_duration, default)


def texts(name: str, key: str) -> Argument:
    return Argument(name, key, _read_texts)


def ports(name: str, key: str) -> Argument:
    return Argument(name, key, _read_ports)


def text_map(name: str, key: str) -> Argument:
    """A map that is an argument and never a block."""
    return Argument(name, key, _read_text_map)


# -- blocks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nested:
    """Blocks of one type. `many` makes a list of them, `keyed` an object by their labels, `one` allows a single one."""

    name: str
    key: str
    how: Literal["one", "many", "keyed"]
    schema: Schema


@dataclass(frozen=True)
class Free:
    """A block whose names are the user's: strings, lists of strings, or anything at all (`opaque`).

    Strings may be given as an argument too, where a name is no identifier: `meta = { "a.b" = 1 }`.
    """

    name: str
    key: str
    how: Literal["strings", "lists", "opaque"]


Field: TypeAlias = Argument | Nested | Free


def one(name: str, key: str, schema: Schema) -> Nested:
    return Nested(name, key, "one", schema)


def many(name: str, key: str, schema: Schema) -> Nested:
    return Nested(name, key, "many", schema)


def keyed(name: str, key: str, schema: Schema) -> Nested:
    return Nested(name, key, "keyed", schema)


def strings(name: str, key: str) -> Free:
    return Free(name, key, "strings")


def string_lists(name: str, key: str) -> Free:
    return Free(name, key, "lists")


def opaque(name: str, key: str) -> Free:
    return Free(name, key, "opaque")


Finish: TypeAlias = Callable[[Json, BoundBlock], Json]


@dataclass(frozen=True, eq=False)
class Schema:
    fields: tuple[Field, ...]
    label: str = ""  # the JSON key that the block's label goes to
    constants: Json = field(default_factory=dict)
    finish: Finish | None = None

    @cached_property
    def shape(self) -> Shape:
        arguments = [part.name for part in self.fields if isinstance(part, Argument) or _may_be_argument(part)]
        blocks = {part.name: _label_name(part) for part in self.fields if not isinstance(part, Argument)}
        return Shape(tuple(arguments), blocks)

    @cached_property
    def defaults(self) -> Json:
        return {part.key: part.default if isinstance(part, Argument) else None for part in self.fields} | self.constants


def _may_be_argument(part: Field) -> bool:
    return isinstance(part, Free) and part.how == "strings"


def _label_name(part: Field) -> str:
    return "name" if isinstance(part, Nested) and part.schema.label else ""


def schema(*fields: Field, label: str = "", constants: Json | None = None, finish: Finish | None = None) -> Schema:
    return Schema(fields, label, constants or {}, finish)


# -- decoding ---------------------------------------------------------------------------------------------------------


def decode(block: BoundBlock, schema: Schema) -> Json:
    block.scope.run.budget.spend(_BLOCK_COST)
    content = read_body(block.body, schema.shape, block.scope)
    result = dict(schema.defaults)
    if schema.label:
        result[schema.label] = block.label
    for part in schema.fields:
        value = _field(part, content, block.scope)
        if value is not None:
            result[part.key] = value
    return schema.finish(result, block) if schema.finish else result


def _field(part: Field, content: Content, scope: Scope) -> object:
    attribute = content.attributes.get(part.name)
    if isinstance(part, Argument):
        return decode_argument(attribute, part.read, scope) if attribute else None
    blocks = content.of(part.name)
    if isinstance(part, Free) and attribute is not None:
        return decode_argument(attribute, _read_text_map, scope)
    if not blocks:
        return None
    if isinstance(part, Free) or part.how == "one":
        return _single(part, blocks)
    if part.how == "many":
        return [decode(block, part.schema) for block in blocks]
    return {block.label: decode(block, part.schema) for block in blocks}


def _single(part: Nested | Free, blocks: list[BoundBlock]) -> Json | None:
    first = blocks[0]
    if len(blocks) > 1:
        detail = f"Only one {part.name} block is allowed. Another was defined at {first.header}."
        first.scope.run.report(f"Duplicate {part.name} block", detail, blocks[1].header)
        return None
    if isinstance(part, Nested):
        return decode(first, part.schema)
    if part.how == "opaque":
        return decode_opaque(first.body, first.scope)
    read = _read_text if part.how == "strings" else _read_texts
    return dict(_named(first, read))


def _named(block: BoundBlock, read: Callable[[Value], object]) -> Iterator[tuple[str, object]]:
    for attribute in just_attributes(block.body, block.scope.run):
        value = decode_argument(attribute, read, block.scope)
        if value is not None:
            yield attribute.name, value


def decode_argument(attribute: Attribute, read: Callable[[Value], object], scope: Scope) -> object:
    """What `read` makes of an argument; null is as good as absent. A value that ends in an error is told to be
    none, too.
    """
    value = argument(attribute, scope)
    if value is None:
        return None
    reason = "Unsuitable value: value must be known"
    if value is not UNKNOWN:
        try:
            result = read(value)
            if is_known(value):
                return result
        except Unsuitable as error:
            reason = str(error)
    scope.run.report("Unsuitable value type", reason, attribute.value.start)
    return None


def decode_opaque(body: Body, scope: Scope) -> Json:
    """A body that only its reader understands, such as a driver's config. Blocks become lists of objects, and so
    does an object that is an argument's value; a label becomes one more object around it.
    """
    result: Json = {}
    for attribute in body.attributes.values():
        value = argument(attribute, scope)
        result[attribute.name] = [plain(value)] if isinstance(value, Entries) else plain(value)
    for block in body.blocks:
        inner: Json = decode_opaque(block.body, scope)
        for label in reversed(block.labels):
            inner = {label: [inner]}
        existing = result.setdefault(block.type, [])
        if isinstance(existing, list):
            existing.append(inner)
    return result
