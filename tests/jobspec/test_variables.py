"""Input variables and locals: types, defaults, values from outside, and the order among locals."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from herdsman.jobspec import JobspecError, parse

from .conftest import Evaluate, Findings

JOB = '\njob "j" {\n}\n'

TYPES = [
    ("string", 5, "5"),
    ("string", True, "true"),
    ("number", "1.5", 1.5),
    ("number", 7, 7),
    ("bool", "true", True),
    ("any", [1, "a"], [1, "a"]),
    ("list(string)", [1, "a"], ["1", "a"]),
    ("list(any)", [1, "a"], ["1", "a"]),
    ("set(number)", [3, 1, 3], [1, 3]),
    ("map(number)", {"a": "1", "b": 2}, {"a": 1, "b": 2}),
    ("object({ a = number, b = list(string) })", {"a": "1", "b": [2], "c": 3}, {"a": 1, "b": ["2"]}),
    ("tuple([string, number])", [1, "2"], ["1", 2]),
    ("map(list(object({ port = number })))", {"a": [{"port": "80"}]}, {"a": [{"port": 80}]}),
]


@pytest.mark.parametrize(("ty", "given", "value"), TYPES)
def test_types(evaluate: Evaluate, ty: str, given: object, value: object) -> None:
    """A value from outside is converted to the variable's type, and parts that the type does not name are dropped."""
    declared = f'variable "v" {{\n  type = {ty}\n}}\n'
    found = evaluate("[var.v]", before=declared, variables={"v": given})
    assert found == [value]


UNFIT = [
    ("number", "x", "a number is required"),
    ("bool", 5, "bool required"),
    ("string", [], "string required"),
    ("list(number)", [1, "b"], "a number is required"),
    ("list(string)", "a", "list of string required"),
    ("list(any)", ["a", []], "all list elements must have the same type"),
    ("object({ a = number })", {}, 'attribute "a" is required'),
    ("object({ a = number, b = string, c = bool })", {}, 'attributes "a", "b", and "c" are required'),
    ("object({ a = number })", {"a": []}, 'attribute "a": number required'),
    ("tuple([string])", [1, 2], "tuple required"),
    ("map(number)", {"a": []}, 'element "a": number required'),
]


@pytest.mark.parametrize(("ty", "given", "reason"), UNFIT)
def test_a_value_of_the_wrong_type(findings: Findings, ty: str, given: object, reason: str) -> None:
    """A value that does not fit is refused with the reason; it has no place if it was not given as text."""
    (finding,) = findings(f'variable "v" {{\n  type = {ty}\n}}{JOB}', variables={"v": given})
    assert str(finding) == (
        "<nil>: Invalid value for variable; The value for v is not compatible with the variable's type constraint: "
        f"{reason}."
    )


SOURCES: list[str | Mapping[str, object]] = [
    'a = "x"\nb = [1, 2]\n',
    "a = <<EOT\nx\nEOT\nb = [1, 2]\nignored = { c = 1 }\n",
    '{"a": "x", "b": [1, 2], "ignored": null}',
    ' \n{"a": "x", "b": [1, 2]}\n',
    {"a": "x", "b": (1, 2), "ignored": {"c": 1}},
]


@pytest.mark.parametrize("variables", SOURCES)
def test_values_from_outside(evaluate: Evaluate, variables: str | Mapping[str, object]) -> None:
    """Values come as assignments, as one JSON object or as a mapping; those that nothing declares are let pass."""
    declared = 'variable "a" {}\nvariable "b" {}\n'
    assert evaluate("[trimspace(var.a), var.b]", before=declared, variables=variables) == ["x", [1, 2]]


def test_nothing_in_a_given_value_is_a_template(evaluate: Evaluate) -> None:
    """A value from JSON or a mapping is taken as it is, whatever marks are in it."""
    assert evaluate("var.a", before='variable "a" {}\n', variables='{"a": "${b} %{if} $${c}"}') == "${b} %{if} $${c}"
    assert evaluate("var.a", before='variable "a" {}\n', variables={"a": "${b}"}) == "${b}"


def test_json_numbers_keep_their_digits(evaluate: Evaluate) -> None:
    """A number that no float holds is exact all the same."""
    declared = 'variable "a" {}\n'
    assert evaluate('"${var.a}"', before=declared, variables='{"a": 0.1}') == 0.1
    assert evaluate('"x${var.a + 1}"', before=declared, variables='{"a": 12345678901234567890123}') == (
        "x12345678901234567890124"
    )


BAD_VALUES: list[tuple[str | Mapping[str, object], str]] = [
    ("a = \n", "input.hcl:1,5-2,1: Invalid expression"),
    ('a = upper("x")\n', "input.hcl:1,5-15: Function calls not allowed; Functions may not be called here."),
    ("a = b\n", "input.hcl:1,5-6: Variables not allowed; Variables may not be used here."),
    ("a {\n}\n", 'input.hcl:1,1-2: Unexpected "a" block; Blocks are not allowed here.'),
    ('{"a": [}', "input.hcl:1,1-2: Invalid JSON; The variables are not one JSON object"),
    ('{"a": NaN}', "input.hcl:1,1-2: Invalid JSON; The variables are not one JSON object: NaN is not JSON"),
    ({"a": object()}, "invalid variables: a value of type object has no place in a job"),
    ({"a": float("inf")}, "invalid variables: the result is not a finite number"),
]


@pytest.mark.parametrize(("variables", "start"), BAD_VALUES)
def test_values_that_cannot_be_read(variables: str | Mapping[str, object], start: str) -> None:
    """What is no value is refused as a mistake of the jobspec would be."""
    with pytest.raises(JobspecError) as error:
        parse('variable "a" {}' + JOB, variables=variables)
    assert str(error.value).startswith(f"Failed to parse job: {start}")


DEFAULTS = [
    ("default = 5", 5),
    ("type = string\n  default = 5", "5"),
    ("type = list(string)\n  default = []", []),
    ("type = object({ a = string })\n  default = { a = 1, b = 2 }", {"a": "1"}),
    ("type = string\n  default = null", None),
]


@pytest.mark.parametrize(("declared", "value"), DEFAULTS)
def test_defaults(evaluate: Evaluate, declared: str, value: object) -> None:
    """A variable that is not given has its default, converted to its type; a default of null is one, too."""
    assert evaluate("[var.v]", before=f'variable "v" {{\n  {declared}\n}}\n') == [value]


def test_a_default_gives_the_type(findings: Findings) -> None:
    """Without a type, a primitive default says of which type the variable is."""
    (finding,) = findings('variable "v" {\n  default = 5\n}' + JOB, variables={"v": "x"})
    assert finding.detail.endswith("a number is required.")


def test_variables_block(evaluate: Evaluate) -> None:
    """Several variables may be declared by their defaults in one block."""
    declared = 'variables {\n  a = "x"\n  b = [1]\n}\n'
    assert evaluate("[var.a, var.b]", before=declared, variables={"a": "y"}) == ["y", [1]]


def test_unset_variables_are_all_told(findings: Findings) -> None:
    """Each variable without a default and without a value is told, before anything that uses it."""
    found = findings('variable "a" {}\nvariable "b" {}\njob "j" {\n  name = nope(var.a)\n}\n')
    assert [(finding.place, finding.summary) for finding in found] == [
        ("<nil>", 'Unset variable "a"'),
        ("<nil>", 'Unset variable "b"'),
    ]


DECLARATIONS = [
    ('variable "a" {}\nvariable "a" {}', "2,1-13: Duplicate variable; Duplicate a variable definition found."),
    ("variable {\n}", "1,10-11: Missing name for variable; "),
    ('variable "a" {\n  typ = string\n}', '2,3-6: Unsupported argument; .* Did you mean "type"[?]'),
    ('variable "a" {\n  type = strin\n}', '2,10-15: Invalid type specification; The keyword "strin" is not a valid'),
    ('variable "a" {\n  type = list\n}', "2,10-14: Invalid type specification; The list type constructor requires one"),
    ('variable "a" {\n  type = list()\n}', "Invalid type specification; The list type constructor requires one"),
    ('variable "a" {\n  type = string(1)\n}', 'Invalid type specification; Primitive type keyword "string" does not'),
    ('variable "a" {\n  type = any(1)\n}', 'Invalid type specification; Type constraint keyword "any" does not'),
    ('variable "a" {\n  type = foo(1)\n}', 'Invalid type specification; Keyword "foo" is not a valid type construc'),
    ('variable "a" {\n  type = "string"\n}', "Invalid type specification; A type specification is either a primitive"),
    ('variable "a" {\n  type = object([])\n}', "Invalid type specification; Object type constructor requires a map"),
    ('variable "a" {\n  type = object({ "b" = any })\n}', "Object constructor map keys must be attribute names[.]"),
    ('variable "a" {\n  type = tuple({})\n}', "Invalid type specification; Tuple type constructor requires a list"),
    (
        'variable "a" {\n  type = number\n  default = "x"\n}',
        "3,13-16: Invalid default value for variable; .* type constraint: a number is required[.]",
    ),
    ('variable "a" {\n  default = b\n}', "2,13-14: Variables not allowed; "),
    ('variable "a" {\n  default = "x${b}"\n}', "Variables not allowed; "),
    ('variable "a" {\n  default = upper("x")\n}', "Function calls not allowed; "),
    ('variable "a" {\n  validation {\n  }\n}', "Missing required argument; "),
]


@pytest.mark.parametrize(("declared", "pattern"), DECLARATIONS)
def test_bad_declaration(findings: Findings, declared: str, pattern: str) -> None:
    """A variable that is not well declared is told whether or not it has a value."""
    text = str(findings(declared + JOB, variables={"a": "1"})[0])
    assert re.search(pattern, text), text


VALIDATED = """variable "a" {
  type = string
  validation {
    condition     = regex_replace(var.a, "[a-z]", "") == ""
    error_message = "Small letters only."
  }
}
"""


def test_validation(evaluate: Evaluate, findings: Findings) -> None:
    """A value that a validation rule does not accept is told in the rule's words."""
    assert evaluate("var.a", before=VALIDATED, variables={"a": "abc"}) == "abc"
    (finding,) = findings(VALIDATED + JOB, variables={"a": "a1"})
    assert str(finding).startswith("input.hcl:4,21-60: Invalid value for variable; Small letters only.")
    assert finding.detail.endswith("validation rule at input.hcl:3,3-13.")


def test_a_validation_that_is_no_condition(findings: Findings) -> None:
    """A condition has to be true or false."""
    declared = 'variable "a" {\n  validation {\n    condition = [var.a]\n    error_message = "No."\n  }\n}\n'
    assert findings(declared + JOB, variables={"a": 1})[0].summary == "Invalid variable validation result"


LOCALS = [
    ("a = local.b + 1\n  b = local.c + 1\n  c = 1", "local.a", 3),
    ('a = "${local.b}-x"\n  b = upper("y")', "local.a", "Y-x"),
    ("a = [for x in local.b : x * 2]\n  b = [1, 2]", "local.a", [2, 4]),
    ('a = local["b"]\n  b = 1', "local.a", 1),
    ("a = { b = 1 }\n  c = local.a.b", "local.c", 1),
    ("a = keys(local)\n  b = 1\n  c = 2", "local.a", ["b", "c"]),
    ("a = attr.kernel.name", "local.a", "${attr.kernel.name}"),
    ("a = var.v", "local.a", "given"),
]


@pytest.mark.parametrize(("written", "expression", "value"), LOCALS)
def test_locals(evaluate: Evaluate, written: str, expression: str, value: object) -> None:
    """Locals may use each other in any order, and variables."""
    declared = f'variable "v" {{}}\nlocals {{\n  {written}\n}}\n'
    assert evaluate(expression, before=declared, variables={"v": "given"}) == value


def test_locals_of_several_blocks_are_one_set(evaluate: Evaluate) -> None:
    """It does not matter in which `locals` block a local is."""
    assert evaluate("local.a", before="locals {\n  a = local.b\n}\nlocals {\n  b = 1\n}\n") == 1


USES = ["jsonencode(local.a)", 'format("%v", local.a)', "sort(local.a)", "max(local.a...)", "setunion(local.a, [1])"]


@pytest.mark.parametrize("expression", USES)
def test_what_uses_a_bad_local_adds_no_mistake(findings: Findings, expression: str) -> None:
    """A local with a mistake somewhere inside may be used anywhere; the mistake is told once, where it is."""
    found = findings(f"locals {{\n  a = [1, nope()]\n  b = {expression}\n}}{JOB}")
    assert [str(finding).partition(";")[0] for finding in found] == ["input.hcl:2,11-15: Call to unknown function"]


BAD_LOCALS = [
    ("a = local.b\n  b = local.a", '2,3-4: Circular locals; These locals need each other, .*: "a", "b"[.]'),
    ("a = local.a", '2,3-4: Circular locals; .*: "a"[.]'),
    ("a = local.c", '2,12-14: Unsupported attribute; This object does not have an attribute named "c"[.]'),
    ("a = 1\n}\nlocals {\n  a = 2", "5,3-4: Duplicate value in locals; Duplicate a definition found[.]"),
    ("a {\n  }", 'Unexpected "a" block; Blocks are not allowed here[.]'),
    ("a = nope()", "Call to unknown function; "),
]


@pytest.mark.parametrize(("written", "pattern"), BAD_LOCALS)
def test_bad_locals(findings: Findings, written: str, pattern: str) -> None:
    """Locals in a circle, missing ones and double ones are told where they are written."""
    text = str(findings(f"locals {{\n  {written}\n}}{JOB}")[0])
    assert re.search(pattern, text), text
