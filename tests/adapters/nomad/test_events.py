"""The event stream: whatever breaks, nothing is lost without a *relist*, nothing is told twice, and it can be ended."""

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from adapters.nomad.certificates import Authority
from adapters.nomad.fake import Asked, FakeNomad, Reply
from adapters.nomad.streams import Stream, StreamServer, event_of, following, frame, job_event
from herdsman import ports
from herdsman.adapters.events import SILENCE, NomadEvents
from herdsman.adapters.nomad import NomadConfig
from herdsman.adapters.nomad.transport import open_connection
from herdsman.model.keys import Key, job_key
from herdsman.model.observed import Hint


def quick(address: str, **fields: object) -> NomadEvents:
    """A stream that reconnects within milliseconds."""
    options = {"first_wait": 0.001, "longest_wait": 0.01, **fields}
    return NomadEvents(NomadConfig(address=address), **options)  # type: ignore[arg-type]


def says(*names: str, **at: int) -> Hint:
    """The hint for jobs of the namespace `default`; *at* has the indexes of those that changed themselves."""
    keys = [job_key("default", name) for name in (*names, *at)]
    return Hint(keys=sorted(keys), indexes={job_key("default", name): index for name, index in at.items()})


def last(hint: Hint) -> bool:
    """Whether a hint is about the job that ends a test."""
    return job_key("default", "last") in hint.keys


def test_the_adapter_is_the_port() -> None:
    """A type checker accepts it."""
    stream: ports.EventStream = NomadEvents(NomadConfig())
    stream.close()

    assert list(stream.follow()) == []


def test_events_become_the_keys_of_their_jobs() -> None:
    """All four topics name their job; a child names its parent too; one line is one hint, each key once."""

    def play(stream: Stream) -> None:
        stream.open()
        stream.send({})
        stream.send(frame(5, job_event(5, "web"), event_of(5, "Evaluation", "e-1", "web")))
        stream.send(frame(6, event_of(6, "Deployment", "d-1", "api"), event_of(6, "Allocation", "a-1", "web")))
        stream.send(frame(7, job_event(7, "cron/periodic-1", parent="cron")))
        stream.hold()

    with StreamServer(play) as server, following(quick(server.address)) as follower:
        assert follower.next().relist
        assert [follower.next() for _ in range(3)] == [
            says(web=5),
            says("api", "web"),
            says("cron", **{"cron/periodic-1": 7}),
        ]
        query = server.connections[0].query

    assert query["namespace"] == ["*"]
    assert query["topic"] == ["Job", "Deployment", "Allocation"]


def test_a_deregistration_names_its_job() -> None:
    """An event whose payload has lost the job still has its key."""
    gone = {**job_event(9, "web", kind="JobDeregistered"), "Payload": {"Job": None}}

    def play(stream: Stream) -> None:
        stream.open()
        stream.send(frame(9, gone))
        stream.hold()

    with StreamServer(play) as server, following(quick(server.address)) as follower:
        assert follower.next().relist
        assert follower.next() == says(web=9)


def test_the_state_is_there_for_metrics() -> None:
    """Connected or not, how often again, and when last a frame came; a heartbeat counts."""
    go = threading.Event()
    times = iter(float(n) for n in range(100))

    def play(stream: Stream) -> None:
        stream.open()
        stream.send({})
        stream.send(frame(1, job_event(1, f"job-{stream.number}")))
        if stream.number:
            stream.hold()
        else:
            go.wait(10)

    with StreamServer(play) as server:
        events = quick(server.address, monotonic=lambda: next(times))
        assert (events.connected, events.reconnects, events.last_frame) == (False, 0, None)
        with following(events) as follower:
            follower.until(lambda hint: hint == says(**{"job-0": 1}))
            assert (events.connected, events.reconnects) == (True, 0)
            first = events.last_frame
            go.set()
            follower.until(lambda hint: hint == says(**{"job-1": 1}))
            assert (events.connected, events.reconnects) == (True, 1)
            assert first is not None
            assert events.last_frame is not None
            assert events.last_frame > first
        assert not events.connected


def breaking(how: str) -> StreamServer:
    """A server whose first connection goes wrong after one event, and whose second one works."""

    def play(stream: Stream) -> None:
        if stream.number:
            stream.open()
            stream.send(frame(9, job_event(9, "last")))
            stream.hold()
            return
        if how.isdigit():
            stream.answer(int(how), "No cluster leader")
            return
        stream.open()
        stream.send(frame(3, job_event(3, "first")))
        line = json.dumps(frame(4, job_event(4, "cut"))).encode()
        if how == "clean close":
            stream.end()
        elif how == "cut mid-frame":
            stream.cut_within(line, 10)
        elif how == "half a line, then the end":
            stream.raw(line[:10])
            stream.end()
        elif how == "silence":
            stream.hold()
        elif how == "dropped":
            stream.raw(b"event dropped from buffer\n")
            stream.hold()
        elif how == "closed by server":
            stream.raw(b"subscription closed by server, client should resubscribe")
            stream.end()
        elif how == "error frame":
            stream.send({"Error": {"Code": 500, "Message": "subscription closed"}})
            stream.hold()
        elif how == "nonsense":
            stream.send({"Index": 4, "Events": [{"Topic": "Job"}]})
            stream.hold()
        elif how == "a list":
            stream.send([1, 2])
            stream.hold()

    return StreamServer(play)


@pytest.mark.parametrize(
    "how",
    [
        "500", "502", "429", "404", "307", "403", "clean close", "cut mid-frame", "half a line, then the end",
        "silence", "dropped", "closed by server", "error frame", "nonsense", "a list",
    ],
)  # fmt: skip
def test_whatever_ends_a_stream_leads_to_a_relist_and_on(how: str) -> None:
    """After every kind of end the stream comes back, says *relist*, and goes on with what happens next."""
    with breaking(how) as server, following(quick(server.address, silence=0.1)) as follower:
        hints = follower.until(last)

        assert hints[-2].relist
        assert len(server.connections) == 2
        assert not [hint for hint in hints if job_key("default", "cut") in hint.keys]


@pytest.mark.parametrize("how", ["dropped", "closed by server", "error frame", "nonsense", "403"])
def test_what_may_hide_a_loss_is_a_relist_at_once(how: str) -> None:
    """An error in the stream, or being forbidden to listen, says *relist* before the reconnect, with the reason."""
    with breaking(how) as server, following(quick(server.address)) as follower:
        hints = follower.until(last)

    relists = [hint.reason for hint in hints if hint.relist]
    assert len(relists) == (2 if how == "403" else 3)
    assert relists[-1] == f"connected again after: {relists[-2]}"


def test_a_server_that_is_not_there_yet_is_waited_for() -> None:
    """A refused connection is tried again until somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    events = quick(f"http://127.0.0.1:{port}")

    with following(events) as follower:
        assert follower.silent()
        with FakeNomad() as other:  # no stream there: 404
            events._config = NomadConfig(address=other.address)
            while len(other.asked) < 3:
                time.sleep(0.001)
        with breaking("clean close") as server:
            events._config = NomadConfig(address=server.address)
            assert last(follower.until(last)[-1])


def test_blank_lines_and_heartbeats_say_nothing() -> None:
    """They keep the stream alive, and are no hints."""

    def play(stream: Stream) -> None:
        stream.open()
        for noise in (b"\n", b"\r\n", b"{}\n", b"  \n{}\n\n"):
            stream.raw(noise)
        stream.send(frame(1, job_event(1, "last")))
        stream.hold()

    with StreamServer(play) as server, following(quick(server.address)) as follower:
        assert len(follower.until(last)) == 2
        assert len(server.connections) == 1


def test_a_pause_longer_than_a_connect_is_no_silence() -> None:
    """The connect timeout is for connecting: the first byte, and the next, may take longer."""
    pauses = threading.Event()

    def play(stream: Stream) -> None:
        pauses.wait(0.2)
        stream.open()
        pauses.wait(0.2)
        stream.send(frame(1, job_event(1, "last")))
        stream.hold()

    with StreamServer(play) as server:
        events = NomadEvents(NomadConfig(address=server.address, connect_timeout=0.05), first_wait=0.001)
        with following(events) as follower:
            follower.until(last)
        assert len(server.connections) == 1


def test_silence_is_noticed_in_its_time() -> None:
    """A stream that says nothing is given up after the silence that was set, not after some other timeout."""
    with breaking("silence") as server, following(quick(server.address, silence=0.1)) as follower:
        started = time.monotonic()
        follower.until(last)
        assert time.monotonic() - started < 3


def test_heartbeats_keep_a_quiet_stream_alive() -> None:
    """Silence is counted from the last byte, not from the last event."""

    def play(stream: Stream) -> None:
        stream.open()
        for _ in range(8):
            stream.send({})
            time.sleep(0.1)
        stream.send(frame(1, job_event(1, "last")))
        stream.hold()

    with StreamServer(play) as server, following(quick(server.address, silence=0.5)) as follower:
        follower.until(last)
        assert len(server.connections) == 1


def test_silence_is_75_seconds() -> None:
    """Nomad's heartbeats may be half a minute apart; two missing ones and some patience are the limit."""
    assert SILENCE == 75


# Nothing lost, nothing double


def history(rng: random.Random) -> list[bytes]:
    """84 events in lines as Nomad sends them: some indexes have several lines, some lines several events."""
    lines, index, number = [], 10, 0
    while number < 84:
        index += rng.randint(0, 2)
        count = min(rng.randint(1, 3), 84 - number)
        events = [job_event(index, f"job-{number + n}") for n in range(count)]
        number += count
        lines.append(json.dumps(frame(index, *events)).encode() + b"\n")
    return lines


@pytest.mark.parametrize("seed", range(5))
def test_66_cuts_lose_nothing_and_double_nothing(seed: int) -> None:
    """A stream that is cut at 66 random bytes tells of each event exactly once."""
    rng = random.Random(seed)
    lines = history(rng)

    def play(stream: Stream) -> None:
        stream.open()
        rest = [line for line in lines if json.loads(line)["Index"] >= stream.index]
        if stream.number < 66:
            if rng.random() < 0.3:
                rest = rest[: rng.randint(1, len(rest))]
            whole = b"".join(rest)
            stream.cut_within(whole, rng.randint(0, min(len(whole), 2000)))
        else:
            for line in rest:
                stream.raw(line)
            stream.send(frame(10_000, job_event(10_000, "last")))
            stream.hold()

    with StreamServer(play) as server, following(quick(server.address)) as follower:
        hints = follower.until(last)

    told = [key.name for hint in hints[:-1] for key in hint.keys]
    assert sorted(told) == sorted(f"job-{n}" for n in range(84))
    assert len([hint for hint in hints if hint.relist]) == 67


def test_a_resumed_stream_asks_for_the_last_index_again() -> None:
    """Not for the one after it: the cut may have left lines of the same index."""

    def play(stream: Stream) -> None:
        stream.open()
        stream.send(frame(17, job_event(17, "a")))
        if stream.number == 0:
            stream.end()
            return
        stream.send(frame(17, job_event(17, "b")))
        stream.send(frame(18, job_event(18, "last")))
        stream.hold()

    with StreamServer(play) as server, following(quick(server.address)) as follower:
        hints = follower.until(last)
        assert [stream.index for stream in server.connections] == [0, 17]

    assert [hint for hint in hints if not hint.relist] == [says(a=17), says(b=17), says(last=18)]


def test_a_ring_that_rounds_down_doubles_nothing() -> None:
    """A server that begins a little earlier than asked repeats events; they are known, and no other cluster's."""

    def play(stream: Stream) -> None:
        stream.open()
        for index in (5, 6, 7):
            stream.send(frame(index, job_event(index, f"job-{index}")))
        if stream.number == 0:
            stream.end()
            return
        stream.send(frame(8, job_event(8, "last")))
        stream.hold()

    with StreamServer(play) as server, following(quick(server.address)) as follower:
        hints = follower.until(last)

    assert [len(hint.keys) for hint in hints if not hint.relist] == [1, 1, 1, 1]
    assert not [hint for hint in hints if "backwards" in hint.reason]


def test_an_index_that_went_backwards_means_another_cluster() -> None:
    """After a restore the indexes begin anew: everything is looked at again, and the stream followed from there."""

    def play(stream: Stream) -> None:
        stream.open()
        if stream.number == 0:
            stream.send(frame(900, job_event(900, "old")))
        elif stream.number == 1:
            stream.send(frame(12, job_event(12, "new")))
        else:
            stream.send(frame(13, job_event(13, "last")))
            stream.hold()
        stream.end()

    with StreamServer(play, head=1_000) as server, following(quick(server.address)) as follower:
        hints = follower.until(last)
        assert [stream.index for stream in server.connections] == [0, 900, 12]

    assert next(hint for hint in hints if "backwards" in hint.reason).relist
    assert [hint for hint in hints if hint.keys] == [says(old=900), says(new=12), says(last=13)]


def test_a_cluster_behind_our_index_is_followed_from_its_beginning() -> None:
    """A stream asked for an index that is yet to come might stay silent: the job list's index tells beforehand."""

    def play(stream: Stream) -> None:
        stream.open()
        if stream.number == 0:
            stream.send(frame(900, job_event(900, "old")))
            stream.end()
            return
        if stream.index <= 12:
            stream.send(frame(12, job_event(12, "last")))
        stream.hold()

    with StreamServer(play, head=12) as server, following(quick(server.address)) as follower:
        follower.until(last)
        assert [stream.index for stream in server.connections] == [0, 0]


# Ending, and being patient


def moments() -> Iterator[str]:
    """When `close` may come."""
    yield from ("before headers", "mid-stream", "mid-line", "between attempts")


@pytest.mark.parametrize("moment", list(moments()))
def test_close_ends_a_wait_at_once(moment: str) -> None:
    """Whatever the reader waits for, `close` from another thread ends it within a fraction of a second."""
    waiting = threading.Event()

    def play(stream: Stream) -> None:
        if moment == "between attempts":
            stream.answer(500, "no")
            waiting.set()
            return
        if moment != "before headers":
            stream.open()
        if moment == "mid-line":
            stream.raw(b'{"Index": 3, ')
        waiting.set()
        stream.hold()

    with StreamServer(play) as server:
        events = NomadEvents(NomadConfig(address=server.address), first_wait=60, longest_wait=60)
        with following(events) as follower:
            assert waiting.wait(10)
            if moment in {"mid-stream", "mid-line"}:
                assert follower.next().relist
            started = time.monotonic()
            events.close()
            follower.thread.join(timeout=10)
            assert not follower.thread.is_alive()
            assert time.monotonic() - started < 1


def test_close_while_a_connection_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that opens just after `close` is not waited for."""
    with StreamServer(lambda stream: stream.hold()) as server:
        events = NomadEvents(NomadConfig(address=server.address))

        def late(*args: Any, **options: Any) -> HTTPConnection:
            events.close()
            return open_connection(*args, **options)

        monkeypatch.setattr("herdsman.adapters.events.open_connection", late)

        assert list(events.follow()) == []
        assert server.connections == []


def test_close_ends_a_wait_behind_tls(tmp_path: Path) -> None:
    """A read on an encrypted connection ends as quickly."""
    authority = Authority(tmp_path)
    with FakeNomad(tls=authority.server_context(authority.issue("127.0.0.1"))) as server:
        held, release = threading.Event(), threading.Event()

        def late(_: Asked) -> Reply:
            held.set()
            release.wait(10)
            return Reply("", 404)

        server.answers = late
        events = NomadEvents(NomadConfig(address=server.address, ca_cert=authority.cert))
        with following(events) as follower:
            assert held.wait(10)
            started = time.monotonic()
            events.close()
            follower.thread.join(timeout=10)
            assert time.monotonic() - started < 1
        release.set()


def test_a_stream_works_over_a_unix_socket(tmp_path: Path) -> None:
    """The address of workload identity serves events too, with the token."""
    line = json.dumps(frame(3, job_event(3, "last"))) + "\n"
    with FakeNomad(socket_path=tmp_path / "api.sock") as server:
        server.always(line)
        events = NomadEvents(NomadConfig(address=server.address, token="t0k3n"), first_wait=0.01)
        with following(events) as follower:
            assert last(follower.until(last)[-1])
        assert server.asked[0].headers["X-Nomad-Token"] == "t0k3n"


def test_a_flapping_server_is_not_hammered() -> None:
    """Streams that end at once make the waits longer and longer, up to the limit; no wait is longer than that."""
    events = NomadEvents(NomadConfig(), first_wait=0.5, longest_wait=30)

    waits = [[events._wait(failures) for _ in range(50)] for failures in range(12)]

    for failures, drawn in enumerate(waits):
        limit = min(30, 0.5 * 2**failures)
        assert all(limit / 2 <= wait <= limit for wait in drawn)
        assert len(set(drawn)) > 1, "waits are spread, so that many readers do not come back at once"


def test_only_a_stream_that_held_counts_as_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures in a row are counted, streams that are cut at once among them; one that held for long ends the row."""
    clock, rows = [0.0], list[int]()

    def count(failures: int) -> float:
        rows.append(failures)
        return 0

    def play(stream: Stream) -> None:
        if stream.number == 3:
            clock[0] += 100
        stream.open()
        if stream.number == 5:
            stream.send(frame(1, job_event(1, "last")))
            stream.hold()
        stream.end()

    with StreamServer(play) as server:
        events = NomadEvents(NomadConfig(address=server.address), monotonic=lambda: clock[0])
        monkeypatch.setattr(events, "_wait", count)
        with following(events) as follower:
            follower.until(last)
            assert rows == [1, 2, 3, 0, 1]


def test_the_key_of_a_hint_is_a_job() -> None:
    """Hints are about jobs alone: an event without one is none."""
    core = event_of(3, "Evaluation", "e", "")

    def play(stream: Stream) -> None:
        stream.open()
        stream.send(frame(3, core))
        stream.send(frame(4, job_event(4, "last")))
        stream.hold()

    with StreamServer(play) as server, following(quick(server.address)) as follower:
        hints = follower.until(last)

    keys: list[Key] = [key for hint in hints for key in hint.keys]
    assert keys == [job_key("default", "last")]
