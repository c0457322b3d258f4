"""can, try and convert: the functions that look at an expression before its value."""

from __future__ import annotations

from herdsman.jobspec.conversion import convert
from herdsman.jobspec.errors import Diagnostic
from herdsman.jobspec.typeexpr import TypeExpressionError, read_type
from herdsman.jobspec.values import UNKNOWN, Value

from .base import ArgumentError, Closure, Function, FunctionError, Parameter, function


def _can(expression: Closure) -> Value:
    value, findings = expression.attempt()
    if findings:
        return False
    return UNKNOWN if value is UNKNOWN else True


def _try(*expressions: Closure) -> Value:
    if not expressions:
        raise FunctionError("at least one argument is required")
    failures: list[Diagnostic] = []
    for expression in expressions:
        value, findings = expression.attempt()
        if not findings:
            return value
        failures.extend(findings)
    reasons = "".join(f"- {failure.summary} (at {failure.place})\n  {failure.detail}\n" for failure in failures)
    raise FunctionError(
        f"no expression succeeded:\n{reasons}\nAt least one expression must produce a successful result"
    )


def _convert(value: Value, ty: Closure) -> Value:
    try:
        return convert(value, read_type(ty.expression))
    except TypeExpressionError as error:
        raise ArgumentError(1, error.detail.rstrip(".")) from None


FUNCTIONS: dict[str, Function] = {
    "can": function(_can, Parameter("expression", lazy=True)),
    "convert": function(_convert, Parameter("value", allows_null=True), Parameter("type", lazy=True)),
    "try": function(_try, rest=Parameter("expressions", lazy=True)),
}
