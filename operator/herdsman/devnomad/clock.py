"""Time, as Nomad writes it: nanoseconds since 1970, and RFC 3339 text in UTC with the zeros cut off."""

import time
from datetime import UTC, datetime
from typing import Final

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE


def now_ns() -> int:
    """The time now, in nanoseconds since 1970."""
    return time.time_ns()


def rfc3339(ns: int) -> str:
    """A moment as Go prints it: `2021-11-04T09:14:12.04996Z`."""
    moment = datetime.fromtimestamp(ns // SECOND, UTC)
    fraction = f".{ns % SECOND:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def parse_rfc3339(text: str) -> int:
    """The nanoseconds of a moment that `rfc3339` wrote."""
    head, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{head}+00:00").timestamp())
    return seconds * SECOND + int((fraction or "0").ljust(9, "0")[:9])


_UNITS: Final = (("h", HOUR), ("m", MINUTE), ("s", SECOND))


def duration_text(ns: int) -> str:
    """A duration as Go prints it: `1h0m0s`, `1m30s`, `15s`, `1.5s`, `200ms`, `0s`."""
    if ns == 0:
        return "0s"
    if ns < 0:
        return "-" + duration_text(-ns)
    if ns < SECOND:
        for unit, size in (("ms", MILLISECOND), ("µs", 1_000), ("ns", 1)):
            if ns >= size:
                return f"{_decimal(ns, size)}{unit}"
    hours, rest = divmod(ns, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    text = f"{_decimal(rest, SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    if not rest:
        return str(whole)
    digits = len(str(size)) - 1
    return f"{whole}.{str(rest).rjust(digits, '0').rstrip('0')}"
