"""format and formatlist: printf with Go's verbs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from herdsman.jobspec import bignum
from herdsman.jobspec.bignum import Number
from herdsman.jobspec.conversion import ConversionError, convert, to_string
from herdsman.jobspec.json_text import encode_json
from herdsman.jobspec.limits import check_size
from herdsman.jobspec.text import go_quote, graphemes
from herdsman.jobspec.typesystem import BOOL, NUMBER, STRING
from herdsman.jobspec.values import Items, ListValue, Value

from .base import ArgumentError, Function, FunctionError, Parameter, function

_VERB = re.compile(
    r"%(?P<flags>[ +\-0#]*)(?P<width>[1-9][0-9]*)?(?:\.(?P<precision>[0-9]+))?"
    r"(?:\[(?P<argument>[0-9]+)\])?(?P<mode>[a-zA-Z])"
)
_MAX_WIDTH = 100_000
# Python refuses to print longer numbers; digits after these are zeros.
_MAX_PLACES = 4000
_BASES = {"b": "b", "d": "d", "o": "o", "x": "x", "X": "X"}


@dataclass(frozen=True)
class _Verb:
    raw: str
    offset: int
    flags: str
    width: int
    precision: int | None
    mode: str

    def refuse(self, reason: object) -> FunctionError:
        return FunctionError(f"unsupported value for {go_quote(self.raw)} at {self.offset}: {reason}")

    def padded(self, text: str) -> str:
        """To the width; zeros go between a sign and its digits."""
        missing = self.width - sum(1 for _ in graphemes(text))
        if missing <= 0:
            return text
        if "-" in self.flags:
            return text + " " * missing
        if "0" not in self.flags:
            return " " * missing + text
        sign = text[:1] if text[:1] in {"+", "-", " "} and self.mode not in "svq" else ""
        return sign + "0" * missing + text[len(sign) :]


def _format(text: str, *arguments: Value) -> Value:
    return _formatted(text, arguments)


def _formatted(text: str, arguments: tuple[Value, ...]) -> str:
    result: list[str] = []
    size = at = used = highest = 0
    while (mark := text.find("%", at)) >= 0:
        result.append(text[at:mark])
        if text.startswith("%%", mark):
            piece, at = "%", mark + 2
        else:
            verb, number = _verb(text, mark)
            used = number or used + 1
            highest = max(highest, used)
            piece, at = _one(verb, used, arguments), mark + len(verb.raw)
        result.append(piece)
        size = check_size(size + len(piece))
    if highest < len(arguments):
        only = f"only {highest} used by format string" if highest else "no verbs in format string"
        raise ArgumentError(highest + 1, f"too many arguments; {only}")
    return "".join(result) + text[at:]


def _verb(text: str, mark: int) -> tuple[_Verb, int]:
    found = _VERB.match(text, mark)
    if found is None:
        bad = re.compile(r"%[ +\-0#]*[0-9.\[\]]*").match(text, mark)
        at = bad.end() if bad else mark
        if at >= len(text):
            raise FunctionError(f"extraneous characters beginning at offset {at}")
        raise FunctionError(f"unrecognized format character '{text[at]}' at offset {at}")
    width, precision = found["width"] or "0", found["precision"]
    if len(width) > 6 or len(precision or "") > 6 or max(int(width), int(precision or 0)) > _MAX_WIDTH:
        raise FunctionError(f"width or precision of {go_quote(found[0])} is larger than {_MAX_WIDTH}")
    verb = _Verb(
        found[0], mark, found["flags"], int(width), None if precision is None else int(precision), found["mode"]
    )
    return verb, int((found["argument"] or "0")[:6])


def _one(verb: _Verb, number: int, arguments: tuple[Value, ...]) -> str:
    if number > len(arguments):
        raise FunctionError(
            f"not enough arguments for {go_quote(verb.raw)} at {verb.offset}: need index {number} but have "
            f"{len(arguments)} total"
        )
    value = arguments[number - 1]
    if verb.mode == "v":
        return verb.padded(_as_is(verb, value))
    if value is None:
        raise verb.refuse("null value cannot be formatted")
    try:
        if verb.mode == "t":
            return "true" if convert(value, BOOL) else "false"
        if verb.mode in {"s", "q"}:
            return verb.padded(_text(verb, value))
        if verb.mode in "bdoxXeEfgG":
            return verb.padded(_signed(verb, convert(value, NUMBER)))
    except ConversionError as error:
        raise verb.refuse(error) from None
    raise FunctionError(f"unsupported format verb '{verb.mode}' in {go_quote(verb.raw)} at offset {verb.offset}")


def _as_is(verb: _Verb, value: Value) -> str:
    if "#" not in verb.flags:
        if isinstance(value, str):
            return value
        if isinstance(value, int | Fraction) and not isinstance(value, bool):
            return ("-" if value < 0 else "") + _general(bignum.magnitude(value), None, "e")
    return encode_json(value)


def _text(verb: _Verb, value: Value) -> str:
    text = to_string(value)
    assert isinstance(text, str)
    if verb.precision:
        text = "".join(list(graphemes(text))[: verb.precision])
    return encode_json(text) if verb.mode == "q" else text


def _signed(verb: _Verb, number: Value) -> str:
    assert isinstance(number, int | Fraction)
    plus = "+" if "+" in verb.flags else " " if " " in verb.flags else ""
    return ("-" if number < 0 else plus) + _digits(verb, bignum.magnitude(number))


def _digits(verb: _Verb, number: Number) -> str:
    if verb.mode in _BASES:
        if not isinstance(number, int):
            raise verb.refuse("an integer is required")
        prefix = {"o": "0", "x": "0x", "X": "0X", "b": "0b"}.get(verb.mode, "") if "#" in verb.flags else ""
        return prefix + format(number, _BASES[verb.mode]).rjust(verb.precision or 0, "0")
    if verb.mode == "f":
        return _fixed(number, 6 if verb.precision is None else verb.precision)
    if verb.mode in {"e", "E"}:
        return _scientific(number, (6 if verb.precision is None else verb.precision) + 1, verb.mode)
    return _general(number, verb.precision, "e" if verb.mode == "g" else "E")


def _fixed(number: Number, places: int) -> str:
    counted = min(places, _MAX_PLACES)
    whole, rest = divmod(round(Fraction(number) * 10**counted), 10**counted)
    return f"{whole}.{str(rest).rjust(counted, '0').ljust(places, '0')}" if places else str(whole)


def _scientific(number: Number, count: int, letter: str) -> str:
    digits, exponent = ("0", 1) if number == 0 else bignum.significant_digits(number, min(count, _MAX_PLACES))
    return _with_exponent(digits.ljust(count, "0"), exponent, letter)


def _with_exponent(digits: str, exponent: int, letter: str) -> str:
    point = "." if len(digits) > 1 else ""
    power = exponent - 1
    return f"{digits[0]}{point}{digits[1:]}{letter}{'-' if power < 0 else '+'}{abs(power):02d}"


def _general(number: Number, precision: int | None, letter: str) -> str:
    """%g: as few digits as needed, with an exponent where that would be long."""
    if precision is None:
        digits, exponent = bignum.shortest_digits(number)
        longest = 6
    elif number == 0:
        digits, exponent, longest = "0", 1, max(precision, 1)
    else:
        digits, exponent = bignum.significant_digits(number, max(min(precision, _MAX_PLACES), 1))
        digits = digits.rstrip("0") or "0"
        longest = max(precision, 1)
        if longest > len(digits) >= exponent:
            longest = len(digits)
    if exponent - 1 < -4 or exponent - 1 >= longest:
        return _with_exponent(digits, exponent, letter)
    if exponent <= 0:
        return f"0.{'0' * -exponent}{digits}"
    if len(digits) <= exponent:
        return digits + "0" * (exponent - len(digits))
    return f"{digits[:exponent]}.{digits[exponent:]}"


def _formatlist(text: str, *arguments: Value) -> Value:
    """Format once for each element of the lists among the arguments, which are all of one length."""
    lists = [(at, argument.items) for at, argument in enumerate(arguments, 1) if isinstance(argument, Items)]
    for at, items in lists[1:]:
        if len(items) != len(lists[0][1]):
            raise ArgumentError(
                at,
                f"argument {at} has length {len(items)}, which is inconsistent with argument {lists[0][0]} of length "
                f"{len(lists[0][1])}",
            )
    results: list[Value] = []
    size = 0
    for place in range(len(lists[0][1]) if lists else 1):
        row = tuple(argument.items[place] if isinstance(argument, Items) else argument for argument in arguments)
        try:
            result = _formatted(text, row)
        except (FunctionError, ArgumentError) as error:
            raise FunctionError(f"error on format iteration {place}: {error}") from None
        size = check_size(size + len(result))
        results.append(result)
    return ListValue(results, STRING)


_FORMAT = Parameter("format", STRING)
_ARGS = Parameter("args", allows_null=True)

FUNCTIONS: dict[str, Function] = {
    "format": function(_format, _FORMAT, rest=_ARGS),
    "formatlist": function(_formatlist, _FORMAT, rest=_ARGS),
}
