"""Durations as people write them to Nomad (`1h30m`, `200ms`, `1.5s`), read into nanoseconds."""

import re
from typing import Final

_SIZES: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LONGEST: Final = 2**63 - 1
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


class DurationError(ValueError):
    """A text that is no duration; the message is the one Go gives."""


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration like `1h30m`; `DurationError` where it is none."""
    body = text[1:] if text[:1] in {"+", "-"} else text
    if body == "0":
        return 0
    if not body:
        raise DurationError(f'time: invalid duration "{text}"')
    total, end = 0.0, 0
    for part in _PART.finditer(body):
        if part.start() != end:
            break
        total += float(part[1]) * _SIZES[part[2]]
        end = part.end()
    if end != len(body):
        raise DurationError(_complaint(text, body))
    if total > _LONGEST:
        raise DurationError(f'time: invalid duration "{text}"')
    return int(-total if text.startswith("-") else total)


def _complaint(text: str, body: str) -> str:
    number = re.match(r"[\d.]+", body)
    if number is None:
        return f'time: invalid duration "{text}"'
    if number.end() == len(body):
        return f'time: missing unit in duration "{text}"'
    return (
        f'time: unknown unit in duration "{text}"'
        if body[number.end() :].isalpha()
        else f'time: invalid duration "{text}"'
    )


def as_ns(value: object, *, default: int = 0) -> int:
    """A duration that a request gives as nanoseconds or as text; `default` where it gives none."""
    if value is None or value == "" or isinstance(value, bool):
        return default
    if isinstance(value, int | float):
        return int(value) if abs(value) <= _LONGEST else default
    return parse_duration(str(value))
