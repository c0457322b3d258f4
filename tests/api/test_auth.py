"""Who may ask the API: bearer tokens over real routes, the refusals, and what of them is written anywhere."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from adapters.auth.test_oidc import HOSTILE, REFUSED, World
from clocks import FakeClock
from harness import Harness, fleet_document
from herdsman.adapters import logs
from herdsman.adapters.auth.config import AuthConfig
from herdsman.adapters.auth.judge import build
from herdsman.adapters.auth.tokens import line_for, new_token
from herdsman.api.app import create_app
from herdsman.api.auth import Caller, Visitor, install, need, require, require_admin
from herdsman.model.identity import Identity, Role
from issuer import NOW, Issuer, key

BASE = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """An issuer that nobody changes."""
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def world(issuer: Issuer) -> World:
    """Who judges its tokens."""
    return World(issuer)


@pytest.fixture(scope="module")
def api(world: World) -> Iterator[TestClient]:
    """The whole API, with that judge."""
    harness = Harness({"fleet.yaml": fleet_document()})
    harness.sync()
    app = create_app(harness.operator, metrics=harness.metrics.text, auth=world.auth)
    with TestClient(app, base_url=BASE) as client:
        yield client


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that anybody logs, at the lowest level."""
    stream = io.StringIO()
    logs.configure(form="json", level="debug", stream=stream)
    root, handler = logging.getLogger(), logging.StreamHandler(stream)
    levels = [(name, logging.getLogger(name).level) for name in ("", "urllib3", "asyncio")]
    for name, _ in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    for name, level in levels:
        logging.getLogger(name).setLevel(level)


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"Authorization": f"Bearer {token}"}


def test_whoami_answers_who(api: TestClient, issuer: Issuer) -> None:
    """The identity behind the token, with its role in each namespace and nothing else of the token."""
    answer = api.get("/v1/whoami", headers=bearer(issuer.token(email="ada@x.org", email_verified=True)))

    assert answer.status_code == 200
    assert answer.json() == {
        "owner": f"ada@{issuer.url}",
        "slug": answer.json()["slug"],
        "subject": "ada",
        "issuer": issuer.url,
        "name": "Ada Lovelace",
        "email": "ada@x.org",
        "admin": False,
        "roles": {"research": "user"},
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}], ids=str)
def test_nobody_is_asked_to_log_in(api: TestClient, headers: dict[str, str]) -> None:
    """Without a bearer token the challenge names no error, as RFC 6750 wants it, and the problem says what to do."""
    answer = api.get("/v1/whoami", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="herdsman"'
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["status"] == 401
    assert "herdsman login" in answer.json()["hint"]


def test_a_token_in_the_address_is_none(api: TestClient, issuer: Issuer) -> None:
    """Addresses are logged everywhere, so no token is taken from one."""
    assert api.get(f"/v1/whoami?access_token={issuer.token()}").status_code == 401


SENDABLE = [name for name in HOSTILE if name not in ("a line end behind", "empty")]


@pytest.mark.parametrize("name", [*SENDABLE, *REFUSED])
def test_a_refused_token_leaves_no_trace(api: TestClient, issuer: Issuer, log: io.StringIO, name: str) -> None:
    """401, the same words for every token that is not good, and no part of it in the answer or in any log."""
    token = HOSTILE[name][0](issuer) if name in HOSTILE else issuer.token(**REFUSED[name][0])
    answer = api.get("/v1/whoami", headers=bearer(token))

    assert answer.status_code == 401
    expired = "expire" in name and "expiry" not in name
    detail = "the token has expired" if expired else "the token is not valid here"
    assert answer.json()["detail"] == detail
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="herdsman", error="invalid_token", error_description="{detail}"'
    )
    written = log.getvalue()
    assert (HOSTILE | REFUSED)[name][1].value in written
    parts = [p for p in (token, *token.split("."), "Lovelace", "evil") if len(p) >= 3]
    assert parts
    assert [p for p in parts if p in written or p in answer.text or p in str(answer.headers)] == []


def test_a_good_token_leaves_no_trace(api: TestClient, issuer: Issuer, log: io.StringIO) -> None:
    """Neither the token nor the name behind it is logged when all is well."""
    token = issuer.token()
    assert api.get("/v1/whoami", headers=bearer(token)).status_code == 200

    assert [p for p in (token, *token.split("."), "Lovelace") if p in log.getvalue()] == []


def test_a_dead_issuer_is_not_the_client_s_fault(log: io.StringIO) -> None:
    """Where no token can be judged the answer is 503 and when to come back; the log says what is wrong, once."""
    with Issuer() as issuer:
        issuer.mode = "down"
        harness, world = Harness({"fleet.yaml": fleet_document()}), World(issuer)
        app = create_app(harness.operator, metrics=harness.metrics.text, auth=world.auth)
        token = issuer.token()
        with TestClient(app, base_url=BASE) as client:
            answers = [client.get("/v1/whoami", headers=bearer(token)) for _ in range(5)]

    assert {a.status_code for a in answers} == {503}
    assert answers[0].headers["Retry-After"] == "10"
    assert "WWW-Authenticate" not in answers[0].headers
    assert len(world.said) == 1
    assert token.split(".")[2] not in log.getvalue() + world.said[0]


def test_without_users_the_caller_is_the_local_admin() -> None:
    """An operator that knows no users answers whoever the loopback guard lets through."""
    harness = Harness({"fleet.yaml": fleet_document()})
    with TestClient(create_app(harness.operator, metrics=harness.metrics.text), base_url=BASE) as client:
        answer = client.get("/v1/whoami", headers=bearer("anything")).json()

    assert (answer["owner"], answer["admin"]) == ("local@loopback", True)


def test_the_document_names_the_scheme(api: TestClient) -> None:
    """OpenAPI shows a bearer scheme and that whoami needs it, so that a client can be told the token."""
    document = api.get("/openapi.json").json()

    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"]["/v1/whoami"]["get"]["security"] == [{"bearer": []}]


def small(auth: Any) -> TestClient:
    """An application of a few routes."""
    app = FastAPI()
    install(app, auth)

    @app.get("/visit")
    def visit(who: Visitor) -> str:
        return who.owner if who else "nobody"

    @app.get("/user")
    def user(who: Annotated[Identity, Depends(need(Role.USER))]) -> str:
        return who.owner

    @app.get("/in/{namespace}")
    def inside(namespace: str, who: Caller) -> str:
        require(who, Role.USER, namespace)
        return namespace

    @app.get("/admin")
    def admin(who: Caller) -> str:
        require_admin(who)
        return "yes"

    return TestClient(app, base_url=BASE, raise_server_exceptions=False)


def roles(*levels: str) -> dict[str, Any]:
    """Claims with these levels in the VO."""
    return {"realm_access": {"roles": [f"access:vo.test:{level}" for level in levels]}}


@pytest.mark.parametrize(
    ("path", "claims", "status", "words"),
    [
        ("/user", roles("ap-u"), 200, ""),
        ("/user", roles("ap-b"), 403, "this needs the role user; you have the role try-me"),
        ("/user", roles(), 403, "this needs the role user; you have no role"),
        ("/in/research", roles("ap-u"), 200, ""),
        ("/in/research", roles("ap-a"), 403, "the role user in the namespace 'research'; you have the role try-me"),
        ("/in/other", roles("ap-u"), 403, "the role user in the namespace 'other'; you have no role"),
        ("/in/*", roles("ap-u"), 403, "the role user in the namespace '*'; you have no role"),
        ("/admin", roles("ap-d"), 403, "this needs an administrator; you have the role user"),
    ],
)
def test_a_role_that_lacks_is_named(world: World, path: str, claims: Any, status: int, words: str) -> None:
    """403 says which role is needed, where, and which one the caller has."""
    answer = small(world.auth).get(path, headers=bearer(world.issuer.token(**claims)))

    assert answer.status_code == status
    if status == 403:
        assert words in answer.json()["detail"]
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="herdsman", error="insufficient_scope"'
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_visitor_may_be_nobody_but_not_a_liar(world: World) -> None:
    """A route for visitors answers without a token, and refuses a bad one rather than to take it for none."""
    client = small(world.auth)

    assert client.get("/visit").json() == "nobody"
    assert client.get("/visit", headers=bearer(world.issuer.token())).json() == f"ada@{world.issuer.url}"
    assert client.get("/visit", headers=bearer(world.issuer.token(exp=NOW - 60))).status_code == 401
    assert client.get("/visit", headers=bearer(world.issuer.token(by=key("evil")))).status_code == 401


def test_machines_and_people_are_told_apart(issuer: Issuer, tmp_path: Path) -> None:
    """Both kinds of token are taken at once, each judged by its own; a machine may be an administrator."""
    token, file = new_token(), tmp_path / "tokens.yaml"
    file.write_text(line_for(token, name="ci", role=Role.ADMIN, namespaces=("*",), expires=None))
    config = AuthConfig(issuer=issuer.url, audience=("herdsman",), token_file=file)
    client = small(build(config, clock=FakeClock(), warn=print))

    assert client.get("/admin", headers=bearer(token)).status_code == 200
    assert client.get("/visit", headers=bearer(token)).json() == "ci@herdsman"
    assert client.get("/visit", headers=bearer(issuer.token())).json() == f"ada@{issuer.url}"
    assert client.get("/visit", headers=bearer(new_token())).status_code == 401
    assert json.loads(client.get("/admin", headers=bearer(issuer.token())).text)["status"] == 403
