"""Answers are what their types say, or it is not Herdsman that answers: a script never stumbles over half of one."""

from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

Check = Callable[[Any], bool]


def fits(value: Any, wanted: Any) -> bool:
    """Whether a *value* from JSON is of the type *wanted*: a shape, or what shapes are made of.

    What is there besides is welcome, and so is a word that is not among those of a `Literal`: operators are newer
    than scripts.
    """
    return check_for(wanted)(value)


@cache
def check_for(wanted: Any) -> Check:
    """The check of one type, made once."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return lambda value: True
    if is_typeddict(wanted):
        return _shape(wanted)
    if origin is NotRequired:
        return check_for(arguments[0])
    if origin in (Union, UnionType):
        any_of = [check_for(one) for one in arguments]
        return lambda value: any(check(value) for check in any_of)
    if origin is list:
        item = check_for(arguments[0])
        return lambda value: isinstance(value, list) and all(map(item, value))
    if origin is dict:
        held = check_for(arguments[1])
        return lambda value: isinstance(value, dict) and all(map(held, value.values()))
    return _plain(str if origin is Literal else wanted)


def _shape(wanted: Any) -> Check:
    hints: Mapping[str, Any] = get_type_hints(wanted)
    required = frozenset(wanted.__required_keys__)
    checks: dict[str, Check] = {}  # filled when it is first asked: a shape may hold itself

    def check(value: Any) -> bool:
        if not checks:
            checks.update({name: check_for(hint) for name, hint in hints.items()})
        return (
            isinstance(value, dict)
            and required <= value.keys()
            and all(one(value[name]) for name, one in checks.items() if name in value)
        )

    return check


def _plain(wanted: Any) -> Check:
    if wanted is float:
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    assert wanted in (str, bool, NoneType), wanted
    return lambda value: isinstance(value, wanted)
