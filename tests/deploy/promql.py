"""As much of PromQL as a test of names needs: which metrics an expression reads, by which labels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    | (?P<range>\[[^\]]*\])
    | (?P<number>[0-9.]+(?:e[+-]?[0-9]+)?[a-z]*)
    | (?P<name>[a-zA-Z_:][\w:]*)
    | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},@])
    )""",
    re.VERBOSE,
)
_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = _LISTS | {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition in braces."""

    label: str
    operator: str
    value: str

    @property
    def alternatives(self) -> list[str]:
        """The plain values that it names; none where it is a pattern."""
        if self.operator in {"=", "!="}:
            return [self.value]
        parts = self.value.split("|")
        return parts if all(re.fullmatch(r"\w+", part) for part in parts) else []


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric that is read."""

    metric: str
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """The metrics that are read, and the labels by which results are grouped or matched."""

    selectors: tuple[Selector, ...]
    grouping: frozenset[str]


def read(text: str) -> Expression:
    """The names in an expression."""
    tokens = list(_tokens(text))
    selectors: list[Selector] = []
    grouping: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, word = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if kind == "name" and word in _LISTS and following == "(":
            end = _closing(tokens, at + 1, ")")
            grouping |= {name for what, name in tokens[at + 2 : end] if what == "name"}
            at = end
        elif kind == "name" and word not in _WORDS and following not in {"(", *_LISTS}:
            end = _closing(tokens, at + 1, "}") if following == "{" else at
            selectors.append(Selector(word, tuple(_matchers(tokens[at + 2 : end]))))
            at = end
        at += 1
    return Expression(tuple(selectors), frozenset(grouping))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, text = 0, text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None, f"no PromQL: {text[at:]!r}"
        assert found.lastgroup is not None
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _closing(tokens: list[tuple[str, str]], at: int, sign: str) -> int:
    return next(i for i in range(at, len(tokens)) if tokens[i] == ("sign", sign))


def _matchers(tokens: list[tuple[str, str]]) -> Iterator[Matcher]:
    for at, (kind, word) in enumerate(tokens):
        if kind == "name":
            yield Matcher(word, tokens[at + 1][1], tokens[at + 2][1][1:-1])
