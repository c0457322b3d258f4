"""Nomad's JSON to the values of the model: what is kept, what is put into words, what counts as garbage."""

import sys
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herdsman.adapters.nomad import translate
from herdsman.model.keys import job_key, namespace_key
from herdsman.model.observed import Counts, DeploymentState, GroupUpdates, Provenance

STUB = {
    "ID": "web",
    "Namespace": "default",
    "JobModifyIndex": 17,
    "CreateIndex": 11,
    "ModifyIndex": 20,
    "Type": "service",
    "Status": "running",
    "Stop": False,
    "Meta": {"herdsman_fleet": "main", "team": "a"},
    "ParentID": "",
    "Periodic": False,
    "ParameterizedJob": False,
    "SubmitTime": 1764000000000000000,
    "JobSummary": {
        "Summary": {
            "a": {"Queued": 1, "Starting": 2, "Running": 3, "Failed": 4, "Complete": 5, "Lost": 6, "Unknown": 7},
            "b": {"Queued": 10, "Running": 1},
        }
    },
}


def test_a_stub_keeps_what_sync_needs() -> None:
    """A row of the list becomes a stub, its counts summed over the groups."""
    (stub,) = translate.job_stubs([STUB])

    assert stub.key == job_key("default", "web")
    assert (stub.index, stub.create_index, stub.stamp, stub.stop) == (17, 11, "main", False)
    assert stub.counts == Counts(queued=11, starting=2, running=4, failed=4, complete=5, lost=6, unknown=7)
    assert not stub.is_child


@pytest.mark.parametrize("meta", [None, {}, {"team": "a"}])
def test_what_nomad_leaves_out_is_empty(meta: Mapping[str, str] | None) -> None:
    """Null, absent and empty are one, as in Nomad."""
    bare = {"ID": "x", "Namespace": "n", "JobModifyIndex": 1, "CreateIndex": 1, "Meta": meta, "JobSummary": None}

    (stub,) = translate.job_stubs([bare])

    assert (stub.stamp, stub.counts, stub.type) == ("", Counts(), "service")


def test_ten_thousand_stubs_are_cheap() -> None:
    """Strings and counts that repeat are shared, so a stub costs a few hundred bytes."""
    rows = [{**STUB, "ID": f"job-{n}", "Namespace": "".join(["de", "fault"])} for n in range(10_000)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    stubs = translate.job_stubs(rows)
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert len({id(stub.key.namespace) for stub in stubs}) == 1
    assert len({id(stub.counts) for stub in stubs}) == 1
    assert size < 10_000 * 400


def test_a_job_must_be_the_one_asked_for() -> None:
    """An answer about another job is no answer: a proxy may have mixed them up."""
    raw = {"ID": "web", "Namespace": "default", "JobModifyIndex": 5, "Version": 2}

    assert translate.live_job(raw, job_key("default", "web")).version == 2
    for key in (job_key("default", "other"), job_key("team", "web")):
        with pytest.raises(ValueError, match="default/web"):
            translate.live_job(raw, key)


# Provenance

TEXT = st.text(min_size=1, max_size=50)
PROVENANCE = st.builds(
    Provenance,
    fleet=TEXT,
    digest=TEXT,
    version=st.integers(0, 10**12),
    path=st.text(max_size=50),
    line=st.integers(0, 10**6),
    revision=st.text(max_size=50),
    author=st.text(max_size=50),
    prune=st.sampled_from(["", "purge", "stop", "keep"]),
)


@given(PROVENANCE)
def test_provenance_comes_back_as_it_went(value: Provenance) -> None:
    """Flags say all of a provenance, in texts alone."""
    flags = translate.flags(value)

    assert all(name.startswith("herdsman_") for name in flags)
    assert {type(text) for text in flags.values()} == {str}
    assert translate.provenance({"Version": 3, "VariableFlags": {**flags, "x": "y"}}, version=3) == value


GENUINE = {"herdsman_fleet": "main", "herdsman_digest": "d1", "herdsman_version": "3", "herdsman_path": "a.yaml"}


@pytest.mark.parametrize(
    "flags",
    [
        None,
        {},
        {"a": "b"},
        *({name: text for name, text in GENUINE.items() if name != missing} for missing in list(GENUINE)[:3]),
        {**GENUINE, "herdsman_fleet": ""},
        {**GENUINE, "herdsman_version": "three"},
        {**GENUINE, "herdsman_version": "-1"},
        {**GENUINE, "herdsman_version": "٣"},
        {**GENUINE, "herdsman_version": "9" * 40},
        {**GENUINE, "herdsman_version": 3},
        {**GENUINE, "herdsman_line": "x"},
        {**GENUINE, "herdsman_digest": None},
    ],
)
def test_garbage_is_no_provenance(flags: Mapping[str, Any] | None) -> None:
    """Flags that are not ours, or were tampered with, are as good as none."""
    assert translate.provenance({"Version": 3, "VariableFlags": flags}, version=3) is None


def test_a_submission_of_another_version_is_not_believed() -> None:
    """The answer must be for the version asked for."""
    assert translate.provenance({"Version": 2, "VariableFlags": GENUINE}, version=3) is None


def test_a_genuine_submission_goes_on() -> None:
    """Source, variables and flags of others are kept; the version is the next one."""
    submission = {
        "Version": 3,
        "Source": "job {}",
        "Format": "hcl2",
        "Variables": "x = 1",
        "VariableFlags": {**GENUINE, "who": "ann"},
    }

    again = translate.next_submission(submission, version=3)

    assert again is not None
    assert {**again, "VariableFlags": None} == {
        "Source": "job {}",
        "Format": "hcl2",
        "Variables": "x = 1",
        "VariableFlags": None,
    }
    assert again["VariableFlags"] == {**GENUINE, "who": "ann", "herdsman_version": "4"}


def test_an_inherited_submission_does_not_go_on() -> None:
    """Flags that name another version than the live one came by inheritance: they prove nothing."""
    assert translate.next_submission({"Version": 4, "VariableFlags": GENUINE}, version=4) is None


# Plans


def test_a_plan_becomes_a_forecast() -> None:
    """Updates are renamed, failures put into words, the difference kept as it is."""
    forecast = translate.forecast(
        {
            "JobModifyIndex": 9,
            "Diff": {"Type": "Edited"},
            "Annotations": {"DesiredTGUpdates": {"g": {"Place": 1, "DestructiveUpdate": 2, "InPlaceUpdate": 3}}},
            "FailedTGAllocs": {"g": {"NodesEvaluated": 2, "DimensionExhausted": {"memory": 2}}},
            "Warnings": "1 warning:\n\n* deprecated",
        }
    )

    assert forecast.updates == {"g": GroupUpdates(place=1, destructive=2, in_place=3)}
    assert forecast.destructive == 2
    assert forecast.failures == {"g": "no node of 2 fits; 2 with too little memory left"}
    assert forecast.warnings == "deprecated"


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({}, "no node is eligible"),
        ({"NodesAvailable": {"dc1": 0, "dc2": 0, "dc3": 1}}, "no node is eligible; no nodes in dc1, dc2"),
        (
            {"NodesEvaluated": 3, "ConstraintFiltered": {"${attr.kernel.name} = plan9": 1, "computed class": 2}},
            "no node of 3 fits; 1 ruled out by the constraint ${attr.kernel.name} = plan9;"
            " 2 ruled out by the constraint computed class",
        ),
        (
            {"NodesEvaluated": 2, "ClassFiltered": {"gpu": 1}, "ClassExhausted": {"small": 1}, "CoalescedFailures": 4},
            "no node of 2 fits; 1 of the class gpu ruled out; 1 of the class small full; the same for 4 more",
        ),
        (
            {"NodesEvaluated": 1, "QuotaExhausted": ["memory exhausted (2 needed > 1 limit)"]},
            "no node of 1 fits; quota reached: memory exhausted (2 needed > 1 limit)",
        ),
    ],
)
def test_why_nothing_could_be_placed(metric: Mapping[str, Any], said: str) -> None:
    """Each part of an allocation metric has its words."""
    assert translate.why_not_placed(metric) == said


# What runs


def deployment(**fields: Any) -> dict[str, Any]:
    """A deployment as Nomad lists it."""
    return {"ID": "d", "JobVersion": 1, "CreateIndex": 5, "Status": "running", "TaskGroups": {}, **fields}


def test_deployments_come_newest_first_and_summed() -> None:
    """Counts are summed over groups; a group with canaries that nobody promoted needs promotion."""
    groups = {
        "a": {"DesiredTotal": 3, "HealthyAllocs": 1, "UnhealthyAllocs": 1, "DesiredCanaries": 1, "Promoted": False},
        "b": {"DesiredTotal": 2, "HealthyAllocs": 2, "AutoRevert": True},
    }

    promoted = {"a": {"DesiredCanaries": 1, "Promoted": True}}
    newest, middle, oldest = translate.deployments(
        [
            deployment(ID="old", CreateIndex=4, Status="failed"),
            deployment(ID="promoted", CreateIndex=5, TaskGroups=promoted),
            deployment(ID="new", CreateIndex=9, TaskGroups=groups),
        ]
    )

    assert (newest.id, newest.desired, newest.healthy, newest.unhealthy) == ("new", 5, 3, 1)
    assert newest.needs_promotion
    assert (middle.id, middle.needs_promotion) == ("promoted", False)
    assert newest.auto_revert
    assert (oldest.state, oldest.needs_promotion) == (DeploymentState.FAILED, False)


def test_no_list_is_an_empty_list() -> None:
    """Nomad says null where it has nothing."""
    for lists in (translate.job_stubs, translate.deployments, translate.allocations, translate.evaluations):
        assert not lists(None)
    assert not translate.namespaces(None)


def test_evaluations_say_why_they_are_blocked() -> None:
    """Newest first, with the failures of each group in words."""
    raw = {"TriggeredBy": "job-register", "StatusDescription": "", "FailedTGAllocs": None}

    newest, oldest = translate.evaluations(
        [
            {**raw, "ID": "a", "Status": "complete", "CreateIndex": 1, "FailedTGAllocs": {"g": {"NodesEvaluated": 1}}},
            {**raw, "ID": "b", "Status": "blocked", "CreateIndex": 2, "TriggeredBy": "queued-allocs"},
        ]
    )

    assert (newest.id, newest.blocked, newest.failures) == ("b", True, {})
    assert (oldest.blocked, oldest.failures) == (False, {"g": "no node of 1 fits"})


def event(kind: str, message: str, *, time: int, **fields: Any) -> dict[str, Any]:
    """A task event as Nomad keeps it."""
    return {"Type": kind, "DisplayMessage": message, "Time": time, **fields}


EXIT = event("Terminated", "Exit Code: 7", time=5, Details={"exit_code": "7"}, ExitCode=7)
GAVE_UP = event("Not Restarting", "Policy allows no restarts", time=6, FailsTask=True)
STARTED = event("Started", "Task started by client", time=8)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({}, ""),
        ({"t": None}, ""),
        ({"t": {"Events": [STARTED]}}, "Task started by client"),
        ({"t": {"Events": [EXIT, GAVE_UP]}}, "Exit Code: 7"),
        ({"t": {"Events": [GAVE_UP, STARTED]}}, "Policy allows no restarts"),
        ({"t": {"Events": [EXIT, STARTED]}}, "Exit Code: 7"),
        ({"t": {"Events": [EXIT, event("Driver Failure", "no such image", time=7)]}}, "no such image"),
        ({"t": {"Events": [event("Terminated", "Exit Code: 0", time=9, Details={"exit_code": "0"}), STARTED]}},
         "Exit Code: 0"),
        ({"t": {"Events": [event("Terminated", "OOM", time=1, Details={"oom_killed": "true"}), STARTED]}}, "OOM"),
        ({"side": {"Events": [STARTED]}, "main": {"Events": [EXIT]}}, "main: Exit Code: 7"),
    ],
)  # fmt: skip
def test_the_last_word_of_the_tasks(tasks: Mapping[str, Any], said: str) -> None:
    """A cause of failure beats its consequence, and that beats what happened later without failing."""
    assert translate.last_event(tasks) == said


def test_an_allocation_has_the_words_that_there_are() -> None:
    """Without task events, the client's own description is the last word; newest first."""
    raw = {
        "ID": "1", "Name": "web.g[0]", "TaskGroup": "g", "NodeID": "n-1", "NodeName": "node", "JobVersion": 2,
        "DesiredStatus": "run", "ClientStatus": "failed", "ClientDescription": "alloc hook failed",
        "TaskStates": None, "CreateIndex": 1, "ModifyTime": 77,
    }  # fmt: skip

    newest, oldest = translate.allocations([raw, {**raw, "ID": "2", "CreateIndex": 2, "NodeName": ""}])

    assert (newest.id, newest.node, newest.version) == ("2", "n-1", 2)
    assert (oldest.last_event, oldest.node, oldest.modified) == ("alloc hook failed", "node", 77)


def test_namespaces_keep_their_body_whole() -> None:
    """What Herdsman does not know of a namespace must survive a write."""
    body = {"Name": "team", "Description": "x", "Quota": "q", "Meta": {"herdsman_fleet": "main"}}

    found = translate.namespaces([body])

    assert found[namespace_key("team")].body == body
    assert found[namespace_key("team")].stamp == "main"


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        ({"config": {"Version": {"Version": "2.0.5", "VersionPrerelease": ""}}}, "2.0.5"),
        ({"config": {"Version": {"Version": "2.1.0", "VersionPrerelease": "beta.1"}}}, "2.1.0-beta.1"),
        ({"config": {}, "member": {"Tags": {"build": "1.9.7"}}}, "1.9.7"),
    ],
)
def test_the_version_of_an_agent(raw: Mapping[str, Any], version: str) -> None:
    """From its configuration, else from what it tells its peers."""
    assert translate.agent_version(raw) == version


def test_interning_is_real() -> None:
    """The strings that are shared are interned, so that two lists share them too."""
    (stub,) = translate.job_stubs([{**STUB, "Namespace": "".join(["te", "am-x"])}])

    assert stub.key.namespace is sys.intern("team-x")
