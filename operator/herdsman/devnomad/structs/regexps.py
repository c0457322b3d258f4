"""Regular expressions that other people wrote: in constraints (`regexp`) and in filters (`matches`).

They are of Go's kind and must not run away, so the jobspec's own linear-time engine runs them. It is slow, though, and
most patterns are a text with little around it: those that cannot run away in Python's engine either go there.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_ATOM: Final = r"(?:[A-Za-z0-9 _/:@%,=~#!'<>;&.-]|\[[A-Za-z0-9_.-]+\])"
_PLAIN: Final = re.compile(rf"\^?(?:{_ATOM}[*+?]?)*\$?")
_LOOPS: Final = 2


@lru_cache(maxsize=256)
def regexp_error(pattern: str) -> str | None:
    """What is wrong with a regular expression, near to Go's words."""
    from herdsman.jobspec.regex import Pattern, PatternError  # noqa: PLC0415 - not everybody's

    if _plain(pattern) is not None:
        return None
    try:
        Pattern(pattern)
    except PatternError as error:
        return f"error parsing regexp: {error}"
    return None


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern without fault is found anywhere in a text."""
    return _test(pattern)(text)


@lru_cache(maxsize=256)
def _test(pattern: str) -> Callable[[str], bool]:
    plain = _plain(pattern)
    if plain is not None:
        return lambda text: plain.search(text) is not None
    from herdsman.jobspec.regex import Pattern  # noqa: PLC0415 - not everybody's

    compiled = Pattern(pattern)
    return lambda text: compiled.search(text, 0, _free) is not None


def _free(_units: int) -> None:
    """The work is at most length times pattern, and both are short."""


def _plain(pattern: str) -> re.Pattern[str] | None:
    """The pattern for Python's engine, where it means the same there and takes no longer."""
    if _PLAIN.fullmatch(pattern) is None or pattern.count("*") + pattern.count("+") > _LOOPS:
        return None
    try:
        return re.compile(f"{pattern[:-1]}\\Z" if pattern.endswith("$") else pattern)
    except re.error:
        return None
