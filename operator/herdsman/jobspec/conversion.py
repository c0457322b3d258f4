"""Conversion between types, and the search for a type that several values have in common.

There are two questions. May a type be converted into another at all? If not, the answer is the same whatever the
value, and the error compares the types. Otherwise only a string can still fail, if it does not spell the number or
bool that is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from . import bignum
from .text import go_quote
from .typesystem import ANY, STRING, Type, list_of, map_of, object_of, tuple_of
from .values import (
    UNKNOWN,
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
    sort_key,
    string,
    type_of,
)


class ConversionError(Exception):
    """Why a value does not become what is wanted, in words that follow "unsuitable value:"."""


def convert(value: Value, want: Type) -> Value:
    if want.kind == "any" or value is None or value is UNKNOWN:
        return value
    if want.is_primitive:
        return _to_primitive(value, want)
    got = type_of(value)
    if got == want:
        return value
    if not convertible(got, want):
        raise ConversionError(mismatch(got, want))
    return _to_composite(value, want)


def _to_primitive(value: Value, want: Type) -> Value:
    if want.kind == "string":
        return to_string(value)
    if want.kind == "number":
        if is_number(value):
            return value
        if isinstance(value, str):
            return _parse_number(value)
    elif isinstance(value, bool):
        return value
    elif isinstance(value, str):
        return _parse_bool(value)
    raise ConversionError(f"{want.name} required")


def to_string(value: Value) -> Value:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Composite):
        raise ConversionError("string required")
    return string(bignum.to_text(value)) if is_number(value) else value


def _parse_number(text: str) -> Value:
    number = bignum.parse(text)
    if number is None:
        raise ConversionError("a number is required")
    return number


def _parse_bool(text: str) -> bool:
    if text in {"true", "1"}:
        return True
    if text in {"false", "0"}:
        return False
    if text.lower() in {"true", "false"}:
        raise ConversionError(f'a bool is required; to convert from string, use lowercase "{text.lower()}"')
    raise ConversionError("a bool is required")


def _to_composite(value: Value, want: Type) -> Value:
    if isinstance(value, Items):
        if want.kind == "tuple":
            return TupleValue(map(convert, value.items, want.items))
        element = _element_type(want, map(type_of, value.items))
        items = [convert(item, element) for item in value.items]
        return make_set(items, element) if want.kind == "set" else ListValue(items, element)
    if isinstance(value, Entries):
        if want.kind == "object":
            return ObjectValue({name: convert(_present(value, name), ty) for name, ty in want.attributes.items()})
        element = _element_type(want, map(type_of, value.entries.values()))
        return MapValue({name: convert(part, element) for name, part in value.entries.items()}, element)
    raise ConversionError(f"{want.constraint_name} required")


def _present(value: Entries, name: str) -> Value:
    if name not in value.entries:
        raise ConversionError(f"attribute {go_quote(name)} is required")
    return value.entries[name]


def _element_type(want: Type, found: Iterable[Type]) -> Type:
    """`any` in a collection means: one type, and the elements say which."""
    return want.of if want.of.kind != "any" else unify(found) or ANY


def make_set(items: Iterable[Value], element: Type) -> SetValue:
    unique = {sort_key(item): item for item in items}
    return SetValue((unique[key] for key in sorted(unique)), element)


def as_list(value: Value) -> list[Value]:
    return [part for _, part in elements(value)] if isinstance(value, Composite) else []


# -- of types ---------------------------------------------------------------------------------------------------------


def convertible(got: Type, want: Type) -> bool:
    if want.kind == "any" or got.kind == "any" or got == want:
        return True
    if want.is_primitive:
        return got.kind == "string" or (want.kind == "string" and got.is_primitive)
    rule = _STRUCTURAL.get((got.kind, want.kind))
    return rule is not None and rule(got, want)


def _elements_fit(got: Type, want: Type) -> bool:
    return convertible(got.of, want.of)


def _parts_fit(parts: Iterable[Type], want: Type) -> bool:
    distinct = list(dict.fromkeys(parts))
    return (
        unify(distinct) is not None if want.of.kind == "any" else all(convertible(part, want.of) for part in distinct)
    )


def _tuple_fits_tuple(got: Type, want: Type) -> bool:
    return len(got.items) == len(want.items) and all(map(convertible, got.items, want.items))


def _object_fits_object(got: Type, want: Type) -> bool:
    return all(name in got.attributes and convertible(got.attributes[name], ty) for name, ty in want.attributes.items())


def _map_fits_object(got: Type, want: Type) -> bool:
    return all(convertible(got.of, ty) for ty in want.attributes.values())


_STRUCTURAL = {
    ("list", "list"): _elements_fit,
    ("set", "list"): _elements_fit,
    ("list", "set"): _elements_fit,
    ("set", "set"): _elements_fit,
    ("map", "map"): _elements_fit,
    ("tuple", "list"): lambda got, want: _parts_fit(got.items, want),
    ("tuple", "set"): lambda got, want: _parts_fit(got.items, want),
    ("object", "map"): lambda got, want: _parts_fit(got.attributes.values(), want),
    ("tuple", "tuple"): _tuple_fits_tuple,
    ("object", "object"): _object_fits_object,
    ("map", "object"): _map_fits_object,
}


def mismatch(got: Type, want: Type) -> str:
    """Why the one type does not become the other, as close to the guilty part as possible."""
    if got.kind == want.kind == "object":
        return _object_mismatch(got, want)
    if (got.kind, want.kind) in {("tuple", "list"), ("tuple", "set"), ("object", "map")}:
        if want.of.kind == "any":
            return f"all {want.kind} elements must have the same type"
        return _element_mismatch(got, want)
    if (got.kind, want.kind) in _STRUCTURAL and want.is_collection:
        return f"incorrect {want.kind} element type: {mismatch(got.of, want.of)}"
    return f"{want.constraint_name} required"


def _object_mismatch(got: Type, want: Type) -> str:
    missing = [go_quote(name) for name in sorted(want.attributes) if name not in got.attributes]
    if len(missing) == 1:
        return f"attribute {missing[0]} is required"
    if len(missing) == 2:
        return f"attributes {missing[0]} and {missing[1]} are required"
    if missing:
        return f"attributes {', '.join(missing[:-1])}, and {missing[-1]} are required"
    for name, ty in want.attributes.items():
        if not convertible(got.attributes[name], ty):
            return f"attribute {go_quote(name)}: {mismatch(got.attributes[name], ty)}"
    return "incorrect object attributes"


def _element_mismatch(got: Type, want: Type) -> str:
    parts: Mapping[str, Type] = (
        {str(at): ty for at, ty in enumerate(got.items)}
        if got.kind == "tuple"
        else {go_quote(name): ty for name, ty in got.attributes.items()}
    )
    for place, ty in parts.items():
        if not convertible(ty, want.of):
            return f"element {place}: {mismatch(ty, want.of)}"
    return f"all elements must be {want.of.constraint_name}"


def unify(types: Iterable[Type]) -> Type | None:
    """The one type that all can become, the most general first; None if there is none, `any` if nothing is known."""
    distinct = list(dict.fromkeys(types))
    known = [ty for ty in distinct if ty.kind != "any"]
    if len(known) <= 1:
        return known[0] if known else ANY
    kinds = {ty.kind for ty in known}
    if kinds == {"object"}:
        return _unify_objects(known)
    if kinds == {"tuple"}:
        return _unify_tuples(known)
    if {"object", "tuple"} <= kinds:
        return None
    for wanted in sorted(known, key=_generality):
        if all(convertible(ty, wanted) for ty in known):
            return wanted
    return None


def _generality(ty: Type) -> tuple[int, ...]:
    rank = {"string": 0, "list": 0, "map": 0, "set": 1}.get(ty.kind, 2)
    return (rank, *_generality(ty.of)) if ty.is_collection else (rank,)


def _unify_objects(types: Sequence[Type]) -> Type | None:
    names = types[0].attributes.keys()
    if any(ty.attributes.keys() != names for ty in types):
        element = unify(part for ty in types for part in ty.attributes.values())
        return map_of(element) if element else None
    unified = {name: unify(ty.attributes[name] for ty in types) for name in names}
    parts = {name: ty for name, ty in unified.items() if ty is not None}
    return object_of(parts) if len(parts) == len(unified) else None


def _unify_tuples(types: Sequence[Type]) -> Type | None:
    if len({len(ty.items) for ty in types}) > 1:
        element = unify(part for ty in types for part in ty.items)
        return list_of(element) if element else None
    unified = [unify(parts) for parts in zip(*(ty.items for ty in types), strict=True)]
    parts = [ty for ty in unified if ty is not None]
    return tuple_of(parts) if len(parts) == len(unified) else None


STRINGS = list_of(STRING)
