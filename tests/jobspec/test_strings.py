"""Strings: escapes, templates, directives, heredocs and normalisation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Evaluate

QUOTED = [
    (r'"a\tb\nc\rd"', "a\tb\nc\rd"),
    (r'"\"q\" \\"', '"q" \\'),
    (r'"\u00e9 \U0001F600"', "é 😀"),
    ('"$${a} %%{b}"', "${a} %{b}"),
    ('"$$$${a}"', "$$${a}"),
    ('"100% $5 $"', "100% $5 $"),
    ('"%"', "%"),
    ('""', ""),
    ('"a${1}b${true}c${null == null}"', "a1btruectrue"),
    ('"${"${"x"}"}"', "x"),
    ('"${upper("in \\"quotes\\"")}"', 'IN "QUOTES"'),
    ('"${{ a = "}" }.a}"', "}"),
    ('"  ${~ "x" ~}  y"', "xy"),
    ('"a ${ "b" ~} c"', "a bc"),
    ('"${\n1 +\n2}"', 3),
    ('"%{ if true }yes%{ else }no%{ endif }"', "yes"),
    ('"%{ if false }yes%{ else }no%{ endif }"', "no"),
    ('"[%{ if false }yes%{ endif }]"', "[]"),
    ('"%{ for x in ["a", "b"] }<${x}>%{ endfor }"', "<a><b>"),
    ('"%{ for i, x in ["a"] }${i}${x}%{ endfor }"', "0a"),
    ('"%{ for x in [1, 2] ~} ${x} %{~ endfor }"', "12"),
    ('"%{ for x in [1, 2] }%{ if x == 1 }one%{ else }more%{ endif }%{ endfor }"', "onemore"),
]


@pytest.mark.parametrize(("text", "value"), QUOTED)
def test_quoted(evaluate: Evaluate, text: str, value: object) -> None:
    """A quoted string has its escapes resolved and its templates filled in."""
    assert evaluate(text) == value


HEREDOCS = [
    ("<<EOT\nhello\n  world\nEOT", "hello\n  world\n"),
    ("<<EOT\nhello\n  EOT", "hello\n"),
    ("<<EOT\nEOT", ""),
    ('<<EOT\na\\tb $${x} "q"\nEOT', 'a\\tb ${x} "q"\n'),
    ("<<EOT\n${1 + 1}\n%{ if true }x%{ endif }\nEOT", "2\nx\n"),
    ("<<EOT\nnot EOT\nEOTx\nEOT", "not EOT\nEOTx\n"),
    ("<<-EOT\n    a\n      b\n    c\n    EOT", "a\n  b\nc\n"),
    ("<<-EOT\n    a\n\n      b\n  EOT", "a\n\n  b\n"),
    ("<<-EOT\n    a\n  \n    b\n  EOT", "a\n  \nb\n"),
    ("<<-EOT\n  a\nb\n  EOT", "  a\nb\n"),
    ("<<-EOT\n    ${1}\n      ${2}\n    EOT", "1\n  2\n"),
    # A line that begins with a template mark has no indentation, so nothing is taken from any line.
    ("<<-EOT\n    a\n${1}\n    EOT", "    a\n1\n"),
    ("<<-EOT\n    a\n%{ if true }\n    b\n%{ endif }\n    EOT", "    a\n\n    b\n\n"),
    # What ~ has eaten no longer ends a line, so the next text does not begin one.
    ("<<-EOT\n    x\n  %{ for i in [1, 2] ~}\n    ${i}\n  %{ endfor ~}\n    EOT", "  x\n    1\n    2\n"),
    ("<<-EOT\n\ta\n\t\tb\n\tEOT", "a\n\tb\n"),
    ("<<EOT\r\na\r\nEOT\r", "a\r\n"),
]


@pytest.mark.parametrize(("text", "value"), HEREDOCS)
def test_heredoc(evaluate: Evaluate, text: str, value: str) -> None:
    """A heredoc is taken as it is, and one with a dash without the indentation that its lines share."""
    assert evaluate(text + "\n") == value


def test_strings_are_normalised(evaluate: Evaluate) -> None:
    """A letter and its accent become one character, in keys and labels too."""
    assert evaluate('"e\u0301"') == "\u00e9"
    assert evaluate('{ "e\u0301" = "\\u0065\\u0301" }') == {"\u00e9": "\u00e9"}


def test_half_a_surrogate_pair_is_replaced(evaluate: Evaluate) -> None:
    """What cannot be written in UTF-8 becomes the replacement character."""
    assert evaluate('"a\ud800b"') == "a\ufffdb"


MISTAKES = [
    ('"a${null}"', "Invalid template interpolation value; The expression result is null"),
    (
        '"a${[1]}"',
        "Invalid template interpolation value; Cannot include the given value in a string template: string required",
    ),
    ('"%{ for x in 5 }a%{ endfor }"', "Iteration over non-iterable value"),
    ('"%{ if [] }a%{ endif }"', "Incorrect condition type"),
]


@pytest.mark.parametrize(("text", "start"), MISTAKES)
def test_mistake_in_a_template(complaint: Callable[[str], str], text: str, start: str) -> None:
    """What has no text cannot be part of one."""
    assert complaint(text).startswith(start)
