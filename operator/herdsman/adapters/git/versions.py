"""Versions as https://semver.org has them, and ranges of them as people know them from package managers.

`1.x`, `^1.2`, `~1.2.3`, `>=1.2 <2`, `1.2 || 3.x`. A pre-release (`2.0.0-rc.1`) is in a range only if that names one,
like `>=2.0.0-0`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import total_ordering
from itertools import takewhile
from typing import Final

from herdsman.errors import SettingsError

_LONGEST: Final = 200

_VERSION = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version of https://semver.org; what is built of it (`+…`) does not count."""

    core: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> "Version | None":
        """The version that *text* is, with or without `v`; None where it is none."""
        match = _VERSION.fullmatch(text)
        if not match or len(text) > _LONGEST:
            return None
        major, minor, patch, pre = match.groups()
        return cls((int(major), int(minor), int(patch)), tuple(pre.split(".")) if pre else ())

    def __lt__(self, other: "Version") -> bool:
        return self._rank() < other._rank()

    def _rank(self) -> tuple[object, ...]:
        identifiers = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.pre)
        return (self.core, not self.pre, identifiers)


_COMPARATOR = re.compile(
    r"(<=|>=|<|>|=|~|\^|)\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
    r"(?:[\s,]+|$)",
    re.ASCII,
)

_LOWEST = ("0",)
"""No pre-release goes before this one."""

_Test = Callable[[Version], bool]


def version_range(text: str) -> _Test:
    """A test for versions. Raises `SettingsError` where *text* is no range."""
    alternatives = [_all_of(text, part.strip()) for part in text.split("||")]
    return lambda version: any(fits(version) for fits in alternatives)


def _all_of(text: str, part: str) -> _Test:
    """Every comparator of *part*, and a pre-release only where one of them names one."""
    tests: list[_Test] = []
    pre, at = False, 0
    while match := _COMPARATOR.match(part, at):
        tests += _comparator(match)
        pre |= bool(match[5])
        at = match.end()
    if at < len(part) or not tests or len(text) > _LONGEST:
        raise SettingsError(f"{text!r} is no range of versions", hint="write it like 1.x, ^1.2 or >=1.2 <2")
    return lambda version: (pre or not version.pre) and all(fits(version) for fits in tests)


def _comparator(match: re.Match[str]) -> Iterator[_Test]:
    """The interval that one comparator stands for. Where a number is left out, the interval is as wide as that."""
    sign, pre = match[1], tuple(match[5].split(".")) if match[5] else ()
    numbers = [int(n) for n in takewhile(lambda n: n is not None and n.isdigit(), match.group(2, 3, 4))]
    if not numbers:
        yield lambda _: sign not in ("<", ">")
        return
    low = Version(_padded(numbers), pre)
    above = Version(_padded([*numbers[: (at := _fixed(sign, numbers))], numbers[at] + 1]), _LOWEST)
    whole = len(numbers) == 3
    match sign:
        case ">":
            yield (lambda v: v > low) if whole else (lambda v: v >= above)
        case ">=":
            yield lambda v: v >= low
        case "<":
            yield lambda v: v < (low if pre else Version(low.core, _LOWEST))
        case "<=":
            yield (lambda v: v <= low) if whole else (lambda v: v < above)
        case "" | "=" if whole:
            yield lambda v: v == low
        case _:
            yield lambda v: low <= v < above


def _fixed(sign: str, numbers: list[int]) -> int:
    """The last of the numbers, counted from 0, that may not change."""
    if sign == "^":
        return next((i for i, n in enumerate(numbers) if n), len(numbers) - 1)
    return min(1, len(numbers) - 1) if sign == "~" else len(numbers) - 1


def _padded(numbers: list[int]) -> tuple[int, int, int]:
    major, minor, patch = (*numbers, 0, 0)[:3]
    return major, minor, patch
