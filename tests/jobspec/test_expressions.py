"""Expressions: operators, collections, access, `for`, splats and conditionals."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from .conftest import Evaluate

VALUES = [
    # numbers
    ("0.1 + 0.2", 0.3),
    ("0.1 + 0.2 == 0.3", True),
    ("1.10", 1.1),
    ("3.0", 3),
    ("1e3", 1000),
    ("1E-2", 0.01),
    ("12345678901234567890", 1.2345678901234567e19),
    ("9223372036854775807", 9223372036854775807),
    ('"${1 / 4}"', 0.25),
    ('"x${100 / 10}"', "x10"),
    ('"x${2.50}"', "x2.5"),
    ('"x${1e21}"', "x1000000000000000000000"),
    # operators and their precedence
    ("(1 + 2) * 3 - 4 / 8 % 3", 8.5),
    ("2 + 3 * 4", 14),
    ("2 * 3 + 4", 10),
    ("10 - 2 - 3", 5),
    ("100 / 10 / 2", 5),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("-2 + 5", 3),
    ("- -2", 2),
    ("!true || true && false", False),
    ("1 < 2 == true", True),
    ("1 + 1 == 2 && 2 * 2 >= 4", True),
    ('"5" + 1', 6),
    ('"true" && true', True),
    # equality is by type and value
    ('1 == "1"', False),
    ("1 == 1.0", True),
    ("true == 1", False),
    ("null == null", True),
    ("[1, 2] == [1, 2]", True),
    ("[1] == [1, 2]", False),
    ("{ a = 1 } == { a = 1 }", True),
    ("{ a = 1 } != { a = 2 }", True),
    # conditionals have one type for both sides
    ('true ? "x" : 5', "x"),
    ('true ? 5 : "x"', "5"),
    ('true ? [1] : ["a", "b"]', ["1"]),
    ("false ? 1 : null", None),
    ("true ? 1 : null", 1),
    ('"true" ? 1 : 2', 1),
    ("true ? 1 : nope()", 1),
    ("false ? { a = 1 } : { b = 2 }", {"b": 2}),
    ("true ? false ? 1 : 2 : 3", 2),
    # collections
    ("[1, 2, ]", [1, 2]),
    ("[\n1,\n2\n]", [1, 2]),
    ("{ a = 1, b : 2 }", {"a": 1, "b": 2}),
    ('{ "a b" = 1, (upper("c")) = 2, true = 3 }', {"a b": 1, "C": 2, "true": 3}),
    ("{\na = 1\nb = 2\n}", {"a": 1, "b": 2}),
    ("{ a = 1, a = 2 }", {"a": 2}),
    ("{}", {}),
    # access
    ("[10, 20][1]", 20),
    ('[10, 20]["1"]', 20),
    ("[[1, 2], [3]][0][1]", 2),
    ("{ a = { b = [5] } }.a.b[0]", 5),
    ('{ a = 1 }["a"]', 1),
    ("{ a = [7, 8] }.a.1", 8),
    ('{ "1" = "x" }[1]', "x"),
    # for
    ("[for x in [1, 2, 3] : x * 2 if x != 2]", [2, 6]),
    ('[for i, x in ["a", "b"] : "${i}${x}"]', ["0a", "1b"]),
    ("[for k, v in { b = 1, a = 2 } : k]", ["a", "b"]),
    ("{ for k, v in { a = 1, b = 2 } : v => k }", {"1": "a", "2": "b"}),
    ('{ for v in ["a", "b", "a"] : v => v... }', {"a": ["a", "a"], "b": ["b"]}),
    ("[for x in [] : x]", []),
    ('[for x in convert(["b", "a", "b"], set(string)) : x]', ["a", "b"]),
    ("[\nfor x in [1] :\nx\n]", [1]),
    # splats
    ("[{ a = 1 }, { a = 2 }][*].a", [1, 2]),
    ("[{ a = 1 }, { a = 2 }].*.a", [1, 2]),
    ("[{ a = [1, 2] }, { a = [3] }][*].a[0]", [1, 3]),
    ("[{ a = [{ b = 1 }] }][*].a[*].b", [[1]]),
    ('"x"[*]', ["x"]),
    ("null[*]", []),
    ("[[1], [2]].*.0", [1, 2]),
    ("convert([{ a = 1 }, { a = 2 }], list(any))[*].a", [1, 2]),
    ("convert([{ a = 1 }, { b = 2 }], list(map(number)))[*]", [{"a": 1}, {"b": 2}]),
    # functions
    ("max([1, 5, 3]...)", 5),
    ("max(\n1,\n2,\n)", 2),
    # comments are nothing
    ("/* a */ 1 /* b\n */ + 2", 3),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_value(evaluate: Evaluate, expression: str, value: object) -> None:
    """An expression has the value that the language gives it, and whole numbers are ints."""
    found = evaluate(expression)
    assert found == value
    assert type(found) is type(value)


UNKNOWN_NAMES = [
    ("attr.kernel.name", "${attr.kernel.name}"),
    ('"${attr.kernel.name}"', "${attr.kernel.name}"),
    ('"a-${NOMAD_PORT_http}-b"', "a-${NOMAD_PORT_http}-b"),
    ('"${meta["my.key"]}"', '${meta["my.key"]}'),
    ('"${ node.unique.id }"', "${node.unique.id}"),
    ("env.HOME", "${env.HOME}"),
    ("device.attr.memory", "${device.attr.memory}"),
    ("docker", "${docker}"),
    ('attr.cpu.arch == "x" ? 1 : 2', 2),
    ("[for x in [1] : attr.x]", ["${attr.x}"]),
]


@pytest.mark.parametrize(("expression", "value"), UNKNOWN_NAMES)
def test_names_of_the_run_time_stay_as_they_are(evaluate: Evaluate, expression: str, value: object) -> None:
    """A name that the jobspec does not know is for the client, so it stays as it is written."""
    assert evaluate(expression) == value


MISTAKES = [
    ("[1][5]", "Invalid index; .*greater than or equal to the length of the collection"),
    ("[1][-1]", "Invalid index; .*negative number"),
    ("[1][0.5]", "Invalid index; .*fractional part"),
    ("[][0]", "Invalid index; .*no elements"),
    ('[1]["a"]', "Invalid index; .*: a number is required"),
    ("[1][null]", "Invalid index; Can't use a null value"),
    ("null[0]", "Attempt to index null value; "),
    ("null.a", "Attempt to get attribute from null value; "),
    ("1[0]", "Invalid index; This value does not have any indices"),
    ("{ a = 1 }[5]", "Invalid index; .*not by numeric index"),
    ("{ a = 1 }.b", 'Unsupported attribute; This object does not have an attribute named "b"'),
    ("convert({ a = 1 }, map(number)).b", 'Missing map element; .* key "b"'),
    ('"x".y', "Unsupported attribute; Can't access attributes on a primitive-typed value \\(string\\)"),
    ("[{ a = 1 }].a", "Unsupported attribute; This value does not have any attributes"),
    ("convert([{ a = 1 }], list(any)).a", 'Unsupported attribute; .*list of objects.*attribute "a"'),
    ("convert([1], set(number))[0]", "Invalid index; Elements of a set"),
    ('"a" + 1', "Invalid operand; Unsuitable value for left operand: a number is required"),
    ("1 && true", "Invalid operand; Unsuitable value for left operand: bool required"),
    ("!5", "Invalid operand; Unsuitable value for unary operand: bool required"),
    ("-[]", "Invalid operand; Unsuitable value for unary operand: number required"),
    ("null + 1", "Operation failed; .*must not be null"),
    ("1 / 0", "Operation failed; .*division by zero"),
    ("1 % 0", "Operation failed; .*division by zero"),
    ("null ? 1 : 2", "Null condition; "),
    ('"maybe" ? 1 : 2', "Incorrect condition type; "),
    ("true ? [1] : { a = 1 }", "Inconsistent conditional result types; .*'true' value is tuple, but .* object"),
    ("true ? 1 : true", "Inconsistent conditional result types; .*'true' value is number, but .* bool"),
    (
        "true ? [1] : [{}, 2]",
        "Inconsistent conditional .*'true' tuple has length 1, but the 'false' tuple has length 2",
    ),
    (
        "true ? { a = 1 } : { b = [] }",
        "Inconsistent conditional .*'true' value includes object attribute \"a\", which is",
    ),
    ("true ? { a = 1 } : { a = 1, b = [] }", "Inconsistent .*'false' value includes object attribute \"b\", which is"),
    ('true ? { a = "x" } : convert({}, map(number))', "Inconsistent .*'?true'? result value has the wrong type"),
    ("convert([{ a = 1 }], set(any)).a", "Unsupported attribute; .*set of objects.*across all elements of the set"),
    (
        "true ? { a = 1, b = [] } : { a = 1, b = {} }",
        'Inconsistent conditional .*attribute "b": The .true. value is tuple',
    ),
    ("true ? [1, []] : [1, {}]", "Inconsistent conditional .*tuple element 1"),
    ("[for x in 5 : x]", "Iteration over non-iterable value; A value of type number"),
    ("[for x in null : x]", "Iteration over null value; "),
    ("[for x in [1, 2] : x if nope]", "Invalid 'for' condition; .*a bool is required"),
    ("[for x in [1] : x if null]", "Invalid 'for' condition; .*must not be null"),
    ("{ for x in [1, 1] : x => x }", 'Duplicate object key; .*key "1"'),
    ("{ for x in [null] : x => 1 }", "Invalid object key; .*null"),
    ("{ for x in [[]] : x => 1 }", "Invalid object key; .*string required"),
    ("{ a.b = 1 }", "Ambiguous attribute key; "),
    ("{ (null) = 1 }", "Null value as key; "),
    ("{ ([1]) = 1 }", "Incorrect key type; "),
    ("max(5...)", "Invalid expanding argument value; .*tuple, list, or set"),
    ("max(null...)", "Invalid expanding argument value; .*null"),
]


@pytest.mark.parametrize(("expression", "pattern"), MISTAKES)
def test_mistake(complaint: Callable[[str], str], expression: str, pattern: str) -> None:
    """A wrong use is told in the words that Nomad has for it."""
    assert re.match(pattern, complaint(expression)), complaint(expression)


def test_every_mistake_is_told_once(findings: Callable[[str], tuple[object, ...]]) -> None:
    """A mistake in a loop's condition that has nothing to do with the element is one finding, not one a round."""
    found = findings('job "j" {\n  priority = length([for x in range(9) : x if nope(1)])\n}\n')
    assert [str(finding).split(";")[0] for finding in found] == [
        "input.hcl:2,47-51: Call to unknown function",
        "input.hcl:2,14-21: Unsuitable value type",
    ]
