"""Functions of strings. Characters are counted as a reader counts them (see `text.graphemes`)."""

from __future__ import annotations

from herdsman.jobspec.bignum import Number
from herdsman.jobspec.conversion import STRINGS
from herdsman.jobspec.limits import Budget, check_size
from herdsman.jobspec.regex import Pattern, PatternError
from herdsman.jobspec.text import graphemes
from herdsman.jobspec.typesystem import NUMBER, STRING
from herdsman.jobspec.values import ListValue, Value

from .base import ArgumentError, Function, FunctionError, Parameter, function, whole

_STR = Parameter("str", STRING)
_GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def _chomp(text: str) -> Value:
    return text.rstrip("\r\n")


def _indent(spaces: Number, text: str) -> Value:
    width = whole(spaces)
    if width < 0:
        raise FunctionError("cannot indent by a negative number of spaces")
    check_size(width * text.count("\n"))
    return text.replace("\n", "\n" + " " * width)


def _join(separator: str, *lists: ListValue) -> Value:
    if not lists:
        raise FunctionError("at least one list is required")
    items: list[str] = []
    for at, texts in enumerate(lists, 1):
        for place, text in enumerate(texts.items):
            if not isinstance(text, str):
                of = f" of list {at}" if len(lists) > 1 else ""
                raise ArgumentError(at, f"element {place}{of} is null; cannot concatenate null values")
            items.append(text)
    check_size(len(separator) * len(items) + sum(map(len, items)))
    return separator.join(items)


def _replace(text: str, substring: str, replacement: str) -> Value:
    check_size(len(text) + (text.count(substring) * len(replacement)))
    return text.replace(substring, replacement)


def _regex_replace(budget: Budget, text: str, pattern: str, replacement: str) -> Value:
    try:
        compiled = Pattern(pattern)
    except PatternError as error:
        raise FunctionError(f"error parsing regexp: {error}") from None
    return compiled.replace(text, replacement, budget.spend)


def _split(separator: str, text: str) -> Value:
    parts = text.split(separator) if separator else list(text)
    return ListValue(parts, STRING)


def _sort(texts: ListValue) -> Value:
    for place, text in enumerate(texts.items):
        if not isinstance(text, str):
            raise FunctionError(f"given list element {place} is null; a null string cannot be sorted")
    return ListValue(sorted(map(str, texts.items)), STRING)


def _strlen(text: str) -> Value:
    return sum(1 for _ in graphemes(text))


def _reversed(text: str) -> Value:
    return "".join(reversed(list(graphemes(text))))


def _substr(text: str, offset: Number, length: Number) -> Value:
    start, count = whole(offset), whole(length)
    characters = list(graphemes(text))
    if start < 0:
        start = max(0, start + len(characters))
    return "".join(characters[start:] if count < 0 else characters[start : start + count])


def _title(text: str) -> Value:
    """A capital at the start of each word; even an apostrophe ends a word."""
    result, inside = [], False
    for char in text:
        result.append(char if inside else _upper_char(char))
        inside = (char.isalnum() or char == "_") if char.isascii() else char not in _GO_SPACE
    return "".join(result)


def _upper_char(char: str) -> str:
    """One character for one: what would become two (ß) stays as it is."""
    upper = char.upper()
    return upper if len(upper) == 1 else char


def _trim(text: str, cutset: str) -> Value:
    return text.strip(cutset) if cutset else text


def _lower(text: str) -> Value:
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def _upper(text: str) -> Value:
    return text.upper() if text.isascii() else "".join(map(_upper_char, text))


FUNCTIONS: dict[str, Function] = {
    "chomp": function(_chomp, _STR),
    "indent": function(_indent, Parameter("spaces", NUMBER), _STR),
    "join": function(_join, Parameter("separator", STRING), rest=Parameter("lists", STRINGS)),
    "lower": function(_lower, _STR),
    "regex_replace": function(
        _regex_replace, _STR, Parameter("pattern", STRING), Parameter("replace", STRING), costly=True
    ),
    "replace": function(_replace, _STR, Parameter("substr", STRING), Parameter("replace", STRING)),
    "reverse": function(_reversed, _STR),
    "sort": function(_sort, Parameter("list", STRINGS)),
    "split": function(_split, Parameter("separator", STRING), _STR),
    "strlen": function(_strlen, _STR),
    "strrev": function(_reversed, _STR),
    "substr": function(_substr, _STR, Parameter("offset", NUMBER), Parameter("length", NUMBER)),
    "title": function(_title, _STR),
    "trim": function(_trim, _STR, Parameter("cutset", STRING)),
    "trimprefix": function(lambda text, prefix: text.removeprefix(prefix), _STR, Parameter("prefix", STRING)),
    "trimspace": function(lambda text: text.strip(_GO_SPACE), _STR),
    "trimsuffix": function(lambda text, suffix: text.removesuffix(suffix), _STR, Parameter("suffix", STRING)),
    "upper": function(_upper, _STR),
}
