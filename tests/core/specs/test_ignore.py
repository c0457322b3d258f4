"""Which files are read as specs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.ignore import bad_rules, ignored, is_spec


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.yaml", True),
        ("a/b.yml", True),
        ("a/b.json", True),
        ("a.hcl", False),
        ("a.nomad", False),
        ("README.md", False),
        ("yaml", False),
        ("a.YAML", False),
        (".hidden.yaml", False),
        (".github/workflows/ci.yaml", False),
        ("a/.cache/b.yaml", False),
        ("catalog/modules/x/metadata.yaml", False),
        ("catalog/tools/x/user.yaml", False),
        ("catalog/a.yaml", True),
        ("apps/catalog/tools/x.yaml", True),
    ],
)
def test_specs_are_told_by_their_names(path: str, expected: bool) -> None:
    """YAML and JSON files are specs, but for hidden ones and those of the fleet's catalog."""
    assert is_spec(path) is expected


RULES = """
# comments count for nothing
*.json
!keep.json
/build/
draft-?/**/x.yaml
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.json", True),
        ("x/a.json", True),
        ("keep.json", False),
        ("build/a.yaml", True),
        ("x/build/a.yaml", False),
        ("draft-1/a/b/x.yaml", True),
        ("draft-10/x.yaml", False),
        ("a.yaml", False),
    ],
)
def test_rules_are_gitignores(path: str, expected: bool) -> None:
    """The last pattern that matches wins; slashes anchor; ! takes back."""
    assert ignored(RULES)(path) is expected


def test_bad_rules_are_told_and_skipped() -> None:
    """A line that is no pattern ignores nothing, and is no reason to forget the others."""
    rules = "*.json\n!\n#!\na\\\n[b--a]\n"
    assert [str(r) for r in bad_rules(rules)] == [
        '.herdsmanignore:2: not a pattern: "!" (the syntax is gitignore\'s)',
        '.herdsmanignore:4: not a pattern: "a\\" (the syntax is gitignore\'s)',
        '.herdsmanignore:5: not a pattern: "[b--a]" (the syntax is gitignore\'s)',
    ]
    assert ignored(rules)("a.json")


@given(st.text("a!*[]\\/?-^ \n#\0é~&|{}", max_size=30))
def test_any_rules_are_taken(rules: str) -> None:
    """Nothing raises, and nothing warns."""
    ignored(rules)("a/b.yaml")
    bad_rules(rules)
