"""Filter expressions of list endpoints."""

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnomad.structs.replay import answer
from herdsman.devnomad.structs.filters import FilterError, compile_filter

ITEM: dict[str, Any] = {
    "ID": "ct-list-1",
    "Priority": 50,
    "Stop": False,
    "Share": 0.5,
    "Meta": {"odd": "1", "a.b": "c", "x/y": "z"},
    "Datacenters": ["dc1", "dc2"],
    "Numbers": [1, 2],
    "Periodic": None,
    "Empty": {},
    "TaskGroups": [{"Name": "g", "Count": 3}],
    "Nothing": [],
}
HOLDS = [
    'Meta["odd"] == "1"',
    "Meta.odd == 1",
    "Meta.odd == `1`",
    '"/Meta/odd" == "1"',
    '"/Meta/x~1y" == z',
    'Meta["a.b"] == c',
    'ID matches "^ct-list-[12]$"',
    "ID not matches `^x`",
    "ID contains list",
    '"list" in ID',
    "ID not contains nope",
    "Meta.nope != 1",
    "Meta.nope is empty",
    "Meta.nope not matches a",
    "x not in Meta.nope",
    "odd in Meta",
    "dc1 in Datacenters",
    "Datacenters contains dc2",
    '"dc3" not in Datacenters',
    "2 in Numbers",
    "Priority == 50",
    "Priority==50",
    "Priority != 51",
    "Share == 0.5",
    "Stop == false",
    "not Stop == true",
    "Periodic is empty",
    "Empty is empty",
    "Meta is not empty",
    "TaskGroups.0.Name == g",
    "TaskGroups.0.Count == 3",
    "( Priority == 50 )",
    "Priority == 1 or Priority == 50",
    "Priority == 50 and not (Stop == true or ID == x)",
    "Priority == 1 and Stop == true or ID is not empty",
    " \n Priority == 50\t",
    "any Datacenters as d { d == dc2 }",
    'all Datacenters as d {d matches "^dc" }',
    "all Datacenters as number, d { d contains dc and number != 7 }",
    "any Meta as key { key == odd }",
    "any Meta as key, value { key == odd and value == 1 }",
    "any Meta as _ , value { value == z }",
    "any TaskGroups as g { g.Count == 3 and Stop == false }",
    "any Meta as k, v { any Datacenters as d { d == dc1 and v == c } }",
    "all Nothing as x { x == 1 }",
    "not any Nothing as x { x == 1 }",
    "not any Meta.nope as x { x == 1 }",
    "all Periodic as x { x == 1 }",
]


@pytest.mark.parametrize("text", HOLDS)
def test_an_expression_holds(text: str) -> None:
    """Every operator, selector and kind of value of the documented grammar; its opposite does not hold."""
    assert compile_filter(text)(ITEM) is True
    assert compile_filter(f"not ({text})")(ITEM) is False


@pytest.mark.parametrize(
    "text",
    [
        "Meta.nope == 1",
        "Meta.nope is not empty",
        "Meta.nope matches a",
        "x in Meta.nope",
        "Periodic.Enabled == true",
        "TaskGroups.9.Name == g",
        "Priority == 1 and Priority == 50",
    ],
)
def test_what_is_not_there_matches_nothing(text: str) -> None:
    """A key that a map does not have, or a block that is not there, is no error."""
    assert compile_filter(text)(ITEM) is False


WRONG = {
    "ID = 3": '1:4 (3): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \\t\\r\\n]',
    "": '1:1 (0): no match found, expected: "(", "-", "0", "\\"", "`", "all", "any", "not", [ \\t\\r\\n], [1-9] '
    "or [a-zA-Z]",
    "ID == 3 or": "1:11 (10): no match found, expected: [ \\t\\r\\n]",
    "ID ==\n== 3": '2:1 (6): no match found, expected: "-", "0", "\\"", "`", [ \\t\\r\\n], [1-9] or [a-zA-Z]',
    "(ID == 3": '1:9 (8): rule "grouping": Unmatched parentheses',
    'ID == "x': '1:9 (8): rule "string": Unterminated string literal',
    "ID == 3x": '1:8 (7): rule "number": Invalid number literal',
    "Meta[odd] == 1": '1:6 (5): rule "index": Invalid index',
    "x in 32": '1:6 (5): rule "match": Invalid selector',
    "any A { x == 1 }": '1:7 (6): no match found, expected: "as" or [ \\t\\r\\n]',
    "any A as b": '1:11 (10): no match found, expected: ",", "{", [ \\t\\r\\n] or [a-zA-Z0-9_/]',
    'Meta["odd" == 1': '1:12 (11): rule "index": Unclosed index expression',
}


@pytest.mark.parametrize(("text", "want"), WRONG.items())
def test_an_error_says_where_and_what_was_expected(text: str, want: str) -> None:
    """Line, column and offset, and everything that could have stood there."""
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    assert str(caught.value) == f"failed to read filter expression: {want}"


def test_an_error_is_worded_as_recorded() -> None:
    """The server puts its own words before it."""
    with pytest.raises(FilterError) as caught:
        compile_filter("ID ==== 3")
    assert answer("list_jobs", "bad filter") == f"failed to create result paginator: {caught.value}"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (
            "Nope == 1",
            'error finding value in datum: /Nope at part 0: couldn\'t find key: struct field with name "Nope"',
        ),
        ("Priority == high", 'strconv.ParseInt: parsing "high": invalid syntax'),
        ("Stop == maybe", 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        ("Share == much", 'strconv.ParseFloat: parsing "much": invalid syntax'),
        ("Meta == 1", 'Cannot perform equality operations on type map for selector: "Meta"'),
        ("Priority is empty", 'Cannot perform is empty/is not empty operations on type int for selector: "Priority"'),
        ("1 in Priority", 'Cannot perform in/contains operations on type int for selector: "Priority"'),
        ("Priority matches a", 'Value of type int is not convertible to []byte for "Priority"'),
    ],
)
def test_what_an_item_cannot_be_asked_is_an_error(text: str, want: str) -> None:
    """A field that is not there, a value of another type, an operator that the type does not know."""
    with pytest.raises(FilterError) as caught:
        compile_filter(text)(ITEM)
    assert str(caught.value) == want


def test_a_broken_pattern_is_found_before_anything_is_filtered() -> None:
    """A regular expression is read with the filter."""
    with pytest.raises(FilterError, match=r"error parsing regexp: missing closing \]: `\[`"):
        compile_filter('ID matches "["')


def test_an_expression_nested_too_deeply_is_refused() -> None:
    """Depth is an error like any other."""
    with pytest.raises(FilterError, match="nested too deeply"):
        compile_filter("(" * 5_000 + "ID == 1" + ")" * 5_000)


_WORDS = st.sampled_from(
    [
        "ID",
        "Meta.odd",
        "==",
        "!=",
        "in",
        "not",
        "and",
        "or",
        "is",
        "empty",
        "matches",
        "(",
        ")",
        '"x"',
        "5",
        "`",
        '"',
        "[",
        " ",
    ]
)


def _told(text: str) -> str:
    """What an expression says of the item, or what is wrong with it."""
    try:
        return str(compile_filter(text)(ITEM))
    except FilterError as e:
        return str(e)


@given(st.lists(_WORDS, max_size=12).map(" ".join) | st.text(max_size=20))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """No text brings the reader down."""
    assert re.match(r"True|False|failed to read filter expression: |error finding|Cannot|strconv|Value", _told(text))


def test_only_collections_have_elements() -> None:
    """`any` of a text is refused: there is nothing to look at one by one."""
    with pytest.raises(FilterError, match="only lists and maps have elements"):
        compile_filter("any ID as x { x == 1 }")(ITEM)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^ct", "ct-list", True),
        ("list$", "a list", True),
        ("list$", "list\n", False),
        ("(?i)LIST", "a list", True),
        (r"\d", "\u0661", False),
        (r"\pL+$", "\u00e9", True),
        ("a{2,3}b", "aaab", True),
        ("[[:digit:]]", "a1", True),
        ("[a-c]+x", "abcx", True),
        ("x|y", "y", True),
    ],
)
def test_patterns_are_gos(pattern: str, text: str, found: bool) -> None:
    """A pattern means what Go's engine takes it for, also where Python's takes it for something else."""
    assert compile_filter(f"Name matches `{pattern}`")({"Name": text}) is found


@given(st.text("a*+()|^$b", min_size=1, max_size=30))
def test_no_pattern_runs_away(pattern: str) -> None:
    """Whatever the pattern, a filter is refused or ends soon."""
    try:
        wanted = compile_filter(f"Name matches `{pattern}`")
    except FilterError:
        return
    began = time.monotonic()
    wanted({"Name": "a" * 60 + "!"})
    assert time.monotonic() - began < 2
