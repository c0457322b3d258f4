"""The page of the API: it works without the rest of the world, keeps a token to itself, and sends what it shows."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from client.serving import Live
from herdsman.api.fleets import Hooks, create_fleets_app
from herdsman.bootstrap import served
from platforms import Tokens, World

_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
FILES = ["/docs", "/docs/docs.js", "/docs/docs.css"]


@pytest.fixture(scope="module")
def world() -> World:
    """An operator with users, and one deployment."""
    world = Live()
    world.app.openapi()  # it is made once, and not by two threads at a time
    world.order("ada", conf={"general": {"title": "<b>Mine</b>"}})
    return world


# -- without a browser -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES)
def test_anybody_may_read_it(world: World, path: str) -> None:
    """It holds no data, so it asks for no token; and the browser is told to fetch nothing from elsewhere."""
    answer = world.as_(None).get(path, follow_redirects=False)

    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "://" not in answer.text.replace("'http://www.w3.org", "")


@pytest.mark.parametrize("path", ["/docs/none.js", "/docs/..%2fdocs.html", "/docs/%2e%2e%2fapp.py", "/docs/docs.html"])
def test_nothing_else_is_served(world: World, path: str) -> None:
    """Only the files of the page, by their names."""
    assert world.as_(None).get(path).status_code == 404


def test_its_files_hold_no_inline_script_and_no_markup_from_text(world: World) -> None:
    """What the policy forbids is not there, so nothing depends on a browser that lets it through."""
    html, script = (world.as_(None).get(path).text for path in FILES[:2])

    assert "style=" not in html
    assert "onclick=" not in html
    assert html.count("<script") == html.count("<script src=")
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "cookie"):
        assert sink not in script


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it."""
    found = shutil.which("/usr/bin/chromium") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on the PATH; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Reader:
    """Somebody who looks at the page."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def operation(self, method: str, path: str) -> Locator:
        """One operation, opened."""
        found = (
            self.page.locator("details.operation")
            .filter(has=self.page.locator(".method", has_text=method))
            .filter(has=self.page.get_by_text(path, exact=True))
        )
        found.locator("summary").first.click()
        return found

    def authorize(self, token: str) -> None:
        """Type a token."""
        self.page.get_by_label("Bearer token").fill(token)
        self.page.get_by_role("button", name="Authorize").click()


def _read(browser: Browser, address: str, path: str) -> Iterator[Reader]:
    context = browser.new_context(base_url=address, viewport={"width": 1100, "height": 800})
    context.set_default_timeout(10_000)
    reader = Reader(context.new_page(), address)
    reader.page.on("console", lambda message: reader.complaints.append(message.text))
    reader.page.on("pageerror", lambda error: reader.complaints.append(str(error)))
    reader.page.on("request", lambda request: reader.asked.append(request.url))
    reader.page.goto(path)
    yield reader
    context.close()


@pytest.fixture
def reader(browser: Browser, world: World) -> Iterator[Reader]:
    """Somebody who opened the page."""
    with served(world.app, "127.0.0.1:0") as address:
        yield from _read(browser, address, "/docs")


@pytest.mark.browser
def test_every_operation_is_there(reader: Reader, world: World) -> None:
    """All that the document holds, with nothing fetched from elsewhere and nothing that the browser complains about."""
    paths = world.app.openapi()["paths"]
    operations = sum(len(item) for item in paths.values())

    expect(reader.page.locator("details.operation")).to_have_count(operations)
    assert all(url.startswith((reader.address, "data:")) for url in reader.asked)
    assert reader.complaints == []


@pytest.mark.browser
def test_a_token_is_sent_and_kept_nowhere(reader: Reader) -> None:
    """Authorize says whose token it is; a request bears it; a page that is loaded again has forgotten it."""
    reader.authorize("ada")
    expect(reader.page.locator("#who")).to_have_text("you are ada@https://login.example.org")
    expect(reader.page.get_by_label("Bearer token")).to_have_value("")

    listed = reader.operation("GET", "/v1/deployments/{section}")
    listed.get_by_label("path parameter section").select_option("modules")
    listed.get_by_role("button", name="Send").click()

    expect(listed.locator(".answer p")).to_contain_text("200 OK")
    expect(listed.locator(".answer pre").last).to_contain_text("<b>Mine</b>")  # as text, not as markup
    expect(listed.locator(".answer .curl")).to_contain_text('-H "Authorization: Bearer $HERDSMAN_TOKEN"')
    assert reader.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") == '[{},{},""]'
    reader.page.reload()
    listed = reader.operation("GET", "/v1/deployments/{section}")
    listed.get_by_label("path parameter section").select_option("modules")
    listed.get_by_role("button", name="Send").click()
    expect(listed.locator(".answer p")).to_contain_text("401")


@pytest.mark.browser
def test_a_deployment_is_ordered_from_the_page(reader: Reader) -> None:
    """The body is an example that can be changed; what comes back is shown, and so is what of it does not fit."""
    reader.authorize("ada")
    order = reader.operation("POST", "/v1/deployments/{section}")
    order.get_by_label("path parameter section").select_option("modules")
    order.get_by_label("query parameter dry_run").select_option("true")
    order.get_by_label("body").fill('{"catalog": "demo", "vo": "lab", "conf": {"hardware": {"ram": 1}}}')
    order.get_by_role("button", name="Send").click()
    expect(order.locator(".answer p")).to_contain_text("422")
    expect(order.locator(".answer pre").last).to_contain_text("conf.hardware.ram")

    order.get_by_label("body").fill('{"catalog": "demo", "vo": "lab"}')
    order.get_by_role("button", name="Send").click()

    expect(order.locator(".answer p")).to_contain_text("200 OK")
    expect(order.locator(".answer pre").last).to_contain_text('"plan"')


@pytest.mark.browser
def test_what_is_wrong_with_the_form_is_said(reader: Reader) -> None:
    """A body that is no JSON, and a token that no header may carry, are told and not sent."""
    reader.authorize("two words")
    expect(reader.page.locator("#who")).to_contain_text("that is no token")
    order = reader.operation("POST", "/v1/deployments/{section}")
    order.get_by_label("path parameter section").select_option("modules")
    order.get_by_label("body").fill("{")
    before = len(reader.asked)
    order.get_by_role("button", name="Send").click()

    expect(order.locator(".answer p")).to_contain_text("no JSON")
    assert len(reader.asked) == before


@pytest.mark.browser
def test_a_stream_is_shown_as_it_comes_and_stopped(reader: Reader) -> None:
    """Events that go on are shown at once; Stop ends them."""
    reader.authorize("root")
    events = reader.operation("GET", "/v1/events/stream")
    events.get_by_role("button", name="Send").click()
    expect(events.locator(".answer pre").last).to_contain_text(": connected")

    events.get_by_role("button", name="Stop").click()

    expect(events.get_by_role("button", name="Stop")).to_be_hidden()
    expect(events.locator(".answer pre").last).to_contain_text(": connected")


@pytest.mark.browser
def test_what_is_looked_for_is_left(reader: Reader) -> None:
    """A word narrows the list, and the groups with it."""
    expect(reader.page.locator("details.operation").first).to_be_visible()

    reader.page.get_by_label("Find").fill("try_me")

    expect(reader.page.locator("details.operation:visible")).to_have_count(4)
    expect(reader.page.locator("main h2:visible")).to_have_text(["try me"])


@pytest.mark.browser
def test_each_fleet_has_its_own_below_its_path(browser: Browser, world: World) -> None:
    """Where there are several fleets, the page of one asks that one."""
    app = fleets(world)
    with served(app, "127.0.0.1:0") as address:
        reading = _read(browser, address, "/fleets/one/docs")
        reader = next(reading)
        reader.authorize("ada")

        expect(reader.page.locator("#who")).to_contain_text("you are ada")
        assert f"{address}/fleets/one/v1/whoami" in reader.asked
        assert reader.complaints == []
        reading.close()


def fleets(world: World) -> FastAPI:
    """That operator as one of several."""
    return create_fleets_app({"one": (world.app, world.operator)}, metrics=bytes, hooks=Hooks({}), auth=Tokens())


def test_of_several_fleets_it_is_open_too(world: World) -> None:
    """Anybody may read it there as well."""
    assert TestClient(fleets(world)).get("/fleets/one/docs", follow_redirects=False).status_code == 200
