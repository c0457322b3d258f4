"""Logging in from the command line: the device flow, what is kept, what is sent, and to whom."""

import json
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from click.testing import CliRunner, Result

from adapters.auth.test_oidc import World
from clocks import FakeClock
from harness import Harness, fleet_document
from herdsman.adapters.auth.tokens import digest_of, parse_entry
from herdsman.adapters.auth.web import Web
from herdsman.api.app import create_app
from herdsman.cli import login
from herdsman.cli.client import Client
from herdsman.cli.main import herdsman, run
from herdsman.cli.sessions import Session, Sessions, bearer, origin
from herdsman.errors import HerdsmanError
from issuer import Issuer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration directory of one's own, and no token in the environment."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("HERDSMAN_TOKEN", "HERDSMAN_OIDC_ISSUER", "HERDSMAN_OIDC_CLIENT_ID", "HERDSMAN_SERVER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "herdsman"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer of one's own."""
    with Issuer() as issuer:
        yield issuer


@pytest.fixture
def server(issuer: Issuer) -> Iterator[str]:
    """An operator that believes that issuer."""
    harness = Harness({"fleet.yaml": fleet_document()})
    app = create_app(harness.operator, metrics=harness.metrics.text, auth=World(issuer).auth)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(5)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the command slept, which takes no time here."""
    slept: list[float] = []
    monkeypatch.setattr(login, "_sleep", slept.append)
    return slept


def call(*words: str) -> Result:
    """Run a command, as from a shell but in this process."""
    return CliRunner().invoke(herdsman, words, prog_name="herdsman", standalone_mode=False)


def log_in(issuer: Issuer, server: str, *more: str) -> Result:
    """Log in."""
    return call("login", "--issuer", issuer.url, "--client-id", "cli", "--server", server, *more)


def test_a_login_is_confirmed_elsewhere_and_kept_here(
    issuer: Issuer, server: str, slept: list[float], home: Path
) -> None:
    """The code is shown, asked for until it is confirmed, and the token is kept where nobody else can read it."""
    issuer.answers = [(400, {"error": "authorization_pending"})] * 2
    result = log_in(issuer, server)

    assert result.exception is None, result.output
    assert f"Open {issuer.url}/activate" in result.stderr
    assert "WDJB-MJHT" in result.stderr
    assert result.stdout == f"logged in to {server} as Ada Lovelace\n"
    assert slept == [5.0, 5.0, 5.0]
    assert issuer.forms[0] == {"client_id": "cli", "scope": "openid profile email"}
    assert issuer.forms[1] == {"grant_type": login.GRANT, "device_code": "device-code-secret", "client_id": "cli"}
    file = home / "sessions.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    kept = Sessions().get(origin(server))
    assert kept is not None
    assert kept.access_token not in result.output + repr(kept)


def test_whoami_and_logout(issuer: Issuer, server: str, slept: list[float], home: Path) -> None:
    """After a login commands know who asks; after a logout they do not, and the issuer took the token back."""
    log_in(issuer, server)
    shown = call("whoami", "--server", server)
    assert f"owner      ada@{issuer.url}" in shown.stdout
    assert "user in research" in shown.stdout
    assert json.loads(call("whoami", "-o", "json", "--server", server).stdout)["roles"] == {"research": "user"}

    assert call("logout", "--server", server).stdout == f"logged out of {server}\n"
    assert issuer.forms[-1] == {"token": "refresh-1", "client_id": "cli"}
    assert "refresh-1" not in (home / "sessions.json").read_text()
    refused = call("whoami", "--server", server)
    assert isinstance(refused.exception, HerdsmanError)
    assert "herdsman login" in refused.exception.hint
    assert call("logout", "--server", server).stdout == f"not logged in to {server}\n"


def test_a_token_that_the_server_refuses_is_told_at_once(issuer: Issuer, server: str, slept: list[float]) -> None:
    """A login that leads nowhere says so when it is made."""
    issuer.answers = [(200, {"access_token": issuer.token(aud="other"), "expires_in": 300})]
    result = log_in(issuer, server)

    assert "did not confirm it" in result.stderr
    assert "not valid here" in result.stderr
    assert slept


def waiting(issuer: Issuer, **device: Any) -> tuple[FakeClock, list[float], Callable[[], Session]]:
    """A device code that waits, with a clock that moves as one sleeps."""
    issuer.device = device
    web, clock, slept = Web(timeout=2), FakeClock(), list[float]()
    code = login.begin(web, f"{issuer.url}/device", client_id="cli", scope="openid")

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds)

    def poll() -> Session:
        empty = Session(issuer=issuer.url, client_id="cli", access_token="")
        found = login.poll(web, f"{issuer.url}/token", code, session=empty, clock=clock, sleep=sleep)
        assert isinstance(found, Session)
        return found

    return clock, slept, poll


def test_slow_down_is_heeded(issuer: Issuer) -> None:
    """Each time it is told to, it asks five seconds less often, and stays so."""
    clock, slept, poll = waiting(issuer, interval=2)
    issuer.answers = [
        (400, {"error": "slow_down"}),
        (400, {"error": "authorization_pending"}),
        (400, {"error": "slow_down"}),
    ]

    assert poll().expires == clock.now().timestamp() + 300
    assert slept == [2, 7, 7, 12]


def test_an_issuer_that_does_not_answer_is_asked_less_often(issuer: Issuer) -> None:
    """An error of the server, or no answer, doubles the interval; the login goes on afterwards."""
    _, slept, poll = waiting(issuer)
    issuer.answers = [(503, {}), (502, {})]

    assert poll().refresh_token == "refresh-1"
    assert slept == [5, 10, 20]


def test_a_code_that_nobody_confirms_expires(issuer: Issuer) -> None:
    """It stops when the code has expired, whether or not the issuer says so."""
    _, slept, poll = waiting(issuer, expires_in=30)
    issuer.answers = [(400, {"error": "authorization_pending"})] * 20

    with pytest.raises(HerdsmanError, match="nobody confirmed"):
        poll()
    assert sum(slept) < 30


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, {"error": "access_denied"}), "access_denied"),
        ((400, {"error": "expired_token"}), "expired_token"),
        ((400, {"error": "\x1b[31mred"}), "status 400"),
        ((400, {"error": ["x"]}), "status 400"),
        ((400, {}), "status 400"),
        ((200, {}), "status 200"),
        ((200, {"access_token": "a b"}), "status 200"),
        ((200, {"access_token": 7}), "status 200"),
    ],
)
def test_a_refusal_is_told_by_its_code(issuer: Issuer, answer: tuple[int, Any], words: str) -> None:
    """The issuer's error code is quoted where it is one, and nothing that it could put on a terminal."""
    _, _, poll = waiting(issuer)
    issuer.answers = [answer]

    with pytest.raises(HerdsmanError, match=words) as told:
        poll()
    assert "\x1b" not in str(told.value)


@pytest.mark.parametrize(
    "device",
    [
        {"verification_uri": "http://evil.example/activate"},
        {"verification_uri": "https://a.example/\x1b[2J"},
        {"user_code": "A\x1b[2J"},
        {"user_code": None},
        {"device_code": 5},
    ],
    ids=str,
)
def test_a_page_that_is_none_is_not_shown(issuer: Issuer, device: dict[str, Any]) -> None:
    """What goes to the terminal is an address and a code, or nothing."""
    with pytest.raises(HerdsmanError):
        waiting(issuer, **device)


@pytest.mark.parametrize(
    ("device", "interval", "lifetime"),
    [
        ({}, 5, 600),
        ({"interval": 0, "expires_in": -1}, 1, 1),
        ({"interval": 1e9, "expires_in": 1e9}, 60, 1800),
        ({"interval": "soon", "expires_in": None}, 5, 600),
        ({"interval": True}, 5, 600),
    ],
    ids=str,
)
def test_times_of_an_issuer_are_kept_in_bounds(issuer: Issuer, device: Any, interval: float, lifetime: float) -> None:
    """No issuer makes the command hammer it, or wait for ever."""
    issuer.device = device
    code = login.begin(Web(timeout=2), f"{issuer.url}/device", client_id="cli", scope="openid")

    assert (code.interval, code.lifetime) == (interval, lifetime)


def test_an_issuer_without_device_codes_says_so(issuer: Issuer, server: str) -> None:
    """An issuer that does not offer this way in is told by name of what it lacks."""
    issuer.document = {"device_authorization_endpoint": None}
    result = log_in(issuer, server)

    assert isinstance(result.exception, HerdsmanError)
    assert "device_authorization_endpoint" in result.exception.message


def test_ctrl_c_leaves_everything_as_it_was(
    issuer: Issuer, server: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Whoever gives up gets exit code 130, no traceback, and no file."""

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(login, "_sleep", interrupted)
    monkeypatch.setattr(
        "sys.argv", ["herdsman", "login", "--issuer", issuer.url, "--client-id", "c", "--server", server]
    )

    assert run() == 130
    assert not (home / "sessions.json").exists()


def kept(issuer: Issuer, server: str, clock: FakeClock, **changed: Any) -> Session:
    """A session that expires in a hundred seconds."""
    expires = clock.now().timestamp() + 100
    given = {"access_token": "old", "refresh_token": "refresh-0", "expires": expires, **changed}
    session = Session(issuer=issuer.url, client_id="cli", **given)
    Sessions(clock=clock).put(origin(server), session)
    return session


SERVER = "https://herdsman.example"


def test_a_token_is_renewed_before_it_expires(issuer: Issuer) -> None:
    """Until half a minute before its end a token is sent as it is; then it is renewed, and what came is kept."""
    clock = FakeClock()
    kept(issuer, SERVER, clock)
    clock.advance(70)
    assert bearer(SERVER, clock=clock) == "old"

    clock.advance(1)
    renewed = bearer(SERVER, clock=clock)
    assert renewed != "old"
    assert issuer.forms == [{"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "cli"}]
    assert bearer(SERVER, clock=clock) == renewed
    assert len(issuer.forms) == 1
    session = Sessions().get(origin(SERVER))
    assert session is not None
    assert session.refresh_token == "refresh-1"


def test_two_commands_renew_once(issuer: Issuer) -> None:
    """A refresh token is used once, however many commands find the token expired."""
    clock, found = FakeClock(), list[str | None]()
    kept(issuer, SERVER, clock)
    clock.advance(200)
    threads = [threading.Thread(target=lambda: found.append(bearer(SERVER, clock=clock))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(issuer.forms) == 1


def test_a_session_that_is_over_is_forgotten(issuer: Issuer) -> None:
    """Where the issuer takes the refresh token no more, one logs in again; the old tokens are gone."""
    clock = FakeClock()
    kept(issuer, SERVER, clock)
    clock.advance(200)
    issuer.answers = [(400, {"error": "invalid_grant"})]

    with pytest.raises(HerdsmanError, match="has expired"):
        bearer(SERVER, clock=clock)
    assert bearer(SERVER, clock=clock) is None


def test_an_issuer_that_is_away_costs_no_session(issuer: Issuer) -> None:
    """A token that still counts is sent; one that does not is an error, and the session stays."""
    clock = FakeClock()
    kept(issuer, SERVER, clock)
    issuer.mode = "down"
    clock.advance(80)
    assert bearer(SERVER, clock=clock) == "old"

    clock.advance(80)
    with pytest.raises(HerdsmanError, match="answered 503"):
        bearer(SERVER, clock=clock)
    issuer.mode = "ok"
    assert bearer(SERVER, clock=clock) not in (None, "old")


def test_without_a_refresh_token_one_logs_in_again(issuer: Issuer) -> None:
    """A token that cannot be renewed is sent to its end, and no further."""
    clock = FakeClock()
    kept(issuer, SERVER, clock, refresh_token="")
    clock.advance(99)
    assert bearer(SERVER, clock=clock) == "old"

    clock.advance(2)
    with pytest.raises(HerdsmanError, match="has expired"):
        bearer(SERVER, clock=clock)
    assert issuer.forms == []


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("https://herdsman.example", "old"),
        ("https://herdsman.example:443/fleets/a/", "old"),
        ("https://HERDSMAN.example", "old"),
        ("https://herdsman.example:8443", None),
        ("https://herdsman.example.evil", None),
        ("https://evil.herdsman.example", None),
        ("http://herdsman.example", None),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_a_token_goes_to_its_server_alone(issuer: Issuer, asked: str, sent: str | None) -> None:
    """Scheme, host and port say which server it is; a name that looks alike is another."""
    clock = FakeClock()
    kept(issuer, SERVER, clock)

    assert bearer(asked, clock=clock) == sent


def test_no_token_is_sent_in_the_clear(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """To another machine only https will do, wherever the token comes from; to this machine anything."""
    kept(issuer, "http://herdsman.example:8080", FakeClock())
    with pytest.raises(HerdsmanError, match="in the clear"):
        bearer("http://herdsman.example:8080")

    monkeypatch.setenv("HERDSMAN_TOKEN", "given")
    with pytest.raises(HerdsmanError, match="in the clear"):
        bearer("http://elsewhere.example")
    for here in ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "https://elsewhere.example"):
        assert bearer(here) == "given"


def test_the_environment_goes_first(issuer: Issuer, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HERDSMAN_TOKEN is sent whoever is logged in; one that no header may carry is an error that does not quote it."""
    kept(issuer, server, FakeClock(), expires=0.0)
    monkeypatch.setenv("HERDSMAN_TOKEN", issuer.token(name="Grace"))
    assert Client(server).get("/v1/whoami")["name"] == "Grace"

    monkeypatch.setenv("HERDSMAN_TOKEN", "two words\r\nX-Evil: 1")
    with pytest.raises(HerdsmanError, match="no header may carry") as told:
        Client(server).get("/v1/whoami")
    assert "words" not in str(told.value)


def test_a_file_that_others_may_read_is_refused(issuer: Issuer, home: Path) -> None:
    """As ssh does with keys; a damaged file is told in words, without what stands in it."""
    kept(issuer, SERVER, FakeClock())
    file = home / "sessions.json"
    file.chmod(0o640)
    with pytest.raises(HerdsmanError, match="may be read by others"):
        bearer(SERVER)

    for text in ("", "{", "[]", '{"sessions": {"x": {"token": "secret-value"}}}', '{"sessions": []}'):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(HerdsmanError, match="is damaged") as told:
            bearer(SERVER)
        assert "secret" not in str(told.value)


def test_a_link_in_the_way_is_not_followed(issuer: Issuer, home: Path, tmp_path: Path) -> None:
    """The file is made anew, never through a link that somebody put there."""
    home.mkdir(mode=0o700)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (home / "sessions.new").symlink_to(victim)
    kept(issuer, SERVER, FakeClock())

    assert victim.read_text() == "mine"
    assert bearer(SERVER, clock=FakeClock()) == "old"


@pytest.mark.parametrize("server", ["", "herdsman.example", "ftp://x", "https://", "https://x:99999", "http://[::1"])
def test_what_is_no_server_is_told(server: str) -> None:
    """A server is an address with scheme and host."""
    with pytest.raises(HerdsmanError, match="no address of a server"):
        bearer(server)


def test_a_machine_s_token_is_made(home: Path) -> None:
    """It is printed once; the line below it holds its digest, and is what the operator's file takes."""
    result = call("token", "create", "ci", "--role", "user", "-n", "research", "--days", "30")
    token, line = result.stdout.splitlines()

    assert token not in line
    entry = parse_entry(yaml.safe_load(line)[0])
    assert (entry.identity.name, entry.digest) == ("ci", digest_of(token))
    assert isinstance(call("token", "create", "no name", "-n", "research").exception, HerdsmanError)
    assert not home.exists()
