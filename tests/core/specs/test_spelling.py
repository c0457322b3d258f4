"""The nearest known name."""

import pytest

from herdsman.core.spelling import did_you_mean, nearest, one_of


@pytest.mark.parametrize(
    ("word", "expected"),
    [("cuont", "Count"), ("count", "Count"), ("Tasks", "Tasks"), ("xyz", None), ("", None), ("c" * 65, None)],
)
def test_the_nearest_name_is_found(word: str, expected: str | None) -> None:
    """Case does not matter, distance does, and long words are no typos."""
    assert nearest(word, ["Tasks", "Count", "Name"]) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (["Count", "Name"], 'did you mean "Count"?'),
        (["a", "b"], "known here: a, b"),
        ([], ""),
        ([f"x{n}" for n in range(13)], ""),
    ],
)
def test_without_a_near_name_few_names_are_listed(known: list[str], expected: str) -> None:
    """A long list helps nobody."""
    assert did_you_mean("Cuont", known) == expected


@pytest.mark.parametrize(
    ("choices", "expected"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_choices_are_said_as_people_say_them(choices: list[str], expected: str) -> None:
    """Commas, and one `or`."""
    assert one_of(choices) == expected
