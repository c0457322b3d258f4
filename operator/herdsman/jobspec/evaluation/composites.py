"""Lists, objects, and the `for` that makes them of others."""

from __future__ import annotations

from collections.abc import Iterator

from herdsman.jobspec.conversion import ConversionError, convert, to_string
from herdsman.jobspec.limits import NODE
from herdsman.jobspec.scope import Scope
from herdsman.jobspec.syntax import Expression, For, Object, Parentheses, Reference, Tuple, keyword
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.typesystem import BOOL
from herdsman.jobspec.values import UNKNOWN, Composite, ObjectValue, TupleValue, Value, elements, type_of

from .dispatch import Rule, evaluate


def _parentheses(expression: Parentheses, scope: Scope) -> Value:
    return evaluate(expression.inner, scope)


def _tuple(expression: Tuple, scope: Scope) -> Value:
    return TupleValue([evaluate(item, scope) for item in expression.items])


def _object(expression: Object, scope: Scope) -> Value:
    entries: dict[str, Value] = {}
    complete = True
    for key_expression, value_expression in expression.items:
        key = _object_key(key_expression, value_expression, scope)
        value = evaluate(value_expression, scope)
        if isinstance(key, str):
            entries[key] = value
        else:
            complete = False
    return ObjectValue(entries) if complete else UNKNOWN


def _object_key(expression: Expression, value: Expression, scope: Scope) -> Value:
    """A bare word is its own name; anything else is computed, and a reference with steps needs parentheses."""
    word = keyword(expression)
    if word:
        return word
    if isinstance(expression, Reference):
        detail = (
            "If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a "
            "literal name containing periods, wrap it in quotes to create a string literal."
        )
        return scope.run.report("Ambiguous attribute key", detail, expression.span)
    key = evaluate(expression, scope)
    if key is None:
        return scope.run.report("Null value as key", "Can't use a null value as a key.", value.span)
    try:
        return to_string(key)
    except ConversionError as error:
        return scope.run.report("Incorrect key type", f"Can't use this value as a key: {error}.", expression.span)


def _for(expression: For, scope: Scope) -> Value:
    collection = evaluate(expression.collection, scope)
    if collection is None:
        detail = "A null value cannot be used as the collection in a 'for' expression."
        return scope.run.report("Iteration over null value", detail, expression.collection.span)
    if collection is UNKNOWN:
        return UNKNOWN
    if not isinstance(collection, Composite):
        detail = f"A value of type {type_of(collection).name} cannot be used as the collection in a 'for' expression."
        return scope.run.report("Iteration over non-iterable value", detail, expression.collection.span)
    if not _condition_makes_sense(expression, scope):
        return UNKNOWN
    rounds = _rounds(expression, collection, scope)
    if expression.key is not None:
        return _for_object(expression, expression.key, rounds)
    values: list[Value] = []
    for inner in rounds:
        if inner is None:
            return UNKNOWN
        values.append(evaluate(expression.value, inner))
    return TupleValue(values)


def _condition_makes_sense(expression: For, scope: Scope) -> bool:
    """Look once at a condition without its element: a mistake that has nothing to do with the element is told once."""
    if expression.condition is None:
        return True
    before = len(scope.run.findings)
    _included(expression.condition, scope.inner({expression.key_name: UNKNOWN, expression.value_name: UNKNOWN}))
    return len(scope.run.findings) == before


def _rounds(expression: For, collection: Composite, scope: Scope) -> Iterator[Scope | None]:
    """A scope for each element that is included; None, as the last one, where that cannot be told."""
    for key, element in elements(collection):
        scope.run.budget.spend(NODE)
        inner = scope.inner({expression.key_name: key, expression.value_name: element})
        if expression.condition is not None:
            included = _included(expression.condition, inner)
            if included is UNKNOWN:
                yield None
                return
            if not included:
                continue
        yield inner


def _included(condition: Expression, scope: Scope) -> Value:
    value = evaluate(condition, scope)
    if value is None:
        detail = "The value of the 'if' clause must not be null."
        return scope.run.report("Invalid 'for' condition", detail, condition.span)
    try:
        return convert(value, BOOL)
    except ConversionError as error:
        detail = f"The 'if' clause value is invalid: {error}."
        return scope.run.report("Invalid 'for' condition", detail, condition.span)


def _for_object(expression: For, key_expression: Expression, rounds: Iterator[Scope | None]) -> Value:
    groups: dict[str, list[Value]] = {}
    for inner in rounds:
        key = UNKNOWN if inner is None else _for_key(key_expression, inner)
        if inner is None or not isinstance(key, str):
            return UNKNOWN
        value = evaluate(expression.value, inner)
        if key in groups and not expression.group:
            detail = (
                f"Two different items produced the key {go_quote(key)} in this 'for' expression. If duplicates are "
                "expected, use the ellipsis (...) after the value expression to enable grouping by key."
            )
            inner.run.report("Duplicate object key", detail, key_expression.span)
        groups.setdefault(key, []).append(value)
    return ObjectValue({key: TupleValue(values) if expression.group else values[0] for key, values in groups.items()})


def _for_key(expression: Expression, scope: Scope) -> Value:
    key = evaluate(expression, scope)
    if key is None:
        detail = "Key expression in 'for' expression must not produce a null value."
        return scope.run.report("Invalid object key", detail, expression.span)
    try:
        return to_string(key)
    except ConversionError as error:
        detail = f"The key expression produced an invalid result: {error}."
        return scope.run.report("Invalid object key", detail, expression.span)


RULES: dict[type, Rule] = {Parentheses: _parentheses, Tuple: _tuple, Object: _object, For: _for}
