"""Durations as Go and Nomad write them: `30s`, `5m`, `1h30m`, `1.5h`, `250ms`."""

import re
from typing import Final

NS: Final = 1_000_000_000
"""Nanoseconds in a second: the unit of Nomad's API."""

LONGEST: Final = 2**63 - 1
"""The longest duration that Go holds, in nanoseconds: about 292 years."""

PATTERN: Final = r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+"
"""What a duration looks like, as a regular expression that JSON Schema shares."""

EXPECTED: Final = "a duration like 30s, 5m or 1h30m"

_UNITS: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": NS, "m": 60 * NS, "h": 3600 * NS}
_WHOLE: Final = re.compile(PATTERN)
_PART: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ns|us|µs|ms|s|m|h)")
_LONGEST_TEXT: Final = 64


def nanoseconds(text: str) -> int:
    """*text* in nanoseconds. Raises `ValueError` with words for a reader."""
    if text == "0":
        return 0
    if len(text) > _LONGEST_TEXT or not _WHOLE.fullmatch(text):
        raise ValueError(f"expected {EXPECTED}")
    total = sum(_part(*part.groups()) for part in _PART.finditer(text))
    if total > LONGEST:
        raise ValueError("longer than 292 years, more than Nomad can hold")
    return total


def _part(whole: str, fraction: str | None, unit: str) -> int:
    digits = fraction or ""
    return int(whole + digits) * _UNITS[unit] // int(10 ** len(digits))
