"""Functions of sets: of lists taken as sets, too."""

from __future__ import annotations

from itertools import product
from math import prod

from herdsman.jobspec.conversion import as_list, convert, make_set, unify
from herdsman.jobspec.limits import NODE, check_size
from herdsman.jobspec.typesystem import Type, tuple_of
from herdsman.jobspec.values import Items, ListValue, SetValue, TupleValue, Value, size_of, sort_key, type_of

from .base import ArgumentError, Function, FunctionError, Parameter, function


def _as_sets(values: tuple[Value, ...]) -> tuple[list[SetValue], Type]:
    """The arguments as sets of one element type."""
    for at, value in enumerate(values):
        if not isinstance(value, Items):
            raise ArgumentError(at, "set of any single type required")
    element = unify(type_of(item) for value in values for item in as_list(value))
    if element is None:
        raise FunctionError("given sets must all have compatible element types")
    return [make_set([convert(item, element) for item in as_list(value)], element) for value in values], element


def _setintersection(*values: Value) -> Value:
    sets, element = _as_sets(values)
    common = set.intersection(*({sort_key(item) for item in one.items} for one in sets))
    return make_set([item for item in sets[0].items if sort_key(item) in common], element)


def _setunion(*values: Value) -> Value:
    sets, element = _as_sets(values)
    return make_set([item for one in sets for item in one.items], element)


def _setproduct(*values: Value) -> Value:
    """Every combination; a list if all arguments have an order, otherwise a set."""
    if len(values) < 2:
        raise FunctionError("at least two arguments are required")
    columns: list[list[Value]] = []
    types: list[Type] = []
    for at, value in enumerate(values):
        if not isinstance(value, Items):
            raise ArgumentError(at, "a set or a list is required")
        element = unify(map(type_of, value.items))
        if element is None:
            raise ArgumentError(at, "all elements must be of the same type")
        types.append(value.element if isinstance(value, ListValue | SetValue) else element)
        columns.append([convert(item, types[-1]) for item in value.items])
    count = prod(map(len, columns))
    check_size(count * NODE + sum(sum(map(size_of, column)) * (count // max(1, len(column))) for column in columns))
    combinations = [TupleValue(combination) for combination in product(*columns)]
    if any(isinstance(value, SetValue) for value in values):
        return make_set(combinations, tuple_of(types))
    return ListValue(combinations, tuple_of(types))


FUNCTIONS: dict[str, Function] = {
    "setintersection": function(_setintersection, Parameter("first_set"), rest=Parameter("other_sets")),
    "setproduct": function(_setproduct, rest=Parameter("sets")),
    "setunion": function(_setunion, Parameter("first_set"), rest=Parameter("other_sets")),
}
