"""Whatever is asked wrongly is told apart: bodies of a wrong type, IDs that are none, queries nobody can read."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devnomad.support import Api, group, job, task

NOWHERE = "00000000-0000-0000-0000-000000000000"
NO_UUID = "index error: UUID must be 36 characters"
ODD = "index error: Input (without hyphens) must be even length"
NO_HEX = "index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z'"


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/job/j/plan", {"Job": {"ID": "j"}, "Diff": "yes"}, "string|JobPlanRequest.Diff of type bool"),
        ("/v1/jobs", {"Job": {"ID": "j"}, "EvalPriority": "1"}, "string|JobRegisterRequest.EvalPriority of type int"),
        (
            "/v1/jobs",
            {"Job": {"ID": "j"}, "Submission": {"Source": 1}},
            "number|JobSubmission.Submission.Source of type string",
        ),
        ("/v1/jobs", {"Job": {}, "Submission": []}, "array|JobRegisterRequest.Submission of type api.JobSubmission"),
        ("/v1/jobs/parse", {"JobHCL": 1}, "number|JobsParseRequest.JobHCL of type string"),
        ("/v1/jobs/statuses", {"Jobs": ["j"]}, "string|JobStatusesRequest.Jobs of type structs.NamespacedID"),
        ("/v1/job/j/scale", {"Count": "3"}, "string|ScalingRequest.Count of type int64"),
        ("/v1/job/j/scale", {"Target": {"Group": 1}}, "number|ScalingRequest.Target of type string"),
        ("/v1/job/j/revert", {"JobVersion": -1}, "number -1|JobRevertRequest.JobVersion of type uint64"),
        ("/v1/job/j/stable", {"Stable": 1}, "number|JobStabilityRequest.Stable of type bool"),
        ("/v1/job/j/dispatch", {"Meta": {"a": 1}}, "number|JobDispatchRequest.Meta of type string"),
        ("/v1/job/j/dispatch", {"Payload": 1}, "number|JobDispatchRequest.Payload of type []uint8"),
        (
            "/v1/job/j/evaluate",
            {"EvalOptions": {"ForceReschedule": "x"}},
            "string|EvalOptions.EvalOptions.ForceReschedule of type bool",
        ),
        ("/v1/job/j/versions/t/tag", {"Version": "x"}, "string|TagVersionRequest.Version of type uint64"),
        ("/v1/deployment/pause/d", {"Pause": "x"}, "string|DeploymentPauseRequest.Pause of type bool"),
        ("/v1/deployment/promote/d", {"Groups": "g"}, "string|DeploymentPromoteRequest.Groups of type []string"),
        (
            f"/v1/node/{NOWHERE}/drain",
            {"DrainSpec": {"Deadline": "1h"}},
            "string|DrainSpec.DrainSpec.Deadline of type time.Duration",
        ),
        ("/v1/client/metadata", {"Meta": {"a": 1}}, "number|NodeMetaApplyRequest.Meta of type string"),
        ("/v1/namespace", {"Name": 1}, "number|Namespace.Name of type string"),
        ("/v1/node/pools", {"Meta": "x"}, "string|NodePool.Meta of type map[string]string"),
        ("/v1/var/v", {"Items": "x"}, "string|VariableDecrypted.Items of type map[string]string"),
        ("/v1/var/v", {"Items": {"a": True}}, "bool|VariableDecrypted.Items of type string"),
        ("/v1/search", {"Prefix": 1}, "number|SearchRequest.Prefix of type string"),
        (
            "/v1/operator/scheduler/configuration",
            {"PreemptionConfig": 1},
            "number|SchedulerConfiguration.PreemptionConfig of type api.PreemptionConfig",
        ),
    ],
)
def test_a_body_of_a_wrong_type_is_refused_in_gos_words(nomad: Api, path: str, body: object, where: str) -> None:
    """The answer is 400, and names the kind of the value, the field's path and the Go type."""
    answer = nomad.call("PUT", path, body)
    kind, _, field = where.partition("|")

    assert answer.status == 400
    assert answer.body == f"json: cannot unmarshal {kind} into Go struct field {field}"


def test_a_body_that_is_no_object_is_refused(nomad: Api) -> None:
    """A list where an object is wanted names the Go type of the whole body."""
    answer = nomad.call("PUT", "/v1/job/j/revert", [])

    assert (answer.status, answer.body) == (
        400,
        "json: cannot unmarshal array into Go value of type structs.JobRevertRequest",
    )


def test_keys_of_a_body_are_found_in_any_case(nomad: Api) -> None:
    """Go's decoder does not look at the case of a key."""
    nomad.register(job("any-case", group(count=0)))
    answer = nomad.put("/v1/jobs/statuses", {"jobs": [{"id": "any-case", "namespace": "default"}]})
    nomad.purge("any-case")

    assert [each["ID"] for each in answer] == ["any-case"]


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1/jobs?wait=abc", 400, "Invalid wait time"),
        ("GET", "/v1/namespaces?wait=5", 400, "Invalid wait time"),
        ("GET", "/v1/status/leader?index=-1", 400, "Invalid index"),
        ("GET", "/v1/jobs?index=²", 400, "Invalid index"),
        ("GET", "/v1/vars?per_page=1e3", 400, "Expect a number for `per_page` query string parameter"),
        ("GET", "/v1/vars?per_page=4294967296", 400, "Expect a number for `per_page` query string parameter"),
        (
            "GET",
            "/v1/jobs?meta=x",
            500,
            'Failed to parse value of "meta" (x) as a bool: strconv.ParseBool: parsing "x"',
        ),
        ("DELETE", "/v1/job/j?purge=x", 500, 'Failed to parse value of "purge" (x) as a bool'),
        ("DELETE", "/v1/job/j?eval_priority=x", 500, 'Failed to parse value of "eval_priority" (x) as a int'),
        ("DELETE", "/v1/job/j?eval_priority=101", 400, "Eval priority must be between 1 and 100 inclusively"),
        ("GET", "/v1/job/j/submission?version=x", 400, "Unable to parse job submission version parameter"),
        ("GET", "/v1/job/j/submission", 400, "Unable to parse job submission version parameter"),
        ("GET", "/v1/job/", 404, "job not found"),
        ("GET", "/v1/job/none/scale", 404, "job not found"),
        ("GET", "/v1/job/none/services", 404, "job not found"),
        ("PUT", "/v1/job/none/dispatch", 500, "parameterized job not found"),
        ("GET", "/v1/allocations?prefix=abc", 500, f"alloc lookup failed: {ODD}"),
        ("GET", "/v1/evaluations?prefix=zz", 500, f"eval lookup failed: {NO_HEX}"),
        ("GET", "/v1/deployments?prefix=abc", 500, f"deployment lookup failed: {ODD}"),
        ("GET", "/v1/nodes?prefix=zz", 500, f"node lookup failed: {NO_HEX}"),
        ("GET", "/v1/nodes?prefix=----", 200, ""),
        ("GET", "/v1/nodes?prefix=-----", 500, 'UUID should have maximum of 4 "-"; got 5'),
        ("GET", f"/v1/nodes?prefix={'a' * 38}", 500, "Invalid UUID length. UUID have 36 characters; got 38"),
        ("GET", "/v1/allocation/zzzzzzzz-0000-0000-0000-000000000000", 500, f"alloc lookup failed: {NO_HEX}"),
        ("GET", "/v1/allocation/a/b", 404, "resource not found"),
        ("PUT", f"/v1/allocation/{NOWHERE}/stop", 404, f'Unknown allocation "{NOWHERE}"'),
        ("GET", f"/v1/allocation/{NOWHERE}/services", 404, "allocation not found"),
        ("GET", "/v1/client/allocation/a/nothing", 404, "resource not found"),
        ("GET", "/v1/client/fs/nothing/a", 404, "Invalid method"),
        ("GET", "/v1/client/stats?node_id=x", 500, f"node lookup failed: {NO_UUID}"),
        ("GET", f"/v1/client/stats?node_id={NOWHERE}", 404, f'Unknown node "{NOWHERE}"'),
        ("GET", "/v1/evaluation/x/allocations", 500, NO_UUID),
        ("GET", "/v1/deployment/allocations/x", 500, NO_UUID),
        (
            "GET",
            "/v1/evaluations?job=j&filter=ID+is+empty",
            400,
            "Filter expression cannot be used with other filter parameters",
        ),
        (
            "GET",
            "/v1/evaluations/count?status=blocked&filter=ID+is+empty",
            400,
            "Filter expression cannot be used with other filter parameters",
        ),
        ("PUT", f"/v1/deployment/fail/{NOWHERE}", 500, "deployment not found"),
        ("PUT", f"/v1/node/{NOWHERE}/evaluate", 500, "node not found"),
        ("PUT", f"/v1/node/{NOWHERE}/purge", 500, "node not found"),
        ("GET", "/v1/scaling/policy/x", 500, f"scaling_policy lookup failed: {NO_UUID}"),
        ("GET", "/v1/event/stream?index=x", 400, 'Unable to parse index: strconv.Atoi: parsing "x": invalid syntax'),
        ("GET", "/v1/namespace/", 400, "Missing Namespace Name"),
        ("GET", "/v1/var/", 400, "missing variable path"),
        ("GET", "/.well-known/jwks.json", 501, "not part of the embedded Nomad"),
    ],
)
def test_every_wrong_question_has_its_answer(nomad: Api, method: str, path: str, status: int, text: str) -> None:
    """Status and words are those of the call that was made, not of a general kind."""
    answer = nomad.call(method, quote(path, safe="/?=&+%"))

    assert answer.status == status
    assert text in (answer.body if isinstance(answer.body, str) else "")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"Count": 1, "Target": {"Group": "g", "Job": "other"}}, "job ID does not match"),
        ({"Count": 1, "Target": {"Group": "g", "Namespace": "other"}}, "namespace in payload did not match header"),
        ({"Count": -1, "Target": {"Group": "g"}}, "scaling action count can't be negative"),
        ({"Count": 1}, "missing task group name for scaling action"),
    ],
)
def test_scaling_says_what_it_misses(nomad: Api, body: dict[str, Any], text: str) -> None:
    """What is wrong with a scaling request is told before anybody looks for the job."""
    answer = nomad.call("PUT", "/v1/job/nowhere/scale", body)

    assert (answer.status, answer.body) == (400, text)


@pytest.mark.parametrize("words", [{}, {"EvalIDs": [NOWHERE], "Filter": "ID is empty"}])
def test_evaluations_are_deleted_by_id_or_by_filter(nomad: Api, words: dict[str, Any]) -> None:
    """Neither, and both, are refused."""
    answer = nomad.call("DELETE", "/v1/evaluations", words)

    assert answer.status == 400
    assert answer.body.startswith("evals ")


def test_evaluations_can_be_deleted_by_filter(fresh: Api) -> None:
    """With the broker paused, every evaluation that the filter lets through is forgotten."""
    for name in ("gone", "kept"):
        fresh.register(job(name))
        fresh.running(name)
    fresh.put("/v1/operator/scheduler/configuration", {"PauseEvalBroker": True})
    before = len(fresh.get("/v1/evaluations?job=gone"))
    answer = fresh.call("DELETE", "/v1/evaluations", {"Filter": 'JobID == "gone"'})

    assert (answer.status, answer.body["Count"]) == (200, before)
    assert fresh.get("/v1/evaluations?job=gone") == []
    assert fresh.get("/v1/evaluations?job=kept") != []


def test_only_the_word_true_turns_a_list_round(nomad: Api) -> None:
    """`reverse=1` and `reverse=x` are no errors and change nothing."""
    plain, turned = nomad.get("/v1/node/pools"), nomad.get("/v1/evaluations?reverse=true")

    assert nomad.get("/v1/node/pools?reverse=x") == plain
    assert nomad.get("/v1/evaluations?reverse=1") == turned[::-1]


def test_a_page_of_less_than_nothing_is_empty(nomad: Api) -> None:
    """A negative size is a number: the page is empty, and the next one begins where it would have."""
    nomad.register(job("a-page", group(count=0)))
    answer = nomad.call("GET", "/v1/jobs?prefix=a-page&per_page=-1")
    nomad.purge("a-page")

    assert (answer.status, answer.body) == (200, [])
    assert answer.headers["x-nomad-nexttoken"] == "default.a-page"


# -- anything ------------------------------------------------------------------------------------------------------
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
BODIES = {
    "/v1/jobs": ("Job", "EnforceIndex", "JobModifyIndex", "Submission", "EvalPriority"),
    "/v1/job/fuzz/plan": ("Job", "Diff"),
    "/v1/validate/job": ("Job",),
    "/v1/jobs/parse": ("JobHCL", "Variables", "Canonicalize"),
    "/v1/jobs/statuses": ("Jobs", "IncludeChildren"),
    "/v1/job/fuzz/scale": ("Count", "Target", "Message", "Error", "Meta"),
    "/v1/job/fuzz/revert": ("JobID", "JobVersion", "EnforcePriorVersion"),
    "/v1/job/fuzz/stable": ("JobID", "JobVersion", "Stable"),
    "/v1/job/fuzz/dispatch": ("Meta", "Payload", "IdPrefixTemplate", "Priority"),
    "/v1/job/fuzz/evaluate": ("JobID", "EvalOptions"),
    "/v1/job/fuzz/versions/t/tag": ("Version", "Description"),
    "/v1/namespace": ("Description", "Meta", "Capabilities", "Quota"),
    "/v1/node/pools": ("Description", "Meta", "SchedulerConfiguration"),
    "/v1/var/fuzz": ("Items", "Lock", "Namespace"),
    "/v1/var/fuzz-lock?lock-acquire": ("Items", "Lock"),
    "/v1/search": ("Prefix", "Context"),
    "/v1/search/fuzzy": ("Text", "Context"),
    "/v1/client/metadata": ("NodeID", "Meta"),
    "/v1/evaluations": ("EvalIDs", "Filter"),
}
PARTS = ("TaskGroups", "Update", "Constraints", "Meta", "Periodic", "Datacenters", "Type", "Priority", "UI", "Spreads")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_makes_the_server_fail(nomad: Api, data: st.DataObject) -> None:
    """Whatever a body holds, the answer is Nomad's own: no traceback, no internal error."""
    path = data.draw(st.sampled_from(sorted(BODIES)))
    body = {"Name": "fuzz"} | data.draw(st.dictionaries(st.sampled_from(BODIES[path]), JSON, max_size=4))
    method = "DELETE" if path == "/v1/evaluations" else "PUT"
    answer = nomad.call(method, path, body)

    _is_an_answer(answer.status, answer.body)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_job_makes_the_server_fail(nomad: Api, data: st.DataObject) -> None:
    """A job with anything in any of its blocks is planned or refused."""
    inner = data.draw(st.dictionaries(st.sampled_from(("Services", "Networks", "Scaling", "Volumes", "Count")), JSON))
    work = data.draw(st.dictionaries(st.sampled_from(("Config", "Resources", "Templates", "Env", "Lifecycle")), JSON))
    odd = data.draw(st.dictionaries(st.sampled_from(PARTS), JSON, max_size=2))
    body = job("fuzz", group(Tasks=[task() | work]) | inner) | odd
    answer = nomad.call("PUT", "/v1/job/fuzz/plan", {"Job": body, "Diff": True})

    _is_an_answer(answer.status, answer.body)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(("jobs", "allocations", "evaluations", "nodes", "vars", "services", "scaling/policies")), st.data()
)
def test_no_query_makes_the_server_fail(nomad: Api, where: str, data: st.DataObject) -> None:
    """Whatever parameters hold, the answer is a list or a refusal."""
    names = ("prefix", "filter", "per_page", "next_token", "reverse", "namespace", "meta", "choose", "index")
    query = data.draw(st.dictionaries(st.sampled_from(names), st.text(st.characters(codec="utf-8"), max_size=12)))
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    answer = nomad.call("GET", f"/v1/{where}?wait=1ms&{text}")

    _is_an_answer(answer.status, answer.body)


def _is_an_answer(status: int, body: Any) -> None:
    assert status in {200, 204, 400, 404, 409, 500, 501}, (status, body)
    text = body if isinstance(body, str) else ""
    assert "internal error" not in text
    assert "Traceback" not in text
