"""Which request each question becomes, and what is made of odd answers."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.nomad.fake import Asked, FakeNomad, Reply, routed
from herdsman import ports
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.nomad.cluster import SOURCE_LIMIT
from herdsman.errors import Conflict, Forbidden, NomadError, Refused, Unavailable
from herdsman.model.keys import job_key, namespace_key
from herdsman.model.observed import LiveJob, Provenance, VariableItems

KEY = job_key("team", "web")
BODY = {"ID": "web", "Namespace": "team", "Type": "service"}
PROVENANCE = Provenance(fleet="main", digest="d1", version=4, path="web.yaml", revision="abc")
DONE = {"Index": 30, "EvalID": "e-1", "JobModifyIndex": 30, "Warnings": ""}


def test_the_adapters_are_the_ports(cluster: NomadCluster) -> None:
    """A type checker accepts the adapters for the ports that they serve, and they have all of the methods."""
    nomad: ports.Nomad = cluster
    parsers: list[ports.HclParser] = [cluster, OfflineHclParser()]
    promised = [name for name in dir(ports.Nomad) if not name.startswith("_")]

    assert [name for name in promised if not callable(getattr(nomad, name, None))] == []
    assert all(callable(parser.parse) for parser in parsers)


# Lists


def pages(count: int, size: int) -> Callable[[Asked], Reply]:
    """Answers like Nomad's list of *count* jobs, *size* to a page; every page is one index newer."""
    rows = [
        {"ID": f"j{n:05}", "Namespace": "team", "JobModifyIndex": n, "CreateIndex": n, "Status": "running"}
        for n in range(1, count + 1)
    ]

    def answers(asked: Asked) -> Reply:
        start = int(asked.query.get("next_token", "0"))
        headers = {"X-Nomad-Index": str(100 + start)}
        if start + size < count:
            headers["X-Nomad-NextToken"] = str(start + size)
        return Reply(rows[start : start + size], 200, headers)

    return answers


def test_the_list_is_read_in_pages(fake: FakeNomad, cluster: NomadCluster) -> None:
    """All pages make one listing; its index is the oldest page's, so that nothing later is taken for known."""
    fake.answers = pages(25, 10)

    listing = cluster.listing()

    assert len(listing.stubs) == 25
    assert listing.index == 100
    assert [asked.query.get("next_token") for asked in fake.asked] == [None, "10", "20"]
    first = fake.asked[0].query
    assert (first["namespace"], first["meta"], first["per_page"]) == ("*", "true", "2000")


def test_an_empty_cluster_has_an_empty_list(fake: FakeNomad, cluster: NomadCluster) -> None:
    """No jobs are `[]`, or null."""
    nothings: list[object] = [[], None]
    for nothing in nothings:
        fake.always(nothing, X_Nomad_Index="5")
        assert (cluster.listing().stubs, cluster.listing().index) == ({}, 5)


def test_pages_that_go_round_in_circles_end(fake: FakeNomad, cluster: NomadCluster) -> None:
    """A proxy that answers every page with the first one is found out."""
    fake.always([], X_Nomad_NextToken="a")

    with pytest.raises(Unavailable, match="circles"):
        cluster.listing()

    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("rows", "index"), [([], None), (["web-2"], None), (["web"], 5), (["web", "web-2"], 5), (None, None)]
)
def test_one_row_of_the_list(fake: FakeNomad, cluster: NomadCluster, rows: list[str] | None, index: int | None) -> None:
    """A single job is looked for by its ID as a prefix: another one that begins like it is not it."""
    fake.always(rows and [{"ID": name, "Namespace": "team", "JobModifyIndex": 5, "CreateIndex": 5} for name in rows])

    stub = cluster.stub(KEY)

    assert (stub and stub.index) == index
    assert fake.asked[0].query == {"namespace": "team", "prefix": "web", "meta": "true", "per_page": "1"}


def test_a_page_that_fails_fails_the_list(fake: FakeNomad, cluster: NomadCluster) -> None:
    """Half a list is no list: jobs that are missing from it would look deleted."""
    whole = pages(25, 10)
    fake.answers = lambda asked: Reply("", 500) if asked.query.get("next_token") == "20" else whole(asked)

    with pytest.raises(Unavailable):
        cluster.listing()


# What may not be there


def test_what_is_not_there_is_none(fake: FakeNomad, cluster: NomadCluster) -> None:
    """A missing job, submission or variable is a value, not an error."""
    fake.answers = routed(
        {
            "GET /v1/job/web": Reply("job not found", 404),
            "GET /v1/job/web/submission": Reply("job source not found", 404),
            "GET /v1/var/a/b": Reply("variable not found", 404),
        }
    )

    assert cluster.job(KEY) is None
    assert cluster.provenance(KEY, 0) is None
    assert cluster.variable("a/b") == VariableItems({}, 0)


@pytest.mark.parametrize("text", ["", "Not Found", "<html>404</html>", "404 page not found", "no route matched"])
def test_a_stray_404_does_not_make_a_job_missing(fake: FakeNomad, cluster: NomadCluster, text: str) -> None:
    """Only Nomad's own words say that a job is not there: a proxy's page must not look like a deleted job."""
    fake.always(text, 404)

    for call in (cluster.job, cluster.purge):
        with pytest.raises(NomadError):
            call(KEY)


def test_what_is_gone_need_not_be_removed(fake: FakeNomad, cluster: NomadCluster) -> None:
    """Purging a missing job and deleting a missing namespace are done, not failed."""
    fake.answers = routed(
        {
            "DELETE /v1/job/web": Reply("job not found", 404),
            "DELETE /v1/namespace/gone": Reply("namespace not found", 500),
            "DELETE /v1/namespace/full": Reply(
                '1 error occurred:\n\t* namespace "full" has non-terminal jobs\n\n', 500
            ),
            "DELETE /v1/namespace/mine": Reply("Permission denied", 403),
        }
    )

    cluster.purge(KEY)
    cluster.delete_namespace(namespace_key("gone"))
    with pytest.raises(Unavailable, match="non-terminal jobs"):
        cluster.delete_namespace(namespace_key("full"))
    with pytest.raises(Forbidden):
        cluster.delete_namespace(namespace_key("mine"))

    assert fake.asked[0].query == {"purge": "true", "namespace": "team"}


# Writes


def test_a_register_is_a_compare_and_set_with_provenance(fake: FakeNomad, cluster: NomadCluster) -> None:
    """One request says the job, the index it was decided on, and where it comes from; the job itself is untouched."""
    fake.always(DONE)

    done = cluster.register(KEY, BODY, if_index=17, provenance=PROVENANCE, source=("job {}", "hcl2"))

    assert (done.index, done.evaluation, done.warnings) == (30, "e-1", "")
    (asked,) = fake.asked
    assert (asked.method, asked.path) == ("POST", "/v1/jobs")
    assert asked.json == {
        "Job": BODY,
        "EnforceIndex": True,
        "JobModifyIndex": 17,
        "Submission": {
            "Source": "job {}",
            "Format": "hcl2",
            "VariableFlags": {
                "herdsman_fleet": "main",
                "herdsman_digest": "d1",
                "herdsman_version": "4",
                "herdsman_path": "web.yaml",
                "herdsman_revision": "abc",
            },
        },
    }


@pytest.mark.parametrize(("form", "start"), [("hcl2", "# "), ("json", "{")])
def test_a_source_too_long_to_keep_is_not_sent(fake: FakeNomad, cluster: NomadCluster, form: str, start: str) -> None:
    """Nomad drops a submission over 1 MB with all its flags: a note goes instead, counted in bytes, not characters."""
    fake.always(DONE)
    fits, too_long = "é" * (SOURCE_LIMIT // 2), "é" * (SOURCE_LIMIT // 2) + "x"

    for text in (fits, too_long):
        cluster.register(KEY, BODY, if_index=0, provenance=PROVENANCE, source=(text, form))

    kept, noted = (asked.json["Submission"] for asked in fake.asked)
    assert kept["Source"] == fits
    assert noted["Source"].startswith(start)
    assert "web.yaml at abc" in noted["Source"]
    assert noted["VariableFlags"] == kept["VariableFlags"]


def test_a_lost_race_is_a_conflict(fake: FakeNomad, cluster: NomadCluster) -> None:
    """The 500 of a compare-and-set is told apart from all others by its text."""
    fake.always("Enforcing job modify index 17: job exists with conflicting job modify index: 19", 500)

    with pytest.raises(Conflict, match="register the job web in namespace team"):
        cluster.register(KEY, BODY, if_index=17, provenance=PROVENANCE, source=("", "json"))


LIVE = LiveJob(KEY, {**BODY, "JobModifyIndex": 40, "Version": 4, "Stop": False, "Meta": {"herdsman_fleet": "main"}})
FLAGS = {"herdsman_fleet": "main", "herdsman_digest": "d1", "herdsman_version": "4", "herdsman_prune": "purge"}


@pytest.mark.parametrize(
    ("kept", "sent"),
    [
        (
            {"Version": 4, "Source": "s", "Format": "hcl2", "Variables": "", "VariableFlags": FLAGS},
            {
                "Source": "s",
                "Format": "hcl2",
                "Variables": "",
                "VariableFlags": {**FLAGS, "herdsman_version": "5"},
            },
        ),
        ({"Version": 4, "VariableFlags": {**FLAGS, "herdsman_version": "0"}}, None),
        (Reply("job source not found", 404), None),
    ],
)
def test_a_stop_is_a_compare_and_set_of_the_live_body(
    fake: FakeNomad, cluster: NomadCluster, kept: Any, sent: Any
) -> None:
    """The body that was read goes back with `Stop`, at its index; its provenance goes on where it is genuine."""
    fake.answers = routed({"GET /v1/job/web/submission": kept, "POST /v1/jobs": DONE})

    cluster.stop(LIVE)

    read, write = fake.asked
    assert read.query["version"] == "4"
    assert write.json["Job"] == {**LIVE.body, "Stop": True}
    assert (write.json["EnforceIndex"], write.json["JobModifyIndex"]) == (True, 40)
    assert write.json.get("Submission") == sent
    assert LIVE.body["Stop"] is False


def test_a_plan_is_asked_with_its_difference(fake: FakeNomad, cluster: NomadCluster) -> None:
    """The dry run is of the very body, with `Diff`."""
    fake.always({"JobModifyIndex": 3, "Diff": {"Type": "None"}})

    assert cluster.plan(KEY, BODY).index == 3
    assert fake.asked[0].path == "/v1/job/web/plan"
    assert fake.asked[0].json == {"Job": BODY, "Diff": True, "PolicyOverride": False}


def test_values_reach_the_parser_as_json(fake: FakeNomad, cluster: NomadCluster) -> None:
    """Variables go as one JSON object in a text, whatever they hold; without any, the text is empty."""
    fake.always({"ID": "web"})
    nasty = {"a": '"}\n${x} %{if}', "n": 3, "l": ["é"]}

    assert cluster.parse("job {}", variables=nasty, namespace="team") == {"ID": "web"}
    cluster.parse("job {}", variables={}, namespace="team")

    first, second = (asked.json for asked in fake.asked)
    assert (first["JobHCL"], first["Canonicalize"]) == ("job {}", False)
    assert first["Variables"] == '{"a":"\\"}\\n${x} %{if}","n":3,"l":["é"]}'
    assert second["Variables"] == ""


def test_a_parse_error_keeps_the_parsers_words(fake: FakeNomad, cluster: NomadCluster) -> None:
    """Position and reason come through."""
    fake.always("Failed to parse job: input.hcl:2,13-14: Unclosed configuration block", 400)

    with pytest.raises(Refused, match=r"input\.hcl:2,13-14: Unclosed"):
        cluster.parse("job {", variables={}, namespace="team")


def test_a_variable_is_written_by_compare_and_set(fake: FakeNomad, cluster: NomadCluster) -> None:
    """The index is in the query, where Nomad looks for it; the answer holds the next one."""
    fake.always({"Items": {"a": "b"}, "ModifyIndex": 12})

    assert cluster.put_variable("herdsman/x", {"a": "b"}, if_index=0) == VariableItems({"a": "b"}, 12)
    (asked,) = fake.asked
    assert (asked.method, asked.query["cas"]) == ("PUT", "0")
    assert asked.json == {"Namespace": "default", "Path": "herdsman/x", "Items": {"a": "b"}}


# Odd answers and odd bodies


CALLS: dict[str, Callable[[NomadCluster], object]] = {
    "version": lambda c: c.version(),
    "listing": lambda c: c.listing(),
    "stub": lambda c: c.stub(KEY),
    "job": lambda c: c.job(KEY),
    "provenance": lambda c: c.provenance(KEY, 0),
    "plan": lambda c: c.plan(KEY, BODY),
    "deployments": lambda c: c.deployments(KEY),
    "allocations": lambda c: c.allocations(KEY),
    "evaluations": lambda c: c.evaluations(KEY),
    "namespaces": lambda c: c.namespaces(),
    "variable": lambda c: c.variable("a"),
    "parse": lambda c: c.parse("job", variables={}, namespace="team"),
    "register": lambda c: c.register(KEY, BODY, if_index=0, provenance=PROVENANCE, source=("", "json")),
    "stop": lambda c: c.stop(LIVE),
    "put_variable": lambda c: c.put_variable("a", {}, if_index=0),
}
ODD = ["<html>", "{", "3", '"text"', '{"a": 1}', "[1]", "[[]]", '[{"ID": 3}]', "", "\xff"]


@pytest.mark.parametrize(("name", "body"), list(itertools.product(CALLS, ODD)))
def test_an_answer_that_makes_no_sense_is_unavailable(
    fake: FakeNomad, cluster: NomadCluster, name: str, body: str
) -> None:
    """Whatever a 200 holds, what comes out is `Unavailable` with words: never does it look like an empty list."""
    fake.always(body.encode("latin-1"))

    with pytest.raises(Unavailable, match="Nomad"):
        CALLS[name](cluster)


@pytest.mark.parametrize("value", ["\ud800", 2**70, object()])
def test_a_body_that_is_no_json_is_refused(fake: FakeNomad, cluster: NomadCluster, value: object) -> None:
    """A half character, a number beyond 64 bits or an object of ours cannot be sent, and will never be."""
    with pytest.raises(Refused, match="no JSON"):
        cluster.plan(KEY, {**BODY, "Meta": {"a": value}})

    assert fake.asked == []


def test_every_request_is_counted_by_its_route(fake: FakeNomad) -> None:
    """The hook hears method, route without names, status and time; attempts count each, and a dead line is `error`."""
    heard: list[tuple[str, str, str, float]] = []
    config = NomadConfig(address=fake.address)
    cluster = NomadCluster(config, on_request=lambda *seen: heard.append(seen), sleep=lambda _: None)
    statuses: Iterator[Reply] = iter([Reply("", 503), Reply("job not found", 404), Reply("", 500)])
    fake.answers = lambda _: next(statuses)

    cluster.job(KEY)
    with pytest.raises(Unavailable):
        cluster.put_variable("a/b", {}, if_index=0)
    fake.close()
    with pytest.raises(Unavailable):
        cluster.purge(KEY)

    assert [seen[:3] for seen in heard] == [
        ("GET", "/v1/job/:id", "503"),
        ("GET", "/v1/job/:id", "404"),
        ("PUT", "/v1/var/:path", "500"),
        ("DELETE", "/v1/job/:id", "error"),
    ]
    assert all(0 < seconds < 10 for *_, seconds in heard)
    cluster.close()


def test_the_offline_parser_reads_hcl() -> None:
    """Without a cluster, our own parser gives the job, or refuses with position and reason."""
    hcl = 'variable "n" {\n type = number\n}\njob "x" {\n group "g" {\n  count = var.n\n }\n}\n'
    parser = OfflineHclParser()

    assert parser.parse(hcl, variables={"n": 3}, namespace="team")["TaskGroups"][0]["Count"] == 3
    with pytest.raises(Refused, match=r"input\.hcl:1"):
        parser.parse("job {", variables={}, namespace="team")
