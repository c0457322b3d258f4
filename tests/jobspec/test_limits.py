"""Jobspecs that ask for too much: each ends in an error that says so, and soon."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping

import pytest

from herdsman.jobspec import JobspecError, declared_variables, functions_used, parse

N = 3000
DEEP = "Nesting too deep; Blocks and brackets may nest at most 64 levels deep."
WORK = "Evaluating this job specification takes more work than any job needs."
LARGE = "A value is larger than 2 MiB."
DEEP_VALUE = "A value nests deeper than 100 levels."


def priority(expression: str) -> str:
    return f'job "j" {{\n  priority = {expression}\n}}\n'


def doubling(step: str) -> str:
    """Sixty locals, each made of the one before it."""
    rows = [f"  l{at} = {step.replace('LAST', f'local.l{at - 1}')}\n" for at in range(1, 60)]
    return "locals {\n  l0 = [1]\n  s0 = 1\n" + "".join(rows) + '}\njob "j" {\n}\n'


NESTED = {
    "parentheses": priority("(" * N + "1" + ")" * N),
    "open parentheses": priority("(" * N),
    "brackets": priority("[" * N + "]" * N),
    "braces": priority("{ a = " * N + "}" * N),
    "blocks": 'job "j" {\n' + "a {\n" * N,
    "templates": priority('"${' * N + "1" + '}"' * N),
    "if directives": priority('"' + "%{ if true }" * N + "%{ endif }" * N + '"'),
    "for directives": priority('"' + "%{ for a in b }" * N + "%{ endfor }" * N + '"'),
    "not": priority("!" * N + "true"),
    "minus": priority("-" * N + "1"),
    "conditionals": priority("true ? 1 : " * N + "2"),
    "calls": priority("abs(" * N + "1" + ")" * N),
    "indexes": priority("a" + "[b]" * N),
    "splats": priority("a" + "[*]" * N),
    "for": priority("[for a in " * N + "b" + ": a]" * N),
    "types": 'variable "v" {\n  type = ' + "list(" * N + "any" + ")" * N + "\n}\n",
}


@pytest.mark.parametrize("source", NESTED.values(), ids=NESTED)
def test_deep_nesting(source: str) -> None:
    """Whatever nests, nests at most so deep."""
    for function in (parse, declared_variables, functions_used):
        with pytest.raises(JobspecError) as error:
            function(source)
        assert DEEP in str(error.value)


LONG = {
    "a sum": priority("0" + " + 1 * 0" * N + " + 50"),
    "names": priority("[for a in [50] : a][0]" + " + [0][0]" * N),
    "a template": priority('"5${0}' + '${null == 1 ? 1 : ""}' * N + '"'),
    "parentheses in a row": priority("0" + " + (0)" * N + " + 50"),
    "as deep as may be": priority("(" * 60 + "50" + ")" * 60),
}


@pytest.mark.parametrize("source", LONG.values(), ids=LONG)
def test_long_is_not_deep(source: str) -> None:
    """A row of any length is no nesting."""
    assert parse(source)["Priority"] == 50


TOO_MUCH = {
    "a range in a range": (priority("[for a in range(1000) : [for b in range(1000) : 1]]"), WORK),
    "texts of a range in a range": (priority('join("", [for a in range(1000) : join("", range(1000))])'), WORK),
    "concatenated lists": (doubling("concat(flatten([LAST]), flatten([LAST]))"), "Job specification too complex; "),
    "lists of lists": (doubling("[LAST, LAST]"), LARGE),
    "texts": (doubling('"${jsonencode(LAST)}${jsonencode(LAST)}"'), "Job specification too complex; "),
    "a deep value": (doubling("[[LAST]]"), DEEP_VALUE),
    "a product": (priority("setproduct(range(1000), range(1000), range(1000))"), LARGE),
    "an indentation": (priority('indent(1000000, "\\n\\n\\n")'), LARGE),
    "replacements": (priority(f'replace("{"a" * N}", "", "{"b" * N}")'), LARGE),
    "a separator": (priority(f'join("{"a" * N}", range(1000))'), LARGE),
    "a width": (priority('format("%1000000000d", 1)'), "is larger than 100000."),
    "a precision": (priority('format("%.1000000000f", 1)'), "is larger than 100000."),
    "many widths": (priority('format("' + "%99999s" * 100 + '", range(100)...)'), LARGE),
    "a range": (priority("range(1000000000)"), "more than 1024 values were generated"),
    "a power": (priority("pow(10, 1000000)"), "the result is not a finite number"),
    "a product of large numbers": (priority("1e4000 * 1e4000"), "the result is out of range"),
    "an exponent": (priority("1e999999999"), "Failed to recognize the value of this number literal."),
    "a hash": (priority('bcrypt("x", 31)'), WORK),
    "hashes": (priority('[for a in range(1000) : bcrypt("x", 16)]'), WORK),
    "yaml aliases": (
        priority(
            'yamldecode("a: &a [x,x,x,x,x,x,x,x,x]\\n'
            + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
            + '")'
        ),
        LARGE,
    ),
    "nested yaml": (priority(f'yamldecode("{"[" * N}")'), DEEP_VALUE),
    "nested json": (priority(f'jsondecode("{"[" * 500}{"]" * 500}")'), DEEP_VALUE),
    "blocks": (
        'job "j" {\n dynamic "group" {\n for_each = range(1000)\n labels = [group.value]\n content {\n'
        ' dynamic "task" {\n for_each = range(1000)\n labels = ["a"]\n content {\n }\n}\n}\n}\n}\n',
        WORK,
    ),
    "a pattern": (priority('regex_replace("x", "((a{1000}){1000}){1000}", "")'), "expression too large"),
}


@pytest.mark.parametrize(("source", "reason"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much(source: str, reason: str) -> None:
    """No value is larger, and no work longer, than a job needs."""
    with pytest.raises(JobspecError) as error:
        parse(source)
    assert reason in str(error.value)


def test_a_limit_is_told_with_its_place() -> None:
    """It is said which argument asked for too much."""
    with pytest.raises(JobspecError) as error:
        parse(priority("setproduct(range(1000), range(1000), range(1000))"))
    (finding,) = error.value.diagnostics
    assert (finding.line, finding.column, finding.summary) == (2, 14, "Job specification too complex")


def _deep_list() -> list[object]:
    value: list[object] = []
    for _ in range(N):
        value = [value]
    return value


OUTSIDE: list[tuple[str | Mapping[str, object], str]] = [
    ({"a": "x" * (3 << 20)}, LARGE),
    ({"a": _deep_list()}, DEEP_VALUE),
    ('{"a": ' + "[" * 500 + "]" * 500 + "}", DEEP_VALUE),
    ("a = " + "[" * N, DEEP),
]


@pytest.mark.parametrize(("variables", "reason"), OUTSIDE)
def test_values_from_outside(variables: str | Mapping[str, object], reason: str) -> None:
    """What comes from outside is held to the same limits."""
    with pytest.raises(JobspecError) as error:
        parse('variable "a" {}\njob "j" {\n}\n', variables=variables)
    assert reason in str(error.value)


def test_from_a_deep_stack() -> None:
    """Where the caller has left no room to read what is allowed to nest, that is told as too deep, too."""

    def descend(levels: int) -> dict[str, object]:
        return descend(levels - 1) if levels else parse(priority("(" * 60 + "50" + ")" * 60))

    with pytest.raises(JobspecError, match="It nests too deeply"):
        descend(sys.getrecursionlimit() - len(inspect.stack(0)) - 100)


def test_a_source_has_a_size() -> None:
    """A text far larger than any job is not read at all."""
    with pytest.raises(JobspecError, match="larger than 2 MiB"):
        parse("#" * (3 << 20))
