"""Search: by the beginning of IDs, and for a text anywhere."""

import pytest

from devnomad.support import Api, group, job, task


@pytest.fixture(scope="module")
def full(nomad: Api) -> Api:
    """A server with something to find."""
    container = task("needle-task", Driver="docker", Config={"image": "registry.example/needle:1"})
    service = {"Name": "needle-web", "Provider": "nomad"}
    nomad.register(job("needle-job", group("needle-group", Tasks=[container], Services=[service])))
    nomad.running("needle-job")
    nomad.put("/v1/var/needle/one", {"Items": {"a": "b"}})
    nomad.put("/v1/namespace", {"Name": "needle-space"})
    for number in range(22):
        nomad.register(job(f"heap-{number:02}", group(count=0)))
    return nomad


@pytest.mark.parametrize(
    ("context", "prefix", "found"),
    [
        ("jobs", "needle", ["needle-job"]),
        ("jobs", "nee dle", None),
        ("vars", "needle", ["needle/one"]),
        ("namespaces", "needle", ["needle-space"]),
        ("node_pools", "al", ["all"]),
    ],
)
def test_a_prefix_finds(full: Api, context: str, prefix: str, found: list[str] | None) -> None:
    """What begins with the text is found, in the context that was named."""
    answer = full.put("/v1/search", {"Prefix": prefix, "Context": context})

    assert answer["Matches"] == {context: found}
    assert answer["Truncations"] == {context: False}


def test_ids_are_found_by_their_beginning(full: Api) -> None:
    """Allocations, evaluations, deployments and nodes are found by a few characters."""
    alloc = full.allocs("needle-job")[0]
    wanted = {
        "allocs": alloc["ID"],
        "evals": alloc["EvalID"],
        "nodes": alloc["NodeID"],
        "deployment": full.get("/v1/job/needle-job/deployment")["ID"],
    }
    for context, identity in wanted.items():
        found = full.put("/v1/search", {"Prefix": identity[:8], "Context": context})["Matches"]
        assert found == {context: [identity]}


def test_without_a_context_all_are_searched(full: Api) -> None:
    """`all` looks everywhere."""
    found = full.put("/v1/search", {"Prefix": "needle", "Context": "all"})["Matches"]

    assert (found["jobs"], found["vars"], found["namespaces"]) == (["needle-job"], ["needle/one"], ["needle-space"])
    assert found["allocs"] is None


def test_an_unknown_context_is_refused(full: Api) -> None:
    """What cannot be searched is said."""
    answer = full.call("PUT", "/v1/search", {"Prefix": "x", "Context": "people"})

    assert answer.status == 500
    assert "context must be one of" in answer.body


def test_too_many_matches_are_cut(full: Api) -> None:
    """Twenty are shown, and that there are more is said."""
    answer = full.put("/v1/search", {"Prefix": "heap-", "Context": "jobs"})

    assert len(answer["Matches"]["jobs"]) == 20
    assert answer["Truncations"] == {"jobs": True}


def test_fuzzy_search_looks_into_jobs(full: Api) -> None:
    """Groups, tasks, services and images are found inside jobs, each with where it is."""
    found = full.put("/v1/search/fuzzy", {"Text": "eedle", "Context": "jobs"})["Matches"]

    assert found["jobs"] == [{"ID": "needle-job", "Scope": ["default", "needle-job"]}]
    assert found["groups"] == [{"ID": "needle-group", "Scope": ["default", "needle-job"]}]
    inside = ["default", "needle-job", "needle-group"]
    assert found["tasks"] == [{"ID": "needle-task", "Scope": inside}]
    assert found["services"] == [{"ID": "needle-web", "Scope": inside}]
    assert found["images"] == [{"ID": "registry.example/needle:1", "Scope": [*inside, "needle-task"]}]


def test_fuzzy_search_ignores_case_and_puts_the_closest_first(full: Api) -> None:
    """The earlier the text stands in a name, the earlier the name stands in the list."""
    full.register(job("a-needle", group(count=0)))
    found = full.put("/v1/search/fuzzy", {"Text": "NEEDLE", "Context": "jobs"})["Matches"]["jobs"]

    assert [each["ID"] for each in found] == ["needle-job", "a-needle"]
    full.purge("a-needle")


def test_fuzzy_search_of_everything_finds_ids_by_prefix(full: Api) -> None:
    """With context `all`, things without names are found by the beginning of their IDs."""
    deployment = full.get("/v1/job/needle-job/deployment")["ID"]
    found = full.put("/v1/search/fuzzy", {"Text": deployment[:8], "Context": "all"})["Matches"]

    assert found["deployment"] == [{"ID": deployment}]


def test_a_short_text_is_refused(full: Api) -> None:
    """Fuzzy search wants two characters."""
    answer = full.call("PUT", "/v1/search/fuzzy", {"Text": "n", "Context": "jobs"})

    assert answer.status == 500
    assert "at least 2 characters" in answer.body
