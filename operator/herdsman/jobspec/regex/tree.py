"""A pattern as a tree."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TypeAlias

PERL = {
    "d": (("0", "9"),),
    "s": (("\t", "\n"), ("\f", "\r"), (" ", " ")),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
}


class PatternError(Exception):
    """Why a text is no pattern, in Go's words."""


Ranges: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CharClass:
    """A set of characters: ranges, Unicode categories, other sets; or everything but those."""

    ranges: Ranges = ()
    categories: tuple[str, ...] = ()
    parts: tuple[CharClass, ...] = ()
    negated: bool = False
    fold: bool = False

    def __contains__(self, char: str) -> bool:
        found = self._has(char) or (self.fold and (self._has(char.lower()) or self._has(char.upper())))
        return found is not self.negated

    def _has(self, char: str) -> bool:
        return (
            any(low <= char <= high for low, high in self.ranges)
            or (bool(self.categories) and unicodedata.category(char).startswith(self.categories))
            or any(char in part for part in self.parts)
        )


ANY = CharClass(negated=True)
WORD = CharClass(PERL["w"])


@dataclass(frozen=True)
class Char:
    accepts: CharClass


@dataclass(frozen=True)
class Anchor:
    kind: str


@dataclass(frozen=True)
class Group:
    inner: Node
    number: int


@dataclass(frozen=True)
class Repeat:
    inner: Node
    least: int
    most: int | None
    greedy: bool


@dataclass(frozen=True)
class Sequence:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    options: tuple[Node, ...]


Node: TypeAlias = Char | Anchor | Group | Repeat | Sequence | Choice
