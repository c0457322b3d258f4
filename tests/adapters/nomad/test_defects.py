"""What python-nomad gets wrong, and the adapter must not: one test for each known defect.

Every test here fails with the library used as it comes. Its event stream, which is broken too, is not used at all:
see `test_events.py`; verification of TLS and redirects are in `test_transport.py`. The library's dispatch, which hides
its idempotency token from Nomad, has no counterpart here.
"""

import socket
import threading

import pytest

from adapters.nomad.fake import Asked, FakeNomad, Reply
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.nomad.client import Client, Request
from herdsman.errors import Conflict, Forbidden, NomadError, Refused, Unavailable
from herdsman.model.keys import job_key, namespace_key
from herdsman.model.observed import Provenance

PROVENANCE = Provenance(fleet="f", digest="d", version=0)


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../status/leader", "a/../../status/leader", "a/./b", "a//b", "/a", "a/"]
)
def test_an_id_cannot_reach_another_endpoint(fake: FakeNomad, cluster: NomadCluster, name: str) -> None:
    """A name that HTTP would shorten on its way is refused before anything is sent."""
    with pytest.raises(Refused, match="cannot stand in a URL"):
        cluster.job(job_key("default", name))
    with pytest.raises(Refused):
        cluster.purge(job_key("default", name))
    with pytest.raises(Refused):
        cluster.variable(name)
    with pytest.raises(Refused):
        cluster.delete_namespace(namespace_key(name))

    assert fake.asked == []


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("a?b", "a%3Fb"),
        ("a#b", "a%23b"),
        ("50%", "50%25"),
        ("a%2Fb", "a%252Fb"),
        ("a/b", "a%2Fb"),
        ("...", "..."),
        ("ünï", "%C3%BCn%C3%AF"),
        ("a b&c=d", "a%20b%26c%3Dd"),
    ],
)
def test_an_id_arrives_as_it_is(fake: FakeNomad, cluster: NomadCluster, name: str, sent: str) -> None:
    """Every character of an ID is quoted once and only once."""
    fake.always({"ID": name, "Namespace": "default", "JobModifyIndex": 1})

    assert cluster.job(job_key("default", name)) is not None
    assert fake.asked[0].path == f"/v1/job/{sent}"


def test_a_variable_path_keeps_its_slashes(fake: FakeNomad, cluster: NomadCluster) -> None:
    """The slashes of a variable's path are sent as such, what lies between them is quoted."""
    fake.always("variable not found", 404)

    cluster.variable("herdsman/fleets/a b")

    assert fake.asked[0].path == "/v1/var/herdsman/fleets/a%20b"


def test_variables_go_to_the_namespace_meant(fake: FakeNomad, cluster: NomadCluster) -> None:
    """A variable is read and written in `default`, and both the query and the body say so."""
    fake.always({"Items": {"a": "b"}, "ModifyIndex": 4})

    cluster.variable("herdsman/x")
    cluster.put_variable("herdsman/x", {"a": "b"}, if_index=4)

    assert [asked.query["namespace"] for asked in fake.asked] == ["default", "default"]
    assert fake.asked[1].json["Namespace"] == "default"


def test_every_call_names_the_namespace_of_its_job(fake: FakeNomad, cluster: NomadCluster) -> None:
    """Reads, plans and writes about a job all carry its own namespace: none falls back to `default`."""
    key = job_key("team-b", "web")
    body = {"ID": "web", "Namespace": "team-b"}

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith(("deployments", "allocations", "evaluations")):
            return Reply([])
        return Reply({"ID": "web", "Namespace": "team-b", "JobModifyIndex": 1, "Index": 1, "Version": 0})

    fake.answers = answer
    cluster.job(key)
    cluster.provenance(key, 0)
    cluster.plan(key, body)
    cluster.deployments(key)
    cluster.allocations(key)
    cluster.evaluations(key)
    cluster.register(key, body, if_index=0, provenance=PROVENANCE, source=("", "json"))
    cluster.purge(key)
    cluster.parse("job", variables={}, namespace="team-b")

    assert {asked.query.get("namespace") for asked in fake.asked} == {"team-b"}
    assert len(fake.asked) == 9


@pytest.mark.parametrize(
    "body",
    [
        {"ID": "web", "Namespace": "team-b"},
        {"ID": "web"},  # which is to say: default
        {"ID": "other", "Namespace": "team-a"},
        {"Namespace": "team-a"},
    ],
)
def test_a_body_for_another_place_is_not_sent(fake: FakeNomad, cluster: NomadCluster, body: dict[str, str]) -> None:
    """Nomad would let the query win over the body without a word; here both must agree."""
    key = job_key("team-a", "web")

    with pytest.raises(Refused, match="says it is the job"):
        cluster.register(key, body, if_index=0, provenance=PROVENANCE, source=("", "json"))
    with pytest.raises(Refused, match="says it is the job"):
        cluster.plan(key, body)

    assert fake.asked == []


def test_the_user_agent_needs_no_token(fake: FakeNomad, cluster: NomadCluster) -> None:
    """Requests say who they are from, with a token or without."""
    fake.always([])

    cluster.listing()

    assert fake.asked[0].headers["User-Agent"].startswith("herdsman/")


def test_a_slash_after_the_address_does_no_harm(fake: FakeNomad) -> None:
    """`http://host:4646/` is the same as without the slash."""
    fake.always([])
    cluster = NomadCluster(NomadConfig(address=fake.address + "/"))

    cluster.listing()

    assert fake.asked[0].path == "/v1/jobs"
    cluster.close()


def test_the_region_goes_with_every_call(fake: FakeNomad) -> None:
    """A configured region is sent; none is sent otherwise."""
    fake.always([])
    for region in ("eu", ""):
        cluster = NomadCluster(NomadConfig(address=fake.address, region=region))
        cluster.namespaces()
        cluster.close()

    assert [asked.query.get("region") for asked in fake.asked] == ["eu", None]


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (409, '{"Items": {"password": "hunter2"}}', Conflict),
        (500, "Enforcing job modify index 7: job already exists", Conflict),
        (429, "slow down", Unavailable),
        (500, "something new", Unavailable),
        (403, "Permission denied", Forbidden),
        (400, "Job must be specified", Refused),
    ],
)
def test_errors_say_what_happens_next(
    fake: FakeNomad, cluster: NomadCluster, status: int, text: str, error: type[NomadError]
) -> None:
    """Answers that the library throws together become errors of their own, each with its status."""
    fake.always(text, status)

    with pytest.raises(NomadError) as caught:
        cluster.put_variable("a/b", {"password": "hunter2"}, if_index=1)

    assert type(caught.value) is error
    assert caught.value.status == status
    assert "hunter2" not in str(caught.value)


def test_no_answer_is_unavailable_with_status_0() -> None:
    """A refused connection and a time-out, which the library leaves to be told apart by attributes, are one class."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        slow = NomadCluster(NomadConfig(address=address, read_timeout=0.05))
        with pytest.raises(Unavailable, match="no answer in time") as timed_out:
            slow.version()
        slow.close()
    refused = NomadCluster(NomadConfig(address=address), sleep=lambda _: None)
    with pytest.raises(Unavailable, match="Connection refused") as not_there:
        refused.version()

    assert (timed_out.value.status, not_there.value.status) == (0, 0)
    assert "is it running" in not_there.value.hint


def test_the_callers_parameters_are_left_alone(fake: FakeNomad) -> None:
    """The library writes the namespace and the region into the dictionary that it is given; not into ours."""
    fake.always([])
    client = Client(NomadConfig(address=fake.address, region="eu"))
    params = {"per_page": "1"}

    client.ask(Request("list", "get", "/v1/jobs", namespace="team", params=params))
    client.ask(Request("list", "get", "/v1/namespaces", params=params))

    assert params == {"per_page": "1"}
    assert [asked.query for asked in fake.asked] == [
        {"per_page": "1", "namespace": "team", "region": "eu"},
        {"per_page": "1", "region": "eu"},
    ]
    client.close()


def test_answers_without_json_are_fine_where_none_is_due(fake: FakeNomad, cluster: NomadCluster) -> None:
    """Writes of namespaces are answered with nothing, and so return nothing."""
    fake.always("")

    cluster.put_namespace({"Name": "team"})
    cluster.delete_namespace(namespace_key("team"))

    assert [(asked.method, asked.path) for asked in fake.asked] == [
        ("PUT", "/v1/namespace/team"),
        ("DELETE", "/v1/namespace/team"),
    ]


def test_one_session_serves_all_endpoints_and_threads(fake: FakeNomad) -> None:
    """Eight threads on several endpoints keep to eight connections: the library opens sessions by the dozen."""
    fake.always([])
    cluster = NomadCluster(NomadConfig(address=fake.address, threads=8))
    start = threading.Barrier(8)

    def work() -> None:
        start.wait(timeout=10)
        for _ in range(10):
            cluster.listing()
            cluster.namespaces()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(fake.asked) == 160
    assert len({asked.peer for asked in fake.asked}) <= 8
    cluster.close()
