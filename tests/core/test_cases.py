"""The decision table as data: every file of `tests/cases` is a behaviour, its name says which."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from core.facts import TEXTS, WORLD, possible
from herdsman.core.decide import ROWS, Facts, Row, decide

FOLDER = Path(__file__).parents[1] / "cases"


@dataclass(frozen=True)
class Case:
    """One file: what is known of a key, and what must come of it."""

    name: str
    facts: Facts
    action: str
    reason: str
    says: str


def case(path: Path) -> Case:
    """Read one file, strictly: a misspelt fact would silently test something else."""
    document = yaml.safe_load(path.read_text())
    assert document.keys() == {"facts", "expect"}, path.name
    expect = document["expect"]
    assert {"action", "reason"} <= expect.keys() <= {"action", "reason", "says"}, path.name
    for name, value in document["facts"].items():
        assert isinstance(value, str if name in TEXTS else bool), f"{path.name}: {name}"
    return Case(path.stem, Facts(**document["facts"]), expect["action"], expect["reason"], expect.get("says", ""))


CASES = [case(path) for path in sorted(FOLDER.glob("*.yaml"))]


@pytest.mark.parametrize("one", CASES, ids=lambda c: c.name)
def test_the_table_decides_as_the_case_says(one: Case) -> None:
    """The facts of a case lead to its action, its reason, and words that a reader can use."""
    decision = decide(one.facts)

    assert (decision.action, decision.reason) == (one.action, one.reason)
    assert one.says in decision.message


def row_of(facts: Facts) -> Row:
    """The row that decides."""
    return next(row for row in ROWS if row.when(facts))


def number(row: Row) -> str:
    """What a row is called in a failure: its place and its reason."""
    return f"{ROWS.index(row) + 1}: {row.action} {row.reason}"


@pytest.mark.parametrize("row", ROWS, ids=number)
def test_every_row_has_a_case(row: Row) -> None:
    """No row of the table is without an example."""
    assert any(row_of(one.facts) is row for one in CASES)


# -- precedence --------------------------------------------------------------------------------------------------------


def neighbours() -> list[tuple[Row, Row]]:
    """Every row with the next one, where there are facts for which both hold and the first decides."""
    following = dict(pairwise(ROWS))
    found = {}
    for facts, _ in WORLD:
        row = row_of(facts)
        if row in following and row not in found and following[row].when(facts) and possible(facts):
            found[row] = following[row]
    return [(row, found[row]) for row in ROWS if row in found]


PAIRS = neighbours()


def test_most_neighbours_can_hold_together() -> None:
    """The search for rows that can hold at once finds them: else the test below would have nothing to test."""
    assert len(PAIRS) > len(ROWS) // 2


@pytest.mark.parametrize(("row", "following"), PAIRS, ids=number)
def test_every_precedence_over_the_next_row_has_a_case(row: Row, following: Row) -> None:
    """Where a row and the next both hold, a case says that the first one decides."""
    assert any(row_of(one.facts) is row and following.when(one.facts) for one in CASES)
