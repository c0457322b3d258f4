"""Leaves: a value as the name and text that a diff shows for it, the way Go prints values."""

import math
from collections.abc import Iterator
from decimal import Decimal


def text(value: object) -> str:
    """One scalar."""
    if isinstance(value, str):
        return value
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value) if isinstance(value, float) else str(value)


def number(value: float) -> str:
    """A float as Go prints it: the fewest digits, and an exponent from a million on (1e+06) or below 0.0001."""
    if value == 0 or not math.isfinite(value):
        return {0.0: "0", math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    exact = Decimal(repr(value)).normalize()
    exponent = exact.adjusted()
    if -4 <= exponent < 6:
        return f"{exact:f}"
    digits = "".join(map(str, exact.as_tuple().digits))
    mantissa = f"{'-' if value < 0 else ''}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}"
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def opaque(value: object) -> Iterator[tuple[str, str]]:
    """All leaves of a free-form value such as a driver's configuration: `mount[0][source]`."""
    ahead: list[tuple[str, object]] = [("", value)]
    while ahead:
        name, inner = ahead.pop()
        if isinstance(inner, dict):
            ahead += [(f"{name}[{key}]" if name else key, one) for key, one in inner.items()]
        elif isinstance(inner, list):
            ahead += [(f"{name}[{index}]", one) for index, one in enumerate(inner)]
        elif isinstance(inner, int) and not isinstance(inner, bool):
            # Free-form numbers are floats to Nomad, whatever they look like in JSON.
            yield name, number(float(inner))
        else:
            yield name, text(inner)
