"""Function calls: the right number of arguments, of the right types, and then the function."""

from __future__ import annotations

from functools import partial

from herdsman.jobspec.bignum import NumberError
from herdsman.jobspec.conversion import ConversionError, convert
from herdsman.jobspec.errors import did_you_mean
from herdsman.jobspec.functions.base import ArgumentError, Closure, Function, FunctionError, Parameter
from herdsman.jobspec.scope import Scope
from herdsman.jobspec.syntax import Call, Expression, Literal
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.values import UNKNOWN, Items, Value, is_known, size_of, string

from .dispatch import Rule, evaluate
from .operators import evaluate_apart


def _call(expression: Call, scope: Scope) -> Value:
    function = scope.run.functions.get(expression.name)
    if scope.literals_only:
        return scope.run.report("Function calls not allowed", "Functions may not be called here.", expression.span)
    if function is None:
        suggestion = did_you_mean(expression.name, scope.run.functions)
        detail = f"There is no function named {go_quote(expression.name)}.{suggestion}"
        return scope.run.report("Call to unknown function", detail, expression.name_span)
    before = len(scope.run.findings)
    arguments = _expanded(expression, scope)
    if arguments is None or not _count_fits(expression, function, arguments, scope):
        return UNKNOWN
    values = [_argument(argument, function.parameter(at), scope) for at, argument in enumerate(arguments)]
    if len(scope.run.findings) > before or not all(isinstance(value, Closure) or is_known(value) for value in values):
        return UNKNOWN
    return _apply(expression, function, arguments, values, scope)


def _expanded(expression: Call, scope: Scope) -> list[Expression] | None:
    """The arguments, the last one spread out if it is followed by `...`."""
    arguments = list(expression.arguments)
    if not expression.expand:
        return arguments
    last = arguments.pop()
    value = evaluate(last, scope)
    if value is UNKNOWN:
        return None
    summary = "Invalid expanding argument value"
    if value is None:
        scope.run.report(summary, "The expanding argument (indicated by ...) must not be null.", last.span)
        return None
    if not isinstance(value, Items):
        detail = "The expanding argument (indicated by ...) must be of a tuple, list, or set type."
        scope.run.report(summary, detail, last.span)
        return None
    return arguments + [Literal(last.span, item) for item in value.items]


def _count_fits(expression: Call, function: Function, arguments: list[Expression], scope: Scope) -> bool:
    wanted = len(function.parameters)
    if len(arguments) < wanted:
        at_least = " at least" if function.rest else ""
        missing = function.parameters[len(arguments)].name
        detail = (
            f"Function {go_quote(expression.name)} expects{at_least} {wanted} argument(s). Missing value for "
            f"{go_quote(missing)}."
        )
        scope.run.report("Not enough function arguments", detail, expression.close)
        return False
    if len(arguments) > wanted and function.rest is None:
        detail = f"Function {go_quote(expression.name)} expects only {wanted} argument(s)."
        scope.run.report("Too many function arguments", detail, arguments[wanted].start)
        return False
    return True


def _argument(expression: Expression, parameter: Parameter, scope: Scope) -> Value | Closure:
    if parameter.lazy:
        return Closure(expression, partial(evaluate_apart, expression, scope))
    value = evaluate(expression, scope)
    try:
        return convert(value, parameter.type)
    except ConversionError as error:
        return _bad_argument(expression, parameter, error, scope)


def _bad_argument(expression: Expression, parameter: Parameter, error: Exception, scope: Scope) -> Value:
    detail = f"Invalid value for {go_quote(parameter.name)} parameter: {error}."
    return scope.run.report("Invalid function argument", detail, expression.start)


def _apply(
    expression: Call, function: Function, arguments: list[Expression], values: list[Value | Closure], scope: Scope
) -> Value:
    budget = scope.run.budget
    for at, value in enumerate(values):
        parameter = function.parameter(at)
        if value is None and not parameter.allows_null:
            return _bad_argument(arguments[at], parameter, ArgumentError(at, "argument must not be null"), scope)
        if not isinstance(value, Closure):
            budget.spend(size_of(value))
    try:
        result = function.implementation(*([budget] if function.costly else []), *values)
    except ArgumentError as error:
        at = min(error.index, len(arguments) - 1)
        return _bad_argument(arguments[at], function.parameter(at), error, scope)
    except (FunctionError, ConversionError, NumberError) as error:
        detail = f"Call to function {go_quote(expression.name)} failed: {error}."
        return scope.run.report("Error in function call", detail, expression.start)
    if isinstance(result, str):
        result = string(result)
    budget.spend(size_of(result))
    return result


RULES: dict[type, Rule] = {Call: _call}
