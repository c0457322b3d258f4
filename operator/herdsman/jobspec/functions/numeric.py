"""Functions of numbers."""

from __future__ import annotations

import math

from herdsman.jobspec import bignum
from herdsman.jobspec.bignum import MAX_DIGITS, Number
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.typesystem import NUMBER
from herdsman.jobspec.values import Value, type_of

from .base import ArgumentError, Function, FunctionError, Parameter, function, whole

_NUM = Parameter("num", NUMBER)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _ceil(number: Number) -> Value:
    return math.ceil(number)


def _floor(number: Number) -> Value:
    return math.floor(number)


def _signum(number: Number) -> Value:
    return (number > 0) - (number < 0)


def _extreme(*numbers: Number, largest: bool) -> Value:
    if not numbers:
        raise FunctionError("must pass at least one number")
    return max(numbers) if largest else min(numbers)


def _log(number: Number, base: Number) -> Value:
    try:
        return bignum.from_float(math.log(number) / math.log(base))
    except (ValueError, ZeroDivisionError):
        raise FunctionError("the result is not a finite number") from None


def _pow(number: Number, power: Number) -> Value:
    try:
        result = float(number) ** float(power)
    except (OverflowError, ZeroDivisionError):
        raise FunctionError("the result is not a finite number") from None
    if isinstance(result, complex):
        raise FunctionError("the result is not a finite number")
    return bignum.from_float(result)


def _parseint(text: Value, base: Number) -> Value:
    if not isinstance(text, str):
        raise ArgumentError(0, f"first argument must be a string, not {type_of(text).name}")
    radix = whole(base, 1)
    if not 2 <= radix <= 62:
        raise ArgumentError(1, "base must be a whole number between 2 and 62 inclusive")
    bare = text[1:] if text[:1] in {"-", "+"} else text
    # Up to base 36 capital letters mean the same as small ones.
    digits = [_DIGITS.find(c.lower() if radix <= 36 else c) for c in bare]
    if not bare or len(bare) > MAX_DIGITS or not all(0 <= digit < radix for digit in digits):
        raise ArgumentError(0, f"cannot parse {go_quote(text)} as a base {radix} integer")
    number = 0
    for digit in digits:
        number = number * radix + digit
    return bignum.rounded(-number if text.startswith("-") else number)


FUNCTIONS: dict[str, Function] = {
    "abs": function(bignum.magnitude, _NUM),
    "ceil": function(_ceil, _NUM),
    "floor": function(_floor, _NUM),
    "signum": function(_signum, _NUM),
    "log": function(_log, _NUM, Parameter("base", NUMBER)),
    "pow": function(_pow, _NUM, Parameter("power", NUMBER)),
    "max": function(lambda *numbers: _extreme(*numbers, largest=True), rest=Parameter("numbers", NUMBER)),
    "min": function(lambda *numbers: _extreme(*numbers, largest=False), rest=Parameter("numbers", NUMBER)),
    "parseint": function(_parseint, Parameter("number"), Parameter("base", NUMBER)),
}
