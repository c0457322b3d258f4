"""Where a field stands, found again from the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.locate import Places, locate

TEXT = b"""\
# two documents
a: 1
---
kind: Job
spec:
  canary:
    canary: 5
    weight: [10, {x: y}]
  quoted: "text"
  block: |
    one
    two
  ? explicit
  : value
steps:
  - run: a
  -
    run: b
"""


@pytest.mark.parametrize(
    ("loc", "place"),
    [
        ((), (4, 1)),
        (("kind",), (4, 7)),
        (("spec",), (6, 3)),
        (("spec", "canary", "weight", 0), (8, 14)),
        (("spec", "canary", "weight", 1, "x"), (8, 22)),
        (("spec", "quoted"), (9, 11)),
        (("spec", "block"), (10, 10)),
        (("spec", "explicit"), (14, 5)),
        (("steps", 1, "run"), (18, 10)),
        # a field that is missing: its parent's place
        (("spec", "missing"), (6, 3)),
        (("spec", "canary", "weight", 7), (8, 13)),
        (("nothing", "at", "all"), (4, 1)),
        # pydantic's names of union members in between; one of them is a field's name too
        (("Job", "spec", "quoted"), (9, 11)),
        (("spec", "canary", "canary"), (7, 13)),
        (("spec", "canary", "canary", "weight", 0), (8, 14)),
        (("spec", "blue", "canary", "canary", "canary"), (7, 13)),
    ],
)
def test_a_loc_leads_to_a_place(loc: tuple[str | int, ...], place: tuple[int, int]) -> None:
    """Values are found through tags of unions, going back where a tag equals a field's name."""
    assert locate("a.yaml", TEXT, 1, loc) == place


@pytest.mark.parametrize(
    ("loc", "place"), [(("spec", "quoted"), (9, 3)), (("steps", 1, "run"), (18, 5)), (("spec", "canary"), (6, 3))]
)
def test_a_key_has_a_place_of_its_own(loc: tuple[str | int, ...], place: tuple[int, int]) -> None:
    """For an unknown field it is the key that is pointed at."""
    assert Places("a.yaml", TEXT).find(1, loc, at_key=True) == place


def test_a_list_element_has_no_key() -> None:
    """Where there is no key, the value is pointed at."""
    assert Places("a.yaml", TEXT).find(1, ("spec", "canary", "weight", 0), at_key=True) == (8, 14)


def test_documents_are_told_apart() -> None:
    """The index counts documents from 0; beyond them there is nothing."""
    places = Places("a.yaml", TEXT)
    assert places.find(0, ("a",)) == (2, 4)
    assert places.find(2, ("a",)) is None
    assert places.find(-1, ("a",)) is None
    assert locate("a.yaml", TEXT, 2, ("a",)) == (1, 1)


def test_a_broken_file_is_known_up_to_the_break() -> None:
    """What stands before a syntax error can still be found, and of equal keys the first one is meant."""
    places = Places("a.yaml", b"a: 1\na: 2\nb: [1\nc: d: e")
    assert places.find(0, ("a",), at_key=True) == (1, 1)


def test_json_is_located_too() -> None:
    """The same question, asked of a .json file."""
    assert locate("a.json", b'{\n  "a": {"b": [1,\n   2]}\n}', 0, ("a", "b", 1)) == (3, 4)


@given(st.lists(st.sampled_from(["a", "canary", 0, 1, "x"]), max_size=40))
def test_any_loc_has_an_answer_at_once(loc: list[str | int]) -> None:
    """However long and odd a loc is, looking it up ends quickly, inside the document."""
    place = Places("a.yaml", b"a: {a: {a: [a, {canary: {canary: x}}]}}").find(0, tuple(loc))
    assert place is not None
    assert place.line == 1
