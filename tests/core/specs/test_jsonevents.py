"""JSON files: strict JSON, with the same rules as YAML for keys, depth, size and numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.problems import Problem
from herdsman.core.reader import read

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1, -2.5e3, true, false, null, "x"]}', {"a": [1, -2500.0, True, False, None, "x"]}),
        ('"\\ud83d\\ude00 \\/ \\u00e9"', "😀 / é"),
        ('{\n\t"a":\t"b"\n}\n', {"a": "b"}),
        ("[]", []),
        ('{"": {}}', {"": {}}),
    ],
)
def test_json_is_read(text: str, expected: object) -> None:
    """Values, surrogate pairs and tabs are read as JSON means them."""
    assert [raw.value for raw in read("a.json", text.encode())] == [expected]


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_file_has_no_documents(text: str) -> None:
    """Nothing declares nothing."""
    assert read("a.json", text.encode()) == ()


@pytest.mark.parametrize(
    ("text", "message", "hint", "place"),
    [
        ('{"a": 1,\n "a": 2}', 'the key "a" is given twice', "first at line 1; keep one", (2, 2)),
        ('{"a": 1, "\\u0061": 2}', 'the key "a" is given twice', "first at line 1; keep one", (1, 10)),
        (
            '{"a": 1,}',
            "not JSON: expected a key in double quotes",
            "JSON has no comma after the last element",
            (1, 9),
        ),
        ("[1,]", "not JSON: expected a value", "JSON has no comma after the last element", (1, 4)),
        ("{'a': 1}", "not JSON: expected a key in double quotes or }", "JSON text stands in double quotes", (1, 2)),
        ("{a: 1}", "not JSON: expected a key in double quotes or }", "", (1, 2)),
        ('{"a" 1}', "not JSON: expected a colon", "", (1, 6)),
        ("[1 2]", "not JSON: expected a comma or ]", "", (1, 4)),
        ('{"a": 1 "b": 2}', "not JSON: expected a comma or }", "", (1, 9)),
        ('{"a": 01}', "not JSON: expected a value after the colon", "", (1, 7)),
        ('{"a": +1}', "not JSON: expected a value after the colon", "", (1, 7)),
        ('{"a": NaN}', "not JSON: expected a value after the colon", "", (1, 7)),
        ("{} {}", "not JSON: expected the end of the file", "", (1, 4)),
        ("// x\n{}", "not JSON: expected a value", "JSON has no comments", (1, 1)),
        ('["x', "not JSON: expected a value or ]", "a quote is never closed", (1, 2)),
        ('["x\ny"]', "not JSON: expected a value or ]", "a quote is never closed", (1, 2)),
        ("[1", "not JSON: the file ends too early; expected a comma or ]", "", (1, 3)),
        (
            '["\\ud800"]',
            "not JSON: this text holds a raw tab, or an escape that means nothing",
            r"write \t for a tab, \\ for a backslash",
            (1, 2),
        ),
        ('["\\u0000"]', "the character U+0000 is not allowed", "", (1, 2)),
        ("[1e999]", "the number is too large", "put it in quotes if it is a text", (1, 2)),
        (
            "[" + "9" * 5000 + "]",
            "whole numbers beyond 64 bits are not supported",
            "put it in quotes if it is a text",
            (1, 2),
        ),
        ("[" * 65 + "]" * 65, "more than 64 lists and mappings inside one another", "", (1, 65)),
        ("}", "not JSON: expected a value", "", (1, 1)),
        ('{"a":}', "not JSON: expected a value after the colon", "", (1, 6)),
        ("[}", "not JSON: expected a value or ]", "", (1, 2)),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(text: str, message: str, hint: str, place: tuple[int, int]) -> None:
    """Each mistake is told with line, column, what was expected and what to do."""
    with pytest.raises(Problem) as caught:
        read("a.json", text.encode())
    assert (caught.value.message, caught.value.hint, caught.value.place) == (message, hint, place)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_what_python_writes_is_read_back(value: object, ascii_only: bool, indent: int | None) -> None:
    """Any JSON value survives being written and read, whatever the layout."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if any(not (c.isprintable() or c in "\n\t") for c in text):
        return  # raw control characters have a test of their own
    expected = [] if value is None else [value]
    assert [raw.value for raw in read("a.json", text.encode())] == expected


@given(st.text('{}[],:"\\ truefalsn0123.eE+-\n', max_size=40))
def test_what_is_accepted_is_what_the_standard_library_accepts(text: str) -> None:
    """Nothing that is no JSON gets through, and nothing that is JSON is refused but for our own stricter rules."""
    try:
        ours = [raw.value for raw in read("a.json", text.encode())]
    except Problem as problem:
        if problem.message.startswith("not JSON"):
            with pytest.raises(ValueError):
                json.loads(text)
        return
    if text.strip(" \n\t"):
        assert ours == [v for v in [json.loads(text)] if v is not None]
