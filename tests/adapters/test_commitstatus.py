"""Commit statuses, told to a real HTTP server that records what came, and answers as hosts of repositories may."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from adapters.nomad.certificates import Authority
from herdsman.adapters.commitstatus import ATTEMPTS, MOST, HostedCommitStatuses, Provider, StatusHost
from herdsman.adapters.statushosts import Repo, recognise
from herdsman.errors import SettingsError
from herdsman.model.writes import CommitState

SHA = "0123456789abcdef0123456789abcdef01234567"
URL = "https://github.com/acme/fleet.git"


@dataclass(frozen=True)
class Call:
    """What came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Answer:
    """What goes back; *raw* instead of all that."""

    status: int = 201
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""


class Host:
    """A host of repositories: answers what stands in *answers*, the last of them again and again."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: list[Answer] = [Answer()]
        self.gate = threading.Event()
        self.gate.set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.calls.append(Call(self.path, dict(self.headers), body))
                owner.gate.wait(10)
                answer = owner.answers.pop(0) if len(owner.answers) > 1 else owner.answers[0]
                if answer.raw:
                    self.wfile.write(answer.raw)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                """Silence."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away is no news."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, scheme: str = "http") -> str:
        """Where its API is."""
        return f"{scheme}://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Free the port."""
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)


@dataclass
class World:
    """A host, and statuses that are told to it."""

    stack: ExitStack
    host: Host
    warnings: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def statuses(self, *hosts: StatusHost, **options: Any) -> HostedCommitStatuses:
        """By default for `github.com`, with an API at the host."""
        given = hosts or (self.github(**options),)
        made = HostedCommitStatuses(given, warn=self.warnings.append, sleep=self.pauses.append)
        self.stack.callback(made.close, within=0.2)
        return made

    def github(self, **options: Any) -> StatusHost:
        """github.com, with the API elsewhere."""
        own = {} if "token_file" in options else {"token": "s3cret"}
        return StatusHost("github.com", **{"api_url": self.host.url(), "allow_insecure": True, **own, **options})


@pytest.fixture
def world() -> Iterator[World]:
    """All of it."""
    with ExitStack() as stack:
        host = Host()
        stack.callback(host.close)
        yield World(stack, host)


def wait_for(condition: Callable[[], object], *, timeout: float = 10.0) -> None:
    """Until another thread brought it about."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)


def tell(
    statuses: HostedCommitStatuses,
    state: CommitState = CommitState.SUCCESS,
    description: str = "all is well",
    *,
    url: str = URL,
    commit: str = SHA,
    context: str = "herdsman",
    target_url: str = "",
) -> None:
    """Report, with what most tests do not care about."""
    statuses.report(url, commit, state=state, description=description, context=context, target_url=target_url)


def settled(statuses: HostedCommitStatuses, count: int) -> None:
    """Until so many reports are through, told or not."""
    wait_for(lambda: statuses.counts().told + statuses.counts().failed >= count)


# -- what each host hears ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "path", "header", "failure", "name"),
    [
        (
            Provider.GITHUB,
            f"/repos/acme/fleet/statuses/{SHA}",
            ("Authorization", "Bearer s3cret"),
            "failure",
            "context",
        ),
        (Provider.GITLAB, f"/projects/acme%2Ffleet/statuses/{SHA}", ("PRIVATE-TOKEN", "s3cret"), "failed", "name"),
        (Provider.GITEA, f"/repos/acme/fleet/statuses/{SHA}", ("Authorization", "token s3cret"), "failure", "context"),
    ],
)
@pytest.mark.parametrize("state", list(CommitState))
def test_each_hears_its_own_words(
    provider: Provider, path: str, header: tuple[str, str], failure: str, name: str, state: CommitState, world: World
) -> None:
    """Path, header and the words for a state are the provider's; the rest is the same."""
    statuses = world.statuses(provider=provider)
    tell(statuses, state, "why", target_url="https://herdsman.example.org/x")
    settled(statuses, 1)

    (call,) = world.host.calls
    assert call.path == path
    assert call.headers[header[0]] == header[1]
    assert call.body == {
        "state": failure if state is CommitState.FAILURE else str(state),
        "description": "why",
        name: "herdsman",
        "target_url": "https://herdsman.example.org/x",
    }
    assert (statuses.counts().told, world.warnings) == (1, [])


@pytest.mark.parametrize(("provider", "limit"), [(Provider.GITHUB, 140), (Provider.GITLAB, 255), (Provider.GITEA, 255)])
def test_descriptions_are_cut(provider: Provider, limit: int, world: World) -> None:
    """To what the host takes, in one line; a link that is none is left out."""
    statuses = world.statuses(provider=provider)
    tell(statuses, description="x" * limit, commit="a1")
    tell(statuses, description="a\nb\0" + "ü" * 5000, commit="a2", target_url="javascript:alert(1)")
    settled(statuses, 2)

    short, long = (call.body for call in world.host.calls)
    assert short["description"] == "x" * limit
    assert (len(long["description"]), long["description"][:5], long["description"][-1]) == (limit, "a b ü", "…")
    assert "target_url" not in long


@pytest.mark.parametrize(
    ("host", "provider", "api"),
    [
        ("github.com", None, "https://api.github.com"),
        ("GitHub.com", None, "https://api.github.com"),
        ("acme.ghe.com", None, "https://api.acme.ghe.com"),
        ("github.example.org", None, "https://github.example.org/api/v3"),
        ("gitlab.com", None, "https://gitlab.com/api/v4"),
        ("gitlab.example.org:8443", None, "https://gitlab.example.org:8443/api/v4"),
        ("codeberg.org", None, "https://codeberg.org/api/v1"),
        ("git.example.org", Provider.GITEA, "https://git.example.org/api/v1"),
        ("git.example.org", Provider.GITHUB, "https://git.example.org/api/v3"),
    ],
)
def test_where_the_api_is(host: str, provider: Provider | None, api: str) -> None:
    """By the host's name, or as it is said."""
    assert StatusHost(host, provider, token="t").api_url == api


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "git.example.org", "token": "t"}, "not known"),
        ({"host": "mygithub.example.org", "token": "t"}, "not known"),
        ({"host": "github.com"}, "needs a token"),
        ({"host": "github.com", "token": "t", "token_file": Path("f")}, "needs a token"),
        ({"host": "github.com", "token": "t", "api_url": "http://api.github.com"}, "everybody to read"),
        ({"host": "github.com", "token": "t", "api_url": "ftp://x"}, "no URL"),
        ({"host": "github.com", "token": "t", "api_url": "https://u:p@x"}, "no URL"),
    ],
)
def test_a_host_that_makes_no_sense(options: dict[str, Any], words: str) -> None:
    """It is refused at once, with a hint, and without the token."""
    with pytest.raises(SettingsError, match=words) as caught:
        StatusHost(**options)
    assert caught.value.hint


def test_a_token_is_not_shown() -> None:
    """Neither by accident nor in a log."""
    assert "s3cret" not in repr(StatusHost("github.com", token="s3cret"))


@pytest.mark.parametrize(
    ("url", "repo"),
    [
        ("https://github.com/acme/fleet.git", Repo("github.com", "acme/fleet")),
        ("https://ada@GitHub.com/acme/fleet/", Repo("github.com", "acme/fleet")),
        ("https://gitlab.example.org:8443/a/b/c.git", Repo("gitlab.example.org:8443", "a/b/c")),
        ("git@github.com:acme/fleet.git", Repo("github.com", "acme/fleet")),
        ("ssh://git@github.com:22/acme/fleet.git", Repo("github.com", "acme/fleet")),
        ("file:///srv/fleet.git", None),
        ("/srv/fleet.git", None),
        ("https://github.com/", None),
        ("https://github.com/a/../b", None),
        ("https://[", None),
        ("", None),
    ],
)
def test_which_repository(url: str, repo: Repo | None) -> None:
    """By its URL in any form that git takes."""
    assert Repo.of(url) == repo


def test_names_are_recognised_by_their_parts() -> None:
    """A name that only looks like another is not that."""
    assert recognise("gitlab.github-pages.org") is Provider.GITLAB
    assert recognise("notgitlab.org") is None


def test_each_host_has_its_own_token(world: World) -> None:
    """A token goes to no other host, and other repositories are passed over."""
    other = Host()
    world.stack.callback(other.close)
    theirs = StatusHost("gitlab.com", api_url=other.url(), token="theirs", allow_insecure=True)
    statuses = world.statuses(world.github(), theirs)
    tell(statuses)
    tell(statuses, url="git@gitlab.com:a/b.git")
    tell(statuses, url="https://evil.example.org/acme/fleet.git")
    tell(statuses, url="/srv/fleet.git")
    settled(statuses, 2)

    assert [call.headers.get("Authorization") for call in world.host.calls] == ["Bearer s3cret"]
    assert [call.headers.get("PRIVATE-TOKEN") for call in other.calls] == ["theirs"]
    assert statuses.counts().told == 2


def test_a_token_file_is_read_again(world: World, tmp_path: Path) -> None:
    """A new token counts for the next status; one that cannot be read, or sent, is trouble with words."""
    token = tmp_path / "token"
    statuses = world.statuses(token_file=token)
    for number, text in enumerate(["one\n", "two"]):
        token.write_text(text)
        tell(statuses, commit=f"a{number}")
        settled(statuses, number + 1)
    assert [call.headers["Authorization"] for call in world.host.calls] == ["Bearer one", "Bearer two"]
    for number, bad in enumerate([b"", b"a\nb: c", b"\xff"], 2):
        token.write_bytes(bad)
        tell(statuses, commit=f"a{number}")
        settled(statuses, number + 1)
    token.unlink()
    tell(statuses, commit="a9")
    settled(statuses, 6)

    assert (len(world.host.calls), statuses.counts().failed) == (2, 4)
    assert "no such file" in statuses.counts().error


# -- what a host may answer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(401, b'{"message": "Bad credentials"}'), "does not accept the token.*Bad credentials"),
        (Answer(403, b"no"), "does not accept the token"),
        (Answer(404, b"{}"), "does not know the commit, or the token may not"),
        (Answer(422, b"too long s3cret \x1b[31m"), r"refuses the status \(422\): too long … \[31m"),
        (Answer(301, headers={"Location": "http://127.0.0.1:1/elsewhere"}), "elsewhere.*new URL"),
        (Answer(307, headers={"Location": "/repos/x"}), "elsewhere.*new URL"),
        (Answer(429, headers={"Retry-After": "3600"}), "answered 429"),
    ],
)
def test_what_is_not_tried_again(answer: Answer, words: str, world: World) -> None:
    """It would come to the same: one call, one warning without secrets, and the next status is told as ever."""
    world.host.answers = [answer, Answer()]
    statuses = world.statuses()
    tell(statuses)
    settled(statuses, 1)
    assert (len(world.host.calls), statuses.counts().failed) == (1, 1)
    (warning,) = world.warnings
    assert re.search(words, warning)
    assert "s3cret" not in warning
    tell(statuses)
    settled(statuses, 2)

    assert (statuses.counts().told, statuses.counts().error) == (1, "")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429),
        Answer(429, headers={"Retry-After": "7"}),
        Answer(500, b"<html>"),
        Answer(502),
        Answer(503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        Answer(403, b"API rate limit exceeded"),
        Answer(raw=b"garbage\r\n\r\n"),
        Answer(raw=b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nshort"),
    ],
)
def test_what_is_tried_again(answer: Answer, world: World) -> None:
    """It may be better in a moment, and a status that is told twice is the same: after as long as the host says."""
    world.host.answers = [answer, answer, Answer(200, b"\xff not json")]
    statuses = world.statuses()
    tell(statuses)
    settled(statuses, 1)

    assert (statuses.counts().told, len(world.host.calls), len(world.pauses)) == (1, 3, 2)
    assert min(world.pauses) >= (7 if answer.headers.get("Retry-After") == "7" else 0.5)
    assert world.warnings == []


def test_there_is_an_end_to_trying(world: World) -> None:
    """After a few attempts it is given up; a person is warned once, and again only after it went well meanwhile."""
    world.host.answers = [Answer(500, b"oops")]
    statuses = world.statuses()
    for number in range(2):
        tell(statuses, commit=f"a{number}")
        settled(statuses, number + 1)
    assert (len(world.host.calls), statuses.counts().failed) == (2 * ATTEMPTS, 2)
    assert ["500" in w for w in world.warnings] == [True]
    world.host.answers = [Answer(), Answer(401)]
    for number in range(2, 4):
        tell(statuses, commit=f"a{number}")
        settled(statuses, number + 1)

    assert ["token" in w for w in world.warnings] == [False, True]


def test_a_host_that_is_not_there(world: World) -> None:
    """It is trouble like any."""
    statuses = world.statuses(api_url="http://127.0.0.1:1")
    tell(statuses)
    settled(statuses, 1)

    assert "cannot be reached" in statuses.counts().error
    assert len(world.pauses) == ATTEMPTS - 1


def test_a_host_that_hangs(world: World) -> None:
    """Who reports does not notice; the call ends in time."""
    world.host.gate.clear()
    statuses = world.statuses(timeout=0.05)
    began = time.monotonic()
    tell(statuses)
    assert time.monotonic() - began < 0.5
    settled(statuses, 1)

    assert "cannot be reached" in statuses.counts().error


def test_gitlab_knows_already(world: World) -> None:
    """Its complaint that a state cannot follow itself is no failure."""
    world.host.answers = [Answer(400, b'{"message":"Cannot transition status via :enqueue from :pending"}')]
    statuses = world.statuses(provider=Provider.GITLAB)
    tell(statuses, CommitState.PENDING)
    settled(statuses, 1)

    assert (statuses.counts().told, world.warnings) == (1, [])


def test_tls_is_verified(world: World, tmp_path: Path) -> None:
    """With the authority named it is told; without it nothing is sent."""
    authority = Authority(tmp_path)
    context = authority.server_context(authority.issue("127.0.0.1"))
    world.host.server.socket = context.wrap_socket(world.host.server.socket, server_side=True)
    trusting = world.statuses(api_url=world.host.url("https"), ca_file=authority.cert)
    tell(trusting)
    settled(trusting, 1)
    assert (trusting.counts().told, len(world.host.calls)) == (1, 1)
    doubting = world.statuses(api_url=world.host.url("https"))
    tell(doubting)
    settled(doubting, 1)

    assert (doubting.counts().failed, len(world.host.calls)) == (1, 1)
    assert "certificate" in doubting.counts().error.lower()


# -- which are told ----------------------------------------------------------------------------------------------------


def test_the_same_is_told_once(world: World) -> None:
    """Per commit and context: state, words and link; anything new is told."""
    statuses = world.statuses()
    different: list[dict[str, Any]] = [
        {},
        {"state": CommitState.FAILURE},
        {"state": CommitState.FAILURE, "description": "else"},
        {"state": CommitState.FAILURE, "description": "else", "target_url": "https://x/"},
        {"context": "other"},
        {"commit": "b" * 40},
    ]
    for number, options in enumerate(different, 1):
        for _ in range(3):
            tell(statuses, **options)
        settled(statuses, number)
    tell(statuses, commit="b" * 40)
    statuses.close()

    assert len(world.host.calls) == len(different)


def test_only_the_newest_is_told(world: World) -> None:
    """While one is on its way, others of the same commit take each other's place."""
    world.host.gate.clear()
    statuses = world.statuses()
    tell(statuses, CommitState.PENDING)
    wait_for(lambda: world.host.calls)
    tell(statuses, CommitState.FAILURE, "1")
    tell(statuses, CommitState.FAILURE, "2")
    tell(statuses, CommitState.SUCCESS, "3")
    tell(statuses, CommitState.PENDING, "x", commit="other")
    tell(statuses, CommitState.FAILURE, "y", commit="third")
    tell(statuses, CommitState.PENDING)
    tell(statuses, CommitState.SUCCESS, "4")
    world.host.gate.set()
    settled(statuses, 4)
    statuses.close()

    assert [call.body["description"] for call in world.host.calls] == ["all is well", "x", "y", "4"]


def test_what_failed_is_told_when_it_is_reported_again(world: World) -> None:
    """It was not told, so it is no repetition."""
    world.host.answers = [Answer(401), Answer()]
    statuses = world.statuses()
    for number in (1, 2):
        tell(statuses)
        settled(statuses, number)

    assert len(world.host.calls) == 2


def test_memory_has_a_bound(world: World) -> None:
    """Of very many commits that wait, the oldest are dropped, and counted."""
    world.host.gate.clear()
    statuses = world.statuses()
    tell(statuses, commit="first")
    wait_for(lambda: world.host.calls)
    for number in range(MOST + 10):
        tell(statuses, commit=f"{number:040x}")

    assert statuses.counts().dropped == 10
    statuses.close(within=0)


def test_closing_tells_what_waits(world: World) -> None:
    """All of it, where the host answers; what comes later is passed over."""
    statuses = world.statuses()
    for number in range(20):
        tell(statuses, commit=f"{number:040x}")
    statuses.close(within=10)
    tell(statuses, commit="late")

    assert (statuses.counts().told, len(world.host.calls)) == (20, 20)


def test_closing_has_an_end(world: World) -> None:
    """A host that hangs keeps nobody from stopping."""
    world.host.gate.clear()
    statuses = world.statuses(timeout=60)
    for number in range(20):
        tell(statuses, commit=f"{number:040x}")
    wait_for(lambda: world.host.calls)
    began = time.monotonic()
    statuses.close(within=0.3)

    assert time.monotonic() - began < 2


def test_closing_what_never_ran(world: World) -> None:
    """No thread was started, and none is waited for."""
    before = threading.active_count()
    world.statuses().close()

    assert threading.active_count() == before
