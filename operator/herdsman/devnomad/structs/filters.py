"""Filter expressions of list endpoints (`filter=`), as go-bexpr understands them.

Nomad compares a value's text with what the selector finds, read in the found value's type. A key that a map does not
have matches nothing (so `!=`, `not in`, `not matches` and `is empty` hold); a field that no item of the list has is an
error, and so is an operator that its type does not know.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from herdsman.devnomad.structs.errors import quoted
from herdsman.devnomad.structs.filter_grammar import Both, Each, Either, Expression, GrammarError, Match, Not, parse
from herdsman.devnomad.structs.regexps import matches, regexp_error

_ABSENT = object()
_BOOLS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
_GO_TYPES = {str: "string", bool: "bool", int: "int", float: "float64", dict: "map", list: "slice"}


class FilterError(ValueError):
    """An expression that cannot be read, or cannot be asked of these items; `str()` is Nomad's text."""


Predicate = Callable[[object], bool]


def compile_filter(text: str) -> Predicate:
    """A predicate over list items as they look in JSON; raises FilterError, and so may the predicate."""
    try:
        return _predicate(parse(text))
    except GrammarError as e:
        raise FilterError(f"failed to read filter expression: {e}") from None
    except RecursionError:
        raise FilterError("failed to read filter expression: it is nested too deeply") from None


def _predicate(expression: Expression) -> Predicate:
    match expression:
        case Not(inner):
            negated = _predicate(inner)
            return lambda item: not negated(item)
        case Both(left, right):
            one, other = _predicate(left), _predicate(right)
            return lambda item: one(item) and other(item)
        case Either(left, right):
            one, other = _predicate(left), _predicate(right)
            return lambda item: one(item) or other(item)
        case Each():
            return _quantified(expression)
        case Match():
            return _comparison(expression)


class _Scope(Mapping[str, Any]):
    """An item, and over it the names that `all` and `any` gave to what is inside."""

    def __init__(self, item: object, names: Mapping[str, Any]) -> None:
        self.item, self.names = item, names

    def __getitem__(self, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        if isinstance(self.item, Mapping):
            return self.item[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self.item if isinstance(self.item, Mapping) else ()), **self.names})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _quantified(each: Each) -> Predicate:
    """Of nothing everything holds, and there is no example."""
    inner = _predicate(each.inner)

    def predicate(item: object) -> bool:
        found = _select(item, each.selector)
        if found is _ABSENT:
            return each.every
        if not isinstance(found, list | dict):
            name, kind = ".".join(each.selector), _GO_TYPES[type(found)]
            raise FilterError(f"{name} is of type {kind}: only lists and maps have elements to look at")
        results = (inner(_Scope(item, names)) for names in _bindings(found, each.names))
        return all(results) if each.every else any(results)

    return predicate


def _bindings(found: list[Any] | dict[str, Any], names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    pairs = found.items() if isinstance(found, dict) else enumerate(found)
    for key, value in pairs:
        values: tuple[Any, ...] = (key, value)
        if len(names) == 1:
            values = (key,) if isinstance(found, dict) else (value,)
        yield {name: bound for name, bound in zip(names, values, strict=True) if name != "_"}


def _comparison(match: Match) -> Predicate:
    selector, negated = match.selector, match.negated
    holds = _test(match)
    absent = negated != (match.operator == "empty")

    def predicate(item: object) -> bool:
        found = _select(item, selector)
        return absent if found is _ABSENT else holds(found) != negated

    return predicate


def _test(match: Match) -> Callable[[Any], bool]:
    value, name = match.value, ".".join(match.selector)
    match match.operator:
        case "==":
            return lambda found: _equal(found, value, name)
        case "contains":
            return lambda found: _contains(found, value, name)
        case "empty":
            return lambda found: _empty(found, name)
        case _:
            return _matcher(value, name)


def _matcher(pattern: str, name: str) -> Callable[[Any], bool]:
    if complaint := regexp_error(pattern):
        raise FilterError(f"failed to read filter expression: Failed to compile regular expression: {complaint}")

    def holds(found: Any) -> bool:
        if not isinstance(found, str):
            raise FilterError(f"Value of type {_GO_TYPES[type(found)]} is not convertible to []byte for {quoted(name)}")
        return matches(pattern, found)

    return holds


def _select(item: Any, selector: Sequence[str]) -> Any:
    """What a selector finds in an item, or _ABSENT."""
    for depth, part in enumerate(selector):
        if isinstance(item, Mapping):
            found = item.get(part, _ABSENT)
            if found is _ABSENT and depth == 0:
                pointer = "/".join(("", *selector))
                reason = f"couldn't find key: struct field with name {quoted(part)}"
                raise FilterError(f"error finding value in datum: {pointer} at part 0: {reason}")
        elif isinstance(item, list) and part.isdecimal() and int(part) < len(item):
            found = item[int(part)]
        else:
            return _ABSENT
        item = found
    return _ABSENT if item is None else item


def _equal(found: Any, value: str, name: str) -> bool:
    match found:
        case str():
            return bool(found == value)
        case bool():
            return bool(found == _coerced(_BOOLS.get, value, "ParseBool"))
        case int():
            return bool(found == _coerced(_whole, value, "ParseInt"))
        case float():
            return bool(found == _coerced(_real, value, "ParseFloat"))
        case _:
            raise FilterError(
                f"Cannot perform equality operations on type {_GO_TYPES[type(found)]} for selector: {quoted(name)}"
            )


def _coerced(read: Callable[[str], Any], value: str, function: str) -> Any:
    found = read(value)
    if found is None:
        raise FilterError(f"strconv.{function}: parsing {quoted(value)}: invalid syntax")
    return found


def _whole(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[+-]?\d+", value) else None


def _real(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _contains(found: Any, value: str, name: str) -> bool:
    match found:
        case str() | dict():
            return value in found
        case list():
            return any(
                not isinstance(one, dict | list) and _equal(one, value, name) for one in found if one is not None
            )
        case _:
            raise FilterError(
                f"Cannot perform in/contains operations on type {_GO_TYPES[type(found)]} for selector: {quoted(name)}"
            )


def _empty(found: Any, name: str) -> bool:
    if not isinstance(found, str | dict | list):
        kind = _GO_TYPES[type(found)]
        raise FilterError(
            f"Cannot perform is empty/is not empty operations on type {kind} for selector: {quoted(name)}"
        )
    return not found
