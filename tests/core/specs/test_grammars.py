"""The small grammars of specs: durations, paths into a job, names."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.model.durations import nanoseconds
from herdsman.model.names import check_job_id
from herdsman.model.paths import Step, parse_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("1.5h", 5400 * 10**9),
        ("250ms", 250 * 10**6),
        ("1us", 1000),
        ("1µs", 1000),
        ("7ns", 7),
        ("0s", 0),
        ("0", 0),
        ("0.1s", 10**8),
        ("1m1m", 120 * 10**9),
        ("2562047h", 2562047 * 3600 * 10**9),
    ],
)
def test_durations_are_read_exactly(text: str, expected: int) -> None:
    """A duration is a sum of numbers with units, without rounding."""
    assert nanoseconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "5S", "1h 30m", "1,5h", "-5s", "+5s", ".5s", "5.s", "1d", "٣s", "5s\n", "1" * 65]
)
def test_other_texts_are_no_durations(text: str) -> None:
    """What Go would not read, or what could be misread, is refused with an example."""
    with pytest.raises(ValueError, match="expected a duration like 30s, 5m or 1h30m"):
        nanoseconds(text)


def test_a_duration_that_go_cannot_hold_is_refused() -> None:
    """More than 2^63 ns is said to be too long."""
    with pytest.raises(ValueError, match="longer than 292 years"):
        nanoseconds("2562048h")


@given(st.integers(0, 1000), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**9 - 1))
def test_a_duration_is_the_sum_of_its_parts(h: int, m: int, s: int, ns: int) -> None:
    """Units add up in any order, and fractions are exact to the nanosecond."""
    expected = (h * 3600 + m * 60 + s) * 10**9 + ns
    assert nanoseconds(f"{h}h{m}m{s}s{ns}ns") == expected
    assert nanoseconds(f"{ns}ns{s}s{m}m{h}h") == expected
    assert nanoseconds(f"{h}h{m}m{s}.{ns:09}s") == expected


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Meta", (Step("Meta"),)),
        ("Meta.owner", (Step("Meta"), Step("owner"))),
        (
            "TaskGroups[web].Count",
            (Step("TaskGroups"), Step("web"), Step("Count")),
        ),
        ("TaskGroups[*].Tasks", (Step("TaskGroups"), Step(None), Step("Tasks"))),
        ("Meta[app.io/a b]", (Step("Meta"), Step("app.io/a b"))),
        (r"Meta[a\]b\\]", (Step("Meta"), Step("a]b\\"))),
        (r"Meta[\*]", (Step("Meta"), Step("*"))),
        ("A[b][c]", (Step("A"), Step("b"), Step("c"))),
        ("Meta.my-key_1", (Step("Meta"), Step("my-key_1"))),
    ],
)
def test_paths_are_split_into_steps(text: str, steps: tuple[Step, ...]) -> None:
    """Fields by dots, elements by brackets, every element by an asterisk."""
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a path begins with the name of a job's field"),
        (".Meta", "a path begins with the name of a job's field"),
        ("[a]", "a path begins with the name of a job's field"),
        ("Meta.", "expected a field's name after the dot at character 5"),
        ("Meta.a/b", r"expected \. or \[ at character 7"),
        ("Meta.1a", "expected a field's name after the dot at character 5"),
        ("Meta[", "the bracket at character 5 is not closed"),
        ("Meta[a[b]]", "the bracket at character 5 is not closed"),
        ("Meta[]", r"the brackets at character 5 are empty; write \[\*\] for every element"),
        ("Meta owner", r"expected \. or \[ at character 5"),
        ("a" * 513, "longer than 512 characters"),
    ],
)
def test_other_texts_are_no_paths(text: str, said: str) -> None:
    """A mistake is told with the character at which it was made."""
    with pytest.raises(ValueError, match=said):
        parse_path(text)


@given(st.text(max_size=60))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    """Nothing but `ValueError` comes of a bad path."""
    with suppress(ValueError):
        assert parse_path(text)


@given(st.lists(st.text(min_size=1, max_size=10).filter(lambda t: t != "*"), max_size=4))
def test_every_key_can_be_written(keys: list[str]) -> None:
    """Whatever a key holds, with backslashes before \\, [ and ] it is a step."""
    escaped = ["".join("\\" + c if c in "\\[]" else c for c in key) for key in keys]
    text = "Meta" + "".join(f"[{key}]" for key in escaped)
    if any("\n" in key for key in keys) or len(text) > 512:
        return
    assert [step.name for step in parse_path(text)] == ["Meta", *keys]


@pytest.mark.parametrize("name", ["web", "a/b/c", "Überfall", "a.b", "a?b#c%d", "日本", "plan", "periodic", "x" * 255])
def test_job_ids_that_nomad_takes_are_taken(name: str) -> None:
    """Slashes, dots and letters of any script are fine."""
    check_job_id(name)


ELSEWHERE = "a job's name may have no empty part and no part . or ..: an address that holds it leads elsewhere"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "a job needs a name"),
        ("a b", "a job's name may hold no spaces: Nomad refuses them"),
        ("a\u00a0b", "a job's name may hold no spaces: Nomad refuses them"),
        ("a\u200bb", "a job's name may hold no control characters or other invisible ones"),
        ("a\x7fb", "a job's name may hold no control characters or other invisible ones"),
        ("a\\b", "a job's name may hold no backslash: some clients take it for a slash"),
        (
            "../status",
            ELSEWHERE,
        ),
        ("a/./b", ELSEWHERE),
        ("a//b", ELSEWHERE),
        ("/a", ELSEWHERE),
        ("a/", ELSEWHERE),
        ("a/plan", "a job's name may not end in /plan: Nomad's API would take that for a request about another job"),
        (
            "a/periodic/force",
            "a job's name may not end in /force: Nomad's API would take that for a request about another job",
        ),
        (
            "a/periodic-1700000000",
            "only children of periodic and parameterized jobs may be called …/periodic-… and …/dispatch-…",
        ),
        (
            "a/dispatch-17-ab",
            "only children of periodic and parameterized jobs may be called …/periodic-… and …/dispatch-…",
        ),
        ("x" * 256, "longer than 255 characters"),
    ],
)
def test_unsafe_job_ids_are_refused_with_the_reason(name: str, said: str) -> None:
    """What Nomad refuses, and what would lead a request elsewhere, is told with why."""
    with pytest.raises(ValueError) as caught:
        check_job_id(name)
    assert str(caught.value) == said
