"""The proxy that misbehaves does exactly what its rules say, and keeps a true log: tests of faults stand on it."""

import threading
import time
from collections.abc import Iterator

import pytest
import requests

from adapters.nomad.fake import Asked, FakeNomad, Reply
from adapters.nomad.streams import Stream, StreamServer, following, frame, job_event
from faults import Call, CutAfter, CutBefore, CutMidway, Fault, FaultProxy, Replay, Rewrite, Silence, Slow, Status
from herdsman.adapters.events import NomadEvents
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.errors import Unavailable
from herdsman.model.keys import job_key


@pytest.fixture
def proxy(fake: FakeNomad) -> Iterator[FaultProxy]:
    """A proxy before the fake, which answers every request with how many there were."""

    def count(_: Asked) -> Reply:
        return Reply({"n": len(fake.asked)}, 200, {"X-Nomad-Index": str(len(fake.asked))})

    fake.answers = count
    with FaultProxy(fake.address) as between:
        yield between


def get(proxy: FaultProxy, path: str = "/v1/jobs", **options: object) -> requests.Response:
    """One request on a connection of its own."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(proxy.address + path, timeout=5, **options)  # type: ignore[arg-type]


def post(proxy: FaultProxy, data: bytes) -> requests.Response:
    """One write on a connection of its own."""
    with requests.Session() as session:
        session.trust_env = False
        return session.post(f"{proxy.address}/v1/jobs?a=b", data=data, timeout=5)


def test_without_rules_all_is_passed_on(fake: FakeNomad, proxy: FaultProxy) -> None:
    """Method, path, query, headers and body arrive, and the answer comes back; both are logged."""
    with requests.Session() as session:
        answer = session.put(f"{proxy.address}/v1/var/a%2Fb?cas=3", data=b"x=y", headers={"X-Nomad-Token": "t"})

    assert (answer.status_code, answer.json(), answer.headers["X-Nomad-Index"]) == (200, {"n": 1}, "1")
    (asked,) = fake.asked
    assert (asked.method, asked.target, asked.body) == ("PUT", "/v1/var/a%2Fb?cas=3", b"x=y")
    assert asked.headers["X-Nomad-Token"] == "t"
    assert proxy.calls == (Call("PUT", "/v1/var/a%2Fb", "cas=3", b"x=y", "", 200),)


def test_a_status_is_answered_instead(fake: FakeNomad, proxy: FaultProxy) -> None:
    """The call is never passed on; text and headers are as the rule says."""
    proxy.on("GET", "/v1/jobs", Status(500, "No cluster leader", {"Retry-After": "3"}))

    answer = get(proxy)

    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (500, "No cluster leader", "3")
    assert fake.asked == []
    assert get(proxy).status_code == 200


@pytest.mark.parametrize(
    ("nth", "times", "struck"),
    [(1, 1, "x...."), (2, 1, ".x..."), (2, 3, ".xxx."), (3, None, "..xxx")],
)
def test_a_rule_strikes_the_calls_that_it_names(proxy: FaultProxy, nth: int, times: int | None, struck: str) -> None:
    """From the nth call that fits on, as often as it says; calls that do not fit do not count."""
    proxy.on("GET", "/v1/job/*", Status(503), nth=nth, times=times)

    seen = ""
    for n in range(5):
        get(proxy, "/v1/jobs")
        post(proxy, b"")
        seen += "x" if get(proxy, f"/v1/job/web-{n}").status_code == 503 else "."

    assert seen == struck


def test_the_first_rule_that_strikes_wins(proxy: FaultProxy) -> None:
    """Of several rules for one call the one set first decides; `clear` forgets them all."""
    proxy.on("*", "/v1/*", Status(503))
    proxy.on("GET", "/v1/jobs", Status(504), times=None)

    assert [get(proxy).status_code for _ in range(2)] == [503, 504]
    proxy.clear()
    assert get(proxy).status_code == 200


@pytest.mark.parametrize(("fault", "written"), [(CutBefore(), 0), (CutAfter(), 1), (CutMidway(1), 1)])
def test_a_cut_connection(fake: FakeNomad, proxy: FaultProxy, fault: Fault, written: int) -> None:
    """Before: nothing happened. After, or in the middle of the answer: it happened, and the client cannot know."""
    proxy.on("POST", "/v1/jobs", fault)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        post(proxy, b"{}")

    assert len(fake.asked) == written
    assert proxy.calls[0].fault == type(fault).__name__


@pytest.mark.parametrize("forward", [False, True])
def test_silence(fake: FakeNomad, proxy: FaultProxy, forward: bool) -> None:
    """The client waits until it gives up; the call may have happened all the same."""
    proxy.on("GET", "*", Silence(forward=forward))
    cluster = NomadCluster(NomadConfig(address=proxy.address, read_timeout=0.2))

    with pytest.raises(Unavailable, match="in time"):
        cluster.job(job_key("default", "web"))

    assert len(fake.asked) == forward
    assert (proxy.calls[0].fault, proxy.calls[0].status) == ("Silence", 0)
    cluster.close()


def test_a_stale_answer(proxy: FaultProxy) -> None:
    """The same request is answered as before, index and all; others are not touched."""
    proxy.on("GET", "/v1/jobs", Replay(), nth=1, times=2)

    first, second, other, third = get(proxy), get(proxy), get(proxy, "/v1/nodes"), get(proxy)

    assert [answer.json()["n"] for answer in (first, second, other, third)] == [1, 1, 2, 3]
    assert second.headers["X-Nomad-Index"] == "1"


def test_a_stale_index(proxy: FaultProxy) -> None:
    """Single headers of an answer can be replaced."""
    proxy.on("GET", "*", Rewrite({"X-Nomad-Index": "7"}))

    assert get(proxy).headers["x-nomad-index"] == "7"


def test_a_slow_answer(proxy: FaultProxy) -> None:
    """It comes, but late."""
    proxy.on("GET", "*", Slow(0.1))
    started = time.monotonic()

    assert get(proxy).status_code == 200
    assert time.monotonic() - started >= 0.1


def test_streams_are_passed_on_as_they_come_and_can_be_cut() -> None:
    """An event reaches the reader before the stream ends; `cut` breaks the stream, and the reader comes back."""

    def play(stream: Stream) -> None:
        stream.open()
        stream.send(frame(5 + stream.number, job_event(5 + stream.number, f"job-{stream.number}")))
        stream.hold()

    with StreamServer(play) as server, FaultProxy(server.address) as proxy:
        events = NomadEvents(NomadConfig(address=proxy.address), first_wait=0.001, longest_wait=0.01)
        with following(events) as follower:
            follower.until(lambda hint: job_key("default", "job-0") in hint.keys)
            proxy.cut()
            follower.until(lambda hint: job_key("default", "job-1") in hint.keys)
            assert {call.path for call in proxy.calls} == {"/v1/event/stream", "/v1/jobs"}


def test_calls_are_logged_before_they_are_answered(proxy: FaultProxy) -> None:
    """A client that has its answer finds its call in the log, from any number of threads."""
    missing = []

    def work(name: str) -> None:
        for n in range(20):
            path = f"/v1/job/{name}-{n}"
            get(proxy, path)
            if not [call for call in proxy.calls if call.path == path and call.status == 200]:
                missing.append(path)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert missing == []
    assert len(proxy.calls) == 80


def test_closing_frees_whoever_waits(fake: FakeNomad) -> None:
    """A call that is held ends when the proxy does."""
    proxy = FaultProxy(fake.address)
    proxy.on("GET", "*", Silence())
    failed = threading.Event()

    def wait() -> None:
        try:
            get(proxy)
        except requests.ConnectionError:
            failed.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while not proxy.calls:
        time.sleep(0.001)
    proxy.close()
    thread.join(timeout=5)

    assert failed.is_set()
