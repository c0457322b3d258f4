"""The operators of constraints and affinities: `=`, `<`, `version`, `semver`, `regexp`, `set_contains` and the rest."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from herdsman.devnomad.structs.regexps import matches, regexp_error

NODE_WIDE: Final = frozenset({"distinct_hosts", "distinct_property"})


def check(operand: str, left: str | None, right: str | None) -> bool:
    """Whether a constraint holds; `None` stands for an attribute that the node does not have."""
    if operand in {"is_set", "attribute_is_set"}:
        return left is not None
    if operand in {"is_not_set", "attribute_is_not_set"}:
        return left is None
    if operand in {"!=", "not"}:
        return left != right
    test = _TESTS.get(operand)
    return test is not None and left is not None and right is not None and test(left, right)


def _ordered(compare: Callable[[float], bool]) -> Callable[[str, str], bool]:
    """Numbers compare as numbers, everything else as text."""

    def test(left: str, right: str) -> bool:
        a, b = _number(left), _number(right)
        if a is not None and b is not None:
            return compare(a - b)
        return compare((left > right) - (left < right))

    return test


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _regexp(left: str, right: str) -> bool:
    return regexp_error(right) is None and matches(right, left)


def _items(text: str) -> set[str]:
    return {item.strip() for item in text.split(",")}


# -- versions ------------------------------------------------------------------------------------------------------
_VERSION: Final = re.compile(r"v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.~-]+))?(?:\+[0-9A-Za-z.~-]+)?$")
_CLAUSE: Final = re.compile(r"\s*(>=|<=|!=|~>|=|>|<)?\s*(\S+)\s*$")


class _Version:
    """A version with any number of parts, and perhaps a pre-release."""

    def __init__(self, numbers: tuple[int, ...], pre: str) -> None:
        self.given = len(numbers)
        self.numbers = numbers + (0,) * (3 - len(numbers))
        self.pre = pre

    def rank(self) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
        """What versions are ordered by: a pre-release comes before its release."""
        parts = (
            tuple((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in self.pre.split(".")) if self.pre else ()
        )
        return self.numbers, not self.pre, parts


@lru_cache(maxsize=512)
def _version(text: str) -> _Version | None:
    found = _VERSION.match(text.strip())
    if found is None:
        return None
    return _Version(tuple(int(part) for part in found[1].split(".")), found[2] or "")


def _pessimistic(version: _Version, bound: _Version) -> bool:
    """`~> 1.2.3` allows 1.2.x from there on; `~> 1.2` allows 1.x."""
    keep = max(bound.given - 1, 1)
    return version.rank() >= bound.rank() and version.numbers[:keep] == bound.numbers[:keep]


_COMPARE: Final[Mapping[str, Callable[[_Version, _Version], bool]]] = {
    "": lambda a, b: a.rank() == b.rank(),
    "=": lambda a, b: a.rank() == b.rank(),
    "!=": lambda a, b: a.rank() != b.rank(),
    ">": lambda a, b: a.rank() > b.rank(),
    "<": lambda a, b: a.rank() < b.rank(),
    ">=": lambda a, b: a.rank() >= b.rank(),
    "<=": lambda a, b: a.rank() <= b.rank(),
    "~>": _pessimistic,
}


def _holds(left: str, right: str, *, strict: bool) -> bool:
    version = _version(left)
    if version is None:
        return False
    return all(_clause_holds(version, clause, strict=strict) for clause in right.split(","))


def _clause_holds(version: _Version, clause: str, *, strict: bool) -> bool:
    found = _CLAUSE.match(clause)
    bound = _version(found[2]) if found else None
    if found is None or bound is None or (strict and found[1] == "~>"):
        return False
    if not strict and version.pre and not bound.pre and found[1] in {">", ">=", "~>"}:
        return False  # a pre-release is only wanted where one is asked for
    return _COMPARE[found[1] or ""](version, bound)


_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "is": lambda a, b: a == b,
    "<": _ordered(lambda d: d < 0),
    "<=": _ordered(lambda d: d <= 0),
    ">": _ordered(lambda d: d > 0),
    ">=": _ordered(lambda d: d >= 0),
    "regexp": _regexp,
    "version": lambda a, b: _holds(a, b, strict=False),
    "semver": lambda a, b: _holds(a, b, strict=True),
    "set_contains": lambda a, b: _items(b) <= _items(a),
    "set_contains_all": lambda a, b: _items(b) <= _items(a),
    "set_contains_any": lambda a, b: bool(_items(a) & _items(b)),
}
