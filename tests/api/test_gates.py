"""Who may ask what, once users are known: each route of the operator by role, and the pages for who logged in."""

from collections.abc import Iterator

import pytest
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient

from harness import Harness, fleet_document, group, job_document
from herdsman.api.app import create_app
from herdsman.api.fleets import Hooks, create_fleets_app
from herdsman.dashboard.pages import add_dashboard
from herdsman.model.identity import COOKIE, Denial, Identity, Role, Why

BASE = "https://herdsman.example.org"


def person(name: str, grants: dict[str, Role], *, admin: bool = False) -> Identity:
    """Somebody."""
    return Identity(subject=name, issuer="https://login.example.org", name=name, grants=grants, admin=admin)


PEOPLE = {
    "viewer-all": person("viewer-all", {"*": Role.VIEWER}),
    "admin-all": person("admin-all", {"*": Role.ADMIN}),
    "root": person("root", {}, admin=True),
    "admin-one": person("admin-one", {"ai": Role.ADMIN}),
    "nothing": person("nothing", {}),
}


class Tokens:
    """`ports.Auth` by name."""

    def identify(self, token: str) -> Identity | Denial:
        return PEOPLE.get(token, Denial(Why.UNKNOWN_TOKEN))

    def anonymous(self) -> Identity | None:
        return None


@pytest.fixture
def harness() -> Harness:
    """A fleet of one job."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web", TaskGroups=[group()])})
    harness.sync()
    return harness


@pytest.fixture
def api(harness: Harness) -> Iterator[TestClient]:
    """The API with users, asked from elsewhere."""
    app = create_app(harness.operator, metrics=harness.metrics.text, auth=Tokens())
    add_dashboard(app, harness.operator, auth=Tokens())
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        yield client


def ask(api: TestClient, method: str, path: str, who: str) -> int:
    """The status for *who*; "" is nobody."""
    headers = {"Authorization": f"Bearer {who}"} if who else {}
    body = {"keys": [{"name": "web"}]} if method == "POST" else None
    if path == "/v1/rollback":
        body = {"key": {"name": "web"}, "to": "7"}  # type: ignore[dict-item]
    return api.request(method, path, headers=headers, json=body).status_code


SHOWS = [
    "/v1/specs", "/v1/specs/Job/default/web", "/v1/plan", "/v1/events", "/v1/overview", "/v1/version", "/metrics",
    "/v1/history/Job/default/web", "/v1/versions/default/web", "/v1/trace/default/web",
]  # fmt: skip
ACTS = ["/v1/resync", "/v1/suspend", "/v1/resume", "/v1/approve", "/v1/rollback"]


@pytest.mark.parametrize("path", SHOWS)
def test_what_shows_the_fleet_is_for_who_may_see_all_of_it(api: TestClient, path: str) -> None:
    """A role in one namespace shows nothing of the others."""
    found = {who: ask(api, "GET", path, who) for who in ("", "wrong", *PEOPLE)}

    assert found == {
        "": 401, "wrong": 401, "nothing": 403, "admin-one": 403, "viewer-all": 200, "admin-all": 200, "root": 200,
    }  # fmt: skip


@pytest.mark.parametrize("path", ACTS)
def test_what_acts_on_the_fleet_is_for_its_admins(api: TestClient, path: str) -> None:
    """Whoever may only look changes nothing."""
    found = {who: ask(api, "POST", path, who) for who in ("", "wrong", *PEOPLE)}

    assert [found[who] for who in ("", "wrong")] == [401, 401]
    assert [found[who] for who in ("nothing", "admin-one", "viewer-all")] == [403, 403, 403]
    assert found["admin-all"] not in (401, 403)
    assert found["root"] not in (401, 403)


def leaves(routes: list[BaseRoute]) -> Iterator[Route]:
    """Every route of an application."""
    for route in routes:
        if isinstance(route, Route):
            yield route


OPEN = {
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/v1/webhooks/{provider}",
    "/login",
    "/static/{file}",
    "/logout",
    "/docs",
    "/docs/{file}",
}


def test_no_route_is_forgotten(harness: Harness) -> None:
    """Whatever is added asks who is there, or stands in the list of what does not."""
    app = create_app(harness.operator, metrics=harness.metrics.text, auth=Tokens())
    add_dashboard(app, harness.operator, auth=Tokens())
    fillings = {"{kind}": "Job", "{namespace}": "default", "{name:path}": "web", "{name}": "web", "{number}": "1"}
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        for route in leaves(app.routes):
            if route.path in OPEN or not route.methods:
                continue
            path = route.path
            for word, filling in fillings.items():
                path = path.replace(word, filling)
            for method in route.methods - {"HEAD", "OPTIONS"}:
                answer = client.request(method, path)
                assert answer.status_code in (401, 303), f"{method} {path} answers {answer.status_code} to anybody"
                assert answer.status_code == 401 or answer.headers["location"].startswith("/login")


def test_health_is_for_everybody(api: TestClient) -> None:
    """Those who start a process know no tokens."""
    assert api.get("/healthz").status_code == 200
    assert api.get("/readyz").status_code == 200


# -- pages -------------------------------------------------------------------------------------------------------------


def test_a_reader_logs_in_and_out(api: TestClient, harness: Harness) -> None:
    """A page leads to the form, the form back to the page; the token stays where no script gets at it."""
    answer = api.get("/specs/Job/default/web")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/specs/Job/default/web")
    form = api.get(answer.headers["location"])
    assert 'value="/specs/Job/default/web"' in form.text

    wrong = api.post("/login", data={"token": "wrong", "next": "/"}, headers={"Origin": BASE})
    assert (wrong.status_code, "not valid" in wrong.text, COOKIE in wrong.headers.get("set-cookie", "")) == (
        401,
        True,
        False,
    )

    entered = api.post("/login", data={"token": "root", "next": "/specs/Job/default/web"}, headers={"Origin": BASE})
    assert (entered.status_code, entered.headers["location"]) == (303, "/specs/Job/default/web")
    cookie = entered.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "secure"))
    assert api.get("/specs/Job/default/web").status_code == 200
    assert api.get("/v1/specs").status_code == 200, "its script asks the API with the same"

    done = api.post("/actions/suspend/Job/default/web", headers={"Origin": BASE})
    assert done.status_code == 303
    assert harness.store.is_suspended(next(iter(harness.view.desired.wanted)))
    assert api.post("/logout", headers={"Origin": BASE}).status_code == 303
    assert api.get("/").status_code == 303


@pytest.mark.parametrize("who", ["viewer-all", "admin-one"])
def test_who_may_only_look_does_nothing_by_a_page(api: TestClient, who: str) -> None:
    """Pages need what the API needs."""
    api.cookies.set(COOKIE, who)

    assert api.get("/").status_code == (200 if who == "viewer-all" else 403)
    assert api.post("/actions/resync", headers={"Origin": BASE}).status_code == 403


def test_other_peoples_pages_give_no_orders(api: TestClient) -> None:
    """Not even with the cookie of somebody who may."""
    api.cookies.set(COOKIE, "root")

    assert api.post("/actions/resync", headers={"Origin": "https://evil.example"}).status_code == 403
    assert api.post("/v1/resync", headers={"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "x"])
def test_a_login_leads_nowhere_else(api: TestClient, target: str) -> None:
    """A link to the form may come from anybody."""
    entered = api.post("/login", data={"token": "root", "next": target}, headers={"Origin": BASE})

    assert entered.headers["location"] == "/"


def test_several_fleets_ask_too(harness: Harness) -> None:
    """Below each fleet's path, and for what is of all."""
    app = create_app(harness.operator, metrics=harness.metrics.text, auth=Tokens())
    add_dashboard(app, harness.operator, root="/fleets/a", auth=Tokens())
    top = create_fleets_app({"a": (app, harness.operator)}, metrics=lambda: b"", hooks=Hooks({}), auth=Tokens())
    with TestClient(top, base_url=BASE, follow_redirects=False) as client:
        assert client.get("/v1/fleets").status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get("/fleets/a/v1/specs").status_code == 401
        assert client.get("/fleets/a/").headers["location"] == "/fleets/a/login?next=/fleets/a/"
        assert client.get("/fleets/a/login").status_code == 200
        entered = client.post("/fleets/a/login", data={"token": "root"}, headers={"Origin": BASE})
        assert "path=/fleets/a" in entered.headers["set-cookie"].lower()
        assert client.get("/fleets/a/").status_code == 200
        assert client.get("/").headers["location"].startswith("/login")
