"""Functions of timestamps in RFC 3339."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from herdsman.jobspec.durations import DurationError, parse_duration
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.typesystem import STRING
from herdsman.jobspec.values import Value

from .base import ArgumentError, Function, FunctionError, Parameter, function

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_TOKEN = re.compile(r"''|'(?:[^']|'')*'|'.*|([a-zA-Z])\1*|[^'a-zA-Z]+", re.DOTALL)
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def _parse(text: str) -> datetime:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError("missing or malformed part")
    offset = timedelta()
    if found[8] != "Z":
        offset = timedelta(hours=int(found[10]), minutes=int(found[11])) * (-1 if found[9] == "-" else 1)
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))


def _offset(time: datetime, separator: str) -> str:
    minutes = int((time.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{separator}{rest:02d}"


def _zone(time: datetime) -> str:
    return _offset(time, ":") if time.utcoffset() else "Z"


def _hour12(time: datetime) -> int:
    return time.hour % 12 or 12


_VERBS: dict[str, Callable[[datetime], str]] = {
    "YY": lambda t: f"{t.year % 100:02d}",
    "YYYY": lambda t: f"{t.year:04d}",
    "M": lambda t: str(t.month),
    "MM": lambda t: f"{t.month:02d}",
    "MMM": lambda t: _MONTHS[t.month - 1][:3],
    "MMMM": lambda t: _MONTHS[t.month - 1],
    "D": lambda t: str(t.day),
    "DD": lambda t: f"{t.day:02d}",
    "EEE": lambda t: _DAYS[t.weekday()][:3],
    "EEEE": lambda t: _DAYS[t.weekday()],
    "h": lambda t: str(t.hour),
    "hh": lambda t: f"{t.hour:02d}",
    "H": lambda t: str(_hour12(t)),
    "HH": lambda t: f"{_hour12(t):02d}",
    "AA": lambda t: "PM" if t.hour >= 12 else "AM",
    "aa": lambda t: "pm" if t.hour >= 12 else "am",
    "m": lambda t: str(t.minute),
    "mm": lambda t: f"{t.minute:02d}",
    "s": lambda t: str(t.second),
    "ss": lambda t: f"{t.second:02d}",
    "Z": _zone,
    "ZZZ": lambda t: _offset(t, "") if t.utcoffset() else "UTC",
    "ZZZZ": lambda t: _offset(t, ""),
    "ZZZZZ": lambda t: _offset(t, ":"),
}
_CHOICES = {
    "Y": 'year must either be "YY" or "YYYY"',
    "M": 'month must be "M", "MM", "MMM", or "MMMM"',
    "D": 'day of month must either be "D" or "DD"',
    "E": 'day of week must either be "EEE" or "EEEE"',
    "h": '24-hour must either be "h" or "hh"',
    "H": '12-hour must either be "H" or "HH"',
    "A": 'must be "AA"',
    "a": 'must be "aa"',
    "m": 'minute must either be "m" or "mm"',
    "s": 'second must either be "s" or "ss"',
    "Z": "timezone must be Z, ZZZZ, or ZZZZZ",
}


def _formatdate(layout: str, timestamp: str) -> Value:
    try:
        time = _parse(timestamp)
    except ValueError as error:
        raise ArgumentError(1, f"not a valid RFC3339 timestamp: {error}") from None
    return "".join(_piece(found[0], time) for found in _TOKEN.finditer(layout))


def _piece(token: str, time: datetime) -> str:
    if token == "''":
        return "'"
    if token.startswith("'"):
        if len(token) == 1 or not token.endswith("'"):
            raise ArgumentError(0, "unterminated literal '")
        return token[1:-1].replace("''", "'")
    if not (token[0].isascii() and token[0].isalpha()):
        return token
    if token not in _VERBS:
        choices = f": {_CHOICES[token[0]]}" if token[0] in _CHOICES else ""
        raise ArgumentError(0, f"invalid date format verb {go_quote(token)}{choices}")
    return _VERBS[token](time)


def _timeadd(timestamp: str, duration: str) -> Value:
    try:
        time = _parse(timestamp)
    except ValueError as error:
        raise FunctionError(f"parsing time {go_quote(timestamp)}: not a valid RFC3339 timestamp: {error}") from None
    try:
        moved = time + timedelta(microseconds=parse_duration(duration) // 1000)
    except DurationError as error:
        raise FunctionError(str(error)) from None
    except OverflowError:
        raise FunctionError("the resulting time is out of range") from None
    return moved.replace(microsecond=0, tzinfo=None).isoformat() + _zone(moved)


FUNCTIONS: dict[str, Function] = {
    "formatdate": function(_formatdate, Parameter("format", STRING), Parameter("time", STRING)),
    "timeadd": function(_timeadd, Parameter("timestamp", STRING), Parameter("duration", STRING)),
}
