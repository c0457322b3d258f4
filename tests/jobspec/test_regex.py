"""Regular expressions of Go's kind: what they match, what they refuse, and that they end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herdsman.jobspec.limits import Budget, LimitError
from herdsman.jobspec.regex import Pattern, PatternError


def replaced(text: str, pattern: str, replacement: str) -> str:
    return Pattern(pattern).replace(text, replacement, Budget().spend)


REPLACED = [
    ("a.c abc", r"a.c", "X", "X X"),
    ("a.c abc", r"a\.c", "X", "X abc"),
    ("aaa", "a*", "X", "X"),
    ("baac", "a*", "X", "XbXcX"),
    ("aaa", "a*?", "X", "XaXaXaX"),
    ("aaaa", "a{2}", "X", "XX"),
    ("aaaaa", "a{2,3}", "X", "XX"),
    ("aaaaa", "a{2,3}?", "X", "XXa"),
    ("aaaaa", "a{3,}", "X", "X"),
    ("a{1", "a{1", "X", "X"),
    ("ab", "a|ab", "X", "Xb"),
    ("ab", "(?:ab|a)(?:c|b)?", "X", "X"),
    ("foo.bar", "(?P<first>[a-z]+)[.](?<second>[a-z]+)", "$second.$first", "bar.foo"),
    ("foo", "(o)", "${1}x", "foxox"),
    ("foo", "o", "$$", "f$$"),
    ("foo", "(o)", "<$1x>", "f<><>"),
    ("foo", "o", "$", "f$$"),
    ("foo", "o", "${", "f${${"),
    ("ab\ncd", "(?m)^.", "X", "Xb\nXd"),
    ("ab\ncd", "^.", "X", "Xb\ncd"),
    ("ab\ncd", "(?s)b.c", "X", "aXd"),
    ("ab\ncd", "b.c", "X", "ab\ncd"),
    ("ABC", "(?i)b", "X", "AXC"),
    ("ABC abc", "(?i:b)c", "X", "ABC aX"),
    ("Bb", "(?i)b(?-i)b", "X", "X"),
    ("aab", "(?U)a+", "X", "XXb"),
    ("a-b_c", "[^a-z]", "", "abc"),
    ("a]b-c", "[]-]", "", "abc"),
    ("a1é2", r"\d", "", "aé"),
    ("a1 é\t2", r"\s", "", "a1é2"),
    ("aé_1-", r"\w", "", "é-"),
    ("aé_1-", r"\W", "", "a_1"),
    ("aÉé1", r"\p{Lu}", "", "aé1"),
    ("aÉé1", r"\pL", "", "1"),
    ("aÉé1", r"\P{L}", "", "aÉé"),
    ("aÉé1", r"\p{^L}", "", "aÉé"),
    ("a1 B", "[[:alpha:]]", "", "1 "),
    ("a1 B", "[[:^alpha:]]", "", "aB"),
    ("word words", r"\bword\b", "X", "X words"),
    ("a.b+c", r"\Q.b+\E", "X", "aXc"),
    ("aAb", r"\x41|\x{62}", "", "a"),
    ("a\tb", r"\t|\142", "", "a"),
    ("xx", r"\Ax", "", "x"),
    ("xx", r"x\z", "", "x"),
]


@pytest.mark.parametrize(("text", "pattern", "replacement", "result"), REPLACED)
def test_replace(text: str, pattern: str, replacement: str, result: str) -> None:
    """Every match is replaced as Go's regexp package does it."""
    assert replaced(text, pattern, replacement) == result


REFUSED = [
    ("(", "missing closing ): `(`"),
    (")", "unexpected ): `)`"),
    ("[a", "missing closing ]: `[a`"),
    ("*", "missing argument to repetition operator: `*`"),
    ("a**", "invalid nested repetition operator: `a**`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    ("a{2,1}", "invalid repeat count: `{2,1}`"),
    ("[z-a]", "invalid character class range: `z-a`"),
    ("[[:nope:]]", "invalid character class range: `[:nope:]`"),
    (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
    (r"\p{L", r"invalid character class range: `\p{L`"),
    (r"\pLu}\p", r"invalid character class range: `\p`"),
    (r"\x{41", r"invalid escape sequence: `\x{4`"),
    (r"\x{110000}", r"invalid escape sequence: `\x{1`"),
    (r"\xg", r"invalid escape sequence: `\xg`"),
    (r"\y", r"invalid escape sequence: `\y`"),
    (r"\8", r"invalid escape sequence: `\8`"),
    ("a\\", "trailing backslash at end of expression: ``"),
    ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
    ("(?<=a)", "invalid named capture: `(?<=a)`"),
    ("(?P<a>x)(?P<a>y)", "invalid named capture: `(?P<a>`"),
    ("(" * 100 + ")" * 100, "expression nests too deeply"),
    ("(?:a{1000}){1000}", "expression too large"),
    ("a" * 20_000, "expression too large"),
    ("()" * 200, "expression has too many groups"),
]


@pytest.mark.parametrize(("pattern", "reason"), REFUSED)
def test_refused(pattern: str, reason: str) -> None:
    """What is no pattern, or too much of one, is refused with the reason."""
    with pytest.raises(PatternError) as error:
        Pattern(pattern)
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$", "(?:a?){30}a{30}", "(.*)(.*)(.*)(.*)(.*)c"])
def test_patterns_that_keep_others_busy(pattern: str) -> None:
    """A pattern that makes a backtracking matcher take forever is done in time proportional to the text."""
    assert replaced("a" * 60 + "!", pattern, "") in {"a" * 60 + "!", "a" * 30 + "!", "!"}


def test_the_work_is_paid_for() -> None:
    """A large pattern over a long text ends when the budget is spent."""
    with pytest.raises(LimitError):
        Pattern("(?:a?b?c?){300}$").replace("abc" * 100_000, "", Budget(1 << 20).spend)


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\d", "(?:a|b)", "(?:ab|a)", "(?:a|bc)"])
_REPEATS = st.sampled_from(["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?"])
_PIECES = st.tuples(_ATOMS, _REPEATS).map("".join)
_ROWS = st.lists(_PIECES, min_size=1, max_size=4).map("".join)
_PATTERNS = st.lists(_ROWS, min_size=1, max_size=3).map("|".join)


@settings(deadline=None)
@given(pattern=_PATTERNS, text=st.text("abc1", max_size=12), start=st.integers(0, 3))
def test_agrees_with_a_backtracking_matcher(pattern: str, text: str, start: int) -> None:
    """Where both know a pattern, the match is the one that Python finds."""
    start = min(start, len(text))
    expected = re.compile(pattern).search(text, start)
    notes = Pattern(pattern).search(text, start, Budget().spend)
    assert (notes and notes[:2]) == (expected and expected.span())
