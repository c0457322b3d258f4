"""Values to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Iterator

from . import bignum
from .limits import MAX_DEPTH, LimitError
from .text import encodable
from .values import Entries, Items, ObjectValue, TupleValue, Value, is_number, string

_HTML = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def encode_json(value: Value) -> str:
    """Compact, keys in order, with < > & escaped, as Go does it."""
    return "".join(_json_pieces(value))


def _json_pieces(value: Value) -> Iterator[str]:
    if isinstance(value, Items):
        yield "["
        for at, item in enumerate(value.items):
            yield "," if at else ""
            yield from _json_pieces(item)
        yield "]"
    elif isinstance(value, Entries):
        yield "{"
        for at, (name, part) in enumerate(value.entries.items()):
            yield f"{',' if at else ''}{_json_string(name)}:"
            yield from _json_pieces(part)
        yield "}"
    elif isinstance(value, str):
        yield _json_string(value)
    elif value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif is_number(value):
        yield bignum.to_text(value)


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_HTML)


class _JsonNumber(str):
    """A number as it was written, so that none of its digits is lost."""

    __slots__ = ()


def decode_json(text: str) -> Value:
    """Raises `ValueError` with the reason."""
    try:
        raw = json.loads(text, parse_int=_JsonNumber, parse_float=_JsonNumber, parse_constant=_no_constant)
        return from_plain(raw)
    except RecursionError:
        raise ValueError(f"nests deeper than {MAX_DEPTH} levels") from None


def _no_constant(text: str) -> Value:
    raise ValueError(f"{text} is not JSON")


def from_plain(raw: object, depth: int = 0) -> Value:
    """What Python reads from JSON, or a caller gives as variables, as a value."""
    if depth > MAX_DEPTH:
        raise LimitError(f"A value nests deeper than {MAX_DEPTH} levels.")
    if isinstance(raw, _JsonNumber):
        return _number(raw)
    if isinstance(raw, float):
        return bignum.from_float(raw)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return bignum.rounded(raw)
    if isinstance(raw, str):
        return string(encodable(raw))
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, dict):
        return ObjectValue({string(encodable(str(name))): from_plain(part, depth + 1) for name, part in raw.items()})
    if isinstance(raw, list | tuple):
        return TupleValue([from_plain(item, depth + 1) for item in raw])
    raise ValueError(f"a value of type {type(raw).__name__} has no place in a job")


def _number(text: str) -> Value:
    number = bignum.parse(text)
    if number is None:
        raise ValueError(f"the number {text[:40]} is out of range")
    return number
