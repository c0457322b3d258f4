"""The spec file of a deployment: what is written is what was meant, and what is read back is what was written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import sealed
from herdsman.core.reader import read
from herdsman.platform.documents import document, dump, load, path_of
from herdsman.platform.errors import NotNow

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t:#&*!|>'\"%@`{}[],-?"))
NAMES = st.from_regex(r"[A-Za-z]\w{0,9}", fullmatch=True)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


@given(values=st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), VALUES, max_size=4))
def test_any_value_comes_back_as_it_was(values: dict[str, Any]) -> None:
    """Through our own reader of YAML 1.2, whatever YAML 1.1 would take a text for."""
    made = document("lab", "d", {"parameters": {"general": values}})

    assert load("d.yaml", dump(made)) == made


@pytest.mark.parametrize("text", ["yes", "1e3", "0o17", "0x1f", "1_000", "12:30", "2026-01-01", "null", "~", "", " a "])
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    """Both generations of YAML agree on them."""
    made = document("lab", "d", {"title": text})

    assert read("d.yaml", dump(made))[0].value["spec"]["title"] == text


def test_what_is_encrypted_stands_there_as_a_block() -> None:
    """So that a person sees what it is, and a diff shows its lines."""
    content = dump(document("lab", "d", {"parameters": {"general": {"password": sealed("geheim")}}}))

    assert b"password: |\n        -----BEGIN AGE ENCRYPTED FILE-----\n" in content
    assert b"geheim" not in content


@pytest.mark.parametrize("data", [b"a: 1\n---\nb: 2\n", b"- a\n", b"", b"a: }", b"a: &x 1\nb: *x\n"])
def test_a_file_that_is_not_ours_alone_is_left_alone(data: bytes) -> None:
    """Several documents, none, or what cannot be read: refused with the place where it is kept."""
    with pytest.raises(NotNow) as refused:
        load("x.yaml", data)
    assert "x.yaml" in refused.value.hint


def test_each_deployment_has_a_file_of_its_own() -> None:
    """In the folder of its namespace."""
    assert path_of("lab", "8c3b") == "deployments/lab/8c3b.yaml"
