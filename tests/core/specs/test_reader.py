"""YAML text to values: the core schema of YAML 1.2, and what is refused, with its place."""

import math

import pytest
import yaml

from herdsman.core import yamlevents
from herdsman.core.problems import Problem
from herdsman.core.reader import BlockText, read
from herdsman.core.yamlevents import DEEPEST


@pytest.fixture(params=["C", "Python"], autouse=True)
def parser(request, monkeypatch):
    """Every test runs on both of PyYAML's parsers."""
    if request.param == "C" and not yaml.__with_libyaml__:
        pytest.skip("PyYAML without libyaml")
    monkeypatch.setattr(yamlevents, "_PARSER", yaml.CSafeLoader if request.param == "C" else yaml.SafeLoader)


def values(text: str) -> list[object]:
    return [raw.value for raw in read("a.yaml", text.encode())]


def problem(data: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        read("a.yaml", data)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("False", False),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("0o8", "0o8"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-11-24", "2026-11-24"),
        ("1e3", 1000.0),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1.5E-3", -0.0015),
        (".", "."),
        ("inf", "inf"),
        ("nan", "nan"),
        ("<<", "<<"),
        ("=", "="),
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("00000000000000000000000000000001", 1),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("''", ""),
        ('"\\u00e9\\t"', "é\t"),
        ("!!seq []", []),
        ("!!map {}", {}),
    ],
)
def test_scalars_follow_the_core_schema(text: str, expected: object) -> None:
    """A scalar means what YAML 1.2's core schema says, with its exact type."""
    [document] = values(f"a: {text}")
    assert document == {"a": expected}
    assert type(document["a"]) is type(expected)


@pytest.mark.parametrize(
    ("data", "message", "hint", "place"),
    [
        (b"a: 1\nb: 2\na: 3", 'the key "a" is given twice', "first at line 1; keep one", (3, 1)),
        (b"x:\n  - {a: 1}\n  - {b: 1, b: 2}", 'the key "b" is given twice', "first at line 3; keep one", (3, 12)),
        (b"a: 1\n'a': 1", 'the key "a" is given twice', "first at line 1; keep one", (2, 1)),
        (b"a: 1\n---\nb: 1\nb: 2", 'the key "b" is given twice', "first at line 3; keep one", (4, 1)),
        (
            b"a: &x 1",
            "anchors (&name) are not supported",
            'write the value out, or put the text in quotes: "&…"',
            (1, 4),
        ),
        (
            b"a: &x {b: 1}",
            "anchors (&name) are not supported",
            'write the value out, or put the text in quotes: "&…"',
            (1, 4),
        ),
        (
            b"a: *x",
            "aliases (*name) are not supported",
            'write the value out, or put the text in quotes: "*…"',
            (1, 4),
        ),
        (b"a: !env X", 'the tag "!env" is not supported', "put a text that begins with ! in quotes", (1, 4)),
        (b"a: !!set {b}", 'the tag "!!set" is not supported', "put a text that begins with ! in quotes", (1, 4)),
        (b"a: !!binary aGk=", 'the tag "!!binary" is not supported', "put a text that begins with ! in quotes", (1, 4)),
        (b"a: !!int x", 'the text "x" is not what its tag says', "", (1, 4)),
        (b"<<: {a: 1}", "merging with << is not supported", "write the values out", (1, 1)),
        (b"1: x", "a key must be a text", 'put it in quotes: "1"', (1, 1)),
        (b"a:\n  true: x", "a key must be a text", 'put it in quotes: "true"', (2, 3)),
        (b"~: x", "a key must be a text", 'put it in quotes: "~"', (1, 1)),
        (b"? [a]\n: x", "a key must be a text", "a list or a mapping cannot be a key", (1, 3)),
        (b"{{a: 1}: x}", "a key must be a text", "a list or a mapping cannot be a key", (1, 2)),
        (b"a: .inf", "endless numbers and .nan are not supported", "put it in quotes if it is a text", (1, 4)),
        (b"a: -.INF", "endless numbers and .nan are not supported", "put it in quotes if it is a text", (1, 4)),
        (b"a: .NaN", "endless numbers and .nan are not supported", "put it in quotes if it is a text", (1, 4)),
        (b"a: 1e999", "the number is too large", "put it in quotes if it is a text", (1, 4)),
        (
            b"a: 18446744073709551616",
            "whole numbers beyond 64 bits are not supported",
            "put it in quotes if it is a text",
            (1, 4),
        ),
        (
            b"a: " + b"1" * 5000,
            "whole numbers beyond 64 bits are not supported",
            "put it in quotes if it is a text",
            (1, 4),
        ),
        (
            b"a: 0x" + b"f" * 200_000,
            "whole numbers beyond 64 bits are not supported",
            "put it in quotes if it is a text",
            (1, 4),
        ),
        (
            b"a: b\x00c",
            "the control character U+0000 is not allowed",
            "remove it, or write it as an escape in double quotes",
            (1, 5),
        ),
        (
            b"a: b\n# \x1b[31m",
            "the control character U+001B is not allowed",
            "remove it, or write it as an escape in double quotes",
            (2, 3),
        ),
        (b'a: "\\0"', "the character U+0000 is not allowed", "", (1, 4)),
        (b"a: 1\nb: \xff", "not UTF-8 text", "save the file as UTF-8", (2, 4)),
        (b"\xff\xfea\x00", "not UTF-8 text", "save the file as UTF-8", (1, 1)),
        ("é: \udcff".encode("utf-8", "surrogateescape"), "not UTF-8 text", "save the file as UTF-8", (1, 4)),
        (
            b"a" * (256 * 1024 + 1),
            "the file has 262,145 bytes, more than the 262,144 that a spec file may have",
            "split it, or move large content elsewhere",
            None,
        ),
    ],
)
def test_what_could_surprise_is_refused_with_its_place(
    data: bytes, message: str, hint: str, place: tuple[int, int] | None
) -> None:
    """Each refused construct is named, with what to do and with line and column."""
    found = problem(data)
    assert (found.message, found.hint, found.place) == (message, hint, place)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a: [*]", 'an unquoted * begins an alias; put the text in quotes, like "*"'),
        ("a: b: c", 'put a text that contains ": " in quotes, and check the indentation'),
        ("a: @x", "put a text that begins with @, ` or % in quotes"),
        ("a:\n\tb: c", "indent with spaces, not with tabs"),
        ('a: "x', "a quote is never closed"),
        ('a: "\\q"', "in double quotes a backslash begins an escape; write \\\\, or use single quotes"),
        ("a: [1,", "a [ or { is never closed, or there is a comma too many"),
        ("a:\n  - b\n c: d", "check the indentation, and the quotes, of this line and the one before"),
        ("a\nb: c", 'put a text that contains ": " in quotes, and check the indentation'),
    ],
)
def test_syntax_errors_of_every_day_come_with_advice(text: str, hint: str) -> None:
    """A syntax error keeps YAML's words and says what usually is the cause."""
    found = problem(text.encode())
    assert found.message.startswith("not YAML: ")
    assert found.hint == hint
    assert found.place is not None


def test_deepest_nesting_is_exact() -> None:
    """64 lists inside one another are read, one more is refused where it begins."""
    assert values("[" * DEEPEST + "]" * DEEPEST)
    found = problem(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))
    assert found.message == "more than 64 lists and mappings inside one another"
    assert found.place == (1, DEEPEST + 1)


def test_documents_are_counted_and_empty_ones_left_out() -> None:
    """Comments and empty documents declare nothing, but they count."""
    raws = read("a.yaml", b"# nothing\n---\n---\na: 1\n...\n---\n# only a comment\n---\n- x\n")
    assert [(r.index, r.value, tuple(r.place)) for r in raws] == [(1, {"a": 1}, (4, 1)), (3, ["x"], (9, 1))]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# a comment\n", b"\xef\xbb\xbf", b"---\n...\n", b"null"])
def test_a_file_without_content_has_no_documents(data: bytes) -> None:
    """An empty file is fine."""
    assert read("a.yaml", data) == ()


def test_a_byte_order_mark_is_no_content() -> None:
    """A UTF-8 BOM moves no column."""
    [raw] = read("a.yaml", b"\xef\xbb\xbfa: 1")
    assert (raw.value, tuple(raw.place)) == ({"a": 1}, (1, 1))


def test_block_texts_are_known_by_their_line() -> None:
    """Where a block text begins is kept, so that errors inside it can be told by the file's lines."""
    [raw] = read("a.yaml", b"spec:\n  hcl: |\n    a\n    b\n  list:\n    - >-\n      x\n      y\n")
    assert raw.value == {"spec": {"hcl": "a\nb\n", "list": ["x y"]}}
    assert raw.blocks == {
        ("spec", "hcl"): BlockText(2, folded=False),
        ("spec", "list", 0): BlockText(6, folded=True),
    }


def test_numbers_are_finite() -> None:
    """No float that is read is endless or no number."""
    [document] = values("[1e308, -1e308, 1e-999, 0.1]")
    assert all(math.isfinite(n) for n in document)
