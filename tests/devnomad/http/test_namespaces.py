"""Namespaces."""

import pytest

from devnomad.support import Api, group, job


def test_namespaces_come_and_go(nomad: Api) -> None:
    """A namespace is made, changed, listed and deleted."""
    nomad.put("/v1/namespace/team", {"Name": "team", "Description": "us", "Meta": {"a": "b"}})
    first = nomad.get("/v1/namespace/team")
    nomad.put("/v1/namespace", {"Name": "team", "Description": "them"})
    second = nomad.get("/v1/namespace/team")

    assert (first["Description"], first["Meta"]) == ("us", {"a": "b"})
    assert (second["Description"], second["Meta"]) == ("them", None)
    assert second["CreateIndex"] == first["CreateIndex"] < second["ModifyIndex"]
    assert first["Hash"] != second["Hash"]
    assert [each["Name"] for each in nomad.get("/v1/namespaces?prefix=te")] == ["team"]
    nomad.delete("/v1/namespace/team")
    assert nomad.call("GET", "/v1/namespace/team").status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("PUT", "/v1/namespace", {"Name": "not ok"}, 500, 'invalid name "not ok"'),
        ("PUT", "/v1/namespace", {"Name": ""}, 500, 'Invalid namespace "": 1 error occurred'),
        ("PUT", "/v1/namespace", {"Name": "long", "Description": "x" * 257}, 500, "description longer than 256"),
        ("PUT", "/v1/namespace/one", {"Name": "other"}, 400, "Namespace name does not match request path"),
        ("PUT", "/v1/namespace", {"Name": "q", "Quota": "some"}, 501, "Enterprise"),
        ("DELETE", "/v1/namespace/default", None, 500, "can not delete default namespace"),
        ("DELETE", "/v1/namespace/nowhere", None, 500, "namespace not found"),
    ],
)
def test_namespaces_that_cannot_be(nomad: Api, method: str, path: str, body: object, status: int, text: str) -> None:
    """Names are checked, and the default namespace stays."""
    answer = nomad.call(method, path, body)

    assert answer.status == status
    assert text in answer.body


def test_a_namespace_in_use_stays(nomad: Api) -> None:
    """A namespace in which jobs live cannot be deleted; once they are stopped it can."""
    nomad.put("/v1/namespace", {"Name": "busy"})
    nomad.call("PUT", "/v1/jobs?namespace=busy", {"Job": job("inside")})
    nomad.wait_for("/v1/job/inside?namespace=busy", lambda found: found["Status"] == "running")
    refused = nomad.call("DELETE", "/v1/namespace/busy")
    assert (refused.status, "has non-terminal jobs" in refused.body) == (500, True)
    nomad.delete("/v1/job/inside?namespace=busy")
    nomad.wait_for("/v1/job/inside?namespace=busy", lambda found: found["Status"] == "dead")
    nomad.delete("/v1/namespace/busy")


def test_the_same_job_in_two_namespaces_is_two_jobs(nomad: Api) -> None:
    """Jobs of one ID in two namespaces have nothing to do with each other."""
    nomad.put("/v1/namespace", {"Name": "twin"})
    nomad.register(job("twins", group(count=1)))
    nomad.call("PUT", "/v1/jobs", {"Job": job("twins", group(count=2), Namespace="twin")})
    nomad.running("twins", 1)
    nomad.wait_for(
        "/v1/job/twins/allocations?namespace=twin",
        lambda found: [alloc["ClientStatus"] for alloc in found] == ["running"] * 2,
    )
    nomad.purge("twins")
    assert nomad.get("/v1/job/twins?namespace=twin")["Status"] == "running"
    nomad.delete("/v1/job/twins?namespace=twin&purge=true")


def test_a_job_needs_its_namespace(nomad: Api) -> None:
    """A job in a namespace that does not exist is refused."""
    answer = nomad.call("PUT", "/v1/jobs?namespace=nowhere", {"Job": job("lost")})

    assert answer.status == 500
    assert 'nonexistent namespace "nowhere"' in answer.body


@pytest.mark.parametrize(
    ("capabilities", "text"),
    [
        ({"EnabledTaskDrivers": ["docker"]}, 'used task driver "mock_driver" is not allowed in namespace "strict"'),
        ({"EnabledTaskDrivers": ["docker", "mock_driver"]}, None),
        ({"DisabledTaskDrivers": ["mock_driver"]}, 'used task driver "mock_driver" is not allowed'),
        ({"DisabledTaskDrivers": ["raw_exec"]}, None),
        ({"DisabledNetworkModes": ["bridge"]}, 'used group network mode "bridge" is not allowed'),
        ({"EnabledNetworkModes": ["bridge"]}, None),
    ],
)
def test_a_namespace_may_be_strict(nomad: Api, capabilities: dict[str, list[str]], text: str | None) -> None:
    """A namespace allows only some task drivers and network modes."""
    nomad.put("/v1/namespace", {"Name": "strict", "Capabilities": capabilities})
    wanted = job("strict", group(count=0, Networks=[{"Mode": "bridge"}]), Namespace="strict")
    answer = nomad.call("PUT", "/v1/jobs", {"Job": wanted})
    if text is None:
        assert answer.status == 200
        nomad.delete("/v1/job/strict?namespace=strict&purge=true")
    else:
        assert answer.status == 500
        assert text in answer.body
