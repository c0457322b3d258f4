"""Numbers: binary floats of 512 bits, as Nomad's language has them.

A number is a Python `int` where it is whole and a `Fraction` where it is not, rounded to 512 significant bits after
each operation. So `0.1 + 0.2 == 0.3` holds, `1/3` has 155 digits, and a whole number prints without a point.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

Number = int | Fraction

PRECISION = 512
# Far beyond any job; keeps a literal such as 1e999999999 from filling the memory.
MAX_EXPONENT = 4000
MAX_DIGITS = 4000
_MAX_BITS = 14_000
_LITERAL = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,6}))?")


class NumberError(ValueError):
    """A result that is no number, or one out of any sensible range."""


def parse(text: str) -> Number | None:
    """The number a text spells in decimal, or None."""
    if text.isdigit() and text.isascii() and len(text) < 100:
        return int(text)
    found = _LITERAL.fullmatch(text) if len(text) <= MAX_DIGITS else None
    if found is None:
        return None
    sign, whole, fraction, exponent = found.groups("")
    power = int(exponent or "0") - len(fraction)
    if abs(power) > MAX_EXPONENT:
        return None
    digits = int(whole + fraction)
    value = Fraction(digits * 10**power) if power >= 0 else Fraction(digits, 10**-power)
    return rounded(-value if sign == "-" else value)


def from_float(value: float) -> Number:
    """Through the shortest decimal, so that a result of float arithmetic prints as short as it does there."""
    number = parse(repr(value)) if math.isfinite(value) else None
    if number is None:
        raise NumberError("the result is not a finite number")
    return number


def rounded(value: int | Fraction) -> Number:
    numerator, denominator = value.numerator, value.denominator
    if denominator == 1 and numerator.bit_length() <= PRECISION:
        return numerator
    if max(numerator.bit_length(), denominator.bit_length()) > 2 * _MAX_BITS:
        raise NumberError("the result is out of range")
    exponent = numerator.bit_length() - denominator.bit_length() - PRECISION
    mantissa = _scaled(numerator, denominator, exponent)
    if mantissa.bit_length() > PRECISION:
        exponent += 1
        mantissa = _scaled(numerator, denominator, exponent)
    result = Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)
    if max(result.numerator.bit_length(), result.denominator.bit_length()) > _MAX_BITS:
        raise NumberError("the result is out of range")
    return result.numerator if result.denominator == 1 else result


def _scaled(numerator: int, denominator: int, exponent: int) -> int:
    return round(
        Fraction(numerator, denominator << exponent) if exponent >= 0 else Fraction(numerator << -exponent, denominator)
    )


def magnitude(value: Number) -> Number:
    return -value if value < 0 else value


def divide(left: Number, right: Number) -> Number:
    if right == 0:
        raise NumberError("division by zero")
    return rounded(Fraction(left) / Fraction(right))


def modulo(left: Number, right: Number) -> Number:
    """The remainder has the sign of the left side, as in Go and unlike in Python."""
    if right == 0:
        raise NumberError("division by zero")
    return rounded(left - right * math.trunc(Fraction(left) / Fraction(right)))


def to_text(value: Number) -> str:
    """Plain decimal, no exponent, as few digits as tell the number from its neighbours."""
    if isinstance(value, int) and value.bit_length() <= PRECISION:
        return str(value)
    digits, exponent = shortest_digits(value)
    sign = "-" if value < 0 else ""
    if exponent >= len(digits):
        return sign + digits + "0" * (exponent - len(digits))
    if exponent <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def shortest_digits(value: Number) -> tuple[str, int]:
    """(digits, exponent): the shortest 0.digits x 10^exponent that rounds back to the value. Zero is ("0", 1)."""
    if value == 0:
        return "0", 1
    low, high = 1, PRECISION * 3 // 10 + 3
    while low < high:
        middle = (low + high) // 2
        digits, exponent = significant_digits(value, middle)
        if rounded(_decimal(digits, exponent)) == magnitude(value):
            high = middle
        else:
            low = middle + 1
    digits, exponent = significant_digits(value, low)
    return digits.rstrip("0") or "0", exponent


def significant_digits(value: Number, count: int) -> tuple[str, int]:
    """The value rounded, half to even, to so many digits, as 0.digits x 10^exponent."""
    size = Fraction(magnitude(value))
    exponent = _decimal_exponent(size)
    digits = str(round(size * _power_of_ten(count - exponent)))
    return (digits[:-1], exponent + 1) if len(digits) > count else (digits, exponent)


def _decimal_exponent(size: Fraction) -> int:
    bits = size.numerator.bit_length() - size.denominator.bit_length()
    guess = math.floor(bits * math.log10(2)) - 1
    while _power_of_ten(guess) <= size:
        guess += 1
    return guess


def _decimal(digits: str, exponent: int) -> Fraction:
    return int(digits) * _power_of_ten(exponent - len(digits))


def _power_of_ten(exponent: int) -> Fraction:
    return Fraction(10**exponent) if exponent >= 0 else Fraction(1, 10**-exponent)
