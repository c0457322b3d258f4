"""The grammar of filter expressions, read from left to right with retreat.

    or       := and [ "or" or ]
    and      := not [ "and" and ]
    not      := "not" not | "(" or ")" | each | match
    each     := ( "all" | "any" ) selector "as" name [ "," name ] "{" or "}"
    match    := selector ( "==" | "!=" | [ "not" ] "contains" | [ "not" ] "matches" ) value
              | selector "is" [ "not" ] "empty"
              | value [ "not" ] "in" selector
    selector := name { "." name | "." number | "[" string "]" }  |  '"' { "/" segment } '"'
    value    := selector | number | string

Of the two names in `each` one may be `_`, which binds nothing.

The reader remembers how far it came and what it could have taken there: that is what an error says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")

_SPACE = r"[ \t\r\n]"
_START = "[a-zA-Z]"
_REST = "[a-zA-Z0-9_/]"
_SEGMENT = r"[\pL\pN-_.~:|]"
_CLASSES: dict[str, Callable[[str], bool]] = {
    _SPACE: lambda c: c in " \t\r\n",
    _START: lambda c: c.isascii() and c.isalpha(),
    _REST: lambda c: c.isascii() and (c.isalnum() or c in "_/"),
    _SEGMENT: lambda c: c.isalnum() or c in "-_.~:|",
    "[0-9]": lambda c: c.isascii() and c.isdigit(),
    "[1-9]": lambda c: c in "123456789",
}


class GrammarError(ValueError):
    """No expression; `str()` says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Match:
    """A comparison of what a selector finds."""

    selector: tuple[str, ...]
    operator: str
    negated: bool = False
    value: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: "Expression"


@dataclass(frozen=True, slots=True)
class Both:
    """The conjunction of two."""

    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Either:
    """The disjunction of two."""

    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Each:
    """Whether an expression holds for every element of a collection, or for any, under the names given to them.

    One name is an element of a list, or a key of a map; of two, the first is the index or key, the second the value.
    """

    selector: tuple[str, ...]
    every: bool
    names: tuple[str, ...]
    inner: "Expression"


Expression = Match | Not | Both | Either | Each


def parse(text: str) -> Expression:
    """The expression that a text is; raises GrammarError."""
    reader = _Reader(text)
    try:
        return reader.whole()
    except _Miss:
        raise GrammarError(f"{reader.place(reader.furthest)}: no match found, expected: {reader.wanted()}") from None


class _Miss(Exception):
    """Not this alternative."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.furthest = 0
        self.expected: set[str] = set()

    # -- errors --------------------------------------------------------------------------------
    def place(self, at: int) -> str:
        """A position, for people: line, column and offset."""
        before = self.text[:at]
        column = at - (before.rfind("\n") + 1) + 1
        return f"{before.count(chr(10)) + 1}:{column} ({len(before.encode())})"

    def wanted(self) -> str:
        """What could have stood at the furthest place."""
        *most, last = [*sorted(self.expected - {"EOF"}), *(self.expected & {"EOF"})]
        return f"{', '.join(most)} or {last}" if most else last

    def _miss(self, expected: str) -> _Miss:
        if self.at > self.furthest:
            self.furthest, self.expected = self.at, set()
        if self.at == self.furthest:
            self.expected.add(expected)
        return _Miss()

    def _wrong(self, rule: str, complaint: str) -> GrammarError:
        return GrammarError(f'{self.place(self.at)}: rule "{rule}": {complaint}')

    # -- terminals and combinations ------------------------------------------------------------
    def _word(self, word: str) -> None:
        if not self.text.startswith(word, self.at):
            shown = word.replace('"', '\\"')
            raise self._miss(f'"{shown}"')
        self.at += len(word)

    def _words(self, *words: str) -> None:
        for word in words:
            self._space()
            self._word(word)

    def _one(self, kind: str) -> str:
        char = self.text[self.at : self.at + 1]
        if not char or not _CLASSES[kind](char):
            raise self._miss(kind)
        self.at += 1
        return char

    def _many(self, kind: str) -> str:
        taken = ""
        while (char := self._attempt(lambda: self._one(kind))) is not None:
            taken += char
        return taken

    def _space(self) -> None:
        self._one(_SPACE)
        self._many(_SPACE)

    def _perhaps_space(self) -> None:
        self._many(_SPACE)

    def _end(self) -> None:
        if self.at < len(self.text):
            raise self._miss("EOF")

    def _attempt(self, part: Callable[[], _T]) -> _T | None:
        start = self.at
        try:
            return part()
        except _Miss:
            self.at = start
            return None

    def _first(self, *parts: Callable[[], _T]) -> _T:
        for part in parts[:-1]:
            if (found := self._attempt(part)) is not None:
                return found
        return parts[-1]()

    # -- rules ---------------------------------------------------------------------------------
    def whole(self) -> Expression:
        """Everything."""
        self._perhaps_space()
        found = self._either()
        self._perhaps_space()
        self._end()
        return found

    def _either(self) -> Expression:
        left = self._both()
        right = self._attempt(lambda: self._more("or", self._either))
        return left if right is None else Either(left, right)

    def _both(self) -> Expression:
        left = self._not()
        right = self._attempt(lambda: self._more("and", self._both))
        return left if right is None else Both(left, right)

    def _more(self, word: str, rule: Callable[[], Expression]) -> Expression:
        self._words(word)
        self._space()
        return rule()

    def _not(self) -> Expression:
        return self._first(self._negated, self._grouped, self._each, self._match)

    def _negated(self) -> Expression:
        self._word("not")
        self._space()
        return Not(self._not())

    def _grouped(self) -> Expression:
        self._word("(")
        self._perhaps_space()
        found = self._either()
        self._perhaps_space()
        if self._attempt(lambda: self._said(")")) is None:
            raise self._wrong("grouping", "Unmatched parentheses")
        return found

    def _each(self) -> Expression:
        word = self._first(lambda: self._said("all"), lambda: self._said("any"))
        self._space()
        selector, _ = self._selector()
        self._words("as")
        self._space()
        names = [self._binding()]
        second = self._attempt(self._second_binding)
        names += [second] if second is not None else []
        self._perhaps_space()
        self._word("{")
        self._perhaps_space()
        inner = self._either()
        self._perhaps_space()
        self._word("}")
        return Each(selector, word == "all", tuple(names), inner)

    def _binding(self) -> str:
        return self._first(self._name, lambda: self._said("_"))

    def _second_binding(self) -> str:
        self._perhaps_space()
        self._word(",")
        self._perhaps_space()
        return self._binding()

    def _said(self, word: str) -> str:
        self._word(word)
        return word

    def _match(self) -> Expression:
        return self._first(self._selector_and_value, self._selector_alone, self._value_in_selector)

    def _selector_and_value(self) -> Expression:
        selector, _ = self._selector()
        operator, negated = self._first(
            lambda: self._symbol("=="),
            lambda: self._symbol("!="),
            lambda: self._operator("contains"),
            lambda: self._operator("not", "contains"),
            lambda: self._operator("matches"),
            lambda: self._operator("not", "matches"),
        )
        return Match(selector, operator, negated, self._value())

    def _symbol(self, symbol: str) -> tuple[str, bool]:
        self._perhaps_space()
        self._word(symbol)
        self._perhaps_space()
        return "==", symbol == "!="

    def _operator(self, *words: str) -> tuple[str, bool]:
        self._words(*words)
        self._space()
        return words[-1], len(words) > 1

    def _selector_alone(self) -> Expression:
        selector, _ = self._selector()
        negated = self._first(lambda: self._is("empty"), lambda: self._is("not", "empty"))
        return Match(selector, "empty", negated=negated)

    def _is(self, *words: str) -> bool:
        self._words("is", *words)
        return len(words) > 1

    def _value_in_selector(self) -> Expression:
        value = self._value()
        _, negated = self._first(lambda: self._operator("in"), lambda: self._operator("not", "in"))
        found = self._attempt(self._selector)
        if found is None:
            raise self._wrong("match", "Invalid selector")
        return Match(found[0], "contains", negated, value)

    def _selector(self) -> tuple[tuple[str, ...], str]:
        """The parts of a selector, and how it reads where it is meant as a value."""
        return self._first(self._dotted, self._pointer)

    def _dotted(self) -> tuple[tuple[str, ...], str]:
        parts = [self._name()]
        while (part := self._attempt(lambda: self._first(self._dot_name, self._dot_number, self._index))) is not None:
            parts.append(part)
        return tuple(parts), ".".join(parts)

    def _name(self) -> str:
        return self._one(_START) + self._many(_REST)

    def _dot_name(self) -> str:
        self._word(".")
        return self._name()

    def _dot_number(self) -> str:
        self._word(".")
        return self._one("[0-9]") + self._many("[0-9]")

    def _index(self) -> str:
        self._word("[")
        self._perhaps_space()
        key = self._attempt(self._string)
        if key is None:
            raise self._wrong("index", "Invalid index")
        self._perhaps_space()
        if self._attempt(lambda: self._said("]")) is None:
            raise self._wrong("index", "Unclosed index expression")
        return key

    def _pointer(self) -> tuple[tuple[str, ...], str]:
        self._word('"')
        parts = [self._segment()]
        while (part := self._attempt(self._segment)) is not None:
            parts.append(part)
        self._word('"')
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts), "/" + "/".join(parts)

    def _segment(self) -> str:
        self._word("/")
        return self._one(_SEGMENT) + self._many(_SEGMENT)

    def _value(self) -> str:
        return self._first(lambda: self._selector()[1], self._number, self._string)

    def _number(self) -> str:
        sign = self._attempt(lambda: self._said("-")) or ""
        whole = self._first(lambda: self._said("0"), lambda: self._one("[1-9]") + self._many("[0-9]"))
        part = self._attempt(self._fraction) or ""
        after = self.text[self.at : self.at + 1]
        if after and after not in " \t\r\n)":
            raise self._wrong("number", "Invalid number literal")
        return sign + whole + part

    def _fraction(self) -> str:
        self._word(".")
        return "." + self._one("[0-9]") + self._many("[0-9]")

    def _string(self) -> str:
        quote = self._first(lambda: self._said("`"), lambda: self._said('"'))
        end = self.text.find(quote, self.at)
        if end < 0:
            self.at = len(self.text)
            raise self._wrong("string", "Unterminated string literal")
        found, self.at = self.text[self.at : end], end + 1
        return found
