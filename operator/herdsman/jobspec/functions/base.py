"""What a function is: its parameters with their types, and a Python function that gets the converted arguments.

An implementation raises `FunctionError` for a failure of the call, and `ArgumentError` where one argument is to
blame. A function that can do much work for small arguments is `costly`: it gets the budget first and pays before it
works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from herdsman.jobspec.typesystem import ANY, Type
from herdsman.jobspec.values import Value

if TYPE_CHECKING:
    from herdsman.jobspec.errors import Diagnostic
    from herdsman.jobspec.syntax import Expression


class FunctionError(Exception):
    """The call as a whole fails."""


class ArgumentError(Exception):
    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index


@dataclass(frozen=True)
class Parameter:
    name: str
    type: Type = ANY
    allows_null: bool = False
    lazy: bool = False


@dataclass(frozen=True)
class Closure:
    """An argument not evaluated yet, for the functions that decide themselves whether it may fail."""

    expression: Expression
    attempt: Callable[[], tuple[Value, list[Diagnostic]]]


Implementation = Callable[..., Value]


@dataclass(frozen=True)
class Function:
    implementation: Implementation
    parameters: tuple[Parameter, ...] = ()
    rest: Parameter | None = None
    costly: bool = False
    # The same call may give another result the next time, so a job that uses it never settles.
    volatile: bool = False

    def parameter(self, at: int) -> Parameter:
        if at < len(self.parameters):
            return self.parameters[at]
        assert self.rest is not None
        return self.rest


def function(
    implementation: Implementation,
    *parameters: Parameter,
    rest: Parameter | None = None,
    costly: bool = False,
    volatile: bool = False,
) -> Function:
    return Function(implementation, parameters, rest, costly, volatile)


def whole(value: Value, at: int | None = None) -> int:
    """A number argument that has to be a whole one of machine size."""
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    reason = f"value must be a whole number, between {-(1 << 63)} and {(1 << 63) - 1} inclusive"
    if at is None:
        raise FunctionError(reason)
    raise ArgumentError(at, reason)
