"""Strings with expressions in them."""

from __future__ import annotations

from herdsman.jobspec.conversion import ConversionError, to_string
from herdsman.jobspec.limits import check_size
from herdsman.jobspec.scope import Scope
from herdsman.jobspec.syntax import Expression, Joined, Template, Wrapped
from herdsman.jobspec.values import UNKNOWN, TupleValue, Value, string

from .dispatch import Rule, evaluate


def _template(expression: Template, scope: Scope) -> Value:
    if expression.literal is not None:
        return expression.literal
    texts: list[str] = []
    size = 0
    known = True
    for part in expression.parts:
        text = _template_part(part, scope)
        if isinstance(text, str):
            texts.append(text)
            size = check_size(size + len(text))
        else:
            known = False
    scope.run.budget.spend(size)
    return string("".join(texts)) if known else UNKNOWN


def _template_part(part: Expression, scope: Scope) -> Value:
    value = evaluate(part, scope)
    if value is None:
        detail = "The expression result is null. Cannot include a null value in a string template."
        return scope.run.report("Invalid template interpolation value", detail, part.span)
    try:
        return to_string(value)
    except ConversionError as error:
        detail = f"Cannot include the given value in a string template: {error}."
        return scope.run.report("Invalid template interpolation value", detail, part.span)


def _wrapped(expression: Wrapped, scope: Scope) -> Value:
    return evaluate(expression.inner, scope)


def _joined(expression: Joined, scope: Scope) -> Value:
    rounds = evaluate(expression.loop, scope)
    if not isinstance(rounds, TupleValue) or any(text is UNKNOWN for text in rounds.items):
        return UNKNOWN
    return string("".join(text for text in rounds.items if isinstance(text, str)))


RULES: dict[type, Rule] = {Template: _template, Wrapped: _wrapped, Joined: _joined}
