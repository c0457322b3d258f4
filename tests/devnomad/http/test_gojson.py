"""Bodies that the fast decoder refuses."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.devnomad.errors import BadRequest
from herdsman.devnomad.http import gojson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_json_is_read(value: Any) -> None:
    """Whatever is JSON is read as what it is."""
    assert gojson.loads(json.dumps(value).encode()) == value


@given(VALUES, st.text(max_size=3))
def test_what_follows_a_value_is_ignored(value: Any, tail: str) -> None:
    """A decoder stops after the first value, as Go's does."""
    assert gojson.loads(json.dumps([value]).encode() + b" " + tail.encode()) == [value]


@given(st.binary(max_size=20))
def test_anything_else_is_a_bad_request(body: bytes) -> None:
    """Whatever the bytes are, they are read or refused: nothing else happens."""
    with contextlib.suppress(BadRequest):
        gojson.loads(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\\ud800"', "\ufffd"),
        (b'"\xff"', "\ufffd"),
        (b"  [1]  trailing", [1]),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
    ],
)
def test_halves_of_characters_are_replaced(body: bytes, value: Any) -> None:
    """What cannot be encoded becomes the replacement character."""
    assert gojson.loads(body) == value


def test_bottomless_nesting_is_refused() -> None:
    """A body nested without end does not break the server."""
    with pytest.raises(BadRequest, match="exceeded max depth"):
        gojson.loads(b"[" * 200_000)
