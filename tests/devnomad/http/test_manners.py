"""How the API behaves whatever is asked: headers, errors, lists in pages, queries that wait."""

import gzip
import http.client
import json
import socket
import threading
import time
from typing import Any
from urllib.parse import quote

import pytest

from devnomad.support import QUICK_UPDATE, Answer, Api, group, job


# -- requests and answers ------------------------------------------------------------------------------------------
def test_reads_carry_the_index_and_contact(nomad: Api) -> None:
    """A read of state says how fresh it is."""
    answer = nomad.call("GET", "/v1/jobs")

    assert int(answer.headers["x-nomad-index"]) >= 1
    assert answer.headers["x-nomad-knownleader"] == "true"
    assert answer.headers["x-nomad-lastcontact"] == "0"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("flag", ["pretty", "pretty=true", "pretty=1"])
def test_pretty_answers_are_for_people(nomad: Api, flag: str) -> None:
    """`pretty` indents the answer by four spaces and changes nothing else."""
    plain, pretty = _raw(nomad, "/v1/namespace/default"), _raw(nomad, f"/v1/namespace/default?{flag}")

    assert b"\n" not in plain
    assert pretty.startswith(b'{\n    "')
    assert json.loads(plain) == json.loads(pretty)


def test_pretty_can_be_turned_off(nomad: Api) -> None:
    """`pretty=0` asks for the plain answer."""
    assert _raw(nomad, "/v1/regions?pretty=0") == _raw(nomad, "/v1/regions")


def _raw(api: Api, path: str, headers: dict[str, str] | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    connection.request("GET", path, headers=headers or {})
    body = connection.getresponse().read()
    connection.close()
    return body


def test_long_answers_are_packed_for_those_who_can_unpack(nomad: Api) -> None:
    """A long answer comes gzipped where that is accepted, and reads the same."""
    plain = _raw(nomad, "/v1/agent/self?pretty")
    node = nomad.get("/v1/nodes")[0]["ID"]
    packed = nomad.call("GET", f"/v1/node/{node}", headers={"Accept-Encoding": "gzip"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.body == nomad.get(f"/v1/node/{node}")
    assert plain[:2] != gzip.compress(b"")[:2]


def test_short_answers_are_not_packed(nomad: Api) -> None:
    """Packing a short answer would not pay."""
    answer = nomad.call("GET", "/v1/regions", headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in answer.headers
    assert answer.body == ["global"]


def test_a_head_is_a_get_without_a_body(nomad: Api) -> None:
    """HEAD answers with the headers alone."""
    answer = nomad.call("HEAD", "/v1/namespace/default")

    assert answer.status == 200
    assert int(answer.headers["content-length"]) > 10
    assert answer.body is None


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1/nothing", 404, ""),
        ("GET", "/v2/jobs", 404, ""),
        ("DELETE", "/v1/jobs", 405, "Invalid method"),
        ("PATCH", "/v1/jobs", 405, "Invalid method"),
        ("GET", "/v1/jobs?index=many", 400, "Invalid index"),
        ("GET", "/v1/jobs?index=1&wait=long", 400, "Invalid wait time"),
        ("GET", "/v1/jobs?per_page=few", 400, "Expect a number for `per_page` query string parameter"),
        ("GET", "/v1/job/not-there", 404, "job not found"),
        ("GET", "/v1/allocation/short", 500, "alloc lookup failed: index error: UUID must be 36 characters"),
        ("GET", "/v1/allocation/00000000-0000-0000-0000-000000000000", 404, "alloc not found"),
        ("GET", "/v1/evaluation/00000000-0000-0000-0000-000000000000", 404, "eval not found"),
        ("GET", "/v1/deployment/00000000-0000-0000-0000-000000000000", 404, "deployment not found"),
        ("GET", "/v1/node/00000000-0000-0000-0000-000000000000", 404, "node not found"),
        ("GET", "/v1/namespace/nowhere", 404, "Namespace not found"),
        ("GET", "/v1/var/nowhere", 404, "variable not found"),
    ],
)
def test_what_is_wrong_is_said_in_nomads_words(nomad: Api, method: str, path: str, status: int, text: str) -> None:
    """Errors have the status and the text that Nomad gives."""
    answer = nomad.call(method, path)

    assert (answer.status, answer.body) == (status, text)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/volumes",
        "/v1/volume/csi/one",
        "/v1/plugins",
        "/v1/operator/raft/configuration",
        "/v1/operator/snapshot",
        "/v1/operator/autopilot/health",
        "/v1/acl/auth-methods",
        "/v1/acl/binding-rules",
        "/v1/quotas",
        "/v1/sentinel/policies",
        "/v1/recommendations",
        "/v1/agent/pprof/heap",
    ],
)
def test_what_is_not_simulated_says_so(nomad: Api, path: str) -> None:
    """Parts of Nomad that are left out answer 501, and tell what to use instead."""
    answer = nomad.call("GET", path)

    assert answer.status == 501
    assert "not part of the embedded Nomad" in answer.body
    assert "use a real Nomad" in answer.body


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_put_and_post_are_the_same(nomad: Api, method: str) -> None:
    """Whatever takes PUT takes POST."""
    assert nomad.call(method, "/v1/var/method", {"Items": {"by": method}}).status == 200
    assert nomad.call(method, "/v1/search", {"Prefix": "none", "Context": "jobs"}).status == 200
    assert nomad.call(method, "/v1/job/method/plan", {"Job": job("method")}).status == 200
    assert nomad.call(method, "/v1/system/gc").status == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Request body is empty"),
        (b"  ", "EOF"),
        (b"{", "unexpected EOF"),
        (b'{"Job": }', "invalid character '}' looking for beginning of value"),
        (b"nope", "invalid character 'o' in literal null (expecting 'u')"),
        (b'{"Job" 1}', "invalid character '1' after object key"),
        (b'{"Job": 1 2}', "invalid character '2' after object key:value pair"),
        (b"[1, 2 3]", "invalid character '3' after array element"),
        (b"{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a": "\n"}', "invalid character '\\n' in string literal"),
        (b'{"a": "\\x"}', "invalid character 'x' in string escape code"),
        (b'{"a": 01}', "invalid character '1' after object key:value pair"),
        (b'{"a": -}', "invalid character '}' in numeric literal"),
        (b'{"a": 1.}', "invalid character '}' after decimal point in numeric literal"),
        (b'{"a": 1e}', "invalid character '}' in exponent of numeric literal"),
        (b'{"a": 1.5e+}', "invalid character '}' in exponent of numeric literal"),
        (b'{"Job": null}', "Job must be specified"),
        (b"{}", "Job must be specified"),
    ],
)
def test_a_body_that_is_no_json_is_told_apart(nomad: Api, body: bytes, text: str) -> None:
    """A body that cannot be read is answered with 400 and what Go's decoder says about it."""
    answer = nomad.call("PUT", "/v1/jobs", body)

    assert (answer.status, answer.body) == (400, text)


def test_ids_in_paths_are_decoded_once(nomad: Api) -> None:
    """A job ID with slashes, blanks and percent signs is found by its quoted form."""
    name = "a/b c%2Fd"
    answer = nomad.call("PUT", "/v1/jobs", {"Job": job("odd/job", group(count=0))})
    assert answer.status == 200
    assert nomad.get(f"/v1/job/{quote('odd/job', safe='')}")["ID"] == "odd/job"
    assert nomad.get("/v1/job/odd/job")["ID"] == "odd/job"
    assert nomad.get("/v1/job/odd/job/summary")["JobID"] == "odd/job"
    assert nomad.call("GET", f"/v1/job/{quote(name, safe='')}").body == "job not found"
    nomad.purge("odd/job")


def test_connections_are_kept_open(nomad: Api) -> None:
    """One connection serves many requests, also after an error."""
    connection = http.client.HTTPConnection("127.0.0.1", nomad.port, timeout=10)
    connection.connect()
    first = connection.sock
    for path, status in (("/v1/regions", 200), ("/v1/job/none", 404), ("/v1/nothing", 404), ("/v1/jobs", 200)):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock is first
    connection.close()


def test_garbage_does_no_harm(nomad: Api) -> None:
    """Bytes that are no HTTP are refused, and the server goes on."""
    with socket.create_connection(("127.0.0.1", nomad.port), timeout=10) as plain:
        plain.sendall(b"\x00\x01\x02 nonsense\r\n\r\n")
        assert b"400" in plain.recv(100)
    assert nomad.get("/v1/regions") == ["global"]


# -- lists ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def many(nomad: Api) -> Api:
    """A server with seven jobs that ran, in two namespaces."""
    nomad.put("/v1/namespace", {"Name": "pages"})
    for number in range(7):
        space = "pages" if number > 4 else "default"
        nomad.call("PUT", f"/v1/jobs?namespace={space}", {"Job": job(f"page-{number}", Update=QUICK_UPDATE)})
    done = ("/v1/deployments?namespace=*", lambda found: [r["Status"] for r in _of_pages(found)] == ["successful"] * 7)
    nomad.wait_for(*done)
    return nomad


def _of_pages(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["JobID"].startswith("page-")]


def _pages(api: Api, path: str, size: int) -> list[dict[str, Any]]:
    """All pages of a list, one after the other."""
    rows: list[dict[str, Any]] = []
    token = ""
    while True:
        answer = api.call("GET", f"{path}&per_page={size}&next_token={quote(token)}")
        assert answer.status == 200, answer.body
        assert len(answer.body) <= size
        rows += answer.body
        token = answer.headers.get("x-nomad-nexttoken", "")
        if not token:
            return rows


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("reverse", ["false", "true"])
@pytest.mark.parametrize(
    "path",
    ["/v1/jobs", "/v1/allocations", "/v1/evaluations", "/v1/deployments", "/v1/jobs/statuses", "/v1/vars"],
)
def test_pages_make_up_the_whole_list(many: Api, path: str, reverse: str, size: int) -> None:
    """The pages of a list, in any size and either direction, are the list itself."""
    many.put("/v1/var/page/b", {"Items": {"a": "b"}})
    many.put("/v1/var/page/a", {"Items": {"a": "b"}})
    url = f"{path}?namespace=*&reverse={reverse}"

    assert _pages(many, url, size) == many.get(url)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/allocations", "/v1/evaluations", "/v1/deployments"])
def test_reverse_is_the_list_backwards(many: Api, path: str) -> None:
    """`reverse` turns the order round."""
    assert many.get(f"{path}?namespace=*&reverse=true") == many.get(f"{path}?namespace=*")[::-1]


def test_lists_are_of_one_namespace(many: Api) -> None:
    """Without a namespace the default one is listed, with `*` all."""
    assert {row["Namespace"] for row in many.get("/v1/jobs?prefix=page-")} == {"default"}
    assert {row["Namespace"] for row in many.get("/v1/jobs?prefix=page-&namespace=pages")} == {"pages"}
    assert {row["Namespace"] for row in many.get("/v1/jobs?prefix=page-&namespace=*")} == {"default", "pages"}
    assert many.get("/v1/jobs?namespace=nowhere") == []


def test_a_prefix_of_an_id_chooses(many: Api) -> None:
    """Allocations, evaluations and deployments are found by the first characters of their IDs."""
    for path in ("/v1/allocations", "/v1/evaluations", "/v1/deployments"):
        wanted = many.get(f"{path}?namespace=*")[0]["ID"]
        found = many.get(f"{path}?namespace=*&prefix={wanted[:8]}")
        assert [row["ID"] for row in found] == [wanted]


@pytest.mark.parametrize(
    ("path", "expression", "count"),
    [
        ("/v1/jobs", 'ID == "page-3"', 1),
        ("/v1/jobs", 'ID matches "^page-[12]$"', 2),
        ("/v1/jobs", 'ID != "page-1" and ID contains "page-"', 6),
        ("/v1/jobs", 'Namespace == "pages"', 2),
        ("/v1/allocations", 'JobID in ["page-1", "page-2"]', 0),
        ("/v1/allocations", 'JobID == "page-2"', 1),
        ("/v1/evaluations", 'JobID == "page-2" and TriggeredBy == "job-register"', 1),
        ("/v1/deployments", 'JobID == "page-6"', 1),
        ("/v1/nodes", 'Name == "devnomad"', 1),
        ("/v1/namespaces", 'Name contains "page"', 1),
    ],
)
def test_filters_choose(many: Api, path: str, expression: str, count: int) -> None:
    """A filter expression leaves only what it describes."""
    answer = many.call("GET", f"{path}?namespace=*&filter={quote(expression)}")
    if count:
        assert answer.status == 200, answer.body
        assert len(answer.body) == count
    else:
        assert answer.status == 400


@pytest.mark.parametrize("expression", ["ID ==", "((", "Nope == 1 and", "ID is"])
def test_a_filter_that_cannot_be_read_is_refused(many: Api, expression: str) -> None:
    """A broken filter is a bad request, not an empty list."""
    answer = many.call("GET", f"/v1/jobs?filter={quote(expression)}")

    assert answer.status == 400
    assert "failed to" in answer.body


def test_filters_and_pages_go_together(many: Api) -> None:
    """A page is filled with what the filter lets through."""
    expression = quote('ID matches "page-[135]"')
    url = f"/v1/jobs?namespace=*&filter={expression}"

    assert [row["ID"] for row in _pages(many, url, 2)] == ["page-1", "page-3", "page-5"]


# -- waiting -------------------------------------------------------------------------------------------------------
def _waiting(api: Api, path: str) -> tuple[threading.Thread, list[Answer]]:
    """A query that is held, in a thread; its answer comes into the list."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(api.call("GET", path)))
    thread.start()
    return thread, answers


def test_a_query_waits_for_a_change(nomad: Api) -> None:
    """A query with an index answers when what it reads has changed beyond that."""
    index = nomad.register(job("watched", group(count=0)))["JobModifyIndex"]
    nomad.wait_for("/v1/job/watched", lambda found: found["Status"] == "dead")
    index = nomad.call("GET", "/v1/job/watched").index
    thread, answers = _waiting(nomad, f"/v1/job/watched?index={index}&wait=20s")
    nomad.register(job("watched", group(count=0), Priority=60))
    thread.join(10)

    assert answers[0].index > index
    assert answers[0].body["Priority"] == 60
    nomad.purge("watched")


def test_a_query_gives_up_in_time(nomad: Api) -> None:
    """When nothing changes, the answer is what there is, after the time that was given."""
    index = nomad.call("GET", "/v1/namespaces").index
    began = time.monotonic()
    answer = nomad.call("GET", f"/v1/namespaces?index={index}&wait=300ms")

    assert 0.25 < time.monotonic() - began < 2
    assert answer.index == index


def test_a_query_for_an_old_index_answers_at_once(nomad: Api) -> None:
    """Who is behind need not wait."""
    began = time.monotonic()
    nomad.call("GET", "/v1/namespaces?index=1&wait=10s")

    assert time.monotonic() - began < 1


def test_a_query_waits_for_what_is_not_there_yet(nomad: Api) -> None:
    """A job that does not exist can be waited for."""
    index = nomad.call("GET", "/v1/jobs").index
    thread, answers = _waiting(nomad, f"/v1/job/to-come?index={index}&wait=20s")
    nomad.register(job("to-come", group(count=0)))
    thread.join(10)

    assert answers[0].status == 200
    assert answers[0].body["ID"] == "to-come"
    nomad.purge("to-come")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs",
        "/v1/allocations",
        "/v1/evaluations",
        "/v1/deployments",
        "/v1/job/everything",
        "/v1/job/everything/allocations",
        "/v1/job/everything/evaluations",
        "/v1/job/everything/deployments",
        "/v1/job/everything/deployment",
        "/v1/job/everything/summary",
        "/v1/job/everything/versions",
        "/v1/job/everything/scale",
        "/v1/jobs/statuses",
        "/v1/scaling/policies",
        "/v1/services",
    ],
)
def test_everything_about_a_job_can_be_waited_for(nomad: Api, path: str) -> None:
    """Each list and each read wakes up when a job is changed and runs anew."""
    service = {"Name": "everything", "Provider": "nomad"}
    scaling = {"Min": 0, "Max": 5, "Type": "horizontal"}
    nomad.register(job("everything", group(Services=[service], Scaling=scaling)))
    nomad.running("everything")
    index = nomad.call("GET", path).index
    thread, answers = _waiting(nomad, f"{path}?index={index}&wait=20s")
    changed = scaling | {"Max": 6}
    nomad.register(job("everything", group(count=2, Services=[service], Scaling=changed)))
    thread.join(15)

    assert answers[0].index > index
    nomad.purge("everything")


# -- other regions -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/jobs?region=global", None, 200),
        ("GET", "/v1/jobs?region=", None, 200),
        ("GET", "/v1/jobs?region=mars", None, 500),
        ("GET", "/v1/regions?region=mars", None, 200),
        ("PUT", "/v1/jobs", {"Job": job("far", Region="mars")}, 500),
        ("PUT", "/v1/job/far/plan", {"Job": job("far", Region="mars")}, 500),
        ("PUT", "/v1/job/far/plan", {"Job": job("far", Region="global")}, 200),
    ],
)
def test_there_is_one_region(nomad: Api, method: str, path: str, body: object, status: int) -> None:
    """What is meant for another region finds no way there."""
    answer = nomad.call(method, path, body)

    assert answer.status == status
    if status == 500:
        assert answer.body == "No path to region"
