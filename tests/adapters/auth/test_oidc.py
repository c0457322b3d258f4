"""Tokens of an issuer, over real HTTP: whose they are, and every way in which they are nobody's."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from clocks import START, FakeClock
from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.judge import build
from herdsman.adapters.auth.keys import parse_keys
from herdsman.core.access import AccessRules
from herdsman.model.identity import Denial, Identity, Role, Why
from herdsman.ports import Auth
from issuer import NOW, Issuer, b64, forged, key, public_pem, sign

RULES = AccessRules(vos={"vo.test": "research"})


class World:
    """An issuer, who judges its tokens, and what that said."""

    def __init__(self, issuer: Issuer, **changed: Any) -> None:
        self.issuer, self.clock, self.said = issuer, FakeClock(), list[str]()
        settings = {"issuer": issuer.url, "audience": ("herdsman",), "rules": RULES, "timeout": 2.0, **changed}
        self.auth: Auth = build(AuthConfig(**settings), clock=self.clock, warn=self.said.append)

    def why(self, token: str) -> Why | None:
        """Why *token* is refused, None where it is not."""
        found = self.auth.identify(token)
        return found.why if isinstance(found, Denial) else None


@pytest.fixture(scope="module")
def shared() -> Iterator[Issuer]:
    """An issuer that nobody changes."""
    with Issuer() as issuer:
        yield issuer


@pytest.fixture
def world(shared: Issuer) -> World:
    """Who judges the tokens of that issuer."""
    return World(shared)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_good_token_is_somebody(algorithm: str) -> None:
    """Each algorithm verifies; the identity is the subject at the issuer, with its roles."""
    with Issuer(algorithm=algorithm) as issuer:
        found = World(issuer).auth.identify(issuer.token())

    assert isinstance(found, Identity)
    assert (found.owner, found.name) == (f"ada@{issuer.url}", "Ada Lovelace")
    assert found.grants == {"research": Role.USER}
    assert not found.admin


def test_the_new_name_of_an_algorithm_is_known() -> None:
    """A token that says Ed25519 is verified by a key that says EdDSA, and the other way round."""
    with Issuer(algorithm="EdDSA") as issuer:
        world = World(issuer)
        assert world.why(issuer.token(header={"alg": "Ed25519"})) is None

        issuer.published[0]["alg"] = "Ed25519"
        assert World(issuer).why(issuer.token(header={"alg": "EdDSA"})) is None


ACCEPTED: dict[str, dict[str, Any]] = {
    "audience among others": {"aud": ["account", "herdsman"]},
    "expired within leeway": {"exp": NOW - 29},
    "issued a little ahead": {"iat": NOW + 29, "nbf": NOW + 29},
    "times with fractions": {"exp": NOW + 1.5, "iat": NOW - 1.5},
    "bearer by Keycloak": {"typ": "Bearer"},
    "nobody's name": {"name": None},
    "unknown claims": {"x": {"y": [1]}},
    "a subject with punctuation": {"sub": "auth0|5f7c8ec7c33c6c004bbafe82"},
}


@pytest.mark.parametrize("claims", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_right_is_admitted(world: World, claims: dict[str, Any]) -> None:
    """The claims of an access token may be written in every way that the standards allow."""
    assert world.why(world.issuer.token(**claims)) is None


REFUSED: dict[str, tuple[dict[str, Any], Why]] = {
    "another audience": ({"aud": "account"}, Why.AUDIENCE),
    "audience only begins alike": ({"aud": "herdsman2"}, Why.AUDIENCE),
    "audience as a mapping": ({"aud": {"herdsman": 1}}, Why.CLAIMS),
    "audience with a number": ({"aud": ["herdsman", 1]}, Why.CLAIMS),
    "no audience": ({"aud": None}, Why.AUDIENCE),
    "expired": ({"exp": NOW - 31}, Why.EXPIRED),
    "expires now, without leeway left": ({"exp": NOW - 30}, Why.EXPIRED),
    "no expiry": ({"exp": None}, Why.CLAIMS),
    "expiry in words": ({"exp": str(NOW + 300)}, Why.CLAIMS),
    "expiry not a number": ({"exp": float("nan")}, Why.CLAIMS),
    "expiry infinite": ({"exp": float("inf")}, Why.CLAIMS),
    "expiry a truth": ({"exp": True}, Why.CLAIMS),
    "not yet": ({"nbf": NOW + 31}, Why.NOT_YET),
    "issued in the future": ({"iat": NOW + 31}, Why.NOT_YET),
    "no time of issue": ({"iat": None}, Why.CLAIMS),
    "not before in words": ({"nbf": "soon"}, Why.CLAIMS),
    "no subject": ({"sub": None}, Why.CLAIMS),
    "empty subject": ({"sub": ""}, Why.CLAIMS),
    "subject is a number": ({"sub": 7}, Why.CLAIMS),
    "subject with a line end": ({"sub": "ada\nroot"}, Why.CLAIMS),
    "subject with a blank": ({"sub": "ada lovelace"}, Why.CLAIMS),
    "subject in other letters": ({"sub": "аda"}, Why.CLAIMS),
    "subject without end": ({"sub": "a" * 256}, Why.CLAIMS),
    "another issuer": ({"iss": "https://evil.example"}, Why.ISSUER),
    "no issuer": ({"iss": None}, Why.ISSUER),
    "issuer as a list": ({"iss": ["https://evil.example"]}, Why.ISSUER),
    "an ID token of Keycloak": ({"typ": "ID"}, Why.KIND),
    "a refresh token": ({"typ": "Refresh"}, Why.KIND),
    "a logout token": ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, Why.KIND),
    "bound to a key of its holder": ({"cnf": {"jkt": "x"}}, Why.KIND),
}


@pytest.mark.parametrize(("claims", "why"), REFUSED.values(), ids=REFUSED)
def test_claims_that_are_wrong_are_refused(world: World, claims: dict[str, Any], why: Why) -> None:
    """A good signature is not enough."""
    assert world.why(world.issuer.token(**claims)) is why


def _by_nobody(issuer: Issuer) -> str:
    return forged({"alg": "none", "typ": "JWT"}, issuer.claims()) + "x"


def _empty_signature(issuer: Issuer) -> str:
    return forged({"alg": "none", "kid": "k1"}, issuer.claims())


def _public_key_as_secret(issuer: Issuer) -> str:
    return forged({"alg": "HS256", "kid": "k1"}, issuer.claims(), secret=public_pem(issuer.key))


def _raw_public_key_as_secret(issuer: Issuer) -> str:
    public = json.dumps(issuer.key.as_dict(private=False)).encode()
    return forged({"alg": "HS256", "kid": "k1"}, issuer.claims(), secret=public)


def _own_key_in_header(issuer: Issuer) -> str:
    mine = key("evil")
    return issuer.token(by=mine, header={"kid": "k1", "jwk": mine.as_dict(private=False)})


def _changed(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{b64(issuer.claims(sub='root'))}.{signature}"


def _header_of_another(issuer: Issuer) -> str:
    _, payload, signature = issuer.token().split(".")
    return f"{b64({'alg': 'ES256', 'kid': 'k1', 'typ': 'at+jwt'})}.{payload}.{signature}"


def _deep(issuer: Issuer) -> str:
    return sign({"alg": "ES256", "kid": "k1"}, b"[" * 5000, issuer.key)


HOSTILE: dict[str, tuple[Callable[[Issuer], str], Why]] = {
    "alg none": (_by_nobody, Why.ALGORITHM),
    "alg none, no signature": (_empty_signature, Why.MALFORMED),
    "HS256 with the public key": (_public_key_as_secret, Why.ALGORITHM),
    "HS256 with the public JWK": (_raw_public_key_as_secret, Why.ALGORITHM),
    "alg in other case": (lambda i: i.token(header={"alg": "ES256"}).replace(*_case()), Why.ALGORITHM),
    "alg of another kind of key": (lambda i: _claiming(i, {"alg": "RS256"}), Why.UNKNOWN_KEY),
    "alg is a list": (lambda i: _claiming(i, {"alg": ["ES256"]}), Why.ALGORITHM),
    "no alg": (lambda i: _claiming(i, {"alg": None}), Why.ALGORITHM),
    "an embedded key": (_own_key_in_header, Why.SIGNATURE),
    "another key of that name": (lambda i: i.token(by=key("evil"), header={"kid": "k1"}), Why.SIGNATURE),
    "claims exchanged": (_changed, Why.SIGNATURE),
    "header exchanged": (_header_of_another, Why.SIGNATURE),
    "a critical extension": (lambda i: i.token(header={"crit": ["exp"], "exp": 1}), Why.MALFORMED),
    "payload not encoded": (lambda i: i.token(header={"crit": ["b64"], "b64": False}), Why.MALFORMED),
    "b64 without crit": (lambda i: i.token(header={"b64": False}), Why.MALFORMED),
    "a logout token by header": (lambda i: i.token(header={"typ": "logout+jwt"}), Why.KIND),
    "a proof of possession": (lambda i: i.token(header={"typ": "dpop+jwt"}), Why.KIND),
    "type is a number": (lambda i: i.token(header={"typ": 1}), Why.KIND),
    "name of key is a number": (lambda i: i.token(header={"kid": 1}), Why.MALFORMED),
    "name of key without end": (lambda i: i.token(header={"kid": "k" * 513}), Why.MALFORMED),
    "five parts": (lambda i: i.token() + ".a.b", Why.MALFORMED),
    "two parts": (lambda i: i.token().rpartition(".")[0], Why.MALFORMED),
    "a line end behind": (lambda i: i.token() + "\n", Why.MALFORMED),
    "padding": (lambda i: i.token() + "=", Why.MALFORMED),
    "blanks": (lambda i: i.token().replace(".", " ."), Why.MALFORMED),
    "huge": (lambda i: i.token(x="y" * 20_000), Why.MALFORMED),
    "empty": (lambda _: "", Why.MALFORMED),
    "garbage": (lambda _: "a.b.c", Why.MALFORMED),
    "claims are a list": (lambda i: sign({"alg": "ES256", "kid": "k1"}, b"[]", i.key), Why.MALFORMED),
    "claims are too deep": (_deep, Why.MALFORMED),
    "claims are no text": (lambda i: sign({"alg": "ES256", "kid": "k1"}, b"\xff\xfe", i.key), Why.MALFORMED),
    "header is a list": (lambda i: f"{b64(b'[]')}." + i.token().partition(".")[2], Why.MALFORMED),
}


def _case() -> tuple[str, str]:
    return b64(b'{"alg": "ES256"')[:19], b64(b'{"alg": "es256"')[:19]


def _claiming(issuer: Issuer, header: dict[str, Any]) -> str:
    full = {k: v for k, v in {"alg": "ES256", "kid": "k1", **header}.items() if v is not None}
    return f"{b64(full)}." + issuer.token().partition(".")[2]


@pytest.mark.parametrize(("made", "why"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_tokens_are_refused(world: World, made: Callable[[Issuer], str], why: Why) -> None:
    """Whatever a token says of itself, it is verified by what we know."""
    assert world.why(made(world.issuer)) is why


def test_where_a_header_points_nobody_goes(world: World) -> None:
    """`jku` and `x5u` are not fetched, whoever signed the token; they neither help nor harm."""
    trap = f"{world.issuer.url}/trap"

    assert world.why(world.issuer.token(header={"jku": trap, "x5u": trap})) is None
    assert world.why(world.issuer.token(by=key("evil"), header={"kid": "k1", "jku": trap})) is Why.SIGNATURE
    assert world.issuer.hits["/trap"] == 0


def test_the_setting_alone_names_the_algorithms() -> None:
    """A key of an algorithm that is not in the setting verifies nothing, though the issuer publishes it."""
    with Issuer(algorithm="RS256") as issuer:
        assert World(issuer, algorithms=("RS256",)).why(issuer.token()) is None
        assert World(issuer, algorithms=("ES256", "EdDSA")).why(issuer.token()) is Why.ALGORITHM


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"azp": "cli"}, None),
        ({"client_id": "cli"}, None),
        ({"azp": "cli", "aud": None}, None),
        ({"azp": "other", "client_id": "cli"}, Why.CLIENT),
        ({"azp": ["cli"]}, Why.CLIENT),
        ({}, Why.CLIENT),
    ],
)
def test_clients_decide_where_an_issuer_names_no_audience(shared: Issuer, claims: dict[str, Any], why: Why) -> None:
    """With clients alone, `azp` or else `client_id` has to be one of them."""
    assert World(shared, audience=(), clients=("cli",)).why(shared.token(**claims)) is why


def test_audience_and_clients_count_together(shared: Issuer) -> None:
    """Where both are set, both have to fit."""
    world = World(shared, clients=("cli",))

    assert world.why(shared.token(azp="cli")) is None
    assert world.why(shared.token(azp="cli", aud="other")) is Why.AUDIENCE
    assert world.why(shared.token(azp="other")) is Why.CLIENT


def test_a_key_without_a_name_is_found_where_it_is_the_only_one() -> None:
    """A token that names no key is verified by the only key there is, and by none where there are two."""
    with Issuer() as issuer:
        token = issuer.token(header={"kid": None})
        assert World(issuer).why(token) is None

        issuer.published.append(key("k2").as_dict(private=False))
        assert World(issuer).why(token) is Why.UNKNOWN_KEY


def _jwk(**changed: Any) -> dict[str, Any]:
    data = {**key("k1").as_dict(private=False), **changed}
    return {k: v for k, v in data.items() if v is not None}


UNFIT: dict[str, Any] = {
    "for encryption": _jwk(use="enc"),
    "use is a list": _jwk(use=["sig"]),
    "for signing only": _jwk(use=None, key_ops=["sign"]),
    "operations are a word": _jwk(key_ops="verify"),
    "another algorithm": _jwk(alg="ES384"),
    "a shared secret": {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"},
    "unknown kind": {"kty": "PQ", "kid": "k1"},
    "another curve": ECKey.generate_key("P-384", {"kid": "k1"}).as_dict(private=False),
    "a key to agree with": OKPKey.generate_key("X25519", {"kid": "k1"}).as_dict(private=False),
    "a short RSA key": {"kty": "RSA", "kid": "k1", "n": b64(b"\xff" * 64), "e": "AQAB"},
    "an endless RSA key": {"kty": "RSA", "kid": "k1", "n": b64(b"\xff" * 1400), "e": "AQAB"},
    "no point": _jwk(x=b64(b"\x01" * 32)),
    "no base64": _jwk(x="*"),
    "half a point": _jwk(y=None),
    "name is a number": _jwk(kid=1),
    "a list": ["kty", "EC"],
    "null": None,
    "a word": "EC",
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_keys_that_cannot_verify_are_left_out(unfit: Any) -> None:
    """One odd key hides none of the others, and verifies nothing itself."""
    good = key("good").as_dict(private=False)

    assert set(parse_keys([unfit, good], ("RS256", "ES256", "EdDSA")).by_name) == {("good", "ES256")}


def test_two_keys_of_one_name_are_none() -> None:
    """Where a name is ambiguous it names nothing; the same key twice is one; a name may have a key per algorithm."""
    one, other = _jwk(), key("k2").as_dict(private=False) | {"kid": "k1"}
    third = key("k3", "EdDSA").as_dict(private=False) | {"kid": "k1"}

    assert parse_keys([one, other, one], ["ES256"]).by_name == {}
    assert set(parse_keys([one, one, third], ["ES256", "EdDSA"]).by_name) == {("k1", "ES256"), ("k1", "EdDSA")}


def test_a_published_private_key_is_not_held() -> None:
    """An issuer that publishes more than it should makes us keep no secret of its."""
    (found,) = parse_keys([key("k1").as_dict(private=True)], ["ES256"]).by_name.values()

    assert not found.is_private


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["RSA", "EC", "P-256", "sig"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_fields = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid", "key_ops"])


@given(found=st.lists(st.dictionaries(_fields, _json, max_size=8) | _json, max_size=4))
@settings(max_examples=80, deadline=None)
def test_no_key_set_breaks_anything(found: list[Any]) -> None:
    """Whatever an issuer publishes, it is keys or it is left out."""
    for one in [{**_jwk(), **f} if isinstance(f, dict) else f for f in found]:
        parse_keys([one, *found], ("RS256", "ES256", "EdDSA"))


@given(data=st.binary(max_size=200), at=st.integers(0, 400), header=st.dictionaries(st.text(max_size=5), _json))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_makes_a_token_good(world: World, data: bytes, at: int, header: dict[str, Any]) -> None:
    """A token with bytes changed anywhere is refused, and never an error."""
    token = world.issuer.token()
    at %= len(token)
    damaged = token[:at] + base64.urlsafe_b64encode(data).decode() + token[at + len(data) :]

    if damaged != token:
        assert world.why(damaged) is not None
    assert world.why(f"{b64(header)}.{token.partition('.')[2]}") is not None


def test_time_is_the_clock_s(shared: Issuer) -> None:
    """A token that was good is expired once its time has come."""
    world, token = World(shared), shared.token()
    assert world.why(token) is None

    world.clock.advance(331)
    assert world.why(token) is Why.EXPIRED
    assert START.timestamp() == NOW
