"""Mistakes: what is said about them, where, and how several are told together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from herdsman.jobspec import Diagnostic, JobspecError, parse

from .conftest import Findings

MISTAKES = json.loads((Path(__file__).parent / "data" / "mistakes.json").read_text())
TASK = 'job "j" {{\n  group "g" {{\n    task "t" {{\n      driver = "d"\n{}\n    }}\n  }}\n}}\n'


@pytest.mark.parametrize("case", MISTAKES, ids=[case["name"] for case in MISTAKES])
def test_recorded_mistake(case: dict[str, str]) -> None:
    """What a real Nomad 2.0.5 answered to these texts, of which the part before the semicolon was recorded."""
    with pytest.raises(JobspecError) as error:
        parse(case["source"])
    assert str(error.value).partition(";")[0] == case["text"]


SYNTAX = [
    ('job "x" {\n', "1,9-10: Unclosed configuration block"),
    ('job "x" {\n  a = [1,\n', "3,1-1: Missing expression"),
    ('job "x" {\n  a = [1\n', "2,7-8: Unterminated tuple constructor expression"),
    ('job "x" {\n  a = { b = 1', "2,7-8: Unterminated object constructor expression"),
    ('job "x" {\n  a = f("a"\n', "2,7-9: Unterminated function call"),
    ('job "x" {\n  a = <<EOT\nabc\n}\n', "5,1-1: Unterminated template string"),
    ('job "x" {\n  a = "abc\n}\n', "2,11-3,1: Invalid multi-line string"),
    ('job "x" {\n  a = (1\n}\n', "3,1-2: Unbalanced parentheses"),
    ('job "x" {\n  a = [1 2]\n}\n', "2,10-11: Missing item separator"),
    ('job "x" {\n  a = { b = 1 c = 2 }\n}\n', "2,15-16: Missing attribute separator"),
    ('job "x" {\n  a = { b 1 }\n}\n', "2,11-12: Missing key/value separator"),
    ('job "x" {\n  a = { b\n}\n}\n', "2,10-3,1: Missing attribute value"),
    ('job "x" {\n  a = f(1 2)\n}\n', "2,11-12: Missing argument separator"),
    ('job "x" {\n  a = b::c\n}\n', "2,11-3,1: Missing open parenthesis"),
    ('job "x" {\n  a = { b c = 1 }\n}\n', "2,11-12: Missing key/value separator"),
    ('job "x" {\n  a = [for x in []: x...]\n}\n', "2,22-25: Invalid 'for' expression"),
    ('job "x" {\n  a = [for x, 5 in []: x]\n}\n', "2,15-16: Invalid 'for' expression"),
    ('job "x" {\n  a = b.*.(c)\n}\n', "2,11-12: Invalid attribute name"),
    ('job "x" {\n  a = b[*\n}\n', "2,10-3,1: Missing close bracket on splat index"),
    ('job "x" {\n  a = "%{ if a b }%{ endif }"\n}\n', "2,16-17: Extra characters in if marker"),
    ('job "x" {\n  a = "%{ 5 }"\n}\n', "2,11-12: Invalid template directive"),
    ('job "x" {\n  a = "%{ if a }%{ else }%{ else }%{ endif }"\n}\n', "2,26-35: Unexpected else directive"),
    ('job "x" {\n  a = "%{ for a in b }%{ else }%{ endfor }"\n}\n', "2,23-32: Unexpected else directive"),
    ('job "x" {\n  a = "%{ for a in b }%{ endif }"\n}\n', "2,23-33: Unexpected endif directive"),
    ('job "x" {\n  a = "${b', "2,8-10: Unclosed template interpolation sequence"),
    ('job "x" {\n  a = "${b:-c}"\n}\n', "2,11-12: Extra characters after interpolation expression"),
    ('job "x" {\n  a = f(1..., 2)\n}\n', "2,10-13: Missing closing parenthesis"),
    ('job "x" {\n  a = b ? 1\n}\n', "2,12-3,1: Missing false expression in conditional"),
    ('job "x" {\n  a = b[1\n}\n', "3,1-2: Missing close bracket on index"),
    ('job "x" {\n  a = b.\n}\n', "2,9-3,1: Invalid attribute name"),
    ('job "x" {\n  a = b.*.*.c\n}\n', "2,11-12: Nested splat expression not allowed"),
    ('job "x" {\n  a = b.0.1\n}\n', "2,9-12: Invalid legacy index syntax"),
    ('job "x" {\n  a = ::b()\n}\n', "2,7-9: Invalid expression"),
    ('job "x" {\n  a = b::\n}\n', "2,10-3,1: Missing function name"),
    ('job "x" {\n  a = 1e99999\n}\n', "2,7-14: Invalid number literal"),
    ('job "x" {\n  a = 1.2.3\n}\n', "2,7-12: Invalid number literal"),
    ('job "x" {\n  a = [for x of []: x]\n}\n', "2,14-16: Invalid 'for' expression"),
    ('job "x" {\n  a = [for x in [] x]\n}\n', "2,20-21: Invalid 'for' expression"),
    ('job "x" {\n  a = [for x in []: x => 1]\n}\n', "2,21-22: Invalid 'for' expression"),
    ('job "x" {\n  a = { for x in []: x }\n}\n', "2,22-23: Invalid 'for' expression"),
    ('job "x" {\n  a = "\\q"\n}\n', "2,8-10: Invalid escape sequence"),
    ('job "x" {\n  a = "\\u12"\n}\n', "2,8-12: Invalid escape sequence"),
    ('job "x" {\n  a = "\\ud800"\n}\n', "2,8-14: Invalid escape sequence"),
    ('job "x" {\n  a = "%{ fi }x"\n}\n', "2,11-13: Invalid template control keyword"),
    ('job "x" {\n  a = "%{ if true }x"\n}\n', "2,21-22: Unexpected end of template"),
    ('job "x" {\n  a = "x%{ endif }"\n}\n', "2,9-19: Unexpected endif directive"),
    ('job "x" {\n  a = "%{ if true }%{ endfor }"\n}\n', "2,20-31: Unexpected endfor directive"),
    ('job "x" {\n  a = "${b c}"\n}\n', "2,12-13: Extra characters after interpolation expression"),
    ('job "${b}" {\n}\n', "1,6-8: Invalid string literal"),
    ('job "x" = {\n}\n', "1,9-10: Invalid block definition"),
    ('job "x"\n{\n}\n', "1,8-2,1: Invalid block definition"),
    ('job "x" {\n} b = 1\n', "2,3-4: Missing newline after block definition"),
    ('job "x" {\n  a = 1 b = 2\n}\n', "2,9-10: Missing newline after argument"),
    ('job "x" {\n  a = 1,\n}\n', "2,8-9: Unexpected comma after argument"),
    ('job "x" { a = 1, b = 2 }\n', "1,16-17: Invalid single-argument block definition"),
    ('job "x" { b {} }\n', "1,11-14: Argument definition required"),
    ('job "x" {\n  "a" = 1\n}\n', "2,3-4: Invalid argument name"),
    ('job "x" {\n  a\n}\n', "2,3-4: Argument or block definition required"),
    ('job "x" {\n  a = 1\n  a = 2\n}\n', "3,3-4: Attribute redefined"),
    ("job 'x' {\n}\n", "1,5-6: Invalid character"),
    ('job "x" {\n  a = 1 & 2\n}\n', "2,9-10: Unsupported operator"),
    ('job "x" {\n  a = @\n}\n', "2,7-8: Invalid character"),
    ('job "x" {\n  /* a\n}\n', "2,3-4: Argument or block definition required"),
]


@pytest.mark.parametrize(("source", "start"), SYNTAX)
def test_syntax(source: str, start: str) -> None:
    """What cannot be read is told with the place where reading stopped making sense."""
    with pytest.raises(JobspecError) as error:
        parse(source)
    assert str(error.value).startswith(f"Failed to parse job: input.hcl:{start}; ")


def test_characters_that_are_nothing_are_counted() -> None:
    """Of several characters that the language does not have, the first is told and the others are counted."""
    with pytest.raises(JobspecError, match=r"and 2 other diagnostic\(s\)$") as error:
        parse("job 'x' {\n  a = ;\n}\n")
    assert len(error.value.diagnostics) == 3


CONTENT = [
    ("      a = 1", '5,7-8: Unsupported argument; An argument named "a" is not expected here.'),
    ('      drver = "x"', 'Unsupported argument; .* "drver" is not expected here.$'),
    ('      use = "x"', 'Unsupported argument; .* Did you mean "user"[?]$'),
    ("      config = {}", 'Unsupported argument; .* Did you mean to define a block of type "config"[?]$'),
    ("      resorces {\n      }", 'Unsupported block type; .* Did you mean "resources"[?]$'),
    (
        "      user {\n      }",
        'Unsupported block type; .* Did you mean to define argument "user"[?] If so, use the equals',
    ),
    (
        "      resources {\n      }\n      resources {\n      }",
        "7,7-16: Duplicate resources block; .* at input.hcl:5,7-16.$",
    ),
    ('      resources "a" {\n      }', "5,17-20: Extraneous label for resources; No labels are expected"),
    ("      action {\n      }", "5,14-15: Missing name for action; All action blocks must have 1 labels [(]name[)].$"),
    ('      action "a" "b" {\n      }', "5,18-21: Extraneous label for action; Only 1 labels [(]name[)] are expected"),
    ("      leader = 5", "5,16-17: Unsuitable value type; Unsuitable value: bool required$"),
    ('      leader = "True"', 'Unsuitable value: a bool is required; to convert from string, use lowercase "true"$'),
    ("      driver2 = nope()", 'Unsupported argument; An argument named "driver2"'),
    ("      user = nope()", 'Call to unknown function; There is no function named "nope".$'),
    ('      user = uper("a")', 'Call to unknown function; There is no function named "uper". Did you mean "upper"[?]$'),
    ("      user = [1]", "5,14-15: Unsuitable value type; Unsuitable value: string required$"),
    ("      kill_timeout = true", "Unsuitable value type; Unsuitable value: expected a string but found bool$"),
    ('      kill_timeout = "10"', 'Unsuitable duration value: time: missing unit in duration "10"$'),
    ('      kill_timeout = "1d"', 'Unsuitable duration value: time: unknown unit "d" in duration "1d"$'),
    ('      kill_timeout = ""', 'Unsuitable duration value: time: invalid duration ""$'),
    ('      kill_timeout = "999999999h"', "Unsuitable duration value: time: invalid duration"),
    ("      resources {\n        cpu = 1.5\n      }", "Unsuitable value: value must be a whole number, between -9"),
    ('      resources {\n        cpu = "x"\n      }', "Unsuitable value: a number is required$"),
    ('      vault {\n        policies = "x"\n      }', "Unsuitable value: list of string required$"),
    ('      vault {\n        policies = ["x", null]\n      }', "Unsuitable value: null value is not allowed$"),
    ("      meta {\n        a {\n        }\n      }", 'Unexpected "a" block; Blocks are not allowed here.$'),
    ("      meta {\n        a = [1]\n      }", "6,13-14: Unsuitable value type; Unsuitable value: string required$"),
    ("      meta = { a = [] }", 'Unsuitable value: element "a": string required$'),
    ('      scaling "disk" {\n      }', 'Invalid scaling policy name; scaling policy name must be "cpu" or "mem".$'),
    (
        "      identity {\n      }\n      identity {\n      }",
        "Duplicate identity block; Only one identity block in a task",
    ),
    (
        "      dynamic {\n      }",
        "5,15-16: Missing type for dynamic; All dynamic blocks must have 1 labels [(]type[)].$",
    ),
    (
        '      dynamic "nope" {\n      }',
        '5,15-21: Unsupported block type; Blocks of type "nope" are not expected here.$',
    ),
    ('      dynamic "action" {\n      }', 'Missing required argument; The argument "for_each" is required'),
    ('      dynamic "env" {\n        for_each = [1]\n      }', "Missing dynamic content block; "),
    (
        '      dynamic "env" {\n        for_each = 1\n        content {\n        }\n      }',
        "6,20-21: Invalid dynamic for_each value; Cannot use a number value in for_each. An iterable",
    ),
    (
        '      dynamic "action" {\n        for_each = [1]\n        labels = "a"\n        content {\n        }\n      }',
        "7,19-20: Invalid expression; A static list expression is required.$",
    ),
    (
        '      dynamic "action" {\n        for_each = [1]\n        labels = [null]\n'
        "        content {\n        }\n      }",
        "7,19-23: Invalid dynamic block label; Cannot use a null value as a dynamic block label.$",
    ),
    (
        '      dynamic "action" {\n        for_each = [1]\n        labels = [[]]\n'
        "        content {\n        }\n      }",
        "7,19-21: Invalid dynamic block label; Cannot use this value as a dynamic block label: string required.$",
    ),
    (
        '      dynamic "env" {\n        for_each = null\n        content {\n        }\n      }',
        "Invalid dynamic for_each value; Cannot use a null value in for_each.$",
    ),
    (
        '      dynamic "env" {\n        for_each = [1]\n        iterator = "x"\n        content {\n        }\n      }',
        "7,20-23: Invalid dynamic iterator name; Dynamic iterator must be a single variable name.$",
    ),
    (
        '      dynamic "env" {\n        for_each = [1]\n        labels = ["a"]\n        content {\n        }\n      }',
        '7,19-22: Extraneous dynamic block label; Blocks of type "env" require 0 label[(]s[)].$',
    ),
    (
        '      dynamic "action" {\n        for_each = [1]\n        content {\n        }\n      }',
        '5,7-23: Insufficient dynamic block labels; Blocks of type "action" require 1 label[(]s[)].$',
    ),
    (
        '      dynamic "env" {\n        for_each = [1]\n        content {\n        }\n'
        "        content {\n        }\n      }",
        "9,9-16: Extraneous dynamic content block; Only one nested content block is allowed",
    ),
]


@pytest.mark.parametrize(("inside", "pattern"), CONTENT)
def test_content(findings: Findings, inside: str, pattern: str) -> None:
    """What can be read but has no place in a task, or is of the wrong type, is told with its place."""
    text = str(findings(TASK.format(inside))[0])
    assert re.search(pattern, text), text
    assert text.startswith("input.hcl:")


FILES = [
    ("\n", "1,1-1: Missing job block; A job block is required"),
    ("variables {\n  a = 1\n}\n", "1,1-1: Missing job block; A job block is required"),
    (
        'job "a" {\n}\njob "b" {\n}\n',
        'Duplicate job block; Only one block of type "job" is allowed. Previous definition was at input.hcl:1,1-8.',
    ),
    ("job {\n}\n", "1,5-6: Missing name for job; All job blocks must have 1 labels (name)."),
    ('job "a" {\n  group {\n  }\n}\n', "2,9-10: Missing name for group; All group blocks must have 1 labels (name)."),
    (
        'jbo "a" {\n}\n',
        '1,1-4: Unsupported block type; Blocks of type "jbo" are not expected here. Did you mean "job"?',
    ),
    ('a = 1\njob "a" {\n}\n', '1,1-2: Unsupported argument; An argument named "a" is not expected here.'),
]


@pytest.mark.parametrize(("source", "text"), FILES)
def test_file(findings: Findings, source: str, text: str) -> None:
    """A file has one job with a name, and besides it only variables and locals."""
    assert str(findings(source)[0]).endswith(text)


def test_an_empty_text_is_no_jobspec() -> None:
    """Nothing at all is told in other words than a file without a job."""
    with pytest.raises(JobspecError, match=r"^Job spec is empty$") as error:
        parse("")
    assert error.value.diagnostics == ()


def test_every_mistake_has_a_line() -> None:
    """One parse tells all mistakes of the content, each in its line."""
    with pytest.raises(JobspecError) as error:
        parse(TASK.format("      a = 1\n      user = nope()\n      resources {\n        cpu = true\n      }"))
    assert str(error.value).splitlines() == [
        'Failed to parse job: input.hcl:5,7-8: Unsupported argument; An argument named "a" is not expected here.',
        'input.hcl:6,14-18: Call to unknown function; There is no function named "nope".',
        "input.hcl:6,14-19: Unsuitable value type; Unsuitable value: value must be known",
        "input.hcl:8,15-19: Unsuitable value type; Unsuitable value: number required",
    ]


def test_a_diagnostic_knows_its_place() -> None:
    """Whoever prints a mistake gets the file, the line and the column by themselves."""
    with pytest.raises(JobspecError) as error:
        parse('job "a" {\n  bogus = 1\n}\n', filename="web.nomad.hcl")
    assert error.value.diagnostics == (
        Diagnostic(
            summary="Unsupported argument",
            detail='An argument named "bogus" is not expected here.',
            filename="web.nomad.hcl",
            line=2,
            column=3,
            place="web.nomad.hcl:2,3-8",
        ),
    )


COLUMNS = [
    ("/* é */ a = 1", 9),
    ("/* e\u0301 */ a = 1", 9),
    ("/* 👨‍👩‍👧 */ a = 1", 9),
    ("/* 🇫🇷🇩🇪 */ a = 1", 10),
    ("/* \uac00\u11a8\u1100\u1161 */ a = 1", 10),
    ("\t\ta = 1", 3),
]


@pytest.mark.parametrize(("line", "column"), COLUMNS)
def test_columns_count_what_a_reader_counts(findings: Findings, line: str, column: int) -> None:
    """A letter with its accent, a family and a flag take one column each, and so does a tab."""
    finding = findings(f'job "a" {{\n{line}\n}}\n')[0]
    assert (finding.line, finding.column) == (2, column)


def test_a_job_in_json_is_told_to_be_no_hcl(findings: Findings) -> None:
    """Nomad's words leave one puzzled about a JSON document, so there is a hint beside them."""
    (finding,) = findings('{"Job": {"ID": "a"}}')
    assert finding.summary == "Argument or block definition required"
    assert "JSON document" in finding.hint


def test_a_file_of_nothing_but_mistakes_ends(findings: Findings) -> None:
    """There is a last mistake that is told."""
    found = findings('job "a" {\n' + "".join(f"  a{at} = 1\n" for at in range(5000)) + "}\n")
    assert len(found) == 200
