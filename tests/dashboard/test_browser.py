"""The pages in a real browser: they follow what happens, work by keyboard and without scripts, and fit every screen."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from dashboard.fleet import DEEP, HELD, WEB, Fleet, small_fleet, status
from harness import job_document
from herdsman.dashboard.views import spec_path
from herdsman.model.keys import Key, job_key
from herdsman.model.plans import Reason
from herdsman.model.statuses import Truth

pytestmark = pytest.mark.browser

_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


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
    """A fleet, and somebody who looks at it."""

    fleet: Fleet
    address: str
    page: Page
    complaints: list[str]  # what the browser wrote to its console
    documents: list[str]  # every page that was fetched

    def open(self, path: str) -> None:
        """Look at a page, and wait until it follows along."""
        self.page.goto(path)
        expect(self.page.locator("#live")).to_have_text("Live")

    def mark(self) -> None:
        """Leave something that a reload would lose."""
        self.page.evaluate("window.mark = true")

    def stayed(self) -> bool:
        """Whether the page was never reloaded since `mark`."""
        return bool(self.page.evaluate("window.mark === true"))

    def row(self, key: Key) -> Locator:
        """The row of *key* in the list."""
        return self.page.locator(f'tr[id="{spec_path(key)}"]')


@pytest.fixture
def reader(browser: Browser) -> Iterator[Reader]:
    """Somebody who looks at a small fleet, in a window of their own."""
    fleet = small_fleet()
    with fleet.at_an_address() as address:
        context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(10_000)
        reader = Reader(fleet, address, context.new_page(), [], [])
        _listen(reader)
        yield reader
        context.close()


def _listen(reader: Reader) -> None:
    reader.page.on("console", lambda message: reader.complaints.append(message.text))
    reader.page.on("pageerror", lambda error: reader.complaints.append(str(error)))
    reader.page.on("request", lambda r: reader.documents.append(r.url) if _is_page(r.url) else None)


def _is_page(url: str) -> bool:
    return "/static/" not in url and "/v1/" not in url


def _of(key: Key, query: str = "") -> str:
    return f"/specs/{spec_path(key)}{query}"


# -- it follows --


def test_a_row_changes_as_it_happens(reader: Reader) -> None:
    """A change of a spec shows in its row, in the counts and in the title, without a reload."""
    reader.open("/")
    reader.mark()
    expect(reader.row(HELD)).to_contain_text("Held")

    reader.fleet.operator.approve(HELD, by="test")

    expect(reader.row(HELD)).to_contain_text("Ready")
    assert reader.row(HELD).evaluate("row => row.getAnimations().length") == 1
    assert reader.row(WEB).evaluate("row => row.getAnimations().length") == 0
    expect(reader.page.locator(".tile.good .count")).to_have_text("3")
    expect(reader.page).to_have_title("f · Herdsman")
    expect(reader.page.locator("#event-list tbody tr").first).to_contain_text("held")
    assert reader.stayed()
    assert reader.complaints == []


def test_specs_come_and_go_in_order(reader: Reader) -> None:
    """New rows stand where they belong, and what is gone leaves no row behind."""
    reader.open("/")
    reader.mark()
    reader.fleet.files |= {f"{n}.yaml": job_document(n) for n in ("b", "middle", "zz")}
    del reader.fleet.files["broken.yaml"]
    reader.fleet.sync()
    links = reader.page.locator("#spec-list tbody a")
    expect(links).to_have_text(["a/b?c#d%e", "b", "held", "middle", "web", "zz"])
    expect(reader.page.locator("#not-understood tr")).to_have_count(0)

    del reader.fleet.files["middle.yaml"], reader.fleet.files["deep.yaml"]
    reader.fleet.sync()

    expect(links).to_have_text(["b", "held", "web", "zz"])
    assert reader.stayed()


def test_what_is_in_hand_stays_in_hand(reader: Reader) -> None:
    """Keyboard focus and what was typed survive a change all around them."""
    reader.open("/")
    reader.page.locator("input[name=q]").fill("half a wo")
    link = reader.row(HELD).locator("a")
    link.focus()

    reader.fleet.files["b.yaml"] = job_document("b")
    del reader.fleet.files["deep.yaml"]
    reader.fleet.sync()
    reader.fleet.operator.approve(HELD, by="test")

    expect(reader.row(HELD)).to_contain_text("Ready")
    expect(link).to_be_focused()
    expect(reader.page.locator("input[name=q]")).to_have_value("half a wo")


def test_many_events_are_few_fetches(reader: Reader) -> None:
    """A storm of events does not become a storm of requests."""
    reader.open("/events")
    reader.documents.clear()
    for n in range(20):
        reader.fleet.happened("Healthy", f"event {n}", key=WEB)
        reader.page.wait_for_timeout(50)

    expect(reader.page.locator("#event-list tbody tr").first).to_contain_text("event 19")
    assert 1 <= len(reader.documents) <= 3


def test_a_page_of_one_spec_fetches_for_that_spec_alone(reader: Reader) -> None:
    """What happens to others costs neither Herdsman nor Nomad anything."""
    reader.open(_of(WEB))
    log = reader.page.context.new_page()
    log.goto("/events")
    expect(log.locator("#live")).to_have_text("Live")
    reader.documents.clear()
    reader.fleet.happened("Healthy", "somebody else", key=DEEP)
    expect(log.locator("#event-list")).to_contain_text("somebody else")
    assert reader.documents == []

    reader.fleet.happened("Healthy", "it is me", key=WEB)
    expect(reader.page.locator("#event-list")).to_contain_text("it is me")
    assert reader.documents == [reader.page.url]

    reader.fleet.happened("SourceUnavailable", "all are meant")
    expect(log.locator("#event-list")).to_contain_text("all are meant")
    reader.page.wait_for_function("count => performance.getEntriesByName(location.href).length > count", arg=2)


def test_a_plan_is_loaded_into_the_page_and_kept_true(reader: Reader) -> None:
    """The plan comes without a reload, follows later changes, and goes again."""
    reader.open(_of(HELD))
    reader.mark()
    reader.page.get_by_role("link", name="Ask Nomad what would change").click()
    plan = reader.page.locator("#plan-shown")
    expect(plan).to_contain_text("Meta[a]")
    expect(plan.get_by_role("link", name="Hide")).to_be_focused()

    reader.fleet.files["held.yaml"] = job_document("held", policy={"destructive": "approve"}, Meta={"later": "c"})
    reader.fleet.sync()
    reader.fleet.happened("NeedsApproval", "again", key=HELD)
    expect(plan).to_contain_text("Meta[later]")

    reader.page.get_by_role("link", name="Hide").click()
    expect(plan).not_to_contain_text("Meta")
    assert "plan=" not in reader.page.url
    assert reader.stayed()
    assert reader.complaints == []


def test_a_lost_connection_is_said_and_made_good(browser: Browser) -> None:
    """Nobody takes an old page for the truth; what was missed shows as soon as the server is back."""
    fleet = small_fleet()
    with fleet.at_an_address() as address:
        page = browser.new_page()
        page.goto(address)
        live = page.locator("#live")
        expect(live).to_have_text("Live")
    expect(live).to_have_text("Connection lost; trying again")

    fleet.operator.approve(HELD, by="test")
    with fleet.at_an_address(address.removeprefix("http://")):
        expect(live).to_have_text("Live", timeout=20_000)
        expect(page.locator(f'tr[id="{spec_path(HELD)}"]')).to_contain_text("Ready")
        page.close()


def test_a_hidden_page_holds_no_connection(reader: Reader) -> None:
    """Browsers allow few connections to one server; a page that nobody sees leaves them to others."""
    reader.open("/")
    reader.fleet.wait_for_listeners(1)
    _hide(reader.page, hidden=True)
    reader.fleet.wait_for_listeners(0)
    reader.fleet.operator.approve(HELD, by="test")
    expect(reader.row(HELD)).to_contain_text("Held")

    _hide(reader.page, hidden=False)

    expect(reader.row(HELD)).to_contain_text("Ready")
    reader.fleet.wait_for_listeners(1)
    _hide(reader.page, hidden=True)
    _hide(reader.page, hidden=False)
    reader.fleet.happened("Healthy", "shown anew", key=WEB)
    expect(reader.page.locator("#event-list")).to_contain_text("shown anew")
    reader.fleet.wait_for_listeners(1)


def _hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_a_spec_that_is_gone_is_said_to_be(reader: Reader) -> None:
    """The page of a spec that was removed turns into one that says so."""
    reader.open(_of(WEB))
    del reader.fleet.files["web.yaml"]
    reader.fleet.sync()
    reader.fleet.happened("Unwanted", "purged", key=WEB)

    expect(reader.page.locator("h1")).to_have_text("Not found")


def test_times_say_how_long_ago_they_were(reader: Reader) -> None:
    """The exact time is in the title."""
    reader.page.clock.set_fixed_time("2026-01-01T12:05:00Z")
    reader.open("/")
    when = reader.row(WEB).locator("time")

    expect(when).to_have_text("5 min ago")
    expect(when).to_have_attribute("title", "2026-01-01 12:00:00 UTC")


# -- forms --


def test_a_spec_is_suspended_with_the_keyboard_alone(reader: Reader) -> None:
    """From the top of the list: past the top, to the spec, to its button; focus is always to be seen."""
    reader.open("/")
    page = reader.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    _tab_to(page, "web")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("web")
    _tab_to(page, "Suspend")
    page.keyboard.press("Enter")

    expect(page.locator("main [role=status]")).to_contain_text("Suspended")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert reader.fleet.store.is_suspended(WEB)
    assert "done=" not in page.url


def _tab_to(page: Page, words: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "(e => ({words: e.textContent, outline: getComputedStyle(e).outlineStyle}))(document.activeElement)"
        )
        assert focus["outline"] != "none", f"focus on {focus['words']!r} cannot be seen"
        if focus["words"] == words:
            return
    raise AssertionError(f"no Tab leads to {words!r}")


def test_everything_works_without_scripts(reader: Reader, browser: Browser) -> None:
    """Filter, plan and approval are links and forms; the page says that it has to be reloaded."""
    page = browser.new_page(base_url=reader.address, java_script_enabled=False)
    page.goto("/")
    expect(page.locator("noscript p")).to_have_text("Reload to see what is new")
    page.get_by_role("combobox", name="State").select_option("held")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#spec-list tbody tr")).to_have_count(1)
    page.get_by_role("link", name="held", exact=True).first.click()
    page.get_by_role("link", name="See what it would change").click()
    expect(page.locator("#plan-shown")).to_contain_text("Meta[a]")
    page.get_by_role("button", name="Approve").click()

    expect(page.locator("main [role=status]")).to_contain_text("Approved")
    expect(page.locator("h1")).to_contain_text("Ready")
    page.close()


# -- looks --


@pytest.mark.parametrize("path", ["/", "/events", _of(HELD, "?plan=show"), _of(DEEP)])
def test_a_narrow_screen_needs_no_scrolling_aside(reader: Reader, path: str) -> None:
    """A telephone shows every page whole, however long the words."""
    long = "x" * 300
    reader.fleet.put(status(long[:200], ready=Truth.FALSE, reason=Reason.FAILED, message=long, author=long))
    reader.fleet.happened("Failed", long, key=job_key("default", long[:200]))
    reader.page.set_viewport_size({"width": 360, "height": 700})
    reader.open(path)

    assert reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert reader.complaints == []


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark_follow_the_system(reader: Reader, scheme: Literal["light", "dark"], dark: bool) -> None:
    """Paper is light by day and dark by night, and text is the other."""
    reader.page.emulate_media(color_scheme=scheme)
    reader.open("/")
    paper, ink = reader.page.evaluate(
        "(s => [s.backgroundColor, s.color].map(c => c.match(/\\d+/g).reduce((a, b) => a + Number(b), 0) / 3))"
        "(getComputedStyle(document.body))"
    )

    assert (paper < 64) is dark
    assert (ink > 192) is dark


def test_a_browser_keeps_to_the_policy(reader: Reader) -> None:
    """Scripts that got into a page by whatever way would not run."""
    reader.open("/")
    reader.page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.broken = true'; document.body.append(s)"
    )

    assert reader.page.evaluate("window.broken") is None
    assert any("Content Security Policy" in complaint for complaint in reader.complaints)
