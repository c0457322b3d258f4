"""The client against servers that say anything: words instead of tracebacks, and no token where it does not belong."""

import datetime
import gzip
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

import herdsman.client as errors
from client.serving import Hostile, told
from herdsman.client import Client, transport
from herdsman.client.errors import error_of, plain
from herdsman.client.transport import Transport, segment

TOKEN = "a-token-that-nobody-may-see"
ONE = {
    "job_ID": "x", "name": "x", "status": "running", "owner": "o", "title": "t", "description": "", "namespace": "n",
    "catalog": "modules/demo", "tool_name": None, "docker_image": "", "docker_command": "", "submit_time": "",
    "resources": {"cpu_num": 1, "cpu_MHz": 1, "gpu_num": 0, "memory_MB": 1, "disk_MB": 1}, "endpoints": {},
    "active_endpoints": [], "main_endpoint": None, "alloc_ID": None, "datacenter": None, "error_msg": None,
    "expires": None, "revision": "r", "etag": "e",
}  # fmt: skip
PROBLEM = json.dumps({"title": "Not available", "status": 503, "detail": "no room"})


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits; what would be waited is kept."""
    found: list[float] = []
    monkeypatch.setattr("herdsman.client.transport.time.sleep", found.append)
    return found


def cut(text: bytes) -> Callable[[socket.socket], None]:
    """The beginning of an answer, and no more."""

    def say(connection: socket.socket) -> None:
        connection.sendall(text)

    return say


NOT_OURS = {
    "a page": told("<!doctype html><title>Wi-Fi</title>", kind="text/html"),
    "another JSON": told('{"hello": "world"}'),
    "a list": told("[1, 2]"),
    "a null": told("null"),
    "a deep one": told("[" * 100_000),
    "no UTF-8": told(b'{"job_ID": "\xff"}'),
    "compressed": told(gzip.compress(b"{}"), "200 OK", "Content-Encoding: gzip"),
    "a field short": told(json.dumps({k: v for k, v in ONE.items() if k != "endpoints"})),
    "a wrong type": told(json.dumps({**ONE, "endpoints": ["a"]})),
    "a wrong type inside": told(json.dumps({**ONE, "resources": {**ONE["resources"], "cpu_num": "1"}})),  # type: ignore[dict-item]
    "no content": told("", "204 No Content"),
    "another success": told("hello", "226 IM Used"),
}


@pytest.mark.parametrize("answer", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_not_herdsman_is_said_to_be_that(answer: bytes) -> None:
    """Whatever comes back where a deployment should, it is one sentence and not a stumble over half an answer."""
    with Hostile(answer) as server, Client(server.address, TOKEN) as client:
        with pytest.raises(errors.Strange, match="is not Herdsman") as caught:
            client.deployments.get("modules/x")
        assert TOKEN not in str(caught.value)


def test_what_is_more_than_expected_is_welcome() -> None:
    """A newer operator says more, and has words that are new."""
    with Hostile(told(json.dumps({**ONE, "status": "dreaming", "new": 1}))) as server, Client(server.address) as client:
        assert client.deployments.get("modules/x")["status"] == "dreaming"


BROKEN = {
    "a length that is not kept": told("{}").replace(b"Length: 2", b"Length: 99"),
    "a piece that is cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "a piece of no length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a head that is cut": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing at all": b"",
    "an empty one": told(""),
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_answers_that_break_off_are_no_answers(answer: bytes) -> None:
    """A connection that ends in the middle is told, whatever had come by then; what does no harm is asked again."""
    with Hostile(cut(answer)) as server, Client(server.address, retries=1) as client:
        with pytest.raises((errors.BrokenOff, errors.Strange)):
            client.deployments.get("modules/x")
        assert len(server.requests) == 2


def test_an_answer_that_drips_is_given_up() -> None:
    """The time is for the whole of an answer, not for each byte of it."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        pause, stop = threading.Event(), time.monotonic() + 5
        while time.monotonic() < stop and not pause.wait(0.02):
            connection.sendall(b" ")

    with Hostile(drip) as server, Client(server.address, timeout=0.3, retries=0) as client:
        began = time.monotonic()
        with pytest.raises(errors.Unreachable, match="in time"):
            client.overview()
        assert time.monotonic() - began < 2


def test_silence_is_given_up() -> None:
    """A server that takes the request and says nothing is one that does not answer."""
    with (
        Hostile(lambda connection: connection.recv(1) and None) as server,
        Client(server.address, timeout=0.2, retries=0) as client,
        pytest.raises(errors.Unreachable, match="in time"),
    ):
        client.overview()


def test_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without an end does not fill the memory."""
    monkeypatch.setattr(transport, "LARGEST", 1000)
    with (
        Hostile(told(" " * 2_000_000)) as server,
        Client(server.address) as client,
        pytest.raises(errors.Strange, match="more than anybody asked for"),
    ):
        client.overview()


# -- the token ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Many"]
)
@pytest.mark.parametrize("way", ["call", "write", "stream"])
def test_a_redirect_is_not_followed(status: str, way: str) -> None:
    """Neither the token nor anything else goes to where an answer points."""
    with Hostile(told("{}")) as elsewhere:
        moved = told("", status, f"Location: {elsewhere.address}/v1/overview")
        with Hostile(moved) as server, Client(server.address, TOKEN) as client:
            ways: dict[str, Callable[[], Any]] = {
                "call": client.overview,
                "write": lambda: client.deployments.create("modules/x"),
                "stream": lambda: client.deployments.logs("modules/x"),
            }
            with pytest.raises(errors.Strange, match="points elsewhere") as caught:
                ways[way]()
            assert len(server.requests) == 1
        assert elsewhere.requests == []
        assert elsewhere.address in caught.value.hint


def test_no_token_is_seen_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in what a client is shown as, not in its errors and their traces, and not in the log."""
    caplog.set_level(logging.DEBUG)
    with Hostile(told(PROBLEM, "503 Down")) as server, Client(server.address, lambda: TOKEN) as client:
        with pytest.raises(errors.NotAvailable) as caught:
            client.whoami()
        assert server.header(0, "authorization") == f"Bearer {TOKEN}"
        shown = [
            repr(client),
            repr(client.http),
            str(client),
            "".join(traceback.format_exception(caught.value)),
            caplog.text,
        ]
    assert not any(TOKEN in text for text in shown)


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Evil: 1", f"{TOKEN} b", f"{TOKEN}ü", f"{TOKEN}\0"])
def test_a_token_that_no_header_may_carry_is_not_sent(token: str) -> None:
    """It is refused without being quoted."""
    with Hostile(told("{}")) as server, Client(server.address, token) as client:
        with pytest.raises(errors.ClientError, match="no header may carry") as caught:
            client.overview()
        assert TOKEN not in str(caught.value)
        assert server.requests == []


def test_a_token_is_not_sent_in_the_clear_to_others() -> None:
    """Only to this machine, unless somebody says that it may."""
    with (
        Client("http://herdsman.example.org:1", TOKEN) as client,
        pytest.raises(errors.ClientError, match="in the clear"),
    ):
        client.overview()
    proxied = Hostile(told(json.dumps({"version": "1", "nomad": "2"})))
    with proxied as proxy, Client("http://h.example", TOKEN, proxy=proxy.address, cleartext=True) as client:
        assert client.version()["version"] == "1"
        assert proxy.requests[0].startswith(b"GET http://h.example/v1/version ")
        assert proxy.header(0, "authorization") == f"Bearer {TOKEN}"


def test_a_token_is_asked_for_each_time() -> None:
    """One that was renewed meanwhile is the one that is sent; none is none."""
    tokens = iter(["first", "second", None])
    with Hostile(told("{}")) as server, Client(server.address, lambda: next(tokens)) as client:
        for _ in range(3):
            with pytest.raises(errors.Strange):
                client.overview()
        assert [server.header(n, "authorization") for n in range(3)] == ["Bearer first", "Bearer second", None]


def test_what_fails_in_who_is_asked_for_a_token_is_not_the_servers() -> None:
    """An error of the function comes out as it is."""

    def broken() -> str:
        raise FileNotFoundError("no token file")

    with Client("http://127.0.0.1:1", broken) as client, pytest.raises(FileNotFoundError):
        client.overview()


# -- again -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_does_no_harm_is_asked_again(status: int, pauses: list[float]) -> None:
    """A question is repeated, after the pause that was asked for."""
    away = told(PROBLEM, f"{status} Away", "Retry-After: 2")
    with Hostile(away, away, told(json.dumps(ONE))) as server, Client(server.address) as client:
        assert client.deployments.get("modules/x")["title"] == "t"
        assert len(server.requests) == 3
    assert pauses == [2, 2]


def test_an_order_is_repeated_with_its_key() -> None:
    """Whether the answer is an error or none at all: the key says that it is the same order."""
    away = told(PROBLEM, "503 Away")
    with Hostile(away, cut(b"HTTP/1.1 201 Cre"), told(json.dumps(ONE), "201 Created")) as server:
        with Client(server.address) as client:
            client.deployments.create("modules/x", title="t")
        keys = [server.header(n, "idempotency-key") for n in range(3)]
    assert len(server.requests) == 3
    assert keys[0] is not None
    assert len(set(keys)) == 1


@pytest.mark.parametrize("act", ["update", "stop", "restart", "suspend_all", "resync"])
def test_what_may_do_harm_twice_is_asked_once(act: str) -> None:
    """A change without a key is not repeated: nobody knows whether it was carried out."""
    with Hostile(told(PROBLEM, "503 Away")) as server, Client(server.address) as client:
        acts: dict[str, Callable[[], Any]] = {
            "update": lambda: client.deployments.update("modules/x", title="t"),
            "stop": lambda: client.deployments.stop("modules/x"),
            "restart": lambda: client.deployments.restart("modules/x"),
            "suspend_all": client.suspend_all,
            "resync": client.resync,
        }
        with pytest.raises(errors.NotAvailable, match="no room"):
            acts[act]()
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 500])
def test_what_stays_as_it_is_is_not_asked_again(status: int) -> None:
    """An answer that would be the same again is the answer."""
    with Hostile(told(PROBLEM, f"{status} No")) as server, Client(server.address) as client:
        with pytest.raises(errors.ApiError) as caught:
            client.overview()
        assert caught.value.status == status
        assert len(server.requests) == 1


def test_patience_ends(pauses: list[float]) -> None:
    """Who is told to come back in an hour is told so at once, and for how long."""
    with Hostile(told(PROBLEM, "503 Full", "Retry-After: 3600")) as server, Client(server.address) as client:
        with pytest.raises(errors.NotAvailable) as caught:
            client.try_me.create("x")
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600
    assert pauses == []


@pytest.mark.parametrize("after", ["soon", "-1", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 50, "٣"])
def test_a_pause_that_is_none_is_ours(after: str, pauses: list[float]) -> None:
    """What cannot be read as seconds is as if it were not there."""
    answer = told(PROBLEM, "503 Away").replace(b"\r\n\r\n", f"\r\nRetry-After: {after}\r\n\r\n".encode(), 1)
    with Hostile(answer) as server, Client(server.address) as client, pytest.raises(errors.NotAvailable):
        client.overview()
    assert pauses == [0.25, 0.5, 1.0]


def test_a_list_that_leads_in_a_circle_ends() -> None:
    """A cursor that comes again is followed once."""
    page = told(json.dumps([ONE]), "200 OK", "X-Next-Cursor: again", "X-Total-Count: many")
    with Hostile(page) as server, Client(server.address) as client:
        assert len(client.deployments.list("modules")) == 2


# -- what is said ------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["title", "detail", "hint", "errors", "field", "message"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()), st.integers(400, 599))
def test_any_body_of_an_error_is_an_error(body: bytes, status: int) -> None:
    """It has words, none of which move the cursor of a terminal."""
    error = error_of("http://h", status, body, retry_after=None)

    assert error.status == status
    assert error.message
    assert not any(ord(char) < 32 and char not in "\t\n" for char in str(error))


def test_words_are_fit_for_a_terminal() -> None:
    """No escape sequences, no reversed text, no end of it that never comes."""
    assert plain("a\x1b[31mb\u202ec\x9b") == "a\ufffd[31mb\ufffdc\ufffd"
    assert len(plain("x" * 10**6)) == 2000
    assert plain(None) == ""


@given(st.text(min_size=1).filter(lambda text: text not in (".", "..")))
def test_a_name_is_one_piece_of_a_path(name: str) -> None:
    """Nothing in it is a separator, a query or a fragment."""
    assert not set("/?#\\ ") & set(segment(name))


# -- addresses, TLS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server", ["", "herdsman", "ftp://h", "http://", "http://h:99999", "http://u:p@h", "http://h?x=1", "http://[::1", "file:///etc"]
)  # fmt: skip
def test_an_address_is_one(server: str) -> None:
    """Anything else is refused at once, without quoting what may hold a password."""
    with pytest.raises(errors.ClientError, match="no address") as caught:
        Client(server)
    assert "u:p" not in str(caught.value)


def test_nobody_there_is_said() -> None:
    """With what to do."""
    with Client("http://127.0.0.1:9", retries=0) as client, pytest.raises(errors.Unreachable, match="nobody answers"):
        client.overview()


def test_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is for the rest of the world."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with Hostile(told(json.dumps(ONE))) as server, Client(server.address) as client:
        assert client.deployments.get("modules/x")
    with Client("http://h.invalid", retries=0) as client, pytest.raises(errors.Unreachable, match="proxy"):
        client.overview()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for this machine, signed by itself, and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path / "here.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


def test_a_certificate_is_checked(certificate: Path) -> None:
    """One that nobody vouches for gets no token; an authority of one's own is named."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Hostile(told(json.dumps(ONE)), tls=context) as server:
        with (
            Client(server.address, TOKEN, retries=0) as client,
            pytest.raises(errors.Unreachable, match="certificate is not trusted"),
        ):
            client.deployments.get("modules/x")
        assert server.requests == []
        with Client(server.address, TOKEN, ca_file=str(certificate)) as client:
            assert client.deployments.get("modules/x")["title"] == "t"
    with pytest.raises(errors.ClientError, match="no certificates"):
        Transport("https://h", ca_file="none.pem")
