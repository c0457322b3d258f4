"""Words for people who mistyped: the nearest known name, a list of choices, a value as it may be quoted."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, Final

from herdsman.core.problems import Loc
from herdsman.core.redact import redact

_FEW: Final = 12
_LONGEST_WORD: Final = 64
_LONGEST_ECHO: Final = 60


def nearest(word: str, known: Collection[str]) -> str | None:
    """The one of *known* that *word* was most likely meant to be, None where none is near."""
    if len(word) > _LONGEST_WORD:
        return None
    by_lower = {name.lower(): name for name in sorted(known)}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Collection[str], *, what: str = "known here") -> str:
    """A hint for an unknown *word*: the nearest name, else all names where they are few, else nothing."""
    near = nearest(word, known)
    if near is not None:
        return f'did you mean "{near}"?'
    return f"{what}: {', '.join(known)}" if 0 < len(known) <= _FEW else ""


def one_of(choices: Collection[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def shown(value: Any) -> str:
    """A YAML value as a message may quote it: short, on one line, and only its kind where it is a collection."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return shortened(str(value))
        case str():
            return quoted(value)
        case dict():
            return "a mapping"
        case _:
            return "a list"


def quoted(text: str) -> str:
    """*text* in double quotes, shortened, with everything that could disturb a terminal escaped."""
    return '"' + shortened("".join(c if c.isprintable() else _escaped(c) for c in text[: _LONGEST_ECHO + 1])) + '"'


def shortened(text: str) -> str:
    """The beginning of *text*."""
    return text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


# -- what may be repeated in a message ---------------------------------------------------------------------------------

_PRIVATE: Final = frozenset(
    {
        "Args", "CanaryMeta", "Config", "EmbeddedTmpl", "Env", "ExtraClaims", "GetterHeaders", "GetterOptions",
        "Header", "Meta", "annotations", "encrypted", "hcl", "items", "meta", "parameters", "variables",
    }
)  # fmt: skip
"""Fields whose values, and values below them, are nobody's business: they may hold secrets."""


def echoed(value: Any, loc: Loc) -> str:
    """*value* as a message about *loc* may say it: short scalars themselves, of what may be secret only the kind."""
    if isinstance(value, str) and (_PRIVATE.intersection(loc) or _looks_secret(value, loc)):
        return "a text"
    if isinstance(value, int | float) and not isinstance(value, bool) and _PRIVATE.intersection(loc):
        return "a number"
    return shown(value)


def _looks_secret(value: str, loc: Loc) -> bool:
    beginning = value[: _LONGEST_ECHO + 1]
    return redact(".".join(map(str, loc)), beginning) != beginning


def quoting_hint(value: Any) -> str:
    """What to do about a *value* that should have been a text."""
    if value is None:
        return 'write "" for an empty text'
    return "put it in quotes" if isinstance(value, bool | int | float) else ""
