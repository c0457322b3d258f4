"""Values: Python's own for the simple ones, and five small classes for those made of others.

A string is `str`, a bool `bool`, a number `int` or `Fraction`, null is `None`. `UNKNOWN` stands for the result of
something that already led to an error: it takes part in everything and causes no second one.

Every composite knows its size and depth as if written out in full (see `limits`): a value that shares its parts
could otherwise be small in memory and endless to walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final, TypeAlias, TypeGuard

from .bignum import Number
from .limits import MAX_DEPTH, NODE, LimitError, check_size
from .text import normalized
from .typesystem import ANY, BOOL, NUMBER, STRING, Type, list_of, map_of, object_of, set_of, tuple_of


class Unknown:
    """The type of `UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


class Composite:
    """Parts that form one value. It is not `known` if some part of it is `UNKNOWN`."""

    __slots__ = ("_type", "depth", "known", "size")

    depth: int
    size: int
    known: bool
    _type: Type | None

    def _measure(self, parts: Iterable[Value]) -> None:
        size, depth, known = NODE, 0, True
        for part in parts:
            size += size_of(part)
            known = known and is_known(part)
            if isinstance(part, Composite) and part.depth > depth:
                depth = part.depth
        if depth >= MAX_DEPTH:
            raise LimitError(f"A value nests deeper than {MAX_DEPTH} levels.")
        self.size = check_size(size)
        self.depth = depth + 1
        self.known = known
        self._type = None

    def compute_type(self) -> Type:
        raise AssertionError("every composite says its type")


class Items(Composite):
    """Elements in a row."""

    __slots__ = ("items",)

    def __init__(self, items: Iterable[Value]) -> None:
        self.items = tuple(items)
        self._measure(self.items)


class Entries(Composite):
    """Elements by name; they are walked in the order of their names, whatever order they were written in."""

    __slots__ = ("entries",)

    def __init__(self, entries: Mapping[str, Value]) -> None:
        self.entries = {name: entries[name] for name in sorted(entries)}
        self._measure(self.entries.values())
        self.size = check_size(self.size + sum(map(len, self.entries)))


class TupleValue(Items):
    __slots__ = ()

    def compute_type(self) -> Type:
        return tuple_of(map(type_of, self.items))


class ListValue(Items):
    __slots__ = ("element",)

    def __init__(self, items: Iterable[Value], element: Type) -> None:
        super().__init__(items)
        self.element = element

    def compute_type(self) -> Type:
        return list_of(self.element)


class SetValue(Items):
    """Distinct elements, in order; `conversion.make_set` is the way to make one."""

    __slots__ = ("element",)

    def __init__(self, items: Iterable[Value], element: Type) -> None:
        super().__init__(items)
        self.element = element

    def compute_type(self) -> Type:
        return set_of(self.element)


class ObjectValue(Entries):
    __slots__ = ()

    def compute_type(self) -> Type:
        return object_of({name: type_of(value) for name, value in self.entries.items()})


class MapValue(Entries):
    __slots__ = ("element",)

    def __init__(self, entries: Mapping[str, Value], element: Type) -> None:
        super().__init__(entries)
        self.element = element

    def compute_type(self) -> Type:
        return map_of(self.element)


Value: TypeAlias = str | bool | int | Fraction | Unknown | Composite | None


def string(text: str) -> str:
    """A string value: every string that an expression or function makes goes through here."""
    check_size(len(text))
    return normalized(text)


def size_of(value: Value) -> int:
    if isinstance(value, Composite):
        return value.size
    return NODE + len(value) if isinstance(value, str) else NODE


def is_number(value: Value) -> TypeGuard[Number]:
    return isinstance(value, int | Fraction) and not isinstance(value, bool)


def type_of(value: Value) -> Type:
    if isinstance(value, str):
        return STRING
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | Fraction):
        return NUMBER
    if isinstance(value, Composite):
        if value._type is None:
            value._type = value.compute_type()
        return value._type
    return ANY


def elements(value: Composite) -> Iterator[tuple[Value, Value]]:
    """(key, element) as a `for` sees them; in a set an element is its own key."""
    if isinstance(value, Entries):
        yield from value.entries.items()
    elif isinstance(value, SetValue):
        for item in value.items:
            yield item, item
    elif isinstance(value, Items):
        yield from enumerate(value.items)


def is_known(value: Value) -> bool:
    """Whether no part of the value comes from an error."""
    return value.known if isinstance(value, Composite) else value is not UNKNOWN


def same(left: Value, right: Value) -> bool:
    """Equality as `==` means it: 1 and "1" differ, and so do a list and a tuple of the same elements."""
    if isinstance(left, Composite) or isinstance(right, Composite):
        return _same_composites(left, right)
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _same_composites(left: Value, right: Value) -> bool:
    if type(left) is not type(right) or type_of(left) != type_of(right):
        return False
    if isinstance(left, Items) and isinstance(right, Items):
        return len(left.items) == len(right.items) and all(map(same, left.items, right.items))
    if isinstance(left, Entries) and isinstance(right, Entries):
        return left.entries.keys() == right.entries.keys() and all(
            same(value, right.entries[name]) for name, value in left.entries.items()
        )
    return False


def sort_key(value: Value) -> tuple[object, ...]:
    """Hashable, equal for equal values, and orderable among values of one type."""
    if isinstance(value, Items):
        return ("items", type(value).__name__, *map(sort_key, value.items))
    if isinstance(value, Entries):
        return ("entries", type(value).__name__, *((name, sort_key(part)) for name, part in value.entries.items()))
    if value is None or isinstance(value, Unknown):
        return ("", repr(value))
    return (type_of(value).kind, value)


def plain(value: Value) -> object:
    """The value as JSON has it: a whole number that fits 64 bits is an int, any other a float."""
    if isinstance(value, Items):
        return [plain(item) for item in value.items]
    if isinstance(value, Entries):
        return {name: plain(part) for name, part in value.entries.items()}
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, int | Fraction):
        return plain_number(value)
    return None


def plain_number(value: Number) -> int | float:
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    try:
        return float(value)
    except OverflowError:
        raise LimitError("A number is too large for the job's JSON form.") from None
