"""An issuer that rotates its keys, goes away, hangs, lies or is made to be hammered: what becomes of its tokens."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.auth.test_oidc import World
from adapters.nomad.certificates import Authority
from clocks import FakeClock
from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.judge import LocalAuth, build
from herdsman.adapters.auth.keys import KeyCache, Keys
from herdsman.adapters.auth.web import IssuerError, Web
from herdsman.core.access import AccessRules
from herdsman.errors import SettingsError
from herdsman.model.identity import Why
from issuer import Issuer, key

CERTS = "/certs"
HOUR = 3600.0


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer of one's own."""
    with Issuer() as issuer:
        yield issuer


@pytest.fixture
def world(issuer: Issuer) -> World:
    """Who judges its tokens, having seen one."""
    world = World(issuer)
    assert world.why(issuer.token()) is None
    return world


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, which takes milliseconds."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)


def test_keys_are_fetched_once(world: World) -> None:
    """Hundreds of tokens later the issuer was asked once."""
    for _ in range(300):
        assert world.why(world.issuer.token(jti="x")) is None

    assert world.issuer.hits[CERTS] == 1


def test_a_rotated_key_is_found_at_once(world: World) -> None:
    """The first token of a new key makes us look; the old key is believed no more."""
    old = world.issuer.token()
    world.issuer.rotate("k2")

    assert world.why(world.issuer.token()) is None
    assert world.why(old) is Why.UNKNOWN_KEY


def test_keys_may_be_rotated_again_soon(world: World) -> None:
    """A second rotation within the cooldown is found at once too."""
    for kid in ("k2", "k3"):
        world.issuer.rotate(kid)
        assert world.why(world.issuer.token()) is None


def test_made_up_keys_cannot_hammer_the_issuer(world: World) -> None:
    """300 tokens of keys that do not exist cost a handful of requests, and good tokens go on meanwhile."""
    for number in range(300):
        assert world.why(world.issuer.token(header={"kid": f"made-up-{number}"})) is Why.UNKNOWN_KEY
        assert world.why(world.issuer.token()) is None

    assert world.issuer.hits[CERTS] <= 4


def test_a_rotated_key_is_found_through_a_flood(world: World) -> None:
    """While somebody makes up keys, a new one is found when the cooldown is over."""
    for number in range(50):
        world.why(world.issuer.token(header={"kid": f"made-up-{number}"}))
    world.issuer.rotate("k2")
    assert world.why(world.issuer.token()) is Why.UNKNOWN_KEY

    world.clock.advance(10)
    assert world.why(world.issuer.token()) is None


def test_old_keys_are_renewed_behind_the_scenes(world: World) -> None:
    """After an hour the keys are used as they are, and fetched again by somebody who makes nobody wait."""
    old = world.issuer.token(exp=2**40)
    world.issuer.rotate("k2")
    world.clock.advance(HOUR + 1)

    assert world.why(old) is None
    until(lambda: world.issuer.hits[CERTS] == 2)
    until(lambda: world.why(world.issuer.token(exp=2**40)) is None)
    assert world.issuer.hits[CERTS] == 2


@pytest.mark.parametrize("mode", ["down", "garbage", "huge", "deep", "redirect", "zipped"])
def test_a_dead_issuer_is_survived_for_a_day(world: World, mode: str) -> None:
    """Known keys verify while the issuer is away or talks nonsense, for a day; once it is back, all do."""
    token = world.issuer.token(exp=2**40)
    world.issuer.mode = mode
    for _ in range(23):
        world.clock.advance(HOUR)
        assert world.why(token) is None
    until(lambda: len(world.said) == 1)

    world.clock.advance(HOUR + 1)
    assert world.why(token) is Why.UNAVAILABLE

    world.issuer.mode = "ok"
    world.clock.advance(10)
    assert world.why(token) is None
    until(lambda: len(world.said) == 2)
    assert "answers again" in world.said[1]


def test_an_issuer_that_is_gone_is_survived(issuer: Issuer) -> None:
    """Nobody at its port is no reason to refuse a token whose key is known."""
    world = World(issuer)
    token = issuer.token(exp=2**40)
    assert world.why(token) is None
    issuer.close()
    world.clock.advance(HOUR + 1)

    assert world.why(token) is None
    until(lambda: world.said != [])
    assert "nobody answers" in world.said[0]


def test_an_issuer_that_was_never_there_is_waited_for(issuer: Issuer) -> None:
    """A server starts without its issuer: tokens cannot be judged, which is not their fault, until it comes."""
    issuer.mode = "down"
    world = World(issuer)
    assert world.why(issuer.token()) is Why.UNAVAILABLE

    issuer.mode = "ok"
    assert world.why(issuer.token()) is None


def test_a_dead_issuer_is_not_hammered(issuer: Issuer) -> None:
    """With no keys at all, a hundred tokens ask a handful of times, and fail at once afterwards."""
    issuer.mode = "down"
    world = World(issuer)
    assert {world.why(issuer.token()) for _ in range(100)} == {Why.UNAVAILABLE}

    assert sum(issuer.hits.values()) == 3
    assert len(world.said) == 1


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_a_slow_issuer_is_given_up(issuer: Issuer, mode: str) -> None:
    """Silence and a byte now and then both end with the time that a call may take."""
    issuer.mode = mode
    world = World(issuer, timeout=0.2)
    began = time.monotonic()

    assert world.why(issuer.token()) is Why.UNAVAILABLE
    assert time.monotonic() - began < 3


def test_one_fetches_for_all(issuer: Issuer) -> None:
    """Many who come at once before any key is known lead to one request, and all are served."""
    clock, gate, calls = FakeClock(), threading.Event(), list[int]()

    def fetch() -> Keys:
        calls.append(1)
        gate.wait(5)
        return Keys({("k1", "ES256"): key("k1")})

    cache = KeyCache(fetch, clock=clock, warn=lambda _: None, patience=5)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(cache.find("k1", "ES256"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(calls) == 1)
    gate.set()
    for thread in threads:
        thread.join(5)

    assert len(found) == 8
    assert all(f is key("k1") for f in found)
    assert len(calls) == 1


def test_nobody_waits_in_a_crowd() -> None:
    """While an issuer hangs, few wait for it; whoever comes then is told so at once, so that threads stay free."""
    gate = threading.Event()

    def fetch() -> Keys:
        gate.wait(5)
        raise IssuerError("no answer in time")

    cache = KeyCache(fetch, clock=FakeClock(), warn=lambda _: None, patience=5)
    told: list[str] = []

    def ask() -> None:
        try:
            cache.find("k1", "ES256")
        except IssuerError as error:
            told.append(error.message)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    until(lambda: len(told) == 40 - 9)
    assert set(told) == {"too many wait for the issuer's keys"}
    gate.set()
    for thread in threads:
        thread.join(5)

    assert told[31:] == ["no answer in time"] * 9


def test_an_error_of_our_own_leaves_the_door_open() -> None:
    """A fetch that breaks in an unforeseen way does not keep the next from trying."""
    answers: list[Any] = [RuntimeError("bug"), Keys({("k1", "ES256"): key("k1")})]

    def fetch() -> Keys:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    cache = KeyCache(fetch, clock=FakeClock(), warn=lambda _: None)
    with pytest.raises(RuntimeError):
        cache.find("k1", "ES256")

    assert cache.find("k1", "ES256") is key("k1")


DOCUMENTS: dict[str, dict[str, Any]] = {
    "of another issuer": {"issuer": "https://evil.example"},
    "of no issuer": {"issuer": None},
    "with a slash more": {"issuer": "/"},
    "without keys": {"jwks_uri": None},
    "with keys somewhere in the clear": {"jwks_uri": "http://keys.example/certs"},
    "with keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "with keys at no address": {"jwks_uri": "https://"},
    "with keys at a port that is none": {"jwks_uri": "https://x:99999/"},
    "with credentials": {"jwks_uri": "https://a:b@keys.example/"},
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_discovery_document_is_not_taken_on_trust(issuer: Issuer, document: dict[str, Any]) -> None:
    """Only the issuer's own document leads to keys, and only to a place that is as safe."""
    changed = {k: issuer.url + "/" if v == "/" else v for k, v in document.items()}
    issuer.document = changed
    world = World(issuer)

    assert world.why(issuer.token()) is Why.UNAVAILABLE
    assert issuer.hits[CERTS] == 0
    assert len(world.said) == 1


def test_no_keys_do_not_replace_keys(world: World) -> None:
    """A set without one usable key is a mistake of the issuer: what was known stays, for as long as it would have."""
    token = world.issuer.token(exp=2**40)
    world.issuer.published = []
    world.clock.advance(HOUR + 1)

    assert world.why(token) is None
    until(lambda: world.said != [])
    assert "no key that can be used" in world.said[0]
    assert world.why(token) is None


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority."""
    return Authority(tmp_path)


def test_an_issuer_is_reached_by_tls(authority: Authority, tmp_path: Path) -> None:
    """Its certificate is verified against the authorities that are set, and never not."""
    pair = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    with Issuer(context=context) as issuer:
        trusting, doubting = World(issuer, ca_file=authority.cert), World(issuer)
        assert trusting.why(issuer.token()) is None
        assert doubting.why(issuer.token()) is Why.UNAVAILABLE
        assert "certificate is not trusted" in doubting.said[0]

    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(IssuerError, match="cannot be used"):
        Web(ca_file=broken)


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://issuer.example"},
        {"issuer": "issuer.example"},
        {"issuer": "https://a:b@issuer.example"},
        {"issuer": "https://issuer.example/?x=1"},
        {"issuer": "https://issuer.example/#x"},
        {"issuer": "https://issuer.example/ x"},
        {"audience": ()},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"algorithms": ()},
        {"ca_file": Path("nowhere.pem")},
        {"rules": AccessRules(vos={"%": "x"})},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(changed: dict[str, Any]) -> None:
    """What would admit the wrong people, or nobody, is said at start."""
    good: dict[str, Any] = {"issuer": "https://issuer.example", "audience": ("herdsman",)}
    build(AuthConfig(**good), clock=FakeClock(), warn=print)

    with pytest.raises(SettingsError):
        build(AuthConfig(**{**good, **changed}), clock=FakeClock(), warn=print)


def test_without_issuer_and_tokens_there_is_only_this_machine() -> None:
    """The local admin needs no token, and gets no other name by showing one."""
    auth = build(AuthConfig(), clock=FakeClock(), warn=print)

    assert isinstance(auth, LocalAuth)
    who = auth.anonymous()
    assert who is not None
    assert who.admin
    assert auth.identify("anything") == who
