"""Reaching into a job along a path: removing what does not count, copying what belongs to others."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.fields import copy_at, remove_at


def body() -> dict[str, Any]:
    return {
        "Priority": 50,
        "Meta": {"owner": "me", "a.b/c": "x"},
        "TaskGroups": [
            {"Name": "web", "Count": 2, "Tasks": [{"Name": "main", "Env": {"A": "1", "*": "star"}}]},
            {"Name": "db", "Count": 1, "Tasks": [{"Name": "main"}, {"Name": "side", "Env": {"A": "2"}}]},
        ],
        "Ports": [{"Label": "http", "To": 80}, {"Label": "admin", "To": 81}],
        "Datacenters": ["dc1", "dc2"],
    }


REMOVED: dict[str, Any] = {
    "Priority": lambda b: b.pop("Priority"),
    "Meta": lambda b: b.pop("Meta"),
    "Meta.owner": lambda b: b["Meta"].pop("owner"),
    "Meta[owner]": lambda b: b["Meta"].pop("owner"),
    "Meta[a.b/c]": lambda b: b["Meta"].pop("a.b/c"),
    "Meta[*]": lambda b: b.update(Meta={}),
    "TaskGroups[web]": lambda b: b["TaskGroups"].pop(0),
    "TaskGroups[*]": lambda b: b.update(TaskGroups=[]),
    "TaskGroups[web].Count": lambda b: b["TaskGroups"][0].pop("Count"),
    "TaskGroups[*].Count": lambda b: [g.pop("Count") for g in b["TaskGroups"]],
    "TaskGroups[*].Tasks[*].Env": lambda b: [t.pop("Env", None) for g in b["TaskGroups"] for t in g["Tasks"]],
    "TaskGroups[db].Tasks[side].Env[A]": lambda b: b["TaskGroups"][1]["Tasks"][1]["Env"].pop("A"),
    r"TaskGroups[web].Tasks[main].Env[\*]": lambda b: b["TaskGroups"][0]["Tasks"][0]["Env"].pop("*"),
    "Ports[http].To": lambda b: b["Ports"][0].pop("To"),
    "Datacenters[*]": lambda b: b.update(Datacenters=[]),
    "Nothing": lambda b: None,
    "Meta.nobody": lambda b: None,
    "TaskGroups[none].Count": lambda b: None,
    "Priority.deeper": lambda b: None,
    "Datacenters[dc1]": lambda b: None,
}


@pytest.mark.parametrize("path", REMOVED)
def test_what_a_path_leads_to_is_removed(path: str) -> None:
    """Exactly what the path means goes, and a path that leads nowhere changes nothing."""
    found, expected = body(), body()
    remove_at(found, path)
    REMOVED[path](expected)

    assert found == expected


Edit = dict[str, Any]
COPIED: dict[str, tuple[str, Edit, Edit, Edit]] = {
    "another value": ("Priority", {"Priority": 70}, {"Priority": 50}, {"Priority": 70}),
    "a value where there was none": ("Priority", {"Priority": 70}, {}, {"Priority": 70}),
    "none where there was a value": ("Priority", {}, {"Priority": 50}, {}),
    "an entry of a map": ("Meta.o", {"Meta": {"o": "1", "x": "2"}}, {"Meta": {"o": "9"}}, {"Meta": {"o": "1"}}),
    "an entry of a map that is missing": ("Meta.o", {"Meta": {"o": "1", "x": "2"}}, {}, {"Meta": {"o": "1"}}),
    "an entry of a map that is null": ("Meta.o", {"Meta": {"o": "1"}}, {"Meta": None}, {"Meta": {"o": "1"}}),
    "nothing of a map that lacks it": ("Meta.o", {"Meta": {"x": "1"}}, {}, {}),
    "no entry of a null map": ("Meta.o", {"Meta": None}, {"Meta": {"o": "1", "x": "2"}}, {"Meta": {"x": "2"}}),
    "every entry": ("Meta[*]", {"Meta": {"a": "1"}}, {"Meta": {"a": "2", "b": "3"}}, {"Meta": {"a": "1"}}),
    "a whole block": ("Update", {"Update": {"Canary": 1}}, {"Update": {"MaxParallel": 9}}, {"Update": {"Canary": 1}}),
    "elements by name, wherever they stand": (
        "G[*].Count",
        {"G": [{"Name": "b", "Count": 2}, {"Name": "a", "Count": 1}]},
        {"G": [{"Name": "a", "Count": 5}, {"Name": "b", "Count": 6}]},
        {"G": [{"Name": "a", "Count": 1}, {"Name": "b", "Count": 2}]},
    ),
    "an element that only the source has": (
        "G[*].Count",
        {"G": [{"Name": "a", "Count": 1}, {"Name": "z", "Count": 9}]},
        {"G": [{"Name": "a", "Count": 5}]},
        {"G": [{"Name": "a", "Count": 1}]},
    ),
    "an element that only the target has": (
        "G[new].Count",
        {"G": [{"Name": "a", "Count": 1}]},
        {"G": [{"Name": "new", "Count": 5}]},
        {"G": [{"Name": "new", "Count": 5}]},
    ),
    "a whole element": ("G[a]", {"G": [{"Name": "a", "X": 1}]}, {"G": [{"Name": "a"}]}, {"G": [{"Name": "a", "X": 1}]}),
    "a list that the target does not declare": ("G[*].Count", {"G": [{"Name": "a", "Count": 1}]}, {}, {}),
    "a block below one that is missing": ("A.B.C", {"A": {"B": {"C": 1, "D": 2}}}, {}, {"A": {"B": {"C": 1}}}),
}


@pytest.mark.parametrize(("path", "source", "target", "expected"), COPIED.values(), ids=COPIED.keys())
def test_the_target_holds_what_the_source_holds(path: str, source: Edit, target: Edit, expected: Edit) -> None:
    """At the path the target has the source's value, or none; everywhere else it is as it was."""
    before = deepcopy(source)

    copy_at(source, target, path)

    assert target == expected
    assert source == before


PATHS = st.sampled_from(sorted(REMOVED))


@given(PATHS)
def test_copying_from_itself_changes_nothing(path: str) -> None:
    """Where both sides hold the same, they still do."""
    target = body()

    copy_at(body(), target, path)

    assert target == body()


@given(PATHS.filter(lambda p: not p.endswith("]") or p.startswith(("Meta", "TaskGroups[db].Tasks"))), st.booleans())
def test_after_copying_both_are_the_same_at_the_path(path: str, empty: bool) -> None:
    """What is removed from both after a copy leaves the target as it would have been without it."""
    source, target = body(), body()
    source["Meta"] = {} if empty else {"owner": "you", "more": "1"}
    source["TaskGroups"][0]["Count"], source["Priority"] = 9, 99
    copied = deepcopy(target)

    copy_at(source, copied, path)
    remove_at(copied, path)
    remove_at(target, path)

    assert copied == target
