"""The rules of policies: what they give, and what is said where they cannot be read."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.devnomad.acl.reader import RulesError
from herdsman.devnomad.acl.rules import parse


@pytest.mark.parametrize(
    "text",
    [
        'namespace "default" { policy = "read" }',
        'namespace "default" {\n  # why\n  policy = "read" // more\n}\n',
        '/* first */ namespace "default" { policy = "read" }',
        '{"namespace": {"default": {"policy": "read"}}}',
        'namespace { policy = "read" }',
    ],
)
def test_rules_are_read_in_every_form(text: str) -> None:
    """HCL with comments, JSON, a block without a label (the default namespace)."""
    assert "read-job" in parse(text).namespaces["default"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('namespace "x" { capabilities = ["read-job" }', "expected ',', got '}'"),
        ('namespace "x" { capabilities = ["read-job"', "expected ',', got 'end of text'"),
        ('namespace "x" { capabilities = [', "expected ']', got 'end of text'"),
        ('namespace "x" { policy = }', "expected 'value', got '}'"),
        ('namespace "x" {', "expected 'identifier', got 'end of text'"),
        ('namespace "x"', "expected '{', got 'end of text'"),
        ('namespace "\\q" {}', "error parsing"),
        ("namespace @", "illegal character"),
        ("a {" * 50, "nested more than 20 deep"),
        ("a " * 50 + "{}", "too many labels"),
        ("[" * 5000, "expected 'identifier'"),
        ("{" * 5000, "error parsing"),
        ('namespace "x" { policy = "fly" }', "Invalid namespace policy: 'fly'"),
        ('namespace "x" { capabilities = "fly" }', "capabilities must be a list of texts"),
        ('namespace "a b" { policy = "read" }', "Invalid namespace name: 'a b'"),
        ('namespace "x" { variables = "all" }', "a rule must be a block"),
        ('namespace "x" { variables { path "p" { capabilities = ["fly"] } } }', "Invalid variable capability 'fly'"),
        ('{"namespace": {"x": {"policy": 5}}}', "must be a text"),
        ('{"namespace": 5}', "a rule must be a block"),
        ('{"node": {"policy": []}}', "Invalid node policy: ''"),
        ('node { policy = "list" }', "Invalid node policy: 'list'"),
        ('rocket "x" {}', "unknown rule 'rocket'"),
    ],
)
def test_rules_that_cannot_be_are_refused(text: str, complaint: str) -> None:
    """Every mistake ends in a sentence about it, and ends."""
    with pytest.raises(RulesError) as caught:
        parse(text)
    assert complaint in str(caught.value)


TOKENS = ("namespace ", "node ", "variables ", "path ", "policy ", "capabilities ", '"x" ', '"read" ', "{", "}", "[")
PARTS = st.lists(st.sampled_from([*TOKENS, "]", "=", ",", ":", " ", "\n", "#", "/*", "*/", "@", '"']), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("namespace", "policy", "capabilities", "variables", "path", "x")), inner)
    ),
    max_leaves=10,
)


@given(PARTS.map("".join) | JSON.map(json.dumps) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader fail in another way, or go on for ever."""
    began = time.monotonic()
    with suppress(RulesError):
        parse(text)
    assert time.monotonic() - began < 2


def test_much_blank_space_is_no_trouble() -> None:
    """A long gap before something wrong is passed once, not in every way there is."""
    began = time.monotonic()
    with pytest.raises(RulesError, match="illegal character"):
        parse(" \n\t" * 20_000 + "@")
    assert time.monotonic() - began < 2
