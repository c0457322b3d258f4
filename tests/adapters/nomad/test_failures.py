"""Errors by what happens next: the table of refusals against every failure that was recorded from a real Nomad."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from adapters.nomad.fake import Answers, FakeNomad, Reply
from faults import CutAfter, CutBefore, CutMidway, Fault, FaultProxy, Silence
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.adapters.nomad.failures import FALLBACK, RULES, WORDS, refusal, rule_for, words
from herdsman.errors import Conflict, Forbidden, NomadError, Refused, Unavailable
from herdsman.model.keys import job_key
from herdsman.model.observed import Provenance

CONTRACT = Path(__file__).parents[2] / "contract" / "nomad"


def recorded() -> Iterator[tuple[int, str]]:
    """Every failure in the recordings: status and text."""
    for file in sorted(CONTRACT.glob("**/recorded/*.json")):
        for step in json.loads(file.read_text()):
            if (step.get("status") or 0) >= 400:
                body = step["body"]
                yield step["status"], body if isinstance(body, str) else json.dumps(body)
            value = step.get("value")
            if isinstance(value, list) and len(value) == 2 and isinstance(value[0], int) and value[0] >= 400:
                yield value[0], value[1]


RECORDED = sorted(set(recorded()))


def answered(status: int, text: str, **headers: str) -> NomadError:
    """The error for an answer."""
    response = requests.Response()
    response.status_code = status
    response._content = text.encode()
    response.headers.update(headers)
    return refusal(response, what="register the job web")


def expected(status: int, text: str) -> type[NomadError]:
    """What the recordings must become, told apart by other marks than the table's."""
    if status == 403:
        return Forbidden
    if status == 409 or "modify index" in text:
        return Conflict
    if status == 404 and not text:
        return Unavailable  # no path of Nomad's
    return Refused


def test_there_are_recordings() -> None:
    """The recordings are where they are looked for, and hold failures of every kind."""
    assert len(RECORDED) > 60
    assert {status for status, _ in RECORDED} == {400, 403, 404, 405, 409, 500}


@pytest.mark.parametrize(("status", "text"), RECORDED)
def test_every_recorded_failure_has_its_row(status: int, text: str) -> None:
    """No recorded failure is left to the fallback, and each becomes the error that its kind asks for."""
    assert rule_for(status, text) is not FALLBACK
    assert type(answered(status, text)) is expected(status, text)


@pytest.mark.parametrize(("status", "text"), [pair for pair in RECORDED if pair[0] in {403, 500}])
def test_a_failure_that_was_forwarded_is_the_same_failure(status: int, text: str) -> None:
    """A server that is not the leader, or an agent that is no server, puts `rpc error: ` before the text."""
    assert type(answered(500, f"rpc error: rpc error: {text}")) is expected(status, text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.becomes.__name__}-{rule.text or rule.statuses}")
def test_every_row_of_the_table_is_needed(rule: object) -> None:
    """For each row there is an answer that falls under it and under no row before it."""
    samples = [*RECORDED, *MORE]

    assert any(rule_for(status, text) is rule for status, text in samples)


MORE = [
    (401, "who are you?"),
    (500, "Permission denied"),
    (500, "ACL token not found"),
    (307, ""),
    (429, "Please try again later"),
    (502, "<html>Bad Gateway</html>"),
    (503, "Service Unavailable"),
    (504, ""),
    (500, "No cluster leader"),
    (500, "EOF"),
    (500, "failed to get conn: dial tcp 10.0.0.7:4647: connect: connection refused"),
    (500, "1 error occurred:\n\t* rpc error: No cluster leader\n\n"),
    (500, '1 error occurred:\n\t* namespace "team" has non-terminal allocations in regions: [global]\n\n'),
    (404, "<html>no such page</html>"),
    (500, "Missing job ID for registration"),
    (500, "cannot update non-periodic job to being periodic"),
]


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (401, "", Forbidden),
        (500, "rpc error: Permission denied", Forbidden),
        (500, "ACL token expired", Forbidden),
        (500, "RPC Error:: 400,invalid path", Refused),
        (500, "rpc error: RPC Error:: 403,Permission denied", Forbidden),
        (500, "rpc error: EOF", Unavailable),
        (500, "rpc error: read tcp 10.0.0.1:1->10.0.0.2:4647: connection reset by peer", Unavailable),
        (500, "1 error occurred:\n\t* rpc error: No cluster leader\n\n", Unavailable),
        (500, 'namespace "team" has non-terminal jobs in regions: [global]', Unavailable),
        (500, '1 error occurred:\n\t* namespace "team" has non-terminal jobs in regions: [global]\n\n', Unavailable),
        (500, "No path to region", Unavailable),
        (500, "", Unavailable),
        (500, "a text that nobody has seen yet", Unavailable),
        (502, "1 error occurred:\n\t* of the proxy", Unavailable),
        (404, "404 page not found", Unavailable),
        (404, "<!DOCTYPE html><title>404 Not Found", Unavailable),
        (302, "", Unavailable),
        (408, "", Unavailable),
        (500, 'cannot update job from type "service" to "batch"', Refused),
        (413, "request body too large", Refused),
    ],
)
def test_failures_that_no_recording_has(status: int, text: str, error: type[NomadError]) -> None:
    """What a cluster of several servers, a proxy or another version may answer."""
    assert type(answered(status, text)) is error


def test_a_lost_race_never_quotes_the_answer() -> None:
    """The conflicting variable comes back with its items; nothing of them is passed on."""
    assert "hunter2" not in str(answered(409, '{"Items": {"password": "hunter2"}}'))


def test_a_message_names_the_deed_and_the_reason() -> None:
    """Nomad's bulleted lists become one line behind what was tried."""
    text = "2 errors occurred:\n\t* Missing groups\n\t* Task group g validation failed: 1 error occurred:\n\t* No\n\n"

    error = answered(500, text)

    assert error.message == (
        "Nomad refuses to register the job web: Missing groups; Task group g validation failed: No"
    )


@given(st.text(max_size=3000))
def test_words_are_one_short_line(text: str) -> None:
    """Whatever Nomad says, what is passed on fits on a line."""
    said = words(text)

    assert len(said) <= WORDS
    assert not re.search(r"[\n\r\t]", said)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_retry_after_is_passed_on(header: str, seconds: float | None) -> None:
    """Seconds that Nomad names are kept; dates and nonsense are not."""
    error = answered(429, "", **{"Retry-After": header})

    assert isinstance(error, Unavailable)
    assert error.retry_after == seconds


def test_an_echoed_token_is_not_quoted() -> None:
    """A proxy that repeats our headers in its error page does not get the token into a log."""
    response = requests.Response()
    response.status_code = 400
    response._content = b"bad header X-Nomad-Token: s3cr3t"

    assert "s3cr3t" not in str(refusal(response, what="ask", secret="s3cr3t"))


# Which of these are asked again

KEY = job_key("default", "web")
BODY = {"ID": "web", "Namespace": "default"}
FOUND = {"ID": "web", "Namespace": "default", "JobModifyIndex": 3}


def failing_first(*failures: Reply, then: object) -> Answers:
    """Answers that fail so many times before they succeed."""
    replies = iter(failures)
    return lambda _: next(replies, None) or Reply(then)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_read_is_asked_again_when_it_may_pass(fake: FakeNomad, cluster: NomadCluster, status: int) -> None:
    """Two brief failures of a read go unnoticed; plans and parses are reads too."""
    for call, answer in (
        (lambda: cluster.job(KEY), FOUND),
        (lambda: cluster.plan(KEY, BODY), {"JobModifyIndex": 3}),
        (lambda: cluster.parse("job", variables={}, namespace="default"), FOUND),
    ):
        fake.asked.clear()
        fake.answers = failing_first(Reply("", status), Reply("", status), then=answer)
        call()
        assert len(fake.asked) == 3


@pytest.mark.parametrize("fault", [CutBefore(), CutAfter(), CutMidway(5)])
def test_a_cut_connection_is_asked_again_for_a_read_only(fake: FakeNomad, fault: Fault) -> None:
    """A read goes through at the second attempt; a write is told as unavailable, and may have happened."""
    fake.always(FOUND)
    with FaultProxy(fake.address) as proxy:
        cluster = NomadCluster(NomadConfig(address=proxy.address), sleep=lambda _: None)
        proxy.on("GET", "*", fault)
        proxy.on("PUT", "*", fault)

        assert cluster.job(KEY) is not None
        with pytest.raises(Unavailable) as caught:
            cluster.put_variable("a", {}, if_index=1)

        assert caught.value.status == 0
        assert [call.method for call in proxy.calls] == ["GET", "GET", "PUT"]
        cluster.close()


def test_a_time_out_is_not_asked_again(fake: FakeNomad) -> None:
    """It has cost enough already."""
    with FaultProxy(fake.address) as proxy:
        cluster = NomadCluster(NomadConfig(address=proxy.address, read_timeout=0.1))
        proxy.on("GET", "*", Silence(), times=None)

        with pytest.raises(Unavailable, match="no answer in time"):
            cluster.job(KEY)

        assert len(proxy.calls) == 1
        cluster.close()


def test_a_read_is_given_up_after_three_attempts(fake: FakeNomad, cluster: NomadCluster) -> None:
    """The third failure is told as it is."""
    fake.always("still electing", 503)

    with pytest.raises(Unavailable, match="still electing"):
        cluster.job(KEY)

    assert len(fake.asked) == 3


@pytest.mark.parametrize(
    ("status", "text", "headers"),
    [
        (500, "No cluster leader", {}),
        (500, "new", {}),
        (400, "no", {}),
        (403, "", {}),
        (429, "", {"Retry_After": "30"}),
    ],
)
def test_what_does_not_pass_in_a_moment_is_asked_once(
    fake: FakeNomad, cluster: NomadCluster, status: int, text: str, headers: dict[str, str]
) -> None:
    """Refusals, elections and a longer `Retry-After` are the caller's to wait for."""
    fake.always(text, status, **headers)

    with pytest.raises(NomadError):
        cluster.job(KEY)

    assert len(fake.asked) == 1


def test_writes_are_never_sent_twice(fake: FakeNomad, cluster: NomadCluster) -> None:
    """A write whose answer is 503 may have happened: it is told, not repeated."""
    fake.always("", 503)
    provenance = Provenance(fleet="f", digest="d", version=0)
    writes = (
        lambda: cluster.register(KEY, BODY, if_index=1, provenance=provenance, source=("", "json")),
        lambda: cluster.purge(KEY),
        lambda: cluster.put_namespace({"Name": "x"}),
        lambda: cluster.put_variable("a", {}, if_index=0),
    )
    for write in writes:
        with pytest.raises(Unavailable):
            write()

    assert len(fake.asked) == len(writes)
