"""Durations as Go writes them, "1h30m", in nanoseconds."""

from __future__ import annotations

import re

from .text import go_quote

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_MAX_DIGITS = 18


class DurationError(ValueError):
    """Why a text is no duration, in Go's words."""


def parse_duration(text: str) -> int:
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if rest == "0":
        return 0
    if not rest:
        raise DurationError(f"time: invalid duration {go_quote(text)}")
    total = 0
    while rest:
        found = _PART.match(rest)
        assert found is not None
        whole, fraction, unit = found[1], found[2] or "", found[3]
        if (not whole and not fraction) or max(len(whole), len(fraction)) > _MAX_DIGITS:
            raise DurationError(f"time: invalid duration {go_quote(text)}")
        if not unit:
            raise DurationError(f"time: missing unit in duration {go_quote(text)}")
        if unit not in _UNITS:
            raise DurationError(f"time: unknown unit {go_quote(unit)} in duration {go_quote(text)}")
        total += int(whole or "0") * _UNITS[unit]
        if fraction:
            total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
        rest = rest[found.end() :]
    if total >= 1 << 63:
        raise DurationError(f"time: invalid duration {go_quote(text)}")
    return -total if text.startswith("-") else total
