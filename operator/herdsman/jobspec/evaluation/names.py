"""Names, steps into their values, and splats."""

from __future__ import annotations

from herdsman.jobspec import access
from herdsman.jobspec.conversion import convert, unify
from herdsman.jobspec.scope import Scope
from herdsman.jobspec.syntax import Access, AttributeStep, Index, Item, Literal, Reference, Splat, Step
from herdsman.jobspec.values import UNKNOWN, Items, ListValue, SetValue, TupleValue, Value, string, type_of

from .dispatch import Rule, evaluate


def _literal(expression: Literal, _scope: Scope) -> Value:
    return expression.value


def _reference(expression: Reference, scope: Scope) -> Value:
    try:
        value = scope.lookup(expression.name)
    except KeyError:
        if scope.literals_only:
            return scope.run.report("Variables not allowed", "Variables may not be used here.", expression.root)
        return string(f"${{{expression.span.text}}}")
    return _walk(value, expression.steps, scope)


def _access(expression: Access, scope: Scope) -> Value:
    return _walk(evaluate(expression.source, scope), expression.steps, scope)


def _walk(value: Value, steps: tuple[Step, ...], scope: Scope) -> Value:
    for step in steps:
        try:
            value = (
                access.attribute(value, step.name) if isinstance(step, AttributeStep) else access.index(value, step.key)
            )
        except access.AccessError as error:
            return scope.run.report(error.summary, error.detail, step.span)
    return value


def _index(expression: Index, scope: Scope) -> Value:
    collection = evaluate(expression.collection, scope)
    key = evaluate(expression.key, scope)
    try:
        return access.index(collection, key)
    except access.AccessError as error:
        return scope.run.report(error.summary, error.detail, expression.bracket)


def _item(_expression: Item, scope: Scope) -> Value:
    return scope.item


def _splat(expression: Splat, scope: Scope) -> Value:
    """Each element of a sequence; anything else counts as a sequence of one, and null as an empty one."""
    source = evaluate(expression.source, scope)
    if source is UNKNOWN:
        return UNKNOWN
    if source is None:
        return TupleValue(())
    items = source.items if isinstance(source, Items) else (source,)
    results = [evaluate(expression.each, scope.with_item(item)) for item in items]
    if any(result is UNKNOWN for result in results):
        return UNKNOWN
    if isinstance(source, ListValue | SetValue):
        element = unify(map(type_of, results))
        if element is not None:
            return ListValue((convert(result, element) for result in results), element)
    return TupleValue(results)


RULES: dict[type, Rule] = {
    Literal: _literal,
    Reference: _reference,
    Access: _access,
    Index: _index,
    Item: _item,
    Splat: _splat,
}
