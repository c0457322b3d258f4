"""What stands in `user.yaml` for one parameter, made a `Parameter`: the type is found, and all keys must fit it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from herdsman.core.catalog.forms import FieldForm, ParameterForm, RuleForm
from herdsman.core.catalog.values import (
    DEFAULT_ELEMENTS,
    DEFAULT_LENGTH,
    DEFAULT_LINES_LENGTH,
    LONGEST,
    MOST_ELEMENTS,
    conform,
)
from herdsman.core.problems import Fault, Loc
from herdsman.core.spelling import one_of, shown
from herdsman.model import names
from herdsman.model.catalog import PARAMETER_NAME, Field, Kind, Parameter, Range, Resource, Rule

_LONGEST_PATTERN: Final = 500

_TEXTS: Final = frozenset({Kind.STRING})
_NUMBERS: Final = frozenset({Kind.INT, Kind.NUMBER})
_SIZED: Final = frozenset({Kind.STRING, Kind.LIST})

_GOES_WITH: Final[Mapping[str, frozenset[Kind]]] = {
    "options": frozenset(Kind) - {Kind.LIST, Kind.OBJECT},
    "range": _NUMBERS,
    "pattern": _TEXTS,
    "example": _TEXTS,
    "multiline": _TEXTS,
    "interpolate": _TEXTS,
    "secret": _TEXTS,
    "batch": _TEXTS,
    "min_length": _SIZED,
    "max_length": _SIZED,
    "required": _SIZED,
    "items": frozenset({Kind.LIST}),
    "fields": frozenset({Kind.OBJECT}),
}
"""The types that a key says something about."""


def parameter_of(form: ParameterForm, group: str, key: str, faults: list[Fault]) -> Parameter:
    """The parameter that *form* describes; what is wrong with it is added to *faults*. Conditions are left to `entry`.

    It is of no use where there are faults.
    """
    rule = _rule(form, form.value, (), faults)
    default = _default(form, rule, (), faults, secret=form.secret)
    _check_secret(form, rule, faults)
    _check_batch(form, faults)
    resource = Resource(form.resource) if form.resource else None
    _check_resource(resource, rule, faults)
    return Parameter(
        group=group,
        key=key,
        name=form.name,
        rule=rule,
        default=default,
        description=form.description,
        required=form.required,
        secret=form.secret,
        generate=form.generate or 0,
        advanced=form.advanced,
        display=form.display,
        batch=form.batch,
        resource=resource,
    )


def _rule(form: RuleForm, value: Any, loc: Loc, faults: list[Fault]) -> Rule:
    kind = _kind(form, value)
    if kind is None:
        message = "expected a default, or a type where there is none"
        faults.append(Fault((*loc, "value"), message, 'write "" for an empty text'))
        return Rule(Kind.STRING, max_length=LONGEST)
    for key, kinds in _GOES_WITH.items():
        if getattr(form, key, None) not in (None, False) and kind not in kinds:
            message = f"says nothing about the type {kind}, only about {one_of(sorted(kinds))}"
            faults.append(Fault((*loc, key), message, at_key=True))
    multiline = form.multiline is True
    return Rule(
        kind=kind,
        options=_options(form, kind, loc, faults),
        range=_range(form, kind, loc, faults),
        pattern=_pattern(form, loc, faults),
        example=form.example or "",
        min_length=form.min_length or 0,
        max_length=_longest(form, kind, loc, faults, multiline=multiline),
        multiline=multiline,
        interpolate=form.interpolate is True,
        items=_items(form, kind, loc, faults),
        fields=_fields(form, kind, loc, faults),
    )


def _default(form: FieldForm, rule: Rule, loc: Loc, faults: list[Fault], *, secret: bool = False) -> Any:
    """The value that holds where none is given. An empty one means that there is none, whatever the rule says."""
    if form.value is None and form.type is None:
        return None  # `_kind` has told that
    if form.value in ("", []) and not rule.options and rule.kind in _SIZED:
        return form.value
    return conform(rule, form.value, (*loc, "value"), faults, secret=secret)


def _kind(form: RuleForm, value: Any) -> Kind | None:
    """The type that is written, or that of the default; a whole default among broken numbers is a number."""
    if form.type is not None:
        return Kind(form.type)
    match value:
        case bool():
            return Kind.BOOL
        case int():
            broken = any(isinstance(other, float) for other in (*(form.options or ()), *(form.range or ())))
            return Kind.NUMBER if broken else Kind.INT
        case float():
            return Kind.NUMBER
        case str():
            return Kind.STRING
        case list():
            return Kind.LIST
        case dict():
            return Kind.OBJECT
    return None


def _options(form: RuleForm, kind: Kind, loc: Loc, faults: list[Fault]) -> tuple[Any, ...]:
    if form.options is None or kind not in _GOES_WITH["options"]:
        return ()
    if not form.options:
        faults.append(Fault((*loc, "options"), "may not be empty", "leave it out where any value may be given"))
    plain = Rule(kind, max_length=LONGEST, multiline=True, interpolate=True)
    at = (*loc, "options")
    options = [conform(plain, option, (*at, number), faults) for number, option in enumerate(form.options)]
    for number, option in enumerate(options):
        if option is not None and option in options[:number]:
            faults.append(Fault((*at, number), f"{shown(option)} is offered twice"))
    return tuple(options)


def _range(form: RuleForm, kind: Kind, loc: Loc, faults: list[Fault]) -> Range:
    if form.range is None or kind not in _NUMBERS:
        return Range()
    at = (*loc, "range")
    if len(form.range) != 2:
        faults.append(Fault(at, "expected two ends", "like [1, 10], or [1, null] for no upper one"))
        return Range()
    before = len(faults)
    low, high = (
        None if end is None else conform(Rule(kind), end, (*at, number), faults)
        for number, end in enumerate(form.range)
    )
    found = Range(low, high)
    if len(faults) == before and found.empty:
        faults.append(Fault(at, f"its lower end, {shown(low)}, is above its upper one, {shown(high)}"))
        return Range()
    return found


def _pattern(form: RuleForm, loc: Loc, faults: list[Fault]) -> str:
    pattern = form.pattern or ""
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        faults.append(Fault((*loc, "pattern"), f"not a regular expression: {error}"))
        return ""
    if len(pattern) > _LONGEST_PATTERN:
        faults.append(Fault((*loc, "pattern"), f"longer than {_LONGEST_PATTERN} characters"))
    if form.example and pattern and re.fullmatch(pattern, form.example, re.ASCII) is None:
        faults.append(Fault((*loc, "example"), f"{shown(form.example)} does not match the pattern"))
    return pattern


def _longest(form: RuleForm, kind: Kind, loc: Loc, faults: list[Fault], *, multiline: bool) -> int:
    texts = kind is not Kind.LIST
    usual = (DEFAULT_LINES_LENGTH if multiline else DEFAULT_LENGTH) if texts else DEFAULT_ELEMENTS
    most = LONGEST if texts else MOST_ELEMENTS
    longest = form.max_length or max(usual, form.min_length or 0)
    if longest > most:
        faults.append(Fault((*loc, "max_length"), f"expected at most {most}, got {longest}"))
    if form.min_length is not None and form.min_length > longest:
        faults.append(Fault((*loc, "min_length"), f"expected at most max_length, {longest}, got {form.min_length}"))
    return longest


def _items(form: RuleForm, kind: Kind, loc: Loc, faults: list[Fault]) -> Rule | None:
    if kind is not Kind.LIST:
        return None
    if form.items is None:
        faults.append(Fault((*loc, "items"), "missing", "what an element is: items: {type: string}"))
        return Rule(Kind.STRING, max_length=LONGEST)
    if form.items.type is None:
        faults.append(Fault((*loc, "items", "type"), "missing", f"one of {one_of(list(Kind))}"))
        return Rule(Kind.STRING, max_length=LONGEST)
    return _rule(form.items, None, (*loc, "items"), faults)


def _fields(form: RuleForm, kind: Kind, loc: Loc, faults: list[Fault]) -> dict[str, Field]:
    if kind is not Kind.OBJECT:
        return {}
    if not form.fields:
        faults.append(Fault((*loc, "fields"), "missing", "the parts of the object, by name"))
    return {key: _field(key, part, (*loc, "fields", key), faults) for key, part in (form.fields or {}).items()}


def _field(key: str, form: FieldForm, loc: Loc, faults: list[Fault]) -> Field:
    if not names.fits(PARAMETER_NAME, key):
        faults.append(Fault(loc, "not a name for a field", "letters, digits and _, a letter first", at_key=True))
    rule = _rule(form, form.value, loc, faults)
    required = "value" not in form.model_fields_set
    default = None if required else _default(form, rule, loc, faults)
    return Field(form.name, rule, form.description, default, required)


def _check_secret(form: ParameterForm, rule: Rule, faults: list[Fault]) -> None:
    if form.secret:
        if form.value not in ("", None):
            faults.append(Fault(("value",), "a secret has no default", 'everybody could read it: write ""'))
        shown_by = [key for key in ("display", "options") if getattr(form, key)]
        faults += [Fault((key,), "a secret cannot be shown", at_key=True) for key in shown_by]
    elif form.generate is not None:
        faults.append(Fault(("generate",), "only a secret can be made up", "add secret: true", at_key=True))
    if form.generate is not None and not rule.min_length <= form.generate <= rule.max_length:
        faults.append(Fault(("generate",), f"expected {rule.min_length} to {rule.max_length}, got {form.generate}"))


def _check_batch(form: ParameterForm, faults: list[Fault]) -> None:
    """Without a script a deployment is what it is else: so none is there by itself, and the job may see it."""
    if not form.batch:
        return
    if form.value not in ("", None):
        faults.append(Fault(("value",), "a script of a batch job has no default", 'write ""'))
    unfit = [key for key in ("secret", "display", "options", "required", "depends") if getattr(form, key)]
    faults += [Fault((key,), "says nothing about the script of a batch job", at_key=True) for key in unfit]


def _check_resource(resource: Resource | None, rule: Rule, faults: list[Fault]) -> None:
    fitting = _TEXTS if resource is Resource.GPU_MODEL else _NUMBERS
    if resource is not None and rule.kind not in fitting:
        message = f"{resource} is asked for with {one_of(sorted(fitting))}, not with {rule.kind}"
        faults.append(Fault(("resource",), message))
