"""Which differences between two jobs count, and what is sent instead of what a person wrote."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.core.normalize import (
    SERVER_KEPT,
    allocations_wanted,
    autoscaled,
    canonical,
    deploys,
    differences,
    drifted,
    masked,
    said,
    spliced,
    stamped,
)
from herdsman.model.desired import CountSource, Policy, Stopped
from herdsman.model.observed import STAMP, FieldChange

POLICY = Policy()
TASK: dict[str, Any] = {"Name": "main", "Driver": "docker", "Env": {"A": "1"}}


def group(**more: Any) -> dict[str, Any]:
    return {"Name": "web", "Count": 2, "Tasks": [TASK]} | more


def job(**more: Any) -> dict[str, Any]:
    return {"ID": "web", "Priority": 50, "TaskGroups": [group()]} | more


# -- what is empty and what the server keeps ---------------------------------------------------------------------------

EMPTY: list[Any] = [None, False, 0, "", {}, [], {"a": None}, {"a": {"b": ""}}]


@pytest.mark.parametrize("one", EMPTY, ids=repr)
@pytest.mark.parametrize("other", [*EMPTY, "absent"], ids=repr)
def test_absent_null_zero_and_empty_are_one(one: Any, other: Any) -> None:
    """A Nomad upgrade that adds a field with nothing in it is no drift."""
    left, right = job(New=one), job() if other == "absent" else job(New=other)

    assert drifted(left, right, POLICY) == ()
    assert drifted(right, left, POLICY) == ()


@pytest.mark.parametrize("key", sorted(SERVER_KEPT))
def test_what_the_server_keeps_makes_no_difference(key: str) -> None:
    """Status, versions, indexes and tokens are Nomad's own bookkeeping."""
    assert drifted(job(**{key: "one"}), job(**{key: "other"}), POLICY) == ()


@pytest.mark.parametrize("kept", ["ID", "CreateIndex", "ModifyIndex"])
@pytest.mark.parametrize("where", ["group", "task"])
def test_what_the_server_keeps_in_a_scaling_policy_makes_no_difference(kept: str, where: str) -> None:
    """A policy's ID and indexes are not the same at every register; its limits are."""

    def with_policy(**values: Any) -> dict[str, Any]:
        policy = {"Min": 1, "Max": 5} | values
        if where == "group":
            return job(TaskGroups=[group(Scaling=policy)])
        return job(TaskGroups=[group(Tasks=[{"Name": "main", "ScalingPolicies": [policy]}])])

    assert drifted(with_policy(**{kept: "1"}), with_policy(**{kept: "2"}), POLICY) == ()
    assert drifted(with_policy(Max=5), with_policy(Max=6), POLICY) != ()


def test_a_canonical_job_is_its_own_canonical_form() -> None:
    """Doing it twice changes nothing, and the job it was made from stays whole."""
    body = job(Version=3, Meta=None, TaskGroups=[group(Scaling={"ID": "x", "Min": 1})])
    before = deepcopy(body)

    assert canonical(canonical(body)) == canonical(body)
    assert body == before


# -- differences -------------------------------------------------------------------------------------------------------

TABLE: dict[str, tuple[Any, Any, list[tuple[str, str, str]]]] = {
    "a scalar": ({"Priority": 50}, {"Priority": 60}, [("Priority", "50", "60")]),
    "a flag": ({"AllAtOnce": False}, {"AllAtOnce": True}, [("AllAtOnce", "false", "true")]),
    "a key that comes": ({}, {"Type": "batch"}, [("Type", "", "batch")]),
    "a key that goes": ({"Type": "batch"}, {}, [("Type", "batch", "")]),
    "an entry of a map": ({"Meta": {"a.b": "1"}}, {"Meta": {"a.b": "2"}}, [("Meta[a.b]", "1", "2")]),
    "a block that comes": (
        {},
        {"Update": {"MaxParallel": 2, "Canary": 1}},
        [("Update.Canary", "", "1"), ("Update.MaxParallel", "", "2")],
    ),
    "a list that goes": ({"Datacenters": ["a", "b"]}, {}, [("Datacenters[0]", "a", ""), ("Datacenters[1]", "b", "")]),
    "an element without a name": (
        {"Datacenters": ["a", "b"]},
        {"Datacenters": ["a", "c"]},
        [("Datacenters[1]", "b", "c")],
    ),
    "a named element that comes first": (
        {"TaskGroups": [{"Name": "b", "Count": 1}]},
        {"TaskGroups": [{"Name": "a", "Count": 2}, {"Name": "b", "Count": 1}]},
        [("TaskGroups[a].Count", "", "2"), ("TaskGroups[a].Name", "", "a")],
    ),
    "a named element that goes": (
        {"TaskGroups": [{"Name": "a", "Count": 2}, {"Name": "b", "Count": 1}]},
        {"TaskGroups": [{"Name": "b", "Count": 1}]},
        [("TaskGroups[a].Count", "2", ""), ("TaskGroups[a].Name", "a", "")],
    ),
    "named elements in another order": (
        {"Ports": [{"Label": "a", "To": 1}, {"Label": "b", "To": 2}]},
        {"Ports": [{"Label": "b", "To": 2}, {"Label": "a", "To": 1}]},
        [("Ports", "a, b", "b, a")],
    ),
    "a name twice": (
        {"Checks": [{"Name": "c", "Path": "/a"}, {"Name": "c", "Path": "/b"}]},
        {"Checks": [{"Name": "c", "Path": "/a"}, {"Name": "c", "Path": "/x"}]},
        [("Checks[1].Path", "/b", "/x")],
    ),
    "a scalar that becomes a block": (
        {"X": "1"},
        {"X": {"a": "b"}},
        [("X.a", "", "b")],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), TABLE.values(), ids=TABLE.keys())
def test_a_difference_is_told_leaf_by_leaf(old: Any, new: Any, expected: list[tuple[str, str, str]]) -> None:
    """What differs is a path, what was there, and what is there now."""
    assert [(c.path, c.old, c.new) for c in differences(old, new)] == expected


def test_a_secret_is_not_told() -> None:
    """Values are fit to be shown: a password is told by a fingerprint."""
    (change,) = differences({"Env": {"PASSWORD": "hunter2"}}, {"Env": {"PASSWORD": "hunter3"}})

    assert "hunter" not in change.old + change.new
    assert change.old != change.new


leaves = st.one_of(st.booleans().filter(bool), st.integers(1, 9), st.text("ab", min_size=1, max_size=3))
names = st.sampled_from(["Name", "Label", "ID", "Value", "A", "B"])
bodies = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.dictionaries(names, inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)
groups: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"Name": st.sampled_from(["web", "db"])}, optional={"Count": st.integers(0, 3), "A": bodies, "B": bodies}
)
group_lists = st.lists(groups, max_size=2, unique_by=lambda g: str(g["Name"]))
jobs = st.fixed_dictionaries(
    {},
    optional={
        "Meta": st.dictionaries(names, leaves, max_size=2),
        "TaskGroups": group_lists,
        "Spreads": st.lists(bodies, max_size=2),
        "X": bodies,
    },
).map(canonical)


@given(jobs, jobs)
def test_there_are_differences_exactly_where_canonical_jobs_are_not_equal(one: Any, other: Any) -> None:
    """Nothing that differs goes unseen, and nothing is invented."""
    assert (differences(one, other) == ()) == (one == other)


@given(jobs)
def test_a_job_does_not_differ_from_itself(one: Any) -> None:
    """Whatever it holds, a job is the same as its copy."""
    assert differences(one, deepcopy(one)) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (5, "5"), ("x", "x"), (None, ""), ([], ""), ({}, "")],
    ids=repr,
)
def test_a_leaf_is_said_as_nomad_says_it(value: Any, text: str) -> None:
    """Flags in lower case, and nothing for nothing."""
    assert said(value) == text


# -- what belongs to others --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, None, "unsaid"])
def test_the_count_of_an_autoscaled_group_belongs_to_its_autoscaler(enabled: Any) -> None:
    """A `scaling` block is on unless it says otherwise."""
    scaling = {"Min": 1, "Max": 9} | ({} if enabled == "unsaid" else {"Enabled": enabled})
    one, other = (job(TaskGroups=[group(Count=n, Scaling=scaling)]) for n in (2, 7))

    assert drifted(one, other, POLICY) == ()
    assert drifted(one, other, Policy(count=CountSource.GIT)) == (FieldChange("TaskGroups[web].Count", "2", "7"),)


def test_the_count_of_a_group_whose_scaling_is_off_is_its_own() -> None:
    """A `scaling` block that is switched off leaves the count to Git."""
    scaling = {"Enabled": False, "Min": 1, "Max": 9}
    one, other = (job(TaskGroups=[group(Count=n, Scaling=scaling)]) for n in (2, 7))

    assert drifted(one, other, POLICY) == (FieldChange("TaskGroups[web].Count", "2", "7"),)


@pytest.mark.parametrize(
    ("scaling", "source", "expected"),
    [
        ({"Min": 1, "Max": 5}, CountSource.LIVE, True),
        ({"Min": 1, "Max": 5, "Enabled": True}, CountSource.LIVE, True),
        ({"Min": 1, "Max": 5, "Enabled": False}, CountSource.LIVE, False),
        ({"Min": 1, "Max": 5}, CountSource.GIT, False),
        (None, CountSource.LIVE, False),
        ({}, CountSource.LIVE, False),
    ],
)
def test_who_sets_the_count(scaling: Any, source: CountSource, expected: bool) -> None:
    """An autoscaler does where there is a block that is not off, and where the policy lets it."""
    assert autoscaled(group(Scaling=scaling), Policy(count=source)) is expected


def test_a_respected_stop_makes_no_difference() -> None:
    """With `stopped: respect` a stop is somebody's wish; with `revert` it is drift."""
    assert drifted(job(), job(Stop=True), Policy(stopped=Stopped.RESPECT)) == ()
    assert drifted(job(), job(Stop=True), POLICY) == (FieldChange("Stop", "", "true"),)


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        ("Priority", {"Priority": 77}),
        ("Meta", {"Meta": {"x": "y"}}),
        ("Meta[a.b/c]", {"Meta": {"a.b/c": "y"}}),
        ("TaskGroups[web].Count", {"TaskGroups": [group(Count=9)]}),
        ("TaskGroups[*].Count", {"TaskGroups": [group(Count=9)]}),
        ("TaskGroups[web].Tasks[main].Env[A]", {"TaskGroups": [group(Tasks=[TASK | {"Env": {}}])]}),
        ("TaskGroups[web].Tasks[*].Env", {"TaskGroups": [group(Tasks=[TASK | {"Env": {"B": "2"}}])]}),
    ],
)
def test_an_ignored_path_makes_no_difference(path: str, edit: dict[str, Any]) -> None:
    """What a person gave to somebody else is left out of the comparison, whichever side has it."""
    policy = Policy(ignore=(path,))

    assert drifted(job(), job(**edit), policy) == ()
    assert drifted(job(**edit), job(), policy) == ()
    assert drifted(job(), job(**edit), POLICY) != ()


def test_an_ignored_path_hides_nothing_beside_it() -> None:
    """Other fields of the same block count as ever."""
    policy = Policy(ignore=("TaskGroups[web].Count",))

    assert drifted(job(), job(TaskGroups=[group(Count=9, ShutdownDelay=3)]), policy) != ()


@given(jobs)
def test_masking_is_idempotent(one: Any) -> None:
    """What was masked is masked, and its canonical form is itself."""
    policy = Policy(stopped=Stopped.RESPECT, ignore=("Meta", "X"))

    assert masked(masked(one, policy), policy) == masked(one, policy)


# -- what is sent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scaling", "wanted", "live", "expected"),
    [
        ({"Min": 1, "Max": 5}, 2, 4, 4),
        ({"Min": 1, "Max": 5}, 2, 9, 5),
        ({"Min": 3, "Max": 5}, 3, 1, 3),
        ({"Min": 1}, 2, 40, 40),
        ({"Max": 5}, 2, 1, 2),
        ({"Min": 0, "Max": 5}, 2, 0, 0),
        ({"Min": 1, "Max": 5, "Enabled": False}, 2, 4, 2),
        (None, 2, 4, 2),
    ],
    ids=["live", "above", "below", "no maximum", "no minimum", "scaled to nothing", "switched off", "no scaling"],
)
def test_a_live_count_is_sent_within_its_limits(scaling: Any, wanted: int, live: int, expected: int) -> None:
    """What the autoscaler set stays, clamped to what Git allows now."""
    body = spliced(job(TaskGroups=[group(Count=wanted, Scaling=scaling)]), job(TaskGroups=[group(Count=live)]), POLICY)

    assert body["TaskGroups"][0]["Count"] == expected


def test_a_count_from_git_is_sent_where_the_policy_says_so() -> None:
    """With `count: git` the autoscaler's count is not spliced in."""
    wanted = job(TaskGroups=[group(Count=2, Scaling={"Min": 1, "Max": 9})])

    body = spliced(wanted, job(TaskGroups=[group(Count=7)]), Policy(count=CountSource.GIT))

    assert body["TaskGroups"][0]["Count"] == 2


def test_a_respected_stop_is_sent() -> None:
    """A job that somebody stopped stays stopped through a change in Git, where the policy respects that."""
    assert spliced(job(), job(Stop=True), Policy(stopped=Stopped.RESPECT))["Stop"] is True
    assert "Stop" not in spliced(job(), job(Stop=True), POLICY)
    assert "Stop" not in spliced(job(), job(Stop=False), Policy(stopped=Stopped.RESPECT))


def test_a_group_that_is_new_keeps_its_own_count() -> None:
    """Where the live job has no group of that name there is no count to take over."""
    wanted = job(TaskGroups=[group(Name="new", Count=2, Scaling={"Min": 1, "Max": 9})])

    assert spliced(wanted, job(), POLICY)["TaskGroups"][0]["Count"] == 2


def test_nothing_is_spliced_into_a_new_job() -> None:
    """Without a live job the desired one is sent as it is."""
    assert spliced(job(Meta={"a": "b"}), None, POLICY) == job(Meta={"a": "b"})


@given(jobs, jobs)
def test_splicing_changes_neither_side(wanted: Any, live: Any) -> None:
    """The desired job and the live one are values: what is sent is a third."""
    before = deepcopy(wanted), deepcopy(live)
    policy = Policy(ignore=("Meta", "TaskGroups[*].A", "X[*]"))

    body = spliced(wanted, live, policy)
    stamped(body, "f")

    assert (wanted, live) == before


@given(jobs, jobs, st.sampled_from(["Meta", "X", "X.A", "Meta[*]", "Spreads"]))
def test_what_is_spliced_in_makes_no_difference_any_more(wanted: Any, live: Any, path: str) -> None:
    """After splicing, an ignored path holds the live value, so that plan and comparison agree on it."""
    policy = Policy(ignore=(path,))
    left, right = spliced(wanted, live, policy), live

    changes = differences(canonical(left), canonical(right))

    assert not [c for c in changes if c.path == path]


def test_the_stamp_goes_beside_what_meta_holds() -> None:
    """Stamping adds one constant, and changes nothing else."""
    body = job(Meta={"owner": "me"})

    assert stamped(body, "f") == {**body, "Meta": {"owner": "me", STAMP: "f"}}
    assert stamped(job(Meta=None), "f")["Meta"] == {STAMP: "f"}
    assert body["Meta"] == {"owner": "me"}


# -- what a canonical job asks for -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (job(), 2),
        (job(TaskGroups=[group(), group(Count=3)]), 5),
        (job(TaskGroups=[group(Count=0)]), 0),
        (job(TaskGroups=[{"Name": "g"}]), 1),
        (job(Stop=True), 0),
        ({}, 0),
    ],
)
def test_how_many_allocations_a_job_asks_for(body: dict[str, Any], expected: int) -> None:
    """The sum over its groups, and none while it is stopped."""
    assert allocations_wanted(body) == expected


ROLLS = {"MaxParallel": 1}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (job(TaskGroups=[group(Update=ROLLS)]), True),
        (job(Type="service", TaskGroups=[group(Update=ROLLS)]), True),
        (job(TaskGroups=[group(Update={"MaxParallel": 0})]), False),
        (job(TaskGroups=[group()]), False),
        (job(TaskGroups=[group(Update=ROLLS, Count=0)]), False),
        (job(TaskGroups=[group(), group(Update=ROLLS)]), True),
        (job(Type="batch", TaskGroups=[group(Update=ROLLS)]), False),
        (job(Periodic={"Enabled": True}, TaskGroups=[group(Update=ROLLS)]), False),
    ],
)
def test_which_jobs_get_a_deployment(body: dict[str, Any], expected: bool) -> None:
    """A service that rolls, with something to roll."""
    assert deploys(body) is expected


def test_a_system_job_that_rolls_gets_a_deployment() -> None:
    """A system job with an `update` block is deployed like a service."""
    assert deploys(job(Type="system", TaskGroups=[group(Update=ROLLS)]))
