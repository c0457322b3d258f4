"""The text is part of the product: tables and names in prose are those of the code."""

import re
from pathlib import Path

from herdsman.cli.main import COMMANDS
from herdsman.core.decide import ROWS

ROOT = Path(__file__).parents[2]


def test_the_table_in_the_architecture_is_the_table() -> None:
    """Row by row, action and reason of the page are those of `core.decide`."""
    text = (ROOT / "operator" / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| \d+ \| .* \| (\w+) \| `(\w+)` \|$", text, re.MULTILINE)

    assert rows == [(row.action.value, row.reason.value) for row in ROWS]


def test_every_command_is_in_the_readme() -> None:
    """A reader finds each command of the CLI in the README."""
    text = (ROOT / "README.md").read_text()

    assert [c for c in COMMANDS if f"herdsman {c}" not in text] == []


def test_files_named_in_prose_exist() -> None:
    """A path in the README or the architecture page leads somewhere."""
    for page in (ROOT / "README.md", ROOT / "operator" / "ARCHITECTURE.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} names {target}"
