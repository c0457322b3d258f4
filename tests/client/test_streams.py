"""Answers that go on: lines and events in whatever pieces they come, and an end when somebody says so."""

import json
import socket
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import herdsman.client as errors
from client.serving import Hostile, told
from herdsman.client import Client, streams
from herdsman.client.streams import Sent, lines, sent_events

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(number: int) -> dict[str, object]:
    """An event as the operator tells it."""
    return {"id": number, "at": None, "severity": "Normal", "reason": "R", "message": "", "key": None, "revision": ""}


def chunk(text: str) -> bytes:
    """A piece of a chunked body."""
    return f"{len(text.encode()):x}\r\n{text}\r\n".encode()


def sends(*numbers: int, whole: bool = False) -> bytes:
    """A stream of events, which ends as it should or is cut."""
    pieces = [chunk(f"id: {n}\ndata: {json.dumps(event(n))}\n\n") for n in numbers]
    return EVENTS + chunk(": connected\n\n") + b"".join(pieces) + (b"0\r\n\r\n" if whole else b"")


def say(data: bytes) -> Callable[[socket.socket], None]:
    """Say it, and hang up."""
    return lambda connection: connection.sendall(data)


@given(st.text(), st.lists(st.integers(1, 5), max_size=20))
def test_lines_are_the_same_in_whatever_pieces(text: str, sizes: list[int]) -> None:
    """No character is torn where a piece ends."""
    data, pieces = text.encode(errors="replace"), list[bytes]()
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    wanted = text.encode(errors="replace").decode().split("\n")
    wanted = [line.removesuffix("\r") for line in wanted[:-1]] + ([wanted[-1]] if wanted[-1] else [])

    assert list(lines([*pieces, data])) == wanted


def test_what_is_no_text_is_replaced() -> None:
    """A task may write anything."""
    assert list(lines([b"a\xff\n", b"\xe2\x82"])) == ["a\ufffd", "\ufffd"]


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not fill the memory."""
    monkeypatch.setattr(streams, "LONGEST", 100)
    with pytest.raises(errors.Strange, match="does not end"):
        list(lines(b"x" * 60 for _ in range(3)))


def test_events_are_read_as_the_standard_says() -> None:
    """Comments, several lines of data, IDs that stay, fields that nobody knows."""
    told_lines = (
        ": hello",
        "",
        "id: 7",
        "data: a",
        "data:b",
        "event: x",
        "",
        "data: c",
        "",
        "id: 8\0",
        "data",
        "",
        "data: cut",
    )

    assert list(sent_events(told_lines)) == [Sent("7", "a\nb"), Sent("7", "c"), Sent("7", "")]


def test_events_go_on_behind_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks is made anew, and says what was seen; an end that is one is the end."""
    monkeypatch.setattr("herdsman.client.streams.time.sleep", lambda _: None)
    answers = say(sends(1, 2)), say(sends(3)), say(sends(4, whole=True))
    with Hostile(*answers) as server, Client(server.address) as client, client.follow(after=0) as coming:
        assert [one["id"] for one in coming] == [1, 2, 3, 4]
        assert [server.header(n, "last-event-id") for n in range(3)] == ["0", "2", "3"]


def test_events_that_break_off_again_and_again_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth time in a row without anything new is the last."""
    monkeypatch.setattr("herdsman.client.streams.time.sleep", lambda _: None)
    with Hostile(say(sends(1)), say(sends())) as server, Client(server.address) as client:
        with pytest.raises(errors.BrokenOff):
            list(client.follow())
        assert len(server.requests) == 4


@pytest.mark.parametrize("data", ["no JSON", "[]", '{"id": 1}', "[" * 100_000])
def test_what_is_no_event_is_said_to_be_none(data: str) -> None:
    """Another server may speak the same format."""
    stream = EVENTS + chunk(f"data: {data}\n\n") + b"0\r\n\r\n"
    with Hostile(stream) as server, Client(server.address) as client, pytest.raises(errors.Strange):
        list(client.follow())


def test_a_log_that_is_cut_is_said_to_be_cut() -> None:
    """What came is there, and then the error: half a log is not a whole one."""
    found: list[str] = []
    with (
        Hostile(say(EVENTS + chunk("one\ntwo\n"))) as server,
        Client(server.address) as client,
        pytest.raises(errors.BrokenOff),
        client.deployments.logs("modules/x") as stream,
    ):
        found.extend(stream)
    assert found == ["one", "two"]


def test_a_stream_is_closed_from_elsewhere() -> None:
    """Who waits for the next line is woken, and has no error of it."""
    ended = threading.Event()

    def quiet(connection: socket.socket) -> None:
        connection.sendall(EVENTS + chunk("first\n"))
        ended.wait(10)

    with Hostile(quiet) as server, Client(server.address) as client:
        stream = client.deployments.logs("modules/x", follow=True)
        found, first = list[str](), threading.Event()

        def read() -> None:
            for line in stream:
                found.append(line)
                first.set()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        assert first.wait(5)
        stream.close()
        reader.join(5)
        ended.set()
        assert not reader.is_alive()
    assert found == ["first"]


def test_an_error_instead_of_a_stream_is_that_error() -> None:
    """A stream that is refused says so as every other call does."""
    problem = json.dumps({"title": "Not possible", "detail": "nothing runs yet"})
    with (
        Hostile(told(problem, "409 Conflict")) as server,
        Client(server.address) as client,
        pytest.raises(errors.NotPossible, match="nothing runs yet"),
    ):
        client.deployments.logs("modules/x")
