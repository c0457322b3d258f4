"""Operators and the conditional."""

from __future__ import annotations

from collections.abc import Callable

from herdsman.jobspec import bignum
from herdsman.jobspec.bignum import NumberError
from herdsman.jobspec.conversion import ConversionError, convert, unify
from herdsman.jobspec.errors import Diagnostic, Span
from herdsman.jobspec.scope import Scope
from herdsman.jobspec.syntax import Binary, Conditional, Expression, Unary
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.typesystem import BOOL, NUMBER, Type
from herdsman.jobspec.values import UNKNOWN, Value, is_number, same, size_of, type_of

from .dispatch import Rule, evaluate


def _add(left: bignum.Number, right: bignum.Number) -> Value:
    return bignum.rounded(left + right)


def _subtract(left: bignum.Number, right: bignum.Number) -> Value:
    return bignum.rounded(left - right)


def _multiply(left: bignum.Number, right: bignum.Number) -> Value:
    return bignum.rounded(left * right)


_OPERATORS: dict[str, tuple[Type, Callable[..., Value]]] = {
    "||": (BOOL, lambda left, right: left or right),
    "&&": (BOOL, lambda left, right: left and right),
    ">": (NUMBER, lambda left, right: left > right),
    ">=": (NUMBER, lambda left, right: left >= right),
    "<": (NUMBER, lambda left, right: left < right),
    "<=": (NUMBER, lambda left, right: left <= right),
    "+": (NUMBER, _add),
    "-": (NUMBER, _subtract),
    "*": (NUMBER, _multiply),
    "/": (NUMBER, bignum.divide),
    "%": (NUMBER, bignum.modulo),
}


def _binary(expression: Binary, scope: Scope) -> Value:
    value, span = evaluate(expression.first, scope), expression.first.span
    left_span = span
    for operator, operand in expression.rest:
        right = evaluate(operand, scope)
        span = span.to(operand.span)
        if operator in {"==", "!="}:
            value = _equality(operator, value, right, scope)
        else:
            value = _operation(operator, (value, left_span), (right, operand.span), span, scope)
        left_span = span
    return value


def _equality(operator: str, left: Value, right: Value, scope: Scope) -> Value:
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    scope.run.budget.spend(size_of(left))
    return same(left, right) == (operator == "==")


def _operation(operator: str, left: tuple[Value, Span], right: tuple[Value, Span], span: Span, scope: Scope) -> Value:
    ty, apply = _OPERATORS[operator]
    a = _operand(*left, ty, "left operand", scope)
    b = _operand(*right, ty, "right operand", scope)
    if a is UNKNOWN or b is UNKNOWN:
        return UNKNOWN
    try:
        return apply(a, b)
    except NumberError as error:
        return scope.run.report("Operation failed", f"Error during operation: {error}.", span)


def _operand(value: Value, span: Span, ty: Type, which: str, scope: Scope) -> Value:
    try:
        converted = convert(value, ty)
    except ConversionError as error:
        return scope.run.report("Invalid operand", f"Unsuitable value for {which}: {error}.", span)
    if converted is None:
        return scope.run.report("Operation failed", "Error during operation: argument must not be null.", span)
    return converted


def _unary(expression: Unary, scope: Scope) -> Value:
    negates = expression.operator == "-"
    value = evaluate(expression.operand, scope)
    operand = _operand(value, expression.operand.span, NUMBER if negates else BOOL, "unary operand", scope)
    if operand is UNKNOWN:
        return UNKNOWN
    return -operand if is_number(operand) else not operand


def _conditional(expression: Conditional, scope: Scope) -> Value:
    positive, positive_findings = evaluate_apart(expression.positive, scope)
    negative, negative_findings = evaluate_apart(expression.negative, scope)
    scope.run.budget.spend(size_of(positive) + size_of(negative))
    ty = unify((type_of(positive), type_of(negative)))
    if ty is None:
        detail = (
            "The true and false result expressions must have consistent types. "
            f"{_type_difference(type_of(positive), type_of(negative))}."
        )
        span = expression.positive.span.to(expression.negative.span)
        return scope.run.report("Inconsistent conditional result types", detail, span)
    condition = _condition(expression, scope)
    if not isinstance(condition, bool):
        return UNKNOWN
    scope.run.findings.extend(positive_findings if condition else negative_findings)
    result, side = (positive, expression.positive) if condition else (negative, expression.negative)
    try:
        return convert(result, ty)
    except ConversionError as error:
        detail = f"The {'true' if condition else 'false'} result value has the wrong type: {error}."
        return scope.run.report("Inconsistent conditional result types", detail, side.span)


def evaluate_apart(expression: Expression, scope: Scope) -> tuple[Value, list[Diagnostic]]:
    with scope.run.separate_findings() as findings:
        return evaluate(expression, scope), findings


def _condition(expression: Conditional, scope: Scope) -> Value:
    condition = evaluate(expression.condition, scope)
    if condition is None:
        detail = "The condition value is null. Conditions must either be true or false."
        return scope.run.report("Null condition", detail, expression.condition.span)
    try:
        return convert(condition, BOOL)
    except ConversionError:
        detail = "The condition expression must be of type bool."
        return scope.run.report("Incorrect condition type", detail, expression.condition.span)


def _type_difference(positive: Type, negative: Type) -> str:
    """Where the two types begin to differ, as a sentence."""
    difference = ""
    if positive.kind == negative.kind == "object":
        difference = _object_difference(positive, negative)
    elif positive.kind == negative.kind == "tuple":
        difference = _tuple_difference(positive, negative)
    if difference:
        return difference
    if positive.name == negative.name:
        return (
            "At least one deeply-nested attribute or element is not compatible across both the 'true' and the "
            "'false' value"
        )
    return f"The 'true' value is {positive.name}, but the 'false' value is {negative.name}"


def _object_difference(positive: Type, negative: Type) -> str:
    for name, ty in positive.attributes.items():
        other = negative.attributes.get(name)
        if other is None:
            return f"The 'true' value includes object attribute {go_quote(name)}, which is absent in the 'false' value"
        if ty != other:
            return f"Type mismatch for object attribute {go_quote(name)}: {_type_difference(ty, other)}"
    for name in negative.attributes:
        if name not in positive.attributes:
            return f"The 'false' value includes object attribute {go_quote(name)}, which is absent in the 'true' value"
    return ""


def _tuple_difference(positive: Type, negative: Type) -> str:
    lengths = len(positive.items), len(negative.items)
    if lengths[0] != lengths[1]:
        return f"The 'true' tuple has length {lengths[0]}, but the 'false' tuple has length {lengths[1]}"
    for at, (left, right) in enumerate(zip(positive.items, negative.items, strict=True)):
        if left != right:
            return f"Type mismatch for tuple element {at}: {_type_difference(left, right)}"
    return ""


RULES: dict[type, Rule] = {Binary: _binary, Unary: _unary, Conditional: _conditional}
