"""Functions of lists, sets and maps."""

from __future__ import annotations

from collections.abc import Iterator

from herdsman.jobspec import bignum
from herdsman.jobspec.access import AccessError
from herdsman.jobspec.access import index as element_at
from herdsman.jobspec.bignum import Number
from herdsman.jobspec.conversion import STRINGS, ConversionError, convert, unify
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.typesystem import ANY, NUMBER, STRING, list_of
from herdsman.jobspec.values import (
    Composite,
    Entries,
    Items,
    ListValue,
    MapValue,
    ObjectValue,
    SetValue,
    TupleValue,
    Value,
    elements,
    is_number,
    same,
    sort_key,
    type_of,
)

from .base import ArgumentError, Function, FunctionError, Parameter, function, whole

_LIST = Parameter("list")
_ANY_LIST = Parameter("list", list_of(ANY))
_SETS = Parameter("sets")
_MAX_RANGE = 1024


def _chunklist(values: ListValue, size: Number) -> Value:
    width = whole(size)
    if width < 0:
        raise FunctionError("the size argument must be positive")
    width = width or max(1, len(values.items))
    chunks = [ListValue(values.items[at : at + width], values.element) for at in range(0, len(values.items), width)]
    return ListValue(chunks, list_of(values.element))


def _coalesce(*values: Value) -> Value:
    if not values:
        raise FunctionError("at least one argument is required")
    ty = unify(map(type_of, values))
    if ty is None:
        raise FunctionError("all arguments must have the same type")
    for value in values:
        if value is not None:
            return convert(value, ty)
    raise FunctionError("no non-null arguments")


def _coalescelist(*values: Value) -> Value:
    if not values:
        raise FunctionError("at least one argument is required")
    if not all(isinstance(value, ListValue | TupleValue) for value in values):
        raise FunctionError("coalescelist arguments must be lists or tuples")
    for value in values:
        if isinstance(value, Items) and value.items:
            return value
    raise FunctionError("no non-null arguments")


def _compact(values: ListValue) -> Value:
    return ListValue([value for value in values.items if value], STRING)


def _concat(*sequences: Value) -> Value:
    """All lists of one type make a list; anything else makes a tuple."""
    if not sequences:
        raise FunctionError("at least one argument is required")
    items: list[Value] = []
    for at, sequence in enumerate(sequences):
        if not isinstance(sequence, ListValue | TupleValue):
            raise ArgumentError(at, "all arguments must be lists or tuples; got " + type_of(sequence).name)
        items.extend(sequence.items)
    if all(isinstance(sequence, ListValue) for sequence in sequences):
        element = unify(type_of(sequence).of for sequence in sequences)
        if element is not None:
            return ListValue([convert(item, element) for item in items], element)
    return TupleValue(items)


def _contains(values: Value, wanted: Value) -> Value:
    if not isinstance(values, Items):
        raise FunctionError("argument must be list, tuple, or set")
    return any(same(item, wanted) for item in values.items)


def _distinct(values: ListValue) -> Value:
    first: dict[object, Value] = {}
    for item in values.items:
        first.setdefault(sort_key(item), item)
    return ListValue(first.values(), values.element)


def _element(values: Value, index: Number) -> Value:
    if index < 0:
        raise FunctionError("cannot use element function with a negative index")
    if not isinstance(values, ListValue | TupleValue):
        raise FunctionError(f"cannot read elements from {type_of(values).name}")
    place = whole(index)
    if not values.items:
        raise FunctionError("cannot use element function with an empty list")
    return values.items[place % len(values.items)]


def _flatten(values: Value) -> Value:
    if not isinstance(values, Items):
        raise FunctionError("can only flatten lists, sets and tuples")
    return TupleValue(_leaves(values))


def _leaves(values: Items) -> Iterator[Value]:
    for item in values.items:
        if isinstance(item, Items):
            yield from _leaves(item)
        else:
            yield item


def _index(collection: Value, key: Value) -> Value:
    """The element at an index or a key (not, as in Terraform, the index of an element)."""
    if isinstance(collection, ListValue | TupleValue):
        if not is_number(key):
            raise FunctionError(f"key for {type_of(collection).kind} must be number")
    elif isinstance(collection, Entries):
        if not isinstance(key, str):
            raise FunctionError("key for map must be string")
    else:
        raise FunctionError("collection must be a list, a map or a tuple")
    try:
        return element_at(collection, key)
    except AccessError:
        raise FunctionError("invalid index") from None


def _keys(values: Value) -> Value:
    if isinstance(values, MapValue):
        return ListValue(values.entries, STRING)
    if isinstance(values, ObjectValue):
        return TupleValue(values.entries)
    raise ArgumentError(0, "must have map or object type")


def _length(collection: Value) -> Value:
    if isinstance(collection, Composite):
        return sum(1 for _ in elements(collection))
    raise FunctionError("collection must be a list, a map or a tuple")


def _lookup(values: Value, key: str, default: Value) -> Value:
    if not isinstance(values, Entries):
        raise ArgumentError(0, "lookup() requires a map as the first argument")
    if isinstance(values, MapValue):
        try:
            default = convert(default, values.element)
        except ConversionError:
            raise ArgumentError(2, "the default value must have the same type as the map elements") from None
    return values.entries.get(key, default)


def _merge(*maps: Value) -> Value:
    entries: dict[str, Value] = {}
    for value in maps:
        if isinstance(value, Entries):
            entries |= value.entries
        elif value is not None:
            raise FunctionError(f"arguments must be maps or objects, got {go_quote(type_of(value).name)}")
    present = [value for value in maps if value is not None]
    if maps and not present:
        return None
    first = type_of(present[0]) if present else ANY
    if first.kind == "map" and all(type_of(value) == first for value in present):
        return MapValue(entries, first.of)
    return ObjectValue(entries)


def _range(*bounds: Number) -> Value:
    """From 0 or a start up, or down, to but without the end."""
    if not 1 <= len(bounds) <= 3:
        raise FunctionError("must have one, two, or three arguments")
    start, end = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
    step = bounds[2] if len(bounds) == 3 else 1 if end >= start else -1
    if step == 0:
        raise FunctionError("step must not be zero")
    if end < start and step > 0:
        raise FunctionError("when end is less than start, step must be less than zero")
    if end > start and step < 0:
        raise FunctionError("when end is greater than start, step must be greater than zero")
    values: list[Value] = []
    while start < end if step > 0 else start > end:
        if len(values) >= _MAX_RANGE:
            raise FunctionError(
                f"more than {_MAX_RANGE} values were generated; either decrease the difference between start and end "
                "or use a smaller step"
            )
        values.append(start)
        start = bignum.rounded(start + step)
    return ListValue(values, NUMBER)


def _slice(values: Value, start: Number, end: Number) -> Value:
    if isinstance(values, SetValue):
        raise ArgumentError(
            0,
            "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the "
            "ordering of the result is not important",
        )
    if not isinstance(values, ListValue | TupleValue):
        raise ArgumentError(0, "must be a list or tuple value")
    first, last = whole(start, 1), whole(end, 2)
    for at, name, place in ((1, "start", first), (2, "end", last)):
        if place < 0:
            raise ArgumentError(at, f"{name} index must not be less than zero")
        if place > len(values.items):
            raise ArgumentError(at, f"{name} index must not be greater than the length of the list")
    if first > last:
        raise ArgumentError(1, "start index must not be greater than end index")
    items = values.items[first:last]
    return ListValue(items, values.element) if isinstance(values, ListValue) else TupleValue(items)


def _values(values: Value) -> Value:
    if isinstance(values, MapValue):
        return ListValue(values.entries.values(), values.element)
    if isinstance(values, ObjectValue):
        return TupleValue(values.entries.values())
    raise FunctionError("values() requires a map as the first argument")


def _zipmap(keys: ListValue, values: Value) -> Value:
    if not isinstance(values, ListValue | TupleValue):
        raise FunctionError("values argument must be a list or tuple value")
    if len(keys.items) != len(values.items):
        raise FunctionError(f"number of keys ({len(keys.items)}) does not match number of values ({len(values.items)})")
    if None in keys.items:
        raise FunctionError(f"keys list has null value at index {keys.items.index(None)}")
    entries = dict(zip(map(str, keys.items), values.items, strict=True))
    return MapValue(entries, values.element) if isinstance(values, ListValue) else ObjectValue(entries)


FUNCTIONS: dict[str, Function] = {
    "chunklist": function(_chunklist, _ANY_LIST, Parameter("size", NUMBER)),
    "coalesce": function(_coalesce, rest=Parameter("vals", allows_null=True)),
    "coalescelist": function(_coalescelist, rest=Parameter("vals", allows_null=True)),
    "compact": function(_compact, Parameter("list", STRINGS)),
    "concat": function(_concat, rest=Parameter("seqs")),
    "contains": function(_contains, _LIST, Parameter("value")),
    "distinct": function(_distinct, _ANY_LIST),
    "element": function(_element, _LIST, Parameter("index", NUMBER)),
    "flatten": function(_flatten, _LIST),
    "index": function(_index, Parameter("collection"), Parameter("key")),
    "keys": function(_keys, Parameter("inputMap")),
    "length": function(_length, Parameter("collection")),
    "lookup": function(_lookup, Parameter("inputMap"), Parameter("key", STRING), Parameter("default")),
    "merge": function(_merge, rest=Parameter("maps", allows_null=True)),
    "range": function(_range, rest=Parameter("params", NUMBER)),
    "slice": function(_slice, _LIST, Parameter("start_index", NUMBER), Parameter("end_index", NUMBER)),
    "values": function(_values, Parameter("values")),
    "zipmap": function(_zipmap, Parameter("keys", STRINGS), Parameter("values")),
}
