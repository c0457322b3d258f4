"""The one way to evaluate an expression, whatever its kind: the modules beside this one bring a rule for each."""

from __future__ import annotations

from collections.abc import Callable

from herdsman.jobspec.limits import NODE
from herdsman.jobspec.scope import Scope
from herdsman.jobspec.syntax import Expression
from herdsman.jobspec.values import Value

Rule = Callable[..., Value]
RULES: dict[type[Expression], Rule] = {}


def evaluate(expression: Expression, scope: Scope) -> Value:
    scope.run.budget.spend(NODE)
    return RULES[type(expression)](expression, scope)
