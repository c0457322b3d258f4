"""Steps into a value: `value.name` and `value[key]`, with the errors that tell which of the many ways to go wrong
it was.
"""

from __future__ import annotations

from fractions import Fraction

from .conversion import ConversionError, convert
from .text import go_quote
from .typesystem import NUMBER, STRING, Type
from .values import UNKNOWN, Entries, Items, ListValue, MapValue, SetValue, TupleValue, Value, is_number, type_of

_NO_SUCH_KEY = "The given key does not identify an element in this collection value"
_LIST_OF_OBJECTS = (
    "Can't access attributes on a list of objects. Did you mean to access {what} for a specific element of the list, "
    "or across all elements of the list?"
)
_SET_OF_OBJECTS = (
    "Can't access attributes on a set of objects. Did you mean to access an attribute across all elements of the set?"
)


class AccessError(Exception):
    def __init__(self, summary: str, detail: str) -> None:
        super().__init__(summary, detail)
        self.summary, self.detail = summary, detail


def attribute(value: Value, name: str) -> Value:
    if value is UNKNOWN:
        return UNKNOWN
    if value is None:
        raise AccessError(
            "Attempt to get attribute from null value", "This value is null, so it does not have any attributes."
        )
    if isinstance(value, Entries):
        if name in value.entries:
            return value.entries[name]
        if isinstance(value, MapValue):
            raise AccessError(
                "Missing map element", f"This map does not have an element with the key {go_quote(name)}."
            )
        raise AccessError("Unsupported attribute", f"This object does not have an attribute named {go_quote(name)}.")
    raise AccessError("Unsupported attribute", _no_attributes(type_of(value), name))


def _no_attributes(ty: Type, name: str) -> str:
    if ty.is_primitive:
        return f"Can't access attributes on a primitive-typed value ({ty.name})."
    if ty.kind == "list" and ty.of.kind == "object":
        return _LIST_OF_OBJECTS.format(
            what=f"attribute {go_quote(name)}" if name in ty.of.attributes else "an attribute"
        )
    if ty.kind == "set" and ty.of.kind == "object":
        return _SET_OF_OBJECTS
    return "This value does not have any attributes."


def index(value: Value, key: Value) -> Value:
    if value is UNKNOWN or key is UNKNOWN:
        return UNKNOWN
    if value is None:
        raise AccessError("Attempt to index null value", "This value is null, so it does not have any indices.")
    if key is None:
        raise AccessError("Invalid index", "Can't use a null value as an indexing key.")
    if isinstance(value, ListValue | TupleValue):
        return _place(value, _key(key, NUMBER))
    if isinstance(value, Entries):
        return _entry(value, key)
    if isinstance(value, SetValue):
        raise AccessError(
            "Invalid index",
            "Elements of a set are identified only by their value and don't have any separate index or key to select "
            "with, so it's only possible to perform operations across all elements of the set.",
        )
    raise AccessError("Invalid index", "This value does not have any indices.")


def _key(key: Value, want: Type) -> Value:
    try:
        return convert(key, want)
    except ConversionError as error:
        raise AccessError("Invalid index", f"{_NO_SUCH_KEY}: {error}.") from None


def _place(value: Items, place: Value) -> Value:
    if isinstance(place, Fraction):
        reason = "indexing a sequence requires a whole number, but the given index has a fractional part"
    elif not isinstance(place, int) or place < 0:
        reason = "a negative number is not a valid index for a sequence"
    elif place < len(value.items):
        return value.items[place]
    elif not value.items:
        reason = "the collection has no elements"
    else:
        reason = "the given index is greater than or equal to the length of the collection"
    raise AccessError("Invalid index", f"{_NO_SUCH_KEY}: {reason}.")


def _entry(value: Entries, key: Value) -> Value:
    name = _key(key, STRING)
    if isinstance(name, str) and name in value.entries:
        return value.entries[name]
    suggestion = ""
    if is_number(key) and not isinstance(value, MapValue):
        suggestion = " An object only supports looking up attributes by name, not by numeric index."
    raise AccessError("Invalid index", f"{_NO_SUCH_KEY}.{suggestion}")
