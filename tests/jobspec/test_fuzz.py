"""Whatever the text: the answer is a job or a `JobspecError`, and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herdsman.jobspec import JobspecError, declared_variables, functions_used, parse
from herdsman.jobspec.functions import FUNCTIONS

RECORDED = Path(__file__).parent / "data" / "recorded"
JOBSPECS = [path.read_text() for path in sorted(RECORDED.glob("*.nomad.hcl"))]
HEAD = 'variable "a" {{}}\nlocals {{\n  b = {}\n}}\n'
HEADS = [HEAD.format(value) for value in ("1", "[nope(), 1, { a = nope() }]")]
TASK = 'job "j" {{\n  group "g" {{\n    task "t" {{\n      config {{\n        v = {}\n      }}\n    }}\n  }}\n}}\n'
ARGUMENTS_OF_JOB = 'job "j" {{\n  meta = {0}\n  priority = {0}\n  datacenters = {0}\n}}\n'
PIECES = [
    *('job "j" {', "group", '"g"', "task", "config", "{", "}", "[", "]", "(", ")", "=", ",", "\n", "\r\n", " "),
    *('"', '"${', "${", "%{", "~}", "%{ if a }", "%{ endif }", "%{ for a in b }", "<<EOT\n", "<<-EOT\n", "\nEOT\n"),
    *("for", "in", "if", ":", "?", "=>", "...", ".", "*", "[*]", "/*", "*/", "#", "//", "\\", "\\u", "\\n", "$", "%"),
    *("+", "-", "/", "!", "&&", "||", "==", "<", "~", "0", "1", "0.1", "1e9", "-5", "null", "true", "attr.x", "var.a"),
    *("variable", "locals", "dynamic", "content", "for_each", "labels", "count", '"5m"', "a", "é", "e\u0301", "\ud800"),
]
EXPRESSIONS = st.recursive(
    st.sampled_from(
        [
            *("1", "0.5", "-3", "1e20", "true", "null", '"a"', '"é"', '"5"', '"10.0.0.0/8"', '"2020-01-01T00:00:00Z"'),
            *("attr.x", "var.a", "local.b", "[]", "{}", '"[{]"', '"%d%s"', "string", "range(3)"),
        ]
    ),
    lambda inner: st.one_of(
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{ a = {}, b = {} }}".format, inner, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "%", "==", "<", "&&", "||"]), inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[*].a".format, inner),
        st.builds("[for k, v in {} : [k, v] if {}]".format, inner, inner),
        st.builds("{{ for v in {} : v => {}... }}".format, inner, inner),
        st.builds('"x${{{}}}y%{{ for a in {} }}${{a}}%{{ endfor }}"'.format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, max_size=4).map(", ".join)),
        st.builds("{}({}...)".format, st.sampled_from(sorted(FUNCTIONS)), inner),
    ),
    max_leaves=12,
)


ARGUMENTS = {
    "string": [
        *("", "a", "é\\n", "-5", "1.5", "%d", "%+08.3f|%q", "$1", "(a|b)*", "10.0.0.0/29", "::/64", "dns", "bm8="),
        *(
            "2020-01-31T23:59:59+01:00",
            "-1h30m",
            "EEE, DD MMM YYYY HH:mm:ss 'Z' ZZZ",
            "a,b\\n1,2\\n",
            "[1, {}]",
            "x: [y]",
        ),
    ],
    "number": ["0", "1", "-1", "2.5", "1/3", "62", "1e300", "1e-300", "1e4000", "9223372036854775808"],
    "list": ["[]", "[1, 2]", '["b", "a", "b"]', "[null]", "[[1], [2]]", "convert([1], set(any))"],
    "any": ["null", "true", "{}", "{ a = 1 }", "convert({ a = 1 }, map(any))", "attr.x", "[1, [2, [3]]]", "{ a = [] }"],
}


@st.composite
def calls(draw: st.DrawFn) -> str:
    """A call with as many arguments as the function wants, nearly all of the right type."""
    name = draw(st.sampled_from(sorted(FUNCTIONS)))
    function = FUNCTIONS[name]
    count = len(function.parameters) + (draw(st.integers(0, 3)) if function.rest else 0)
    return f"{name}({', '.join(_argument(draw, function.parameter(at).type.kind) for at in range(count))})"


def _argument(draw: st.DrawFn, kind: str) -> str:
    kinds = sorted(ARGUMENTS) if kind not in ARGUMENTS or kind == "any" or draw(st.integers(0, 9)) == 0 else [kind]
    chosen = draw(st.sampled_from(kinds))
    text = draw(st.sampled_from(ARGUMENTS[chosen]))
    return f'"{text}"' if chosen == "string" else text


def check(source: str) -> None:
    """A job that is JSON, or a `JobspecError`; and the two that only look at a jobspec end as well."""
    with suppress(JobspecError):
        json.dumps(parse(source, variables={"a": {"b": [1, "x"]}}), allow_nan=False)
    for function in (declared_variables, functions_used):
        with suppress(JobspecError):
            function(source)


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text(source: str) -> None:
    """Random characters."""
    check(source)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(source: bytes) -> None:
    """Random bytes, each taken for a character."""
    check(source.decode("latin-1"))


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_pieces(source: str) -> None:
    """Random pieces of the language, alone and where an expression belongs."""
    check(source)
    check(f'job "j" {{\n  meta = {source}\n}}\n')


@given(st.sampled_from(JOBSPECS), st.data())
@settings(deadline=None)
def test_damaged_jobspecs(source: str, data: st.DataObject) -> None:
    """A good jobspec with some stretches taken out, doubled or replaced."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(source)))
        end = min(len(source), start + data.draw(st.integers(0, 30)))
        new = data.draw(st.one_of(st.just(""), st.just(source[start:end] * 2), st.sampled_from(PIECES)))
        source = source[:start] + new + source[end:]
    check(source)


@given(EXPRESSIONS)
@settings(max_examples=400, deadline=None)
def test_any_expression(expression: str) -> None:
    """Well-formed expressions with values of every kind where another kind is expected."""
    for head in HEADS:
        for job in (TASK, ARGUMENTS_OF_JOB):
            check(head + job.format(expression))


@given(calls())
@settings(max_examples=500, deadline=None)
def test_any_call(call: str) -> None:
    """Functions with arguments at the edges of what they take."""
    check(TASK.format(call))


@given(st.lists(st.sampled_from(["(", "[", "{ a = ", '"${', "abs(", "-", "[for x in ", "<<EOT\n${"]), max_size=300))
@settings(deadline=None)
def test_any_nesting(brackets: list[str]) -> None:
    """Brackets of all kinds, nested and never closed."""
    check(f'job "j" {{\n  meta = {"".join(brackets)}')


@pytest.mark.parametrize("source", JOBSPECS, ids=range(len(JOBSPECS)))
def test_every_beginning_of_a_jobspec(source: str) -> None:
    """A jobspec that is cut off anywhere."""
    for end in range(0, len(source), max(1, len(source) // 60)):
        check(source[:end])
