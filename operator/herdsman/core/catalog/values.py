"""One value against the rule that says which are allowed, with words for every way in which it may not fit.

Texts come out in Unicode's form NFC, because HCL puts them into it: so a pattern sees what the job will hold. A letter
that NFC turns into a backtick is refused like one. Line ends of a text with several lines are made `\\n`.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from herdsman.core.problems import Fault, Loc
from herdsman.core.spelling import did_you_mean, one_of, quoting_hint, shown
from herdsman.model.catalog import Field, Kind, Range, Rule

LONGEST: Final = 16_384
"""No text may be longer, whatever its rule says."""

DEFAULT_LENGTH: Final = 256
DEFAULT_LINES_LENGTH: Final = 4_096
DEFAULT_ELEMENTS: Final = 32
MOST_ELEMENTS: Final = 1_000

LARGEST: Final = 2.0**53
"""Beyond it JSON, JavaScript and HCL no longer agree on what a number is."""

_FEW: Final = 12
_INTERPOLATION: Final = re.compile(r"[$%]\{")


def conform(rule: Rule, value: Any, loc: Loc, faults: list[Fault], *, secret: bool = False, note: str = "") -> Any:
    """*value* as the job will hold it. What is wrong with it is added to *faults*; a *secret* is never repeated."""
    return _Check(faults, secret=secret, note=note).value(rule, value, loc)


class _Check:
    """One pass over a value."""

    def __init__(self, faults: list[Fault], *, secret: bool, note: str) -> None:
        self._faults = faults
        self._secret = secret
        self._note = note

    def value(self, rule: Rule, value: Any, loc: Loc) -> Any:
        found = _KINDS[rule.kind](self, rule, value, loc)
        if rule.options and found is not None and found not in rule.options:
            self._not_offered(rule, value, loc)
        return found

    def text(self, rule: Rule, value: Any, loc: Loc) -> Any:
        if not isinstance(value, str):
            return self._wrong("text", value, loc, "" if self._secret else quoting_hint(value))
        if len(value) > LONGEST:  # before anything is done with it
            return self._fault(loc, f"longer than {rule.max_length} characters")
        text = unicodedata.normalize("NFC", value) if not self._secret else value
        if rule.multiline:
            text = text.replace("\r\n", "\n")
        if not rule.options:
            self._form(rule, text, loc)
        return text

    def _form(self, rule: Rule, text: str, loc: Loc) -> None:
        bad = next((c for c in text if _is_unfit(c, rule) or (self._secret and _is_unquotable(c))), None)
        if bad is not None:
            hint = "write one line" if bad in "\n\t\u2028\u2029" else ""
            self._fault(loc, f"the character U+{ord(bad):04X} is not allowed", hint)
        elif not rule.interpolate and not self._secret and _INTERPOLATION.search(text):
            self._fault(loc, "may not hold ${ or %{", "Nomad would take what follows for an expression")
        elif len(text) > rule.max_length:
            self._fault(loc, f"longer than {rule.max_length} characters")
        elif len(text) < rule.min_length:
            self._fault(loc, f"shorter than {rule.min_length} characters")
        elif rule.pattern and compiled(rule.pattern).fullmatch(text) is None:
            hint = f"for example {rule.example}" if rule.example else f"it must match {rule.pattern}"
            self._fault(loc, f"not of the form that is expected{self._got(text)}", hint)

    def whole(self, rule: Rule, value: Any, loc: Loc) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return self._wrong("a whole number", value, loc)
        return self._in_range(rule.range, value, loc)

    def number(self, rule: Rule, value: Any, loc: Loc) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return self._wrong("a number", value, loc)
        return self._in_range(rule.range, int(value) if float(value).is_integer() else value, loc)

    def _in_range(self, allowed: Range, value: float, loc: Loc) -> Any:
        if abs(value) > LARGEST:
            return self._fault(loc, f"beyond what a number can be{self._got(value)}")
        if allowed.empty:
            return self._fault(loc, "no value is allowed", self._note)
        if value not in allowed:
            return self._fault(loc, f"expected {interval(allowed)}{self._got(value)}", self._note)
        return value

    def yes_or_no(self, rule: Rule, value: Any, loc: Loc) -> Any:
        return value if isinstance(value, bool) else self._wrong("true or false", value, loc)

    def several(self, rule: Rule, value: Any, loc: Loc) -> Any:
        assert rule.items is not None
        if not isinstance(value, list | tuple):
            return self._wrong("a list", value, loc)
        if len(value) > rule.max_length:
            return self._fault(loc, f"more than {rule.max_length} elements")
        if len(value) < rule.min_length:
            return self._fault(loc, f"fewer than {rule.min_length} elements")
        return [self.value(rule.items, element, (*loc, number)) for number, element in enumerate(value)]

    def parts(self, rule: Rule, value: Any, loc: Loc) -> Any:
        if not isinstance(value, Mapping):
            return self._wrong("a mapping", value, loc)
        for name in value:
            if name not in rule.fields:
                self._faults.append(Fault((*loc, name), "unknown field", "", at_key=True, known=tuple(rule.fields)))
        return {name: self._part(field, value.get(name, _ABSENT), (*loc, name)) for name, field in rule.fields.items()}

    def _part(self, field: Field, value: Any, loc: Loc) -> Any:
        if field.required and value is _ABSENT:
            return self._fault(loc, "missing", field.description)
        if value is _ABSENT or is_default(value, field.default):
            return field.default
        return self.value(field.rule, value, loc)

    def _not_offered(self, rule: Rule, value: Any, loc: Loc) -> None:
        offered = [shown(option).strip('"') or '""' for option in rule.options]
        if len(offered) <= _FEW:
            return self._fault(loc, f"expected {one_of(offered)}{self._got(value)}", self._note)
        near = did_you_mean(value, offered) if isinstance(value, str) else ""
        return self._fault(loc, f"not one of the {len(offered)} that are offered{self._got(value)}", near or self._note)

    def _wrong(self, expected: str, value: Any, loc: Loc, hint: str = "") -> None:
        self._fault(loc, f"expected {expected}{self._got(value)}", hint)

    def _got(self, value: Any) -> str:
        return "" if self._secret else f", got {shown(value)}"

    def _fault(self, loc: Loc, message: str, hint: str = "") -> None:
        self._faults.append(Fault(loc, message, hint))


_ABSENT: Final = object()

_KINDS: Final[Mapping[Kind, Callable[[_Check, Rule, Any, Loc], Any]]] = {
    Kind.STRING: _Check.text,
    Kind.INT: _Check.whole,
    Kind.NUMBER: _Check.number,
    Kind.BOOL: _Check.yes_or_no,
    Kind.LIST: _Check.several,
    Kind.OBJECT: _Check.parts,
}


def _is_unfit(character: str, rule: Rule) -> bool:
    """Control characters, halves of what is no character at all, and ends of lines where there is to be one line."""
    if rule.multiline and character in "\n\t\u2028\u2029":
        return False
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _is_unquotable(character: str) -> bool:
    """What `toJSON` in a template of Nomad's cannot say of an item of a variable: its escape is not one of JSON's."""
    return ord(character) > 0xFFFF and not character.isprintable()


def is_default(value: Any, default: Any) -> bool:
    """Whether *value* is what holds anyway, and so needs no checks: an empty text where a form is asked for."""
    return type(value) is type(default) and bool(value == default)


def interval(allowed: Range) -> str:
    """A range in words."""
    if allowed.low is None:
        return f"at most {allowed.high:.16g}"
    if allowed.high is None:
        return f"at least {allowed.low:.16g}"
    return f"{allowed.low:.16g} to {allowed.high:.16g}"


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as everybody reads it: `\\d` and `\\w` are ASCII, as in JavaScript."""
    return re.compile(pattern, re.ASCII)
