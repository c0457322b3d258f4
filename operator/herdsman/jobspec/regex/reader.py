"""The text of a pattern to its tree. Of Unicode's classes there are the general categories, and no scripts."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field

from herdsman.jobspec.limits import MAX_NESTING

from .tree import ANY, PERL, Anchor, Char, CharClass, Choice, Group, Node, PatternError, Repeat, Sequence

_MAX_REPEAT = 1000
_MAX_LENGTH = 10_000
_POSIX = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "ascii": (("\0", "\x7f"),),
    "blank": (("\t", "\t"), (" ", " ")),
    "cntrl": (("\0", "\x1f"), ("\x7f", "\x7f")),
    "digit": (("0", "9"),),
    "graph": (("!", "~"),),
    "lower": (("a", "z"),),
    "print": ((" ", "~"),),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "space": (("\t", "\r"), (" ", " ")),
    "upper": (("A", "Z"),),
    "word": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
}
_ESCAPES = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_CATEGORIES = frozenset(
    major + minor
    for major, minors in {
        "C": "cfos",
        "L": "lmotu",
        "M": "cen",
        "N": "dlo",
        "P": "cdefios",
        "S": "ckmo",
        "Z": "lps",
    }.items()
    for minor in ("", *minors)
)
_INLINE_FLAGS = re.compile(r"\(\?([imsU]+(?:-[imsU]+)?|-[imsU]+)\)")
_COUNTS = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_NAME = re.compile(r"[0-9A-Za-z_]+")
_HEX = re.compile(r"\{([0-9a-fA-F]{1,8})\}|([0-9a-fA-F]{2})")
_CATEGORY = re.compile(r"\\[pP](?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))")
_ANY_BUT_NEWLINE = CharClass((("\n", "\n"),), negated=True)


@dataclass(frozen=True)
class _Flags:
    fold: bool = False
    lines: bool = False
    dot_all: bool = False
    lazy: bool = False


@dataclass
class PatternReader:
    pattern: str
    at: int = 0
    depth: int = 0
    groups: int = 0
    names: dict[str, int] = field(default_factory=dict)

    def read(self) -> Node:
        if len(self.pattern) > _MAX_LENGTH:
            raise PatternError("expression too large")
        node = self._choice(_Flags())
        if self.at < len(self.pattern):
            raise PatternError(f"unexpected ): `{self.pattern}`")
        return node

    def _next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self, text: str) -> bool:
        if self.pattern.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def _choice(self, flags: _Flags) -> Node:
        options: list[Node] = []
        parts: list[Node] = []
        while self._next() not in {"", ")"}:
            if self._take("|"):
                options.append(Sequence(tuple(parts)))
                parts = []
            elif (changed := self._inline_flags(flags)) is not None:
                flags = changed
            else:
                parts.append(self._repeated(flags))
        options.append(Sequence(tuple(parts)))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _inline_flags(self, flags: _Flags) -> _Flags | None:
        """(?i) and the like: for the rest of the group."""
        found = _INLINE_FLAGS.match(self.pattern, self.at)
        if found is None:
            return None
        self.at = found.end()
        return _with_flags(flags, found[1])

    def _repeated(self, flags: _Flags) -> Node:
        node = self._atom(flags)
        bounds = self._bounds()
        if bounds is None:
            return node
        greedy = not self._take("?")
        if self._bounds() is not None:
            raise PatternError(f"invalid nested repetition operator: `{self.pattern}`")
        return Repeat(node, *bounds, greedy != flags.lazy)

    def _bounds(self) -> tuple[int, int | None] | None:
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(mark):
                return bounds
        found = _COUNTS.match(self.pattern, self.at)
        if found is None:
            return None
        self.at = found.end()
        least, comma, most = found.groups()
        low = int(least[:5])
        high = low if not comma else int(most[:5]) if most else None
        if low > _MAX_REPEAT or (high is not None and (high > _MAX_REPEAT or high < low)):
            raise PatternError(f"invalid repeat count: `{found[0]}`")
        return low, high

    def _atom(self, flags: _Flags) -> Node:
        char = self._next()
        if char == "(":
            return self._group(flags)
        if char in {"*", "+", "?"}:
            raise PatternError(f"missing argument to repetition operator: `{char}`")
        if char == "\\":
            return self._escape(flags)
        if char == "[":
            return Char(self._class(flags))
        self.at += 1
        if char == ".":
            return Char(ANY if flags.dot_all else _ANY_BUT_NEWLINE)
        if char == "^":
            return Anchor("line start" if flags.lines else "start")
        if char == "$":
            return Anchor("line end" if flags.lines else "end")
        return Char(CharClass(((char, char),), fold=flags.fold))

    def _group(self, flags: _Flags) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise PatternError(f"expression nests too deeply: `{self.pattern[:40]}`")
        start = self.at
        self.at += 1
        number = 0
        if self._take("?P<") or self._take("?<"):
            number = self._named_group(start)
        elif self._take("?"):
            letters = ""
            while self._next() not in {":", ""}:
                letters += self._next()
                self.at += 1
            if not self._take(":") or not set(letters) <= set("imsU-"):
                raise PatternError(f"invalid or unsupported Perl syntax: `(?{letters[:1]}`")
            flags = _with_flags(flags, letters)
        else:
            self.groups += 1
            number = self.groups
        inner = self._choice(flags)
        if not self._take(")"):
            raise PatternError(f"missing closing ): `{self.pattern}`")
        self.depth -= 1
        return Group(inner, number) if number else inner

    def _named_group(self, start: int) -> int:
        end = self.pattern.find(">", self.at)
        name = self.pattern[self.at : end]
        if end < 0 or not _NAME.fullmatch(name) or name in self.names:
            raise PatternError(f"invalid named capture: `{self.pattern[start : end + 1] or self.pattern[start:]}`")
        self.at = end + 1
        self.groups += 1
        self.names[name] = self.groups
        return self.groups

    def _escape(self, flags: _Flags) -> Node:
        anchors = {"A": "start", "z": "end", "b": "boundary", "B": "no boundary"}
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in anchors:
            self.at += 2
            return Anchor(anchors[letter])
        if letter == "Q":
            end = self.pattern.find("\\E", self.at)
            text = self.pattern[self.at + 2 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            return Sequence(tuple(Char(CharClass(((char, char),), fold=flags.fold)) for char in text))
        named = self._named_class()
        if named is not None:
            return Char(named)
        char = self._escaped_char()
        return Char(CharClass(((char, char),), fold=flags.fold))

    def _named_class(self) -> CharClass | None:
        """\\d, \\W, \\pL, \\p{Lu}"""
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter.lower() in PERL:
            self.at += 2
            return CharClass(PERL[letter.lower()], negated=letter.isupper())
        if letter not in {"p", "P"}:
            return None
        found = _CATEGORY.match(self.pattern, self.at)
        category = (found[2] or found[3]) if found else ""
        if found is None or category not in _CATEGORIES:
            raise PatternError(f"invalid character class range: `{self.pattern[self.at : self.at + 8]}`")
        self.at = found.end()
        return CharClass(categories=(category,), negated=(letter == "P") != bool(found[1]))

    def _escaped_char(self) -> str:
        start = self.at
        char = self.pattern[self.at + 1 : self.at + 2]
        if not char:
            raise PatternError("trailing backslash at end of expression: ``")
        self.at += 2
        if char == "x":
            return self._hex_char(start)
        if char in "01234567":
            digits = char
            while len(digits) < 3 and self._next() in set("01234567"):
                digits += self._next()
                self.at += 1
            if char == "0" or len(digits) > 1:
                return chr(int(digits, 8))
        elif char in _ESCAPES:
            return _ESCAPES[char]
        elif not char.isalnum():
            return char
        raise PatternError(f"invalid escape sequence: `{self.pattern[start : self.at]}`")

    def _hex_char(self, start: int) -> str:
        found = _HEX.match(self.pattern, self.at)
        code = int(found[1] or found[2], 16) if found else sys.maxunicode + 1
        if found is None or code > sys.maxunicode:
            raise PatternError(f"invalid escape sequence: `{self.pattern[start : start + 4]}`")
        self.at = found.end()
        return chr(code)

    def _class(self, flags: _Flags) -> CharClass:
        start = self.at
        self.at += 1
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        parts: list[CharClass] = []
        first = True
        while first or self._next() != "]":
            if not self._next():
                raise PatternError(f"missing closing ]: `{self.pattern[start:]}`")
            first = False
            part = self._posix_class() or (self._named_class() if self._next() == "\\" else None)
            if part is not None:
                parts.append(part)
                continue
            low = self._class_char(start)
            high = low
            if self._next() == "-" and self.pattern[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                high = self._class_char(start)
            if high < low:
                raise PatternError(f"invalid character class range: `{low}-{high}`")
            ranges.append((low, high))
        self.at += 1
        return CharClass(tuple(ranges), (), tuple(parts), negated, flags.fold)

    def _posix_class(self) -> CharClass | None:
        end = self.pattern.find(":]", self.at)
        if not self.pattern.startswith("[:", self.at) or end < 0:
            return None
        name = self.pattern[self.at + 2 : end]
        bare = name.removeprefix("^")
        if bare not in _POSIX:
            raise PatternError(f"invalid character class range: `[:{name}:]`")
        self.at = end + 2
        return CharClass(_POSIX[bare], negated=name != bare)

    def _class_char(self, start: int) -> str:
        if self._next() == "\\":
            return self._escaped_char()
        char = self._next()
        if not char:
            raise PatternError(f"missing closing ]: `{self.pattern[start:]}`")
        self.at += 1
        return char


def _with_flags(flags: _Flags, letters: str) -> _Flags:
    on, _, off = letters.partition("-")
    return _Flags(
        fold=("i" in on) or (flags.fold and "i" not in off),
        lines=("m" in on) or (flags.lines and "m" not in off),
        dot_all=("s" in on) or (flags.dot_all and "s" not in off),
        lazy=("U" in on) or (flags.lazy and "U" not in off),
    )
